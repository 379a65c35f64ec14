"""Whether the service lives, and whether it has what it needs."""

from __future__ import annotations

from functools import cache
from typing import Any

import structlog
from alembic.script import ScriptDirectory
from flask import Blueprint, Response, current_app, jsonify, redirect, request, url_for
from flask.typing import ResponseReturnValue
from prometheus_client import CONTENT_TYPE_LATEST
from redis import RedisError
from sqlalchemy import text
from sqlalchemy.exc import OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

import codesherpa
from codesherpa.api import PREFIX, envelope, failure
from codesherpa.chat.bus import connect
from codesherpa.database import reading
from codesherpa.extensions import db
from codesherpa.limits import unlimited
from codesherpa.observability.metrics import exposition
from config import ROOT

NOT_MIGRATED = "has not been migrated: run `flask db upgrade`"

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
    faults = {"database": database_fault()}
    if current_app.config["REDIS_URL"]:
        faults["redis"] = redis_fault(current_app.config["REDIS_URL"])
    if current_app.extensions["process"].leaving:
        faults["worker"] = "is leaving"  # It answers what it has begun, and takes nothing more.
    shown = {part: fault or "ok" for part, fault in faults.items()}
    if not any(faults.values()):
        return jsonify(envelope({"status": "ok", **shown}, "Ready."))
    wrong = "; ".join(f"{part} {fault}" for part, fault in faults.items() if fault)
    return failure(503, "internal_error", f"Not ready: {wrong}.", shown)


@blueprint.get("/metrics")
@unlimited
def metrics() -> Response:
    """Give what the workers at this port have counted, in Prometheus' own format."""
    return Response(exposition(), content_type=CONTENT_TYPE_LATEST)


def wants_page() -> bool:
    """Tell whether the caller likes HTML better than JSON, as a browser does and `*/*` does not."""
    return request.accept_mimetypes.best_match(["application/json", "text/html"]) == "text/html"


def database_fault() -> str | None:
    """Return what is wrong with the database. One that is ahead is not: the workers behind it are being replaced."""
    try:
        with reading():
            revisions = set(db.session.scalars(text("SELECT version_num FROM alembic_version")))
    except (OperationalError, PoolTimeout):
        log.warning("database does not answer", exc_info=True)
        # SQLite calls a table that is missing an operational error too.
        return NOT_MIGRATED if answers() else "does not answer"
    except SQLAlchemyError:
        return NOT_MIGRATED
    finally:
        db.session.rollback()
    return NOT_MIGRATED if not revisions or revisions & older_revisions() else None


def answers() -> bool:
    db.session.rollback()
    try:
        return bool(db.session.scalar(text("SELECT 1")))
    except SQLAlchemyError:
        return False


@cache
def older_revisions() -> frozenset[str]:
    """Return the revisions of the database that this code has gone beyond."""
    history = ScriptDirectory(str(ROOT / "migrations"))
    return frozenset(one.revision for one in history.walk_revisions()) - frozenset(history.get_heads())


def redis_fault(url: str) -> str | None:
    try:
        with connect(url) as client:
            client.ping()
    except RedisError:
        log.warning("redis does not answer", exc_info=True)
        return "does not answer"
    return None
