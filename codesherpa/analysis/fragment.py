"""Makes Python of code that may be a part of a file, so that it can be parsed.

What stands around a hunk is unknown: it may begin inside a block, a call or a docstring and end there too.
The blocks, brackets and strings that must have been open are opened, and closed at its end. What still
does not parse is replaced by `pass`, line by line, so that the rest can be read.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from codesherpa.analysis import brackets, languages
from codesherpa.analysis.prose import looks_like_python
from codesherpa.analysis.sources import Source

_HEADER = re.compile(r"\s*(?:async )?(?:def|class|if|elif|while|for|with|except|match)\b")
_CONTINUES = {"except": "try:", "finally": "try:", "else": "if True:", "elif": "if True:"}
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


@dataclass(slots=True)
class _Row:
    text: str
    line: int = 0


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
    rows: list[_Row] = []
    faults: list[Fault] = []
    unread: list[int] = []
    for piece in _pieces(lines):
        built, fault, lost = _build_piece(piece, effort)
        rows += built
        unread += lost
        if fault and (added is None or _is_sure(fault, lines, added, lost)):
            faults.append(fault)
    tree = languages.parse(_join(rows))
    return _fragment(rows, tree, min(faults, key=lambda fault: fault.line, default=None), unread)


def _clean(line: str) -> str:
    """Return a line as a parser takes it: lone surrogates and NUL can be in no file."""
    return line.encode("utf-8", "replace").decode().replace("\0", " ").removeprefix("\ufeff")


def _fragment(rows: Sequence[_Row], tree: object, fault: Fault | None, unread: Sequence[int]) -> Fragment:
    parsed = tree if isinstance(tree, ast.Module) else None
    return Fragment(_join(rows), tuple(row.line for row in rows), parsed, fault, frozenset(unread))


def _join(rows: Sequence[_Row]) -> str:
    return "\n".join(row.text for row in rows) + "\n"


def _build_whole(lines: dict[int, str], effort: _Effort) -> Fragment:
    """Take a whole file as it is; where it does not parse, say where and mend it."""
    rows = [_Row(text, number) for number, text in lines.items()]
    tree = languages.parse(_join(rows))
    if isinstance(tree, ast.Module):
        return _fragment(rows, tree, None, [])
    fault = _fault(tree, rows)
    mended, unread = _mend(rows, tree, effort)
    return _fragment(mended, languages.parse(_join(mended)), fault, unread)


def _fault(refusal: Exception, rows: Sequence[_Row]) -> Fault:
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


def _pieces(lines: dict[int, str]) -> Iterator[list[_Row]]:
    """Split lines where their numbers jump."""
    piece: list[_Row] = []
    for number, text in lines.items():
        if piece and number != piece[-1].line + 1:
            yield piece
            piece = []
        piece.append(_Row(text, number))
    if piece:
        yield piece


def _build_piece(piece: list[_Row], effort: _Effort) -> tuple[list[_Row], Fault | None, list[int]]:
    """Make one stretch parse, by the first of the likely surroundings that does it."""
    refusals: list[Exception] = []
    tries = list(_surroundings(piece))
    for rows in tries:
        tree = languages.parse(_join(rows))
        effort.left -= 1
        if isinstance(tree, ast.Module):
            return rows, None, []
        refusals.append(tree)
    fault = _fault(refusals[0], tries[0])
    mended, unread = _mend(tries[0], refusals[0], effort)
    if not isinstance(languages.parse(_join(mended)), ast.Module):
        mended, unread = [], [row.line for row in piece]
    return mended, fault, unread


def _is_sure(fault: Fault, lines: dict[int, str], added: frozenset[int], lost: Sequence[int]) -> bool:
    """Tell whether an added line itself is wrong: not torn, no words of a docstring, alone in not parsing."""
    torn = any(sign in fault.message for sign in (*_TORN, DEEP))
    return fault.line in added and not torn and list(lost) == [fault.line] and looks_like_python(lines[fault.line])


def _surroundings(piece: list[_Row]) -> Iterator[list[_Row]]:
    """Yield the piece as it is, inside the call or literal that it closes, and inside a string."""
    layout = brackets.scan([row.text for row in piece])
    yield _enclose(piece)
    if layout.unmatched:
        opening = "".join({")": "_(", "]": "[", "}": "{"}[closing] for closing, _ in reversed(layout.unmatched))
        last = layout.unmatched[-1][1]
        starts = ["def _(", "class _(", "if ("] if piece[last].text.split("#")[0].rstrip().endswith(":") else []
        for start in [opening, *(start + opening[2:] for start in starts if opening.startswith("_("))]:
            yield _enclose([_Row(_margin(piece, last) + start), *piece])
    for quote in ('"""', "'''"):
        closing = next((row for row, line in enumerate(piece) if quote in line.text), None)
        if closing is not None:
            yield _enclose([_Row(_margin(piece, closing) + quote), *piece])


