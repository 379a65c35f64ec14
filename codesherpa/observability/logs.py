"""The log: one line an event, for eyes or machines, each with whose work it was written in."""

from __future__ import annotations

import logging

import structlog
from flask import g, has_app_context

from codesherpa.observability import lines, tracing


def in_context(_logger: object, _level: str, line: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Add to a line of the log whose work it was written in: the request's id, the user's, the trace's."""
    if has_app_context() and "request_id" in g:
        line.setdefault("request_id", g.request_id)
        if session := g.get("auth_session"):
            line.setdefault("user_id", session.user_id)
    if trace := tracing.trace_id():
        line.setdefault("trace_id", trace)
    return line


def configure(level: str, form: str) -> None:
    """Send structlog and the standard library's loggers through one renderer, one line an event."""
    shared: list[structlog.typing.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        in_context,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer() if form == "json" else structlog.dev.ConsoleRenderer(columns=lines.COLUMNS)
    )
    # Nothing prints where a line was logged, or in which thread. Under eventlet the first line of a greenlet would list
    # every live thread to find the name of its own: the cost grows with the replies that are open.
    logging._srcfile = None  # The documented way to leave out the caller.
    logging.logThreads = logging.logMultiprocessing = False
    handler = logging.StreamHandler()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, lines.clean, renderer],
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
