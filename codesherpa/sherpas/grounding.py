"""Findings stand on ground: each points at a line that is there."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from itertools import chain

from codesherpa.analysis.sources import Source

# How far a line may be off where nothing but its number tells which was meant.
REACH = 3
# The fewest letters of quoted code that can tell a line from the others.
TELLING = 4
# Quotes of one finding that are looked for, each in every line.
QUOTES = 20
NAMELESS = {"message", "code_context"}
NAME = re.compile(r"[^\W\d]\w{2,}")
QUOTE = re.compile(r"`+([^`]+)`+")


def quotes(*texts: str) -> list[str]:
    """Return the code that the texts quote between backticks, line by line."""
    found = [line.strip() for text in texts for quote in QUOTE.findall(text) for line in quote.splitlines()]
    return [line for line in found if len(line) >= TELLING][:QUOTES]


class Ground:
    """The lines that findings may point at."""

    def __init__(self, sources: Sequence[Source]) -> None:
        self._sources = sources
        self._squeezed: dict[int, dict[int, str]] = {}
        self._names: dict[int, Names] = {}

    def locate(self, file: str, line: int | None, quoted: Sequence[str], fix: str) -> tuple[Source, int] | None:
        """Return the place that was meant, None where it cannot be told.

        A file is known by its name, by the end of its path, or by being the only one and nameless; else only
        by what is quoted of it. A line stays when it is there and says something of what is quoted; else the
        nearest line that is quoted, that resembles the fix, or that is close by is taken. In a diff, lines
        that are added come first.
        """
        named = self._named(file)
        for source in named:
            if place := self._line(source, line, quoted, fix):
                return source, place
        if named:
            return None
        hits = [(source, hits[0]) for source in self._sources if len(hits := self._quoting(source, quoted)) == 1]
        return hits[0] if len(hits) == 1 else None

    def _named(self, file: str) -> list[Source]:
        name = _plain(file)
        exact = [source for source in self._sources if source.file == file or _plain(source.file) == name]
        nameless = [source for source in self._sources if source.file in NAMELESS]
        if exact or (nameless and len(self._sources) == 1):
            return exact or nameless
        ends = [source for source in self._sources if _ends(_plain(source.file), name)]
        return ends if len({source.file for source in ends}) == 1 else []

    def _line(self, source: Source, line: int | None, quoted: Sequence[str], fix: str) -> int | None:
        """Return the line of the source that was meant."""
        known = line if line is not None and source.lines.get(line, "").strip() else None
        if known is not None and _speaks_of(source.lines[known], quoted):
            return known
        # A line that is there gives way only to code that was quoted, not to a mere name.
        telling = [quote for quote in quoted if known is None or not NAME.fullmatch(quote)]
        if hits := self._quoting(source, telling):
            return _nearest(hits, line, source.added)
        close = _close(source, line)
        if known is not None:
            return known if source.added is None or known in source.added else close or known
        if id(source) not in self._names:
            self._names[id(source)] = Names(source)
        return self._names[id(source)].resembling(fix) or close

    def _quoting(self, source: Source, quoted: Sequence[str]) -> list[int]:
        """Return the lines that have one of the quotes in them, whatever their white space."""
        if id(source) not in self._squeezed:
            self._squeezed[id(source)] = {line: _squeeze(text) for line, text in source.lines.items()}
        wanted = [_squeeze(quote) for quote in quoted]
        return [line for line, text in self._squeezed[id(source)].items() if any(quote in text for quote in wanted)]


def _plain(file: str) -> str:
    """Return a name without what people add to it: quotes, backslashes, `./`."""
    name = file.strip().strip("`'\"").replace("\\", "/")
    return re.sub(r"^(?:\./|/)+", "", name).casefold()


def _ends(one: str, other: str) -> bool:
    return bool(other) and (f"/{one}".endswith(f"/{other}") or f"/{other}".endswith(f"/{one}"))


def _squeeze(text: str) -> str:
    return "".join(text.split())


def _names(text: str) -> set[str]:
    return set(NAME.findall(text))


def _speaks_of(line: str, quoted: Iterable[str]) -> bool:
    return any(_names(line) & _names(quote) for quote in quoted)


def _nearest(lines: Collection[int], line: int | None, added: Collection[int] | None) -> int:
    """Return the line next to `line`, the first where that is None; added ones before others."""
    chosen = [number for number in lines if number in added] if added else []
    return min(chosen or lines, key=lambda number: (abs(number - line) if line is not None else 0, number))


def _close(source: Source, line: int | None) -> int | None:
    """Return the nearest line in question that is at most REACH away."""
    wanted = [number for number in source.added or source.lines if source.lines.get(number, "").strip()]
    if line is None or not wanted:
        return None
    nearest = _nearest(wanted, line, None)
    return nearest if abs(nearest - line) <= REACH else None


class Names:
    """The names in a source's lines, taken in once: a model may give hundreds of findings about it."""

    def __init__(self, source: Source) -> None:
        self._sizes: dict[int, int] = {}
        self._lines: dict[str, list[int]] = {}
        for line, text in source.lines.items():
            names = _names(text)
            self._sizes[line] = len(names)
            for name in names:
                self._lines.setdefault(name, []).append(line)

    def resembling(self, fix: str) -> int | None:
        """Return the line that has the most names in common with a line of the fix, at least half of them."""
        best, place = 0.5, None
        for names in filter(None, map(_names, fix.splitlines()[:20])):
            common = Counter(chain.from_iterable(self._lines.get(name, ()) for name in names))
            for line in sorted(common):
                share = common[line] / (len(names) + self._sizes[line] - common[line])
                if share > best or (share == best and place is None):
                    best, place = share, line
        return place