def _margin(piece: Sequence[_Row], row: int) -> str:
    """Return the white space that a row begins with."""
    text = piece[row].text
    return text[: len(text) - len(text.lstrip())]


def _enclose(rows: list[_Row]) -> list[_Row]:
    """Open the blocks that a piece begins in, and close what it leaves open."""
    layout = brackets.scan([row.text for row in rows])
    closing = layout.string + "".join({"(": ")", "[": "]", "{": "}"}[bracket] for bracket in reversed(layout.open))
    if not layout.starts:
        return [*rows, _Row(closing)]
    if closing and _HEADER.match(rows[layout.starts[-1]].text):
        closing += ": pass"
    return [*_openers(rows, layout.starts), *rows, _Row(closing), *_closers(rows, layout.starts)]


def _openers(rows: Sequence[_Row], starts: Sequence[int]) -> list[_Row]:
    """Return the lines that open each block that the piece leaves again or begins in the middle of."""
    first = starts[0]
    levels = [first]
    for row in starts:
        if len(_margin(rows, row)) < len(_margin(rows, levels[-1])):
            levels.append(row)
    outer = [
        _Row(_margin(rows, row) + _CONTINUES.get(_keyword(rows[row].text), "if True:")) for row in reversed(levels[1:])
    ]
    if _margin(rows, levels[-1]):
        outer.insert(0, _Row("if True:"))
    if continued := _CONTINUES.get(_keyword(rows[first].text)):
        outer += [_Row(_margin(rows, first) + continued), _Row(_margin(rows, first) + " pass")]
    return outer


def _closers(rows: Sequence[_Row], starts: Sequence[int]) -> list[_Row]:
    """Return the lines that a header, a decorator or a `try` at the end still needs."""
    last = starts[-1]
    margin = _margin(rows, last)
    closers: list[_Row] = []
    if rows[last].text.lstrip().startswith("@"):
        closers.append(_Row(margin + "def _(): pass"))
    if _ends_in_colon(rows[last:]):
        closers.append(_Row(margin + " pass"))
    tries: list[str] = []
    for row in starts:
        keyword, here = _keyword(rows[row].text), _margin(rows, row)
        while tries and len(tries[-1]) > len(here):
            tries.pop()
        if tries and tries[-1] == here and keyword in ("except", "finally"):
            tries.pop()
        if keyword == "try":
            tries.append(here)
    return closers + [row for here in reversed(tries) for row in (_Row(here + "finally:"), _Row(here + " pass"))]


def _ends_in_colon(rows: Sequence[_Row]) -> bool:
    texts = [row.text.split("#")[0].rstrip() for row in rows]
    return next((text.endswith(":") for text in reversed(texts) if text), False)


def _keyword(text: str) -> str:
    stripped = text.lstrip()
    return next((word for word in ("except", "finally", "else", "elif", "try") if stripped.startswith(word)
                 and not stripped[len(word) : len(word) + 1].isidentifier()), "")  # fmt: skip


def _mend(rows: list[_Row], refusal: Exception, effort: _Effort) -> tuple[list[_Row], list[int]]:
    """Put `pass` in the place of what does not parse, as long as that is worth its time."""
    mended = [_Row(row.text, row.line) for row in rows]
    lost: set[int] = set()
    before = -2
    while isinstance(refusal, SyntaxError) and effort.left > 0:
        effort.left -= 1
        at = min(max(refusal.lineno or 1, 1), len(mended)) - 1
        end = _statement_end(mended, at) if at <= before + 1 else at + 1
        lost |= {row.line for row in mended[at:end] if row.line}
        _blank(mended, at, end)
        before = end - 1
        parsed = languages.parse(_join(mended))
        if isinstance(parsed, ast.Module):
            break
        refusal = parsed
    return mended, sorted(lost)


def _statement_end(rows: Sequence[_Row], at: int) -> int:
    """Return the row after everything that is indented deeper than the row, closing brackets included."""
    margin = len(_margin(rows, at))
    for end in range(at + 1, len(rows)):
        text = rows[end].text.strip()
        if text and len(_margin(rows, end)) <= margin and text[0] not in ")]}":
            return end
    return len(rows)


def _blank(rows: list[_Row], at: int, end: int) -> None:
    """Replace rows by `pass`, a header by one that has the block after it."""
    header = rows[at].text.rstrip().endswith(":") and end == at + 1 and rows[at].text.strip() != "if True:"
    rows[at] = _Row(_margin(rows, at) + ("if True:" if header else "pass"))
    rows[at + 1 : end] = [_Row("") for _ in rows[at + 1 : end]]
