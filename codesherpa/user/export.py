"""All that is stored about a user, as one JSON document that is never whole in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain
from typing import Any

from flask import json
from marshmallow import Schema
from sqlalchemy import Select

from codesherpa.api import envelope
from codesherpa.extensions import db
from codesherpa.user import schemas
from codesherpa.user.models import User

CHUNK = 100
MESSAGE = "All that is stored about you."
PLACE = "\ue000"  # Stands in the envelope where the data goes.

# Each feature adds what it stores: its name in the document, its schema, and how a user's rows are selected.
PARTS: dict[str, tuple[Schema, Callable[[User], Select[Any]]]] = {}


def part(name: str, schema: Schema, select: Callable[[User], Select[Any]]) -> None:
    """Make what a feature stores part of the export; `select` is ordered by the id, which is its first column."""
    PARTS[name] = (schema, select)


def document(user: User) -> Iterator[str]:
    """Yield the export in the envelope, piece by piece; no transaction stays open while a piece is sent."""
    head, tail = json.dumps(envelope(PLACE, MESSAGE)).split(json.dumps(PLACE))
    yield f'{head}{{"user": {json.dumps(schemas.User().dump(user))}'
    for name, (schema, select) in PARTS.items():
        yield f', "{name}": ['
        rows = (json.dumps(schema.dump(row)) for row in every(select(user)))
        first = next(rows, "")
        yield from chain([first], (f", {row}" for row in rows))
        yield "]"
    yield f"}}{tail}"


def every(statement: Select[Any]) -> Iterator[Any]:
    """Yield every row of a selection, a chunk a query."""
    key = statement.column_descriptions[0]["entity"].id
    last = 0
    while rows := db.session.scalars(statement.where(key > last).order_by(key).limit(CHUNK)).all():
        last = rows[-1].id
        db.session.commit()
        yield from rows
        db.session.expunge_all()
    db.session.commit()
