"""Columns as an answer shows them: a list has hundreds, and nothing is read only to be written again."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from orjson import Fragment
from sqlalchemy import JSON, Dialect, TypeDecorator, inspect, type_coerce

from codesherpa.database import Time


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
