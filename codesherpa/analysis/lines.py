"""Lines as editors and git count them."""

from __future__ import annotations

import re

_END = re.compile(r"\r\n|\n|\r")
_TOP = re.compile(r"[^\s)\]}]")
MOST = 10_000  # Lines of one text that are parsed: a file of 200,000 characters has some 5,000.
_BACK = 1_000


def split(text: str) -> list[str]:
    r"""Split text into lines without their ends, which are \n, \r\n and \r only.

    `str.splitlines` also splits at form feeds and Unicode separators, which no editor counts. The empty
    line after a last line end is none.
    """
    found = _END.split(text)
    if found[-1] == "":
        found.pop()
    return found


def head(text: str) -> str:
    """Return as much of a text as is parsed: all of it, or whole statements of its first MOST lines."""
    if text.count("\n") < MOST:
        return text
    lines = text.split("\n", MOST)[:MOST]
    tops = (at for at in range(MOST - 1, MOST - _BACK, -1) if _TOP.match(lines[at]))
    return "\n".join(lines[: next(tops, MOST)])


def indent(line: str) -> int:
    """Return the column at which the line's text starts, a tab reaching the next multiple of eight."""
    column = 0
    for letter in line:
        if letter == " ":
            column += 1
        elif letter == "\t":
            column += 8 - column % 8
        elif letter != "\f":
            break
    return column
