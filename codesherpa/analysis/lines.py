"""Lines as editors and git count them."""

from __future__ import annotations

import re

_END = re.compile(r"\r\n|\n|\r")


def split(text: str) -> list[str]:
    r"""Split text into lines without their ends, which are \n, \r\n and \r only.

    `str.splitlines` also splits at form feeds and Unicode separators, which no editor counts. The empty
    line after a last line end is none.
    """
    found = _END.split(text)
    if found[-1] == "":
        found.pop()
    return found


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
