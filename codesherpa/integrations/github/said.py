"""What the author of a comment says in words: without code, quotes and what GitHub does not show.

It goes over the text once, since anybody may comment, and it is no parser of markdown: in doubt a line is left out.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable

from codesherpa.analysis.lines import split

# A fence may begin an item of a list too.
FENCE = re.compile(r"[ \t]{0,20}(?:(?:[-*+]|\d{1,9}[.)])[ \t]{1,4}){0,9}(`{3,}|~{3,})([^\n]*)$")
QUOTE = re.compile(r" {0,3}>")
HIDDEN = re.compile(r" {0,3}<!--")
RAW = re.compile(r" {0,3}<(pre|script|style|textarea)(?=[\s>]|$)", re.IGNORECASE)
# What ends a paragraph, and with it a quote that goes on without its mark.
BLOCK = re.compile(r"\s*$| {0,3}(?:#{1,6}(?:\s|$)|(?:[-*_][ \t]*){3,}$|[-*+][ \t]|\d{1,9}[.)][ \t]|`{3}|~{3}|<)")
EMPTY = re.compile(r"\n[ \t]*(?=\n)")
TICKS = re.compile(r"`+|<!--")


def by_the_author(body: str) -> str:
    """Return the paragraphs of a comment, those of lists too, with an empty line in the place of what is left out."""
    lines, kept, row = split(body), list[str](), 0
    while row < len(lines):
        end = left_out(lines, row)
        kept.append(lines[row] if end == row else "")
        row = max(end, row + 1)
    return without_code("\n".join(kept))


def left_out(lines: list[str], row: int) -> int:
    """Return the row behind a block that begins at `row` and is not said by the author, `row` itself for any other."""
    line = lines[row]
    if (fence := FENCE.match(line)) and (fence[1][0] == "~" or "`" not in fence[2]):
        closing = re.compile(rf"\s*{fence[1][0]}{{{len(fence[1])},}}\s*$")
        return after(lines, row + 1, lambda one: bool(closing.match(one)))
    if HIDDEN.match(line):
        return after(lines, row, lambda one: one.rfind("-->") > one.rfind("<!--"))
    if raw := RAW.match(line):
        return after(lines, row, lambda one: f"</{raw[1]}>".lower() in one.lower())
    if QUOTE.match(line):
        return after(lines, row + 1, lambda one: not QUOTE.match(one) and bool(BLOCK.match(one))) - 1
    return row


def after(lines: list[str], row: int, ends: Callable[[str], bool]) -> int:
    """Return the row behind the first line that ends a block, which is the last one where none does."""
    return next((at + 1 for at in range(row, len(lines)) if ends(lines[at])), len(lines) + 1)


def without_code(text: str) -> str:
    """Return paragraphs without their code spans, and without comments in HTML, which may reach over several."""
    marks, ends = list(TICKS.finditer(text)), [end.start() for end in EMPTY.finditer(text)]
    runs: dict[str, list[int]] = defaultdict(list)
    for mark in marks:
        runs[mark[0]].append(mark.start())
    last, done, kept = text.rfind("-->"), 0, []
    for mark in marks:
        if mark.start() < done:
            continue
        if mark[0] == "<!--":
            end = text.index("-->", mark.end()) + 3 if mark.end() <= last else 0
        else:
            end = span_end(mark, runs[mark[0]], ends)
        if end:
            kept += [text[done : mark.start()], " "]
            done = end
    return "".join([*kept, text[done:]])


def span_end(mark: re.Match[str], runs: list[int], ends: list[int]) -> int:
    """Return where the code ends that a run of backticks begins; 0 where its paragraph has no other of its length."""
    found, paragraph = bisect_left(runs, mark.end()), bisect_left(ends, mark.end())
    closes = found < len(runs) and (paragraph == len(ends) or runs[found] < ends[paragraph])
    return runs[found] + len(mark[0]) if closes else 0
