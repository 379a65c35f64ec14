"""The code of an ask: read, cut to what one answer can hold, and written with its line numbers."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any

from codesherpa.analysis import diff, sources
from codesherpa.analysis.lines import split
from codesherpa.analysis.sources import Source
from codesherpa.providers.interface import Task
from codesherpa.sherpas.interface import Ask

# Characters of code in one call: some 40,000 tokens, far within every model's window.
BUDGET = 120_000
# Lines and words of code in one call, which bound the nodes of a syntax tree, and pieces of code. A file that fills
# the budget has some 3,000 lines and 30,000 words.
LINES, WORDS, SOURCES = 10_000, 60_000, 500
# What of it is named as left out.
NAMED_FILES, NAMED_ROWS = 30, 10

# Words that point at code which was shown before, and names that only code has.
POINTING = re.compile(
    r"\b(?:it|its|this|that|these|those|above|the (?:code|function|class|method|file|diff|loop|line)s?|line \d+"
    r"|isko|ise|iska|iski|yeh|ye|yah|is code|upar|uper|wala|wali)\b|यह|ये\b|इसे|इसको|इसका|इसकी|इस कोड|ऊपर",
    re.IGNORECASE,
)
WORD = re.compile(r"\w+|[^\w\s]")
NAMED = re.compile(r"(?<!\w)(?:\w+_\w+|\w++(?=\()|(?<=`)\w++(?=`))")
MOST_NAMES = 50  # Names of a question that are looked for in earlier code.

Removed = Mapping[str, Mapping[int, list[str]]]
LeftOut = dict[str, list[str]]


@dataclass(frozen=True, slots=True)
class Code:
    """What an ask holds: the person's words, the code, and what of it was left out.

    `removed` are the lines that a diff takes away: by file, and by the new line before which they stood.
    """

    question: str
    sources: tuple[Source, ...]
    left_out: tuple[str, ...] = ()
    removed: Removed = field(default_factory=dict)

    def as_plain(self) -> list[Any]:
        """Return it as JSON can hold it, for `from_plain`."""
        removed = {file: [[*rows], [*rows.values()]] for file, rows in self.removed.items()}
        return [self.question, [source.as_plain() for source in self.sources], self.left_out, removed]

    @classmethod
    def from_plain(cls, plain: Sequence[Any]) -> Code:
        """Return the code that `as_plain` was made of."""
        question, found, left_out, removed = plain
        return cls(
            question,
            tuple(map(Source.from_plain, found)),
            tuple(left_out),
            {file: dict(zip(*rows, strict=True)) for file, rows in removed.items()},
        )


def read_plain(ask: Ask, task: Task) -> list[Any]:
    """Read an ask as `read` does, and return the code as plain data."""
    return read(ask, task).as_plain()


def read(ask: Ask, task: Task, budget: int = BUDGET) -> Code:
    """Take an ask apart, with the code of an earlier message where it speaks of that; it computes.

    Diffs are cut by file and hunk, other code by whole lines.
    """
    said, beside = ask.message, ask.code_context or ""
    reading = sources.read(said, beside)
    question, left_out = reading.question, LeftOut()
    if not reading.sources and (earlier := _earlier(ask, question, task)):
        said, reading = earlier, sources.read(earlier)
    if any(source.added is not None for source in reading.sources):
        said, beside = (_cut(text, budget, left_out) for text in (said, beside))
        reading = sources.read(said, beside) if left_out else reading
    kept = tuple(_within(reading.sources, budget, left_out))
    removed = {**_removed(said, "message"), **_removed(beside, "code_context")}
    return Code(question, kept, tuple(_listed(left_out)), removed)


def written(source: Source, removed: Removed) -> str:
    """Return the code with a line number and a bar before each row; a diff's rows also with their sign."""
    gone, rows, last = removed.get(source.file, {}) if source.added is not None else {}, [], None
    for line in sorted({*source.lines, *gone}):
        if last is not None and line > last + 1:
            rows.append("...")
        rows += [f"      -| {text}" for text in gone.get(line, ())]
        if line in source.lines:
            sign = "+" if source.added and line in source.added else " "
            rows.append(f"{line:>5} {sign}| {source.lines[line]}")
        last = line
    return "\n".join(rows) or "(no lines: deleted, renamed or binary)"


def _listed(left_out: LeftOut) -> Iterator[str]:
    """Yield a line for each file of which something was left out, as far as anybody reads."""
    for file, rows in islice(left_out.items(), NAMED_FILES):
        yield f"{file}: {', '.join(rows[:NAMED_ROWS])}{', …' if len(rows) > NAMED_ROWS else ''}"
    if len(left_out) > NAMED_FILES:
        yield f"… (+{len(left_out) - NAMED_FILES})"


def _cut(text: str, budget: int, left_out: LeftOut) -> str:
    """Cut the diffs in a text by file and hunk, and note what does not fit."""
    kept, dropped = diff.cut(text, budget)
    for file, rows in dropped:
        left_out.setdefault(file, []).append(rows)
    return kept


def _earlier(ask: Ask, question: str, task: Task) -> str | None:
    """Return the last message with code, where a question without code is about it: a review always is."""
    if task == "reply":
        return None
    for turn in reversed(ask.history):
        if turn.role == "user" and sources.read(turn.text).sources:
            names = list(dict.fromkeys(NAMED.findall(question)))[:MOST_NAMES]
            meant = task == "review" or POINTING.search(question) or any(name in turn.text for name in names)
            return turn.text if meant else None
    return None


def _within(found: tuple[Source, ...], budget: int, left_out: LeftOut) -> Iterator[Source]:
    """Give the sources as far as the budget, lines and words go, and note what does not fit."""
    lines, words = LINES, WORDS
    for place, source in enumerate(found):
        kept: dict[int, str] = {}
        for line, text in source.lines.items():
            budget, lines = budget - len(text) - 1, lines - 1
            if budget >= 0:  # A line that is too long anyway is not taken apart.
                words -= len(WORD.findall(text))
            if min(budget, lines, words) < 0 or place >= SOURCES:
                left_out.setdefault(source.file, []).append(f"{line}-{max(source.lines)}")
                break
            kept[line] = text
        if kept or not source.lines:
            added = None if source.added is None else source.added & kept.keys()
            yield replace(source, lines=kept, added=added, cut=True) if len(kept) < len(source.lines) else source


def _removed(text: str, default: str) -> dict[str, dict[int, list[str]]]:
    """Find the lines that diffs in the text take away."""
    lines, found = split(text), dict[str, dict[int, list[str]]]()
    for file in diff.parse(lines):
        gone = found.setdefault(file.file or default, {})
        for hunk in file.hunks:
            line = min(hunk.lines, default=0)
            for row in lines[hunk.begin + 1 : hunk.end]:
                if row.startswith("-"):
                    gone.setdefault(line, []).append(row[1:])
                line += not row.startswith(("-", "\\"))
    return found
