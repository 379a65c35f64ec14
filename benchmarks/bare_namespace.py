"""The least that Flask-SocketIO can do: what a socket of the application is compared with."""

from flask import Flask
from flask_socketio import Namespace, SocketIO, emit

app = Flask(__name__, static_folder=None)
server = SocketIO(app, async_mode="eventlet", cors_allowed_origins="*")


class Everybody(Namespace):
    """Lets everybody in."""

    def on_connect(self, auth: object = None) -> None:
        emit("connected", {})


server.on_namespace(Everybody("/ws"))
