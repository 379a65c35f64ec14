"""What commands have in common: failures of one line, checked input, tables, and text made safe for a terminal."""

from __future__ import annotations

import unicodedata
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import click
from flask import g, json
from flask.cli import AppGroup
from marshmallow import Schema
from marshmallow import ValidationError as SchemaError
from sqlalchemy.exc import SQLAlchemyError

from codesherpa.errors import AppError, sentences

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


class Commands(AppGroup):
    """Commands whose failures are one line."""

    def invoke(self, ctx: click.Context) -> Any:
        with one_line():
            return super().invoke(ctx)


@contextmanager
def one_line() -> Iterator[None]:
    """End a command that fails with one line, for what has a name and for a database that is away."""
    try:
        yield
    except AppError as fault:
        raise click.ClickException(printable(fault.message)) from fault
    except SQLAlchemyError as fault:
        why = str(getattr(fault, "orig", None) or fault).strip().splitlines()[0]
        hint = "Is it up, and has `flask db upgrade` been run?"
        raise click.ClickException(f"The database refused: {why}. {hint}") from fault


def begin() -> None:
    """Name what is done now, so that the audit trail tells it from a request."""
    g.request_id = f"command-{uuid.uuid4().hex}"


def load(schema: Schema, **values: str) -> dict[str, Any]:
    """Check what was given as the API does. Raises ClickException, one line."""
    try:
        loaded: dict[str, Any] = schema.load(values)
    except SchemaError as fault:
        said = "; ".join(f"{field}: {' '.join(told)}" for field, told in sentences(fault.messages).items())
        raise click.ClickException(said) from fault
    return loaded


def tell(as_json: bool, data: dict[str, Any], text: str) -> None:
    click.echo(json.dumps(data, indent=2) if as_json else text)


def printable(text: str) -> str:
    """Return text with what would steer a terminal replaced: a name or a user agent may hold anything."""
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in text)


def when(moment: datetime) -> str:
    """Return a time to the second, in UTC."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S}Z"


def width(text: str) -> int:
    """Return how many columns a text takes."""
    wide = sum(unicodedata.east_asian_width(letter) in "WF" for letter in text)
    return len(text) + wide - sum(unicodedata.combining(letter) > 0 for letter in text)


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return rows under a head, in columns as wide as what stands in them."""
    lines = [list(head), *([printable(str(cell)) for cell in row] for row in rows)]
    widths = [max(map(width, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(cell + " " * (most - width(cell)) for cell, most in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )
