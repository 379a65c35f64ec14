"""Findings stand on ground: each points at a line that is there."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterable, Sequence
from functools import cached_property
from itertools import accumulate, islice

from codesherpa.analysis.sources import Source

# How far a line may be off where nothing but its number tells which was meant.
REACH = 3
# The fewest letters of quoted code that can tell a line from the others.
TELLING = 4
NAMELESS = {"message", "code_context"}
# How much is looked at for one finding: quotes, files of one name, lines that a quote is found on, letters of a line.
MOST_QUOTES, MOST_ALIKE, MOST_HITS, WIDE = 20, 100, 1_000, 2_000
# For one review: searches through all of the code, and lines with different names that are compared in each.
MOST_SEARCHES, MOST_DISTINCT = 50, 2_000
NAME = re.compile(r"[^\W\d]\w{2,}")
QUOTE = re.compile(r"(?<!`)`++([^`]++)`++")


def quotes(*texts: str) -> list[str]:
    """Return the code that the texts quote between backticks, line by line, as far as it is of use."""
    found = (line.strip() for text in texts for quote in QUOTE.finditer(text) for line in quote[1].splitlines())
    return list(islice((line for line in found if len(line) >= TELLING), MOST_QUOTES))


class Ground:
    """The lines that findings may point at."""

    def __init__(self, sources: Sequence[Source]) -> None:
        self._sources = [(source, _plain(source.file)) for source in sources]
        self._lines: dict[int, Lines] = {}
        self._searches = MOST_SEARCHES

    def locate(self, file: str, line: int | None, quoted: Sequence[str], fix: str) -> tuple[Source, int] | None:
        """Return the place that was meant, None where it cannot be told.

        A file is known by its name, by the end of its path, or by being the only one and nameless; else only
        by what is quoted of it. A line stays when it is there and says something of what is quoted; else the
        nearest line that is quoted, that resembles the fix, or that is close by is taken. In a diff, lines
        that are added come first.
        """
        named = self._named(file)
        for source in named[:MOST_ALIKE]:
            if place := self._line(source, line, quoted, fix):
                return source, place
        if named or not self._may_search():
            return None
        hits = [(source, hits[0]) for source, _ in self._sources if len(hits := self._of(source).quoting(quoted)) == 1]
        return hits[0] if len(hits) == 1 else None

    def _named(self, file: str) -> list[Source]:
        name = _plain(file)
        exact = [source for source, plain in self._sources if source.file == file or plain == name]
        if exact:
            return exact
        if len(self._sources) == 1 and self._sources[0][0].file in NAMELESS:
            return [self._sources[0][0]]
        ends = [source for source, plain in self._sources if _ends(plain, name)]
        return ends if len({source.file for source in ends}) == 1 else []

    def _line(self, source: Source, line: int | None, quoted: Sequence[str], fix: str) -> int | None:
        """Return the line of the source that was meant."""
        known = line if line is not None and source.lines.get(line, "").strip() else None
        if known is not None and _speaks_of(source.lines[known], quoted):
            return known
        # A line that is there gives way only to code that was quoted, not to a mere name.
        telling = [quote for quote in quoted if known is None or not NAME.fullmatch(quote)]
        if hits := self._of(source).quoting(telling):
            return _nearest(hits, line, source.added)
        close = self._of(source).close(line)
        if known is not None:
            return known if source.added is None or known in source.added else close or known
        return (self._of(source).resembling(fix) if self._may_search() else None) or close

    def _of(self, source: Source) -> Lines:
        if id(source) not in self._lines:
            self._lines[id(source)] = Lines(source)
        return self._lines[id(source)]

    def _may_search(self) -> bool:
        """Return True as long as a search through all lines is worth its time."""
        self._searches -= 1
        return self._searches >= 0


class Lines:
    """The lines of one source, arranged once so that each finding's are found without a look at all of them."""

    def __init__(self, source: Source) -> None:
        self._source = source

    @cached_property
    def _squeezed(self) -> tuple[str, list[int], list[int]]:
        """The text without white space, a row for a line; where each row begins; and the number of its line."""
        rows = [_squeeze(text) for text in self._source.lines.values()]
        return "\n".join(rows), [0, *accumulate(len(row) + 1 for row in rows)], list(self._source.lines)

    @cached_property
    def _filled(self) -> list[int]:
        """The lines in question that say something, in order."""
        lines = self._source.lines
        return sorted(number for number in self._source.added or lines if lines.get(number, "").strip())

    @cached_property
    def _names(self) -> dict[frozenset[str], int]:
        """The first line of those that have the same names."""
        found: dict[frozenset[str], int] = {}
        for line, text in self._source.lines.items():
            found.setdefault(frozenset(_names(text[:WIDE])), line)
            if len(found) >= MOST_DISTINCT:
                break
        return found

    def quoting(self, quoted: Iterable[str]) -> list[int]:
        """Return the lines that have one of the quotes in them, whatever their white space."""
        text, starts, numbers = self._squeezed
        rows: set[int] = set()
        for quote in filter(None, map(_squeeze, quoted)):
            at = text.find(quote)
            while at >= 0 and len(rows) < MOST_HITS:
                row = bisect_right(starts, at) - 1
                rows.add(row)
                at = text.find(quote, starts[row + 1])
        return [numbers[row] for row in sorted(rows)]

    def close(self, line: int | None) -> int | None:
        """Return the nearest line in question that is at most REACH away."""
        if line is None or not self._filled:
            return None
        at = bisect_left(self._filled, line)
        nearest = _nearest(self._filled[max(at - 1, 0) : at + 1], line, None)
        return nearest if abs(nearest - line) <= REACH else None

    def resembling(self, fix: str) -> int | None:
        """Return the line that has the most names in common with a line of the fix, at least half of them."""
        best, place = 0.5, None
        for names in filter(None, (_names(line[:WIDE]) for line in fix.splitlines()[:20])):
            for there, line in self._names.items():
                share = len(names & there) / len(names | there)
                if share > best or (share == best and place is None):
                    best, place = share, line
        return place


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
    there = _names(line[:WIDE])
    return any(there & _names(quote[:WIDE]) for quote in quoted)


def _nearest(lines: Collection[int], line: int | None, added: Collection[int] | None) -> int:
    """Return the line next to `line`, the first where that is None; added ones before others."""
    chosen = [number for number in lines if number in added] if added else []
    return min(chosen or lines, key=lambda number: (abs(number - line) if line is not None else 0, number))
