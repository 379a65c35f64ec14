"""All that is stored about a user, as one JSON document that is never whole in memory."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Iterator
from time import monotonic
from typing import Any

from flask import Flask, current_app
from marshmallow import Schema
from sqlalchemy import Select, bindparam, select

from codesherpa.api import envelope
from codesherpa.errors import RateLimited
from codesherpa.json import written
from codesherpa.rows import fetch
from codesherpa.shown import shown
from codesherpa.user import schemas
from codesherpa.user.models import User

CHUNK = 50  # Rows at a time, fewer where they are large: a chat with its code may have a quarter of a megabyte.
FIRST = 5  # Rows that show how large they are.
PIECE = 1 << 20  # Bytes that are written in one go, in a hundredth of a second.
MESSAGE = "All that is stored about you."
LONGEST = 600.0  # Seconds after which an export no longer keeps its user from another.
RETRY_AFTER = 5
PLACE = "\ue000"  # Stands in the envelope where the data goes.

# Each feature adds what it stores: its name in the document, its schema, and how a user's next rows are selected.
PARTS: dict[str, tuple[Schema, Select[Any]]] = {}


def part(name: str, schema: Schema, entity: type[Any], without: Collection[str] = ()) -> None:
    """Make an entity's rows that are a user's part of the export; `without` are columns that the schema leaves out."""
    mine = select(*shown(entity, without)).where(entity.user_id == bindparam("user_id"), entity.id > bindparam("last"))
    PARTS[name] = schema, mine.order_by(entity.id).limit(bindparam("most"))


class UnderWay:
    """The users whose export this process is sending; one that lasts too long is counted as over."""

    def __init__(self) -> None:
        self._begun: dict[int, float] = {}
        self._lock = threading.Lock()

    def begin(self, user_id: int) -> Callable[[], None]:
        """Note that a user's export begins, and return what ends it. Raises RateLimited while another is sent."""
        at = monotonic()
        with self._lock:
            if at - self._begun.get(user_id, -LONGEST) < LONGEST:
                raise RateLimited(
                    "Your data is being sent already. Wait until that has ended.", retry_after=RETRY_AFTER
                )
            self._begun[user_id] = at

        def end() -> None:
            with self._lock:
                if self._begun.get(user_id) == at:
                    del self._begun[user_id]

        return end


def init_app(app: Flask) -> None:
    app.extensions["exports"] = UnderWay()


def begin(user: User) -> tuple[Iterator[bytes], Callable[[], None]]:
    """Return a user's export, and what is to be called when it has been sent or its client has gone.

    A user has one at a time in each process: it reads all that there is. Raises RateLimited.
    """
    exports: UnderWay = current_app.extensions["exports"]
    end = exports.begin(user.id)
    return until_the_end(document(user), end), end


def until_the_end(pieces: Iterator[bytes], end: Callable[[], None]) -> Iterator[bytes]:
    try:
        yield from pieces
    finally:
        end()


def document(user: User) -> Iterator[bytes]:
    """Yield the export in the envelope, piece by piece; no transaction stays open while a piece is sent."""
    head, tail = written(envelope(PLACE, MESSAGE)).split(written(PLACE).strip())
    yield head + b'{"user":' + written(schemas.User().dump(user)).strip()
    for name, (schema, next_rows) in PARTS.items():
        before = b',"' + name.encode() + b'":['
        for piece in pieces(user.id, schema, next_rows):
            yield before + piece
            before = b","
            time.sleep(0)  # Others have their turn, however much it is.
        yield before + b"]" if before != b"," else b"]"
    yield b"}" + tail


def pieces(user_id: int, schema: Schema, next_rows: Select[Any]) -> Iterator[bytes]:
    """Yield every row of a selection, as many in a query as make a piece."""
    last, most = 0, min(FIRST, CHUNK)
    while rows := fetch(next_rows, user_id=user_id, last=last, most=most):
        piece = written(schema.dump(rows, many=True)).strip()[1:-1]
        yield piece
        if len(rows) < most:
            return
        last = rows[-1].id
        most = max(1, min(CHUNK, len(rows) * PIECE // (len(piece) + 1)))
