"""What users store, counted in bytes by the transaction that stores it, and MAX_STORED_MB_PER_USER.

A user's count stands in its own row. Whoever changes it holds that row until the transaction ends, and takes it before
all else that it locks: of messages that come at once, each sees the ones before it.
"""

from __future__ import annotations

import json
from typing import Any, cast

from flask import current_app
from sqlalchemy import ColumnElement, Table, bindparam, case, select, update

from codesherpa.errors import Conflict
from codesherpa.extensions import db
from codesherpa.rows import Transaction, within
from codesherpa.user.models import User

MB = 1024 * 1024
ROW = 512  # Bytes that a row counts for beside its text: what is empty takes space too.


def at_least_zero(sum: ColumnElement[int]) -> ColumnElement[int]:
    return case((sum < 0, 0), else_=sum)


# Made once: to build a statement takes longer than to run it.
USERS = cast(Table, User.__table__)
LOCK = select(USERS.c.id).where(USERS.c.id == bindparam("user_id")).with_for_update(key_share=True)
BOOK = (
    update(USERS)
    .where(USERS.c.id == bindparam("user_id"))
    # What a user changed of itself, and when, is another matter. A worker of the version before counts nothing, so what
    # is deleted may not have been counted.
    .values(stored_bytes=at_least_zero(USERS.c.stored_bytes + bindparam("more")), updated_at=USERS.c.updated_at)
    .returning(USERS.c.stored_bytes)
)


class StorageFull(Conflict):
    """A user stores as much as it may: something must be deleted first."""


def size(*texts: str | None, result: Any = None) -> int:
    """Return the bytes that a row with these texts, and a result as JSON, counts for."""
    written = json.dumps(result) if result is not None else ""
    return ROW + sum(len(text.encode(errors="replace")) for text in (*texts, written) if text)


def limit() -> int | None:
    """Return how many bytes a user may store, None for any number."""
    most: int | None = current_app.config["MAX_STORED_MB_PER_USER"]
    return None if most is None else most * MB


def hold(user_id: int, unit: Transaction | None = None) -> None:
    """Keep others from a user's count until the transaction ends."""
    unit = unit or within(db.session.connection())
    if not unit.has_one_writer:
        unit.run(LOCK, user_id=user_id)


def reserve(user_id: int, more: int, unit: Transaction | None = None) -> None:
    """Count bytes that are about to be stored for a user, in the session's transaction unless one is given.

    Raises StorageFull where they are more than it may store.
    """
    stored = book(user_id, more, unit)
    most = limit()
    if most is not None and more > 0 and stored > most:
        raise StorageFull(
            f"Your account holds {megabytes(stored - more)} of {megabytes(most)}, and this needs {megabytes(more)}. "
            "Delete conversations, agents or projects to make room."
        )


def book(user_id: int, more: int, unit: Transaction | None = None) -> int:
    """Count bytes that are stored for a user, fewer than none where they are deleted; return how many it has now."""
    found = (unit or within(db.session.connection())).run(BOOK, user_id=user_id, more=more)
    return int(found[0].stored_bytes) if found else 0  # An account that has gone stores nothing.


def megabytes(count: int) -> str:
    """Write a number of bytes as megabytes."""
    return f"{count / MB:,.1f} MB"
