"""Where Python's statements begin, and what is still open: for code that may be torn out of its file."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

_STRINGS = {'"': r"\"(?:\\.|[^\"\\])*+\"", "'": r"'(?:\\.|[^'\\])*+'"}


def _token(loose: str) -> re.Pattern[str]:
    """Compile the signs of a line in which none of the `loose` quotes is closed any more."""
    strings = [string for quote, string in _STRINGS.items() if quote not in loose]
    return re.compile("|".join([r"\"\"\"|'''", *strings, r"#.*|[()\[\]{}]|\\$|[\"']"]), re.DOTALL)


# Where nothing closes a quote, nothing closes a later one of its kind on the same line, so none is looked for again.
_TOKENS = {loose: _token(loose) for loose in ("", '"', "'", "\"'")}
_PAIRS = {")": "(", "]": "[", "}": "{"}


@dataclass(slots=True)
class Layout:
    """`starts` are the rows (0-based) at which a statement begins; the rest says how the text breaks off.

    `open` are the brackets that are never closed, `string` the triple quote that is never closed, and
    `unmatched` the closing brackets, each with its row, that nothing opened.
    """

    starts: list[int] = field(default_factory=list)
    open: list[str] = field(default_factory=list)
    string: str = ""
    unmatched: list[tuple[str, int]] = field(default_factory=list)


def scan(lines: Sequence[str]) -> Layout:
    """Read the layout of lines of Python, complete or not."""
    layout = Layout()
    joined = False
    for row, line in enumerate(lines):
        text = line.strip()
        if text and not text.startswith("#") and not (layout.open or layout.string or joined):
            layout.starts.append(row)
        joined = _scan_line(layout, line, row)
    return layout


def _scan_line(layout: Layout, line: str, row: int) -> bool:
    """Follow one line's brackets and strings; tell whether a backslash joins the next one to it."""
    at, loose = 0, ""
    while True:
        if layout.string:
            end = _close(line, layout.string, at)
            if end < 0:
                return False
            layout.string, at = "", end + 3
        found = _TOKENS[loose].search(line, at)
        if not found:
            return False
        sign, at = found[0], found.end()
        if sign in ('"""', "'''"):
            layout.string = sign
        elif sign in "([{":
            layout.open.append(sign)
        elif sign in _PAIRS:
            _match(layout, sign, row)
        elif sign == "\\":
            return True
        elif sign in _STRINGS and sign not in loose:
            loose = "".join(quote for quote in _STRINGS if quote in loose + sign)


def _close(line: str, quote: str, at: int) -> int:
    """Return where the triple quote closes, past escaped ones, or -1."""
    end = line.find(quote, at)
    while end > 0 and _is_escaped(line, end):
        end = line.find(quote, end + 1)
    return end


def _is_escaped(line: str, at: int) -> bool:
    """Return True if an odd number of backslashes stands before a letter."""
    begin = at
    while begin and line[begin - 1] == "\\":
        begin -= 1
    return (at - begin) % 2 == 1


def _match(layout: Layout, closing: str, row: int) -> None:
    if layout.open and layout.open[-1] == _PAIRS[closing]:
        layout.open.pop()
    elif not layout.open:
        layout.unmatched.append((closing, row))
