"""The code of an ask: read, cut to what one answer can hold, and written with its line numbers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from codesherpa.analysis import diff, sources
from codesherpa.analysis.lines import split
from codesherpa.analysis.sources import Source
from codesherpa.sherpas.interface import Ask

# Characters of code in one call: some 40,000 tokens, far within every model's window.
BUDGET = 120_000

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


def read(ask: Ask, budget: int = BUDGET) -> Code:
    """Take an ask apart. Diffs are cut by file and hunk, other code by whole lines; it computes."""
    reading, beside = sources.read(ask.message, ask.code_context), ask.code_context or ""
    left_out: LeftOut = {}
    if len(beside) > budget and any(source.added is not None for source in reading.sources):
        beside, dropped = diff.cut(beside, budget)
        reading = sources.read(ask.message, beside)
        for file, rows in dropped:
            left_out.setdefault(file, []).append(rows)
    kept = tuple(_within(reading.sources, budget, left_out))
    removed = {**_removed(ask.message, "message"), **_removed(beside, "code_context")}
    return Code(reading.question, kept, tuple(f"{file}: {', '.join(rows)}" for file, rows in left_out.items()), removed)


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


def _within(found: tuple[Source, ...], budget: int, left_out: LeftOut) -> Iterator[Source]:
    """Give the sources as far as the budget goes, and note what does not fit."""
    for source in found:
        kept: dict[int, str] = {}
        for line, text in source.lines.items():
            budget -= len(text) + 1
            if budget < 0:
                left_out.setdefault(source.file, []).append(f"{line}-{max(source.lines)}")
                break
            kept[line] = text
        if kept or not source.lines:
            added = None if source.added is None else source.added & kept.keys()
            yield replace(source, lines=kept, added=added) if len(kept) < len(source.lines) else source


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
