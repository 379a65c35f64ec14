"""What is only read and shown, as rows: no session of the ORM, and no transaction left open behind it."""

from __future__ import annotations

from collections.abc import Collection
from types import SimpleNamespace
from typing import Any

from flask import current_app
from sqlalchemy import Engine, Select, inspect

from codesherpa.database import reading
from codesherpa.extensions import db


def fetch(statement: Select[Any], **values: Any) -> list[Any]:
    """Return the rows of a selection made beforehand, whose parameters are `values`; each has its columns by name.

    They are what the database holds, not what the ORM's session has changed and not yet committed.
    """
    with reading(), reader().connect() as connection:
        found = connection.execute(statement, values)
        names = tuple(found.keys())
        # Reading a name off SQLAlchemy's own rows takes five times as long.
        return [SimpleNamespace(**dict(zip(names, row, strict=True))) for row in found.all()]


def reader() -> Engine:
    """Return the engine for a single selection. PostgreSQL is spared the BEGIN before and the ROLLBACK after."""
    found: Engine | None = current_app.extensions.get("reader")
    if found is None:
        found = db.engine
        if found.dialect.name == "postgresql":
            found = found.execution_options(isolation_level="AUTOCOMMIT")
        current_app.extensions["reader"] = found
    return found


def columns(entity: type[Any], without: Collection[str] = ()) -> list[Any]:
    """Return all that a row of an entity has, what is counted beside its columns included."""
    names = [attribute.key for attribute in inspect(entity).column_attrs]
    return [getattr(entity, name).label(name) for name in names if name not in without]
