"""Whether the service lives, and whether it has what it needs."""

from __future__ import annotations

from typing import Any

import structlog
from flask import Blueprint, Response, current_app, jsonify, redirect, request, url_for
from flask.typing import ResponseReturnValue
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from redis import Redis, RedisError
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

import codesherpa
from codesherpa.api import PREFIX, envelope, failure
from codesherpa.database import reading
from codesherpa.extensions import db
from codesherpa.limits import unlimited

blueprint = Blueprint("health", __name__)
log = structlog.get_logger(__name__)


@blueprint.get("/")
@unlimited
def index() -> ResponseReturnValue:
    """Say what this is and where its documentation is; lead a browser to the page."""
    if wants_page():
        return redirect(url_for("web.page")), {"Vary": "Accept"}
    about = {"service": "codesherpa", "version": codesherpa.__version__, "docs": f"{PREFIX}/docs"}
    return envelope(about, "CodeSherpa is here."), {"Vary": "Accept"}


@blueprint.get("/health")
@unlimited
def health() -> dict[str, Any]:
    """Say that the process answers."""
    return envelope({"status": "ok"}, "Alive.")


@blueprint.get("/health/ready")
@unlimited
def ready() -> Response:
    """Say whether the database, and Redis where it is configured, answer."""
    parts = {"database": database_answers()}
    if current_app.config["REDIS_URL"]:
        parts["redis"] = redis_answers(current_app.config["REDIS_URL"])
    if current_app.extensions["process"].leaving:
        parts["worker"] = False  # It answers what it has begun, and takes nothing more.
    shown = {part: "ok" if answers else "failing" for part, answers in parts.items()}
    if all(parts.values()):
        return jsonify(envelope({"status": "ok", **shown}, "Ready."))
    failing = ", ".join(part for part, answers in parts.items() if not answers)
    return failure(503, "internal_error", f"Not ready: {failing} does not answer.", shown)


@blueprint.get("/metrics")
@unlimited
def metrics() -> Response:
    """Give what this process has counted, in Prometheus' own format."""
    return Response(generate_latest(), content_type=CONTENT_TYPE_LATEST)


def wants_page() -> bool:
    """Tell whether the caller likes HTML better than JSON, as a browser does and `*/*` does not."""
    return request.accept_mimetypes.best_match(["application/json", "text/html"]) == "text/html"


def database_answers() -> bool:
    try:
        with reading():
            db.session.execute(text("SELECT 1 FROM users LIMIT 1"))
    except SQLAlchemyError:
        log.warning("database does not answer", exc_info=True)
        return False
    finally:
        db.session.rollback()
    return True


def redis_answers(url: str) -> bool:
    try:
        with Redis.from_url(url, socket_connect_timeout=1, socket_timeout=1) as client:
            return bool(client.ping())
    except RedisError:
        log.warning("redis does not answer", exc_info=True)
        return False
