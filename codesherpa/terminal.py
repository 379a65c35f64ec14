"""What commands have in common: failures of one line, checked input, tables, and text made safe for a terminal."""

from __future__ import annotations

import re
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

JOINERS = "\u200c\u200d"
# Behind what a joiner is written: letters and signs from Arabic to the scripts of India and Mongolia, and emoji.
JOINED = re.compile("[\u0600-\u18af\u2190-\u2bff\ufe0f\U0001f000-\U0001faff]")

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
        raise click.ClickException(printable(f"The database refused: {why}. {hint}")) from fault


def begin() -> None:
    """Name what is done now, so that the audit trail tells it from a request."""
    g.request_id = f"command-{uuid.uuid4().hex}"


def load(schema: Schema, **values: str) -> dict[str, Any]:
    """Check what was given as the API does. Raises ClickException, one line."""
    try:
        loaded: dict[str, Any] = schema.load(values)
    except SchemaError as fault:
        said = "; ".join(f"{field}: {' '.join(told)}" for field, told in sentences(fault.messages).items())
        raise click.ClickException(printable(said)) from fault
    return loaded


def tell(as_json: bool, data: dict[str, Any], text: str) -> None:
    echo(escaped(json.dumps(data, indent=2)) if as_json else text)


def echo(text: str, *, err: bool = False, nl: bool = True, before: str = "") -> None:
    """Print text of any origin, so that it steers no terminal; `before` is the end of what it goes on."""
    click.echo(visible(text, keep="\n\t", before=before), err=err, nl=nl)


def printable(text: str) -> str:
    """Return text as part of one line, with what would steer a terminal replaced."""
    return visible(text)


def visible(text: str, *, keep: str = "", before: str = "") -> str:
    """Return text with what is not seen, or turns the order of other letters around, replaced; spaces are plain ones.

    Those are control characters, C1 among them (U+009B begins a sequence as ESC [ does), bidirectional overrides and
    isolates, ends of lines and paragraphs, and letters of no width. Joiners stay where a script or an emoji needs them.
    """
    if text.isprintable():
        return text
    pairs = zip(before[-1:] + text if before else " " + text, text, strict=False)
    return "".join(
        letter if letter.isprintable() or letter in keep else instead(last, letter) for last, letter in pairs
    )


def instead(last: str, letter: str) -> str:
    """Return what stands in the place of a letter that is not printable, behind another."""
    if letter in JOINERS and JOINED.match(last):
        return letter
    return " " if unicodedata.category(letter) == "Zs" else "" if letter == "\r" else "\ufffd"


def escaped(written: str) -> str:
    """Return JSON that reads as the same value, with what `visible` would replace as an escape."""
    if written.isprintable():
        return written
    return "".join(letter if letter.isprintable() or letter == "\n" else units(letter) for letter in written)


def units(letter: str) -> str:
    """Return a letter as JSON escapes it: in units of UTF-16."""
    return json.dumps(letter, ensure_ascii=True)[1:-1]


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
