"""Makes Python of code that may be a part of a file, so that it can be parsed.

What stands around a hunk is unknown: it may begin inside a block, a call or a docstring and end there too.
The blocks, brackets and strings that must have been open are opened, and closed at its end. What still
does not parse is replaced by `pass`, line by line, so that the rest can be read.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from codesherpa.analysis import languages
from codesherpa.analysis.prose import looks_like_python
from codesherpa.analysis.sources import Source
from codesherpa.analysis.surroundings import Row, around, join, margin_of

_TORN = ("unmatched", "never closed", "unterminated", "indent", "expected 'except'", "EOF", "closing parenthesis")
DEEP = "it is nested too deeply for the parser"


@dataclass(frozen=True, slots=True)
class Fault:
    """Where code does not parse: line and column, from 1, and what the parser said."""

    line: int
    column: int
    message: str


@dataclass(frozen=True, slots=True)
class Fragment:
    """Text that parses, or came as near as it could.

    `rows` holds for each row of `text` the line of the source that it is, 0 for what was put around it.
    `tree` is None where nothing could be made to parse; `unread` are lines that had to be left out.
    """

    text: str
    rows: tuple[int, ...]
    tree: ast.Module | None
    fault: Fault | None = None
    unread: frozenset[int] = frozenset()


class _Effort:
    """How many more parses are worth their time, over all pieces of one source."""

    def __init__(self, size: int) -> None:
        self.left = min(24, 2 + 400_000 // (size + 1)) * 8 if size < 20_000 else 2 + 800_000 // size


def plain(source: Source) -> Fragment:
    """Take a source's lines as they are."""
    return Fragment("\n".join(map(_clean, source.lines.values())) + "\n", tuple(source.lines), None)


def build(source: Source) -> Fragment:
    """Make text of a source that parses. It computes: `offload` it for large ones."""
    lines = {number: _clean(line) for number, line in source.lines.items()}
    effort = _Effort(sum(map(len, lines.values())))
    first = next((line for line in lines.values() if line.strip()), "")
    added = frozenset(lines) if source.added is None and source.cut else source.added
    if added is None and not first[:1].isspace():
        return _build_whole(lines, effort)
    rows: list[Row] = []
    faults: list[Fault] = []
    unread: list[int] = []
    for piece in _pieces(lines):
        built, fault, lost = _build_piece(piece, effort)
        rows += built
        unread += lost
        if fault and (added is None or _is_sure(fault, lines, added, lost)):
            faults.append(fault)
    tree = languages.parse(join(rows))
    return _fragment(rows, tree, min(faults, key=lambda fault: fault.line, default=None), unread)


def _clean(line: str) -> str:
    """Return a line as a parser takes it: lone surrogates and NUL can be in no file."""
    return line.encode("utf-8", "replace").decode().replace("\0", " ").removeprefix("\ufeff")


def _fragment(rows: Sequence[Row], tree: object, fault: Fault | None, unread: Sequence[int]) -> Fragment:
    parsed = tree if isinstance(tree, ast.Module) else None
    return Fragment(join(rows), tuple(row.line for row in rows), parsed, fault, frozenset(unread))


def _build_whole(lines: dict[int, str], effort: _Effort) -> Fragment:
    """Take a whole file as it is; where it does not parse, say where and mend it."""
    rows = [Row(text, number) for number, text in lines.items()]
    tree = languages.parse(join(rows))
    if isinstance(tree, ast.Module):
        return _fragment(rows, tree, None, [])
    fault = _fault(tree, rows)
    mended, unread = _mend(rows, tree, effort)
    return _fragment(mended, languages.parse(join(mended)), fault, unread)


def _fault(refusal: Exception, rows: Sequence[Row]) -> Fault:
    """Say where a parse failed, by the source's own lines."""
    if not isinstance(refusal, SyntaxError):
        return Fault(next((row.line for row in rows if row.line), 1), 1, DEEP)
    row = min(max(refusal.lineno or 1, 1), len(rows)) - 1
    # At the end of a text the parser points past it: the last line that says something is meant.
    place = next((at for at in range(row, -1, -1) if rows[at].line and rows[at].text.strip()), None)
    if place is None:
        return Fault(next((other.line for other in rows if other.line), 1), 1, refusal.msg)
    column = max(refusal.offset or 1, 1) if place == row else len(rows[place].text) + 1
    return Fault(rows[place].line, column, refusal.msg)


def _pieces(lines: dict[int, str]) -> Iterator[list[Row]]:
    """Split lines where their numbers jump."""
    piece: list[Row] = []
    for number, text in lines.items():
        if piece and number != piece[-1].line + 1:
            yield piece
            piece = []
        piece.append(Row(text, number))
    if piece:
        yield piece


def _build_piece(piece: list[Row], effort: _Effort) -> tuple[list[Row], Fault | None, list[int]]:
    """Make one stretch parse, by the first of the likely surroundings that does it."""
    refusals: list[Exception] = []
    tries = list(around(piece))
    for rows in tries:
        tree = languages.parse(join(rows))
        effort.left -= 1
        if isinstance(tree, ast.Module):
            return rows, None, []
        refusals.append(tree)
    fault = _fault(refusals[0], tries[0])
    mended, unread = _mend(tries[0], refusals[0], effort)
    if not isinstance(languages.parse(join(mended)), ast.Module):
        mended, unread = [], [row.line for row in piece]
    return mended, fault, unread


def _is_sure(fault: Fault, lines: dict[int, str], added: frozenset[int], lost: Sequence[int]) -> bool:
    """Tell whether an added line itself is wrong: not torn, no words of a docstring, alone in not parsing."""
    torn = any(sign in fault.message for sign in (*_TORN, DEEP))
    return fault.line in added and not torn and list(lost) == [fault.line] and looks_like_python(lines[fault.line])


def _mend(rows: list[Row], refusal: Exception, effort: _Effort) -> tuple[list[Row], list[int]]:
    """Put `pass` in the place of what does not parse, as long as that is worth its time."""
    mended = [Row(row.text, row.line) for row in rows]
    lost: set[int] = set()
    before = -2
    while isinstance(refusal, SyntaxError) and effort.left > 0:
        effort.left -= 1
        at = min(max(refusal.lineno or 1, 1), len(mended)) - 1
        end = _statement_end(mended, at) if at <= before + 1 else at + 1
        lost |= {row.line for row in mended[at:end] if row.line}
        _blank(mended, at, end)
        before = end - 1
        parsed = languages.parse(join(mended))
        if isinstance(parsed, ast.Module):
            break
        refusal = parsed
    return mended, sorted(lost)


def _statement_end(rows: Sequence[Row], at: int) -> int:
    """Return the row after everything that is indented deeper than the row, closing brackets included."""
    margin = len(margin_of(rows, at))
    for end in range(at + 1, len(rows)):
        text = rows[end].text.strip()
        if text and len(margin_of(rows, end)) <= margin and text[0] not in ")]}":
            return end
    return len(rows)


def _blank(rows: list[Row], at: int, end: int) -> None:
    """Replace rows by `pass`, a header by one that has the block after it."""
    header = rows[at].text.rstrip().endswith(":") and end == at + 1 and rows[at].text.strip() != "if True:"
    rows[at] = Row(margin_of(rows, at) + ("if True:" if header else "pass"))
    rows[at + 1 : end] = [Row("") for _ in rows[at + 1 : end]]
