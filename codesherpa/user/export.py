"""All that is stored about a user, as one JSON document that is never whole in memory."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator
from typing import Any

from marshmallow import Schema
from sqlalchemy import Select, bindparam, select

from codesherpa.api import envelope
from codesherpa.json import written
from codesherpa.rows import fetch
from codesherpa.shown import shown
from codesherpa.user import schemas
from codesherpa.user.models import User

CHUNK = 50  # Rows at a time; a chat with its code may have a quarter of a megabyte.
MESSAGE = "All that is stored about you."
PLACE = "\ue000"  # Stands in the envelope where the data goes.

# Each feature adds what it stores: its name in the document, its schema, and how a user's next rows are selected.
PARTS: dict[str, tuple[Schema, Select[Any]]] = {}


def part(name: str, schema: Schema, entity: type[Any], without: Collection[str] = ()) -> None:
    """Make an entity's rows that are a user's part of the export; `without` are columns that the schema leaves out."""
    mine = select(*shown(entity, without)).where(entity.user_id == bindparam("user_id"), entity.id > bindparam("last"))
    PARTS[name] = schema, mine.order_by(entity.id).limit(bindparam("most"))


def document(user: User) -> Iterator[bytes]:
    """Yield the export in the envelope, piece by piece; no transaction stays open while a piece is sent."""
    head, tail = written(envelope(PLACE, MESSAGE)).split(written(PLACE).strip())
    yield head + b'{"user":' + written(schemas.User().dump(user)).strip()
    for name, (schema, next_rows) in PARTS.items():
        before = b',"' + name.encode() + b'":['
        for rows in chunks(next_rows, user.id):
            yield before + written(schema.dump(rows, many=True)).strip()[1:-1]
            before = b","
            time.sleep(0)  # Others have their turn, however much it is.
        yield before + b"]" if before != b"," else b"]"
    yield b"}" + tail


def chunks(next_rows: Select[Any], user_id: int) -> Iterator[list[Any]]:
    """Yield every row of a selection, a chunk a query."""
    last = 0
    while rows := fetch(next_rows, user_id=user_id, last=last, most=CHUNK):
        yield rows
        if len(rows) < CHUNK:
            return
        last = rows[-1].id
