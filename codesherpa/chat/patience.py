"""Wait for a database that is away."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

import structlog

from codesherpa.database import AWAY
from codesherpa.extensions import db

T = TypeVar("T")
PATIENCE = 60.0
PAUSE = 0.5

log = structlog.get_logger(__name__)


def patiently(work: Callable[[], T]) -> T:
    """Run a unit of work that ends with its commit, again and again while the database is away, for a minute."""
    give_up = time.monotonic() + PATIENCE
    while True:
        try:
            return work()
        except AWAY as fault:
            db.session.rollback()
            if time.monotonic() > give_up:
                raise
            log.warning("waiting for the database", error=type(fault).__name__)
            time.sleep(PAUSE)
