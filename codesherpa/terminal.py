"""What commands print: tables, and text from outside made safe for a terminal."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime


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
