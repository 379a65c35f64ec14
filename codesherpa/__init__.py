"""CodeSherpa: a sherpa that reviews code and explains it, live, word by word."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from flask import Flask, Request
from flask.sessions import NullSession, SessionInterface
from werkzeug.exceptions import NotFound
from werkzeug.routing import MapAdapter

import config as settings
from codesherpa import checkpoints, edge, errors
from codesherpa.api import DOCUMENT, Id
from codesherpa.concurrency import children
from codesherpa.extensions import api, cors, db, jwt, migrate, socketio
from codesherpa.json import Provider
from codesherpa.observability import metrics, requests, tracing

__version__ = "0.1.0"

ONE_SLASH = re.compile("/(?!/)")


class Application(Flask):
    """Flask without a look at each function, whether it is a coroutine: none of ours is."""

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        return func

    def create_url_adapter(self, request: Request | None) -> MapAdapter | None:
        """Lead to a view by the path as it is; Werkzeug takes slashes off its beginning, and adds one where none is."""
        if request is not None and not ONE_SLASH.match(request.environ["PATH_INFO"]):
            raise NotFound
        return super().create_url_adapter(request)


class NoCookies(SessionInterface):
    """Who calls is told by a token alone, so no cookie is read or signed."""

    def open_session(self, app: Flask, request: Request) -> NullSession:
        return NullSession()


def create_app(config: Mapping[str, Any] | None = None) -> Flask:
    """Build the application from `config` as `config.load` gives it, or from the environment.

    Raises SettingError for a setting that cannot be right.
    """
    app = Application(__name__, static_folder=None)
    app.url_map.converters["id"] = Id
    app.url_map.merge_slashes = False  # Else two slashes in a row are answered by a redirect in HTML.
    app.session_interface = NoCookies()
    app.json = Provider(app)
    app.config.from_mapping(config if config is not None else settings.from_environment())
    register_secret(app)
    children.init(app.config["CHILD_MEMORY_MB"])
    register_extensions(app)
    register_guards(app)
    register_blueprints(app)
    register_sockets(app)
    register_integrations(app)
    register_commands(app)
    edge.init_app(app)  # Around all of it, the sockets too.
    return app


def register_secret(app: Flask) -> None:
    """Development makes a key for itself and keeps it; production has been refused without one by now."""
    app.config["SECRET_KEY"] = app.config["SECRET_KEY"] or settings.kept_secret(Path(app.instance_path))
    app.config["JWT_SECRET_KEY"] = app.config["SECRET_KEY"]


def register_extensions(app: Flask) -> None:
    # For nobody else on this machine: SQLite's file holds hashes of passwords and users' code.
    Path(app.instance_path).mkdir(mode=0o700, parents=True, exist_ok=True)
    db.init_app(app)
    checkpoints.init_app(app)
    migrate.init_app(app, db, directory=str(settings.ROOT / "migrations"), render_as_batch=True)
    jwt.init_app(app)
    app.config.from_mapping(DOCUMENT)
    api.init_app(app)
    cors.init_app(
        app,
        origins=edge.spellings(app.config["CORS_ORIGINS"]),
        always_send=False,  # Who sends no Origin asks for none of this.
        expose_headers=["X-Request-ID", "Retry-After"],
        max_age=600,
    )


def register_guards(app: Flask) -> None:
    """What stands before every view: the request's id, its token, its limits, and what goes wrong with it."""
    from codesherpa import limits
    from codesherpa.auth import tokens

    tracing.init_app(app)  # First, so that what follows is traced and logged with its trace.
    requests.init_app(app)
    metrics.init_app(app)
    app.before_request(tokens.guard)
    limits.init_app(app)  # After the guard, which finds out who is to be counted.
    errors.register(app)


def register_blueprints(app: Flask) -> None:
    from codesherpa import exports, health
    from codesherpa.agents.routes import blueprint as agents
    from codesherpa.auth.routes import blueprint as auth
    from codesherpa.chat.routes import blueprint as chat
    from codesherpa.docs.routes import blueprint as docs
    from codesherpa.integrations.github import routes as github
    from codesherpa.integrations.whatsapp.routes import blueprint as whatsapp
    from codesherpa.projects.routes import blueprint as projects
    from codesherpa.user.routes import blueprint as user
    from codesherpa.web.routes import blueprint as web

    app.register_blueprint(health.blueprint)
    app.register_blueprint(web)
    app.register_blueprint(docs)
    app.register_blueprint(whatsapp)
    exports.register(app)
    app.register_blueprint(github.webhook)
    for blueprint in (auth, user, agents, projects, github.blueprint, chat):
        api.register_blueprint(blueprint)


def register_sockets(app: Flask) -> None:
    from codesherpa.chat import events, hints, process

    process.init_app(app)
    hints.init_app(app)
    events.init_app(app, socketio)


def register_integrations(app: Flask) -> None:
    from codesherpa.integrations import runner, whatsapp
    from codesherpa.integrations.github import reviewing  # noqa: F401 (so that its jobs are done)

    runner.init_app(app)
    whatsapp.desk.init_app(app)


def register_commands(app: Flask) -> None:
    from codesherpa import commands

    commands.register(app)
