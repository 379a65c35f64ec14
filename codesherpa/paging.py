"""Lists in pages, searched without regard to case."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from marshmallow import Schema, fields
from sqlalchemy import Select, func, select

from codesherpa.extensions import db
from codesherpa.schema import Text, WholeText


class PageArguments(Schema):
    """Which page of a list is wanted, of what contains `q`."""

    page = WholeText(least=1, most=1_000_000, load_default=1)
    page_size = WholeText(least=1, most=100, load_default=20)
    q = Text(least=0, most=200)


class PageInfo(Schema):
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


def paged(statement: Select[Any], page: int, page_size: int) -> Page:
    """Fetch one page of an ordered selection of one entity, with the total in the same query."""
    with_total = statement.add_columns(func.count().over()).limit(page_size).offset((page - 1) * page_size)
    rows = db.session.execute(with_total).all()
    total = rows[0][-1] if rows else count(statement) if page > 1 else 0
    return Page([row[0] for row in rows], total, page, page_size)


def count(statement: Select[Any]) -> int:
    return db.session.scalar(select(func.count()).select_from(statement.order_by(None).subquery())) or 0
