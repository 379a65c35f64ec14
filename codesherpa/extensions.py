"""The extensions, unbound: create_app binds them."""

from typing import TYPE_CHECKING

from flask_migrate import Migrate
from flask_socketio import SocketIO
from flask_sqlalchemy import SQLAlchemy

from codesherpa.api import VersionedApi
from codesherpa.auth.signatures import Guard
from codesherpa.database import Base
from codesherpa.edge import CrossOrigin

db = SQLAlchemy(model_class=Base, session_options={"expire_on_commit": False})
if TYPE_CHECKING:  # Flask-SQLAlchemy makes its model class while it runs, which a type checker cannot see.
    Model = Base
else:
    Model = db.Model

migrate = Migrate()
jwt = Guard()
cors = CrossOrigin()
socketio = SocketIO()
api = VersionedApi()
