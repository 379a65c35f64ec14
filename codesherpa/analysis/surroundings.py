"""What a piece of Python may have stood in: the blocks, brackets and strings around it, opened and closed again."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from codesherpa.analysis import brackets

_HEADER = re.compile(r"\s*(?:async )?(?:def|class|if|elif|while|for|with|except|match)\b")
_CONTINUES = {"except": "try:", "finally": "try:", "else": "if True:", "elif": "if True:"}


@dataclass(slots=True)
class Row:
    """A line of text, and which of the source it is; 0 for one that was put around it."""

    text: str
    line: int = 0


def join(rows: Sequence[Row]) -> str:
    return "\n".join(row.text for row in rows) + "\n"


def margin_of(piece: Sequence[Row], row: int) -> str:
    """Return the white space that a row begins with."""
    text = piece[row].text
    return text[: len(text) - len(text.lstrip())]


def around(piece: list[Row]) -> Iterator[list[Row]]:
    """Yield the piece as it is, inside the call or literal that it closes, and inside a string."""
    layout = brackets.scan([row.text for row in piece])
    yield _enclose(piece)
    if layout.unmatched:
        opening = "".join({")": "_(", "]": "[", "}": "{"}[closing] for closing, _ in reversed(layout.unmatched))
        last = layout.unmatched[-1][1]
        starts = ["def _(", "class _(", "if ("] if piece[last].text.split("#")[0].rstrip().endswith(":") else []
        for start in [opening, *(start + opening[2:] for start in starts if opening.startswith("_("))]:
            yield _enclose([Row(margin_of(piece, last) + start), *piece])
    for quote in ('"""', "'''"):
        closing = next((row for row, line in enumerate(piece) if quote in line.text), None)
        if closing is not None:
            yield _enclose([Row(margin_of(piece, closing) + quote), *piece])


def _enclose(rows: list[Row]) -> list[Row]:
    """Open the blocks that a piece begins in, and close what it leaves open."""
    layout = brackets.scan([row.text for row in rows])
    closing = layout.string + "".join({"(": ")", "[": "]", "{": "}"}[bracket] for bracket in reversed(layout.open))
    if not layout.starts:
        return [*rows, Row(closing)]
    if closing and _HEADER.match(rows[layout.starts[-1]].text):
        closing += ": pass"
    return [*_openers(rows, layout.starts), *rows, Row(closing), *_closers(rows, layout.starts)]


def _openers(rows: Sequence[Row], starts: Sequence[int]) -> list[Row]:
    """Return the lines that open each block that the piece leaves again or begins in the middle of."""
    first = starts[0]
    levels = [first]
    for row in starts:
        if len(margin_of(rows, row)) < len(margin_of(rows, levels[-1])):
            levels.append(row)
    outer = [
        Row(margin_of(rows, row) + _CONTINUES.get(_keyword(rows[row].text), "if True:")) for row in reversed(levels[1:])
    ]
    if margin_of(rows, levels[-1]):
        outer.insert(0, Row("if True:"))
    if continued := _CONTINUES.get(_keyword(rows[first].text)):
        outer += [Row(margin_of(rows, first) + continued), Row(margin_of(rows, first) + " pass")]
    return outer


def _closers(rows: Sequence[Row], starts: Sequence[int]) -> list[Row]:
    """Return the lines that a header, a decorator or a `try` at the end still needs."""
    last = starts[-1]
    margin = margin_of(rows, last)
    closers: list[Row] = []
    if rows[last].text.lstrip().startswith("@"):
        closers.append(Row(margin + "def _(): pass"))
    if _ends_in_colon(rows[last:]):
        closers.append(Row(margin + " pass"))
    tries: list[str] = []
    for row in starts:
        keyword, here = _keyword(rows[row].text), margin_of(rows, row)
        while tries and len(tries[-1]) > len(here):
            tries.pop()
        if tries and tries[-1] == here and keyword in ("except", "finally"):
            tries.pop()
        if keyword == "try":
            tries.append(here)
    return closers + [row for here in reversed(tries) for row in (Row(here + "finally:"), Row(here + " pass"))]


def _ends_in_colon(rows: Sequence[Row]) -> bool:
    texts = [row.text.split("#")[0].rstrip() for row in rows]
    return next((text.endswith(":") for text in reversed(texts) if text), False)


def _keyword(text: str) -> str:
    stripped = text.lstrip()
    return next((word for word in ("except", "finally", "else", "elif", "try") if stripped.startswith(word)
                 and not stripped[len(word) : len(word) + 1].isidentifier()), "")  # fmt: skip
