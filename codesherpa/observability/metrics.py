"""What this process counts for Prometheus: latency, traffic, errors and saturation of what it is made of.

Routes are counted in `requests`, models and replies in `usage`. Behind nginx each process is asked itself;
where gunicorn runs several workers at one port they count together, in files (see gunicorn.conf.py).
"""

from __future__ import annotations

import logging
import os
import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any

import structlog
from flask import Flask
from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector
from sqlalchemy import Connection, Engine, ExceptionContext, event
from sqlalchemy.pool import Pool

from codesherpa.concurrency import spawn
from codesherpa.extensions import db
from codesherpa.observability import tracing
from codesherpa.observability.requests import request_id

QUICK = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)
BEAT = 0.5  # Seconds between two looks at how late the process is.
COUNTED_EVERY = 10  # Beats between two counts of open descriptors: with 10,000 of them one takes some milliseconds.

SOCKETS = Gauge("codesherpa_sockets", "Sockets that are connected.", multiprocess_mode="livesum")
EVENTS = Histogram("codesherpa_event_seconds", "Time to handle a socket's event.", ["event", "code"], buckets=QUICK)
LATE = Histogram("codesherpa_late_seconds", "How late a beat of the process came.", buckets=QUICK)
QUERIES = Histogram("codesherpa_query_seconds", "Time that the database took for a statement.", buckets=QUICK)
FAULTS = Counter("codesherpa_query_faults", "Statements that the database failed or refused.", ["kind"])
IN_USE = Gauge("codesherpa_connections_in_use", "Connections to the database in use.", multiprocess_mode="livesum")
DESCRIPTORS = Gauge("codesherpa_descriptors", "File descriptors that are open.", multiprocess_mode="livesum")
DESCRIPTORS_MOST = Gauge("codesherpa_descriptors_most", "Descriptors that may be open.", multiprocess_mode="livesum")
MEMORY = Gauge("codesherpa_memory_bytes", "Memory that is resident.", multiprocess_mode="livesum")
REDIS_AWAY = Gauge("codesherpa_redis_away", "1 while Redis does not answer.", multiprocess_mode="livemax")
MOST = Gauge("codesherpa_connections_most", "Connections that the pool may open.", multiprocess_mode="livesum")

log = structlog.get_logger("codesherpa.socket")
lines = logging.getLogger("codesherpa.socket")


@dataclass(slots=True)
class Watched:
    """A socket's event that is being handled: whose it is, and the contract's code where it was refused."""

    user_id: int | None = None
    code: str = "ok"


def init_app(app: Flask) -> None:
    with app.app_context():
        pool: Any = db.engine.pool
    MOST.set(pool.size() + pool._max_overflow if hasattr(pool, "_max_overflow") else 1)


def exposition() -> bytes:
    """Return all that was counted, of every worker at this port."""
    together = CollectorRegistry()
    try:
        MultiProcessCollector(together)  # type: ignore[no-untyped-call]
    except ValueError:  # One worker, which counts in its own memory.
        together = REGISTRY
    return generate_latest(together)


@cache
def series(name: str, code: str) -> Histogram:
    """Return where an event is counted; there are as many as events and codes."""
    return EVENTS.labels(name, code)


@contextmanager
def watching(name: str) -> Iterator[Watched]:
    """Time a socket's event, trace it, and give it a line in the log."""
    request_id()  # From here on, all that is logged of it carries one.
    watched, started = Watched(), time.perf_counter()
    with tracing.span(f"ws {name}") as span:
        yield watched
        tracing.note(span, **{"user.id": watched.user_id, "codesherpa.code": watched.code})
    seconds = time.perf_counter() - started
    series(name, watched.code).observe(seconds)
    if not lines.isEnabledFor(logging.INFO):  # Most of what a line costs is spent before structlog asks.
        return
    told = {"socket_event": name, "code": watched.code, "user_id": watched.user_id}
    log.info("event", duration_ms=round(seconds * 1000, 1), **told)


def start_beating() -> None:
    """Measure from now on how late this process is, since what computes on the hub delays everybody, and how large."""
    spawn(beat)


def beat() -> None:
    DESCRIPTORS_MOST.set(resource.getrlimit(resource.RLIMIT_NOFILE)[0])
    for number in count():
        due = time.perf_counter() + BEAT
        time.sleep(BEAT)
        LATE.observe(max(0.0, time.perf_counter() - due))
        MEMORY.set(resident())
        if number % COUNTED_EVERY == 0:
            DESCRIPTORS.set(open_descriptors())


def open_descriptors() -> int:
    """Return how many file descriptors this process has open, 0 where the system does not tell."""
    try:
        return len(os.listdir("/proc/self/fd"))
    except OSError:  # Not Linux, or there is no descriptor left to read the folder with.
        return 0


def resident() -> float:
    """Return the memory of this process in bytes, 0 where the system does not tell.

    prometheus_client knows too, but not where several workers of a port count together.
    """
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return 0.0
    return float(pages * os.sysconf("SC_PAGE_SIZE"))


@event.listens_for(Pool, "checkout")
def taken(*_: object) -> None:
    IN_USE.inc()


@event.listens_for(Pool, "checkin")
def given_back(*_: object) -> None:
    IN_USE.dec()


@event.listens_for(Engine, "before_cursor_execute")
def asked(connection: Connection, *_: object) -> None:
    connection.info["asked_at"] = time.perf_counter()


@event.listens_for(Engine, "after_cursor_execute")
def answered(connection: Connection, *_: object) -> None:
    QUERIES.observe(time.perf_counter() - connection.info.pop("asked_at"))


@event.listens_for(Engine, "handle_error")
def failed(context: ExceptionContext) -> None:
    FAULTS.labels(type(context.original_exception).__name__).inc()
