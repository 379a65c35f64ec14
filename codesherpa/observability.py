"""What an operator sees: a request's id, and logs for eyes or machines."""

from __future__ import annotations

import logging
import re
import time
import uuid
from functools import cache

import structlog
from flask import Flask, Response, g, has_app_context, request
from prometheus_client import Gauge, Histogram

from codesherpa import loglines, tracing

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
    configure_logs(app.config["LOG_LEVEL"], app.config["LOG_FORMAT"])
    app.before_request(begin)
    app.after_request(end)
    app.teardown_request(left)


@cache
def series(method: str, route: str, status: int) -> Histogram:
    """Return where a kind of answer is counted; there are as many as routes and statuses."""
    return SECONDS.labels(method, route, status)


def begin() -> None:
    sent = request.headers.get("X-Request-ID", "")
    g.request_id = sent if SANE_ID.fullmatch(sent) else uuid.uuid4().hex
    g.started = time.perf_counter()
    UNDER_WAY.inc()


def end(response: Response) -> Response:
    response.headers["X-Request-ID"] = request_id()
    route = request.url_rule.rule if request.url_rule else "none"
    seconds = time.perf_counter() - g.get("started", time.perf_counter())
    series(request.method if route != "none" else "any", route, response.status_code).observe(seconds)
    if lines.isEnabledFor(logging.INFO):  # Most of what a line costs is spent before structlog asks.
        told = {"method": request.method, "route": route, "status": response.status_code}
        log.info("request", **told, duration_ms=round(seconds * 1000, 1))
    return response


def left(_fault: BaseException | None) -> None:
    if "started" in g:
        UNDER_WAY.dec()


def in_context(_logger: object, _level: str, line: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Add to a line of the log whose work it was written in: the request's id, the user's, the trace's."""
    if has_app_context() and "request_id" in g:
        line.setdefault("request_id", g.request_id)
        if session := g.get("auth_session"):
            line.setdefault("user_id", session.user_id)
    if trace := tracing.trace_id():
        line.setdefault("trace_id", trace)
    return line


def configure_logs(level: str, form: str) -> None:
    """Send structlog and the standard library's loggers through one renderer, one line an event."""
    shared: list[structlog.typing.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        in_context,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer() if form == "json" else structlog.dev.ConsoleRenderer(colors=False)
    )
    handler = logging.StreamHandler()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, loglines.clean, renderer],
        )
    )
    # Libraries tell in DEBUG what they were sent, and botocore with what it was signed; only our own lines may be that.
    floor = max(logging.INFO, logging.getLevelNamesMapping()[level])
    logging.basicConfig(level=floor, handlers=[handler], force=True)
    logging.getLogger("codesherpa").setLevel(level)
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
