"""What is sent to the database, whichever way it goes, and who waits there."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from flask import Flask
from sqlalchemy import event, text

from codesherpa import rows
from codesherpa.extensions import db


@contextmanager
def recorded(app: Flask) -> Iterator[list[tuple[str, Any]]]:
    """Give the statements of this thread, with their parameters; a reply may still be settling in another."""
    sent: list[tuple[str, Any]] = []
    here = threading.get_ident()
    timed = rows.timed

    def note(statement: str, parameters: Any) -> None:
        if threading.get_ident() == here and not statement.startswith("BEGIN"):
            sent.append((statement, parameters))

    def noted(cursor: Any, sql: str, parameters: Any) -> Any:
        note(sql, parameters)
        return timed(cursor, sql, parameters)

    def told(*args: Any) -> None:
        note(args[2], args[3])

    with app.app_context():
        engine = db.engine
    event.listen(engine, "before_cursor_execute", told)
    try:
        with patch.object(rows, "timed", noted):
            yield sent
    finally:
        event.remove(engine, "before_cursor_execute", told)


def somebody_waits() -> None:
    """Return when a connection waits for what another has locked."""
    asked = text(
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    )
    while True:
        with db.engine.connect() as connection:
            if connection.execute(asked).scalar():
                return
