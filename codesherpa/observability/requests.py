"""A request as an operator sees it: its id, its line in the log, and how long it took."""

from __future__ import annotations

import logging
import re
import time
import uuid
from functools import cache

import structlog
from flask import Flask, Request, Response, g, has_app_context, request
from prometheus_client import Gauge, Histogram

from codesherpa.observability import logs

SANE_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")

log = structlog.get_logger("codesherpa.request")
lines = logging.getLogger("codesherpa.request")
SECONDS = Histogram("codesherpa_request_seconds", "Time to answer a request.", ["method", "route", "status"])
UNDER_WAY = Gauge("codesherpa_requests_under_way", "Requests that are being answered.", multiprocess_mode="livesum")


def request_id() -> str:
    """Return the id of what is being done now: the caller's own when it sent a sane one."""
    if not has_app_context():
        return uuid.uuid4().hex
    if "request_id" not in g:
        g.request_id = uuid.uuid4().hex
    return str(g.request_id)


def init_app(app: Flask) -> None:
    """Give every request an id and every answer a line in the log."""
    logs.configure(app.config["LOG_LEVEL"], app.config["LOG_FORMAT"])
    app.before_request(begin)
    app.after_request(end)
    app.teardown_request(left)


@cache
def series(method: str, route: str, status: int) -> Histogram:
    """Return where a kind of answer is counted; there are as many as routes and statuses."""
    return SECONDS.labels(method, route, status)


def id_for(sent: str) -> str:
    """Return what a caller sent to name its request by, where that is sane, or a new name."""
    return sent if SANE_ID.fullmatch(sent) else uuid.uuid4().hex


def begin() -> None:
    here = g._get_current_object()  # Each look at a proxy costs.
    here.request_id = id_for(request.environ.get("HTTP_X_REQUEST_ID", ""))
    here.started = time.perf_counter()
    UNDER_WAY.inc()


def end(response: Response) -> Response:
    response.headers["X-Request-ID"] = request_id()
    asked: Request = request._get_current_object()  # type: ignore[attr-defined]
    route = asked.url_rule.rule if asked.url_rule else "none"
    seconds = time.perf_counter() - g.get("started", time.perf_counter())
    series(asked.method if route != "none" else "any", route, response.status_code).observe(seconds)
    if lines.isEnabledFor(logging.INFO):  # Most of what a line costs is spent before structlog asks.
        told = {"method": asked.method, "route": route, "status": response.status_code}
        log.info("request", **told, duration_ms=round(seconds * 1000, 1))
    return response


def left(_fault: BaseException | None) -> None:
    if "started" in g:
        UNDER_WAY.dec()
