"""Lists in pages, searched without regard to case."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from marshmallow import Schema, fields
from sqlalchemy import ColumnElement, Select, bindparam, func, select

from codesherpa.rows import fetch
from codesherpa.schema import Item, Text, WholeText
from codesherpa.shown import shown
from codesherpa.user.models import User


class PageArguments(Schema):
    """Which page of a list is wanted, of what contains `q`."""

    page = WholeText(least=1, most=1_000_000, load_default=1)
    page_size = WholeText(least=1, most=100, load_default=20)
    q = Text(least=0, most=200)


class PageInfo(Item):
    """Where a page stands in its list."""

    count = fields.Integer(required=True, metadata={"description": "on this page"})
    total = fields.Integer(required=True, metadata={"description": "on all pages"})
    page = fields.Integer(required=True)
    page_size = fields.Integer(required=True)


@dataclass(frozen=True, slots=True)
class Page:
    """Some of a list: `items`, of `total` in all."""

    items: Sequence[Any]
    total: int
    page: int
    page_size: int

    @property
    def count(self) -> int:
        return len(self.items)


class Listing:
    """The list of all that a user has of one kind, in `order`; its selections are made once, at the first call."""

    def __init__(self, entity: type[Any], searched: Any, *order: Any) -> None:
        self.entity, self.searched, self.order = entity, searched, order

    def page(self, user: User, page: int, page_size: int, q: str = "") -> Page:
        """Return a page of what contains `q`, as rows, with the total in the same query."""
        wanted = {"user_id": user.id, "q": escaped(q)} if q else {"user_id": user.id}
        listed, total = self.with_q if q else self.without_q
        rows = fetch(listed, page_size=page_size, offset=(page - 1) * page_size, **wanted)
        if not rows and page > 1:
            return Page([], fetch(total, **wanted)[0].total, page, page_size)
        return Page(rows, rows[0].total if rows else 0, page, page_size)

    @cached_property
    def without_q(self) -> tuple[Select[Any], Select[Any]]:
        return self.statements(self.entity.user_id == bindparam("user_id"))

    @cached_property
    def with_q(self) -> tuple[Select[Any], Select[Any]]:
        return self.statements((self.entity.user_id == bindparam("user_id")) & contains(self.searched))

    def statements(self, mine: Any) -> tuple[Select[Any], Select[Any]]:
        total = select(func.count().label("total")).select_from(self.entity).where(mine)
        # Counted apart from the rows: a window over them would read every row of the list whole.
        listed = select(*shown(self.entity), total.scalar_subquery().label("total")).where(mine)
        return listed.order_by(*self.order).limit(bindparam("page_size")).offset(bindparam("offset")), total


def contains(column: Any) -> ColumnElement[bool]:
    """Return the condition that a column contains the parameter `q` somewhere, case ignored."""
    found: ColumnElement[bool] = column.icontains(bindparam("q"), escape="/")
    return found


def escaped(q: str) -> str:
    """Return `q` for `contains`, where `%` and `_` are letters."""
    return q.replace("/", "//").replace("%", "/%").replace("_", "/_")
