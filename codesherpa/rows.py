"""What is only read and shown, as rows: no session of the ORM, and no transaction left open behind it."""

from __future__ import annotations

from collections.abc import Callable, Collection
from types import SimpleNamespace
from typing import Any

from flask import current_app
from orjson import Fragment
from sqlalchemy import JSON, Dialect, Engine, Select, TypeDecorator, inspect, type_coerce

from codesherpa.database import Time, reading
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


def shown(entity: type[Any], without: Collection[str] = ()) -> list[Any]:
    """Return what a row of an entity shows, what is counted beside its columns included, as it is shown.

    Times and JSON come as text, so that nothing is read only to be written again.
    """
    columns = [(attribute.key, getattr(entity, attribute.key)) for attribute in inspect(entity).column_attrs]
    return [as_shown(column).label(name) for name, column in columns if name not in without]


def as_shown(column: Any) -> Any:
    form = FORMS.get(type(column.type))
    return type_coerce(column, form) if form else column


class TimeText(Time):
    """A time as RFC 3339 has it."""

    cache_ok = True

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], Any]:
        if dialect.name == "sqlite":
            return lambda kept: kept and f"{kept[:10]}T{kept[11:].removesuffix('.000000')}Z"
        return super().result_processor(dialect, coltype)


class JsonText(TypeDecorator[Any]):
    """JSON as it is stored, for an answer to hold as it is; PostgreSQL's driver has read it already."""

    impl = JSON
    cache_ok = True

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], Any]:
        return lambda kept: Fragment(kept) if isinstance(kept, str) else kept


FORMS: dict[type[Any], Any] = {Time: TimeText(), JSON: JsonText()}
