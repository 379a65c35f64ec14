"""The code in a message: files, fenced blocks and the new side of unified diffs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from codesherpa.analysis import diff, fences, languages, prose
from codesherpa.analysis.lines import split

_HUNK = re.compile(
    r"@@ -\d+(?:,\d+)? \+\d+(?:,\d+)? @@|GIT binary patch|Binary files |(?:rename|copy) to |deleted file mode"
)
# A line above a fence, or the first of a file, that holds a name and nothing else.
_LABEL = re.compile(
    r"(?:(?:file(?:name)?|path)\s*:\s*)?[*_`\"']{0,3}([\w./\\-]{1,200}\.[A-Za-z]\w{0,9})[*_`\"']{0,3}:?[*_]{0,2}\s*$",
    re.IGNORECASE,
)


_Span = fences.Fence | diff.FileDiff


@dataclass(frozen=True, slots=True)
class Source:
    """One piece of code to look at.

    `file` is the name that the diff, the fence or the client gives, else `code_context` or `message`.
    `lines` maps line numbers, from 1, to text without its line end; of a file in a diff it knows the lines
    that the hunks show, by their number in the new file. `language` is a lower-case name (`python`) or ""
    where it cannot be told. `added` are the lines that a diff adds; None where there is no diff and every
    line is in question. `cut` tells that the file goes on after the last of the lines.
    """

    file: str
    lines: Mapping[int, str]
    language: str
    added: frozenset[int] | None = None
    cut: bool = False

    @property
    def size(self) -> int:
        """How many characters it has."""
        return sum(map(len, self.lines.values())) + len(self.lines)

    def as_plain(self) -> list[Any]:
        """Return it as JSON can hold it, for `from_plain`."""
        added = None if self.added is None else sorted(self.added)
        return [self.file, [*self.lines], [*self.lines.values()], self.language, added, self.cut]

    @classmethod
    def from_plain(cls, plain: Sequence[Any]) -> Source:
        """Return the source that `as_plain` was made of."""
        file, numbers, texts, language, added, cut = plain
        lines = dict(zip(numbers, texts, strict=True))
        return cls(file, lines, language, None if added is None else frozenset(added), cut)

    @property
    def text(self) -> str:
        """The lines as one text."""
        return "\n".join(self.lines.values())

    @property
    def whole(self) -> bool:
        """Whether the whole file is known: there is no diff, or it makes the file, and nothing was cut off."""
        if self.cut:
            return False
        return self.added is None or (bool(self.lines) and len(self.added) == len(self.lines) == max(self.lines))


@dataclass(frozen=True, slots=True)
class Reading:
    """A message taken apart: the words of the person (`question`), and the code (`sources`)."""

    question: str
    sources: tuple[Source, ...]


def beginning(sources: Iterable[Source], most: int = 200, size: int = 8_000) -> list[Source]:
    """Return the first sources and lines, of at most so many lines and characters together."""
    kept: list[Source] = []
    for source in sources:
        lines = dict(islice(source.lines.items(), most))
        while lines and sum(map(len, lines.values())) > size:
            lines.popitem()
        most, size = most - len(lines), size - sum(map(len, lines.values()))
        if lines:
            added = None if source.added is None else source.added & lines.keys()
            whole = len(lines) == len(source.lines)
            kept.append(source if whole else replace(source, lines=lines, added=added, cut=True))
        if most <= 0 or len(lines) < len(source.lines):
            break
    return kept


def read(message: str, code_context: str | None = None) -> Reading:
    """Take a message and the code beside it apart; the code beside it comes first.

    It computes, in time linear in the text: `offload` it for a large one. A file that a diff deletes,
    renames or knows as binary is a source without lines.
    """
    beside, _ = _take(split(code_context or ""), "code_context")
    within, words = _take(split(message), "message")
    return Reading(_question(words), tuple(beside + within))


def _take(lines: list[str], default: str) -> tuple[list[Source], list[str]]:
    """Find the sources in one text, and the words that are left of it."""
    if not any(line.strip() for line in lines):
        return [], []
    diffs = {file.begin: file for file in _diffs(lines)}
    blocks = fences.find(lines, {begin: max(file.end, begin + 1) for begin, file in diffs.items()})
    covered = {row for block in blocks for row in range(block.begin, block.end)}
    spans: list[_Span] = [*blocks, *(file for begin, file in diffs.items() if begin not in covered)]
    spans.sort(key=lambda span: span.begin)
    if spans and not _is_raw(lines, spans, default):
        return _take_spans(lines, spans, default)
    if default == "message":
        words, code = prose.split(lines)
        return ([Source(default, _number(code), languages.by_text(code))] if code else []), words
    return [_take_file(lines, default)], []


def _diffs(lines: Sequence[str]) -> list[diff.FileDiff]:
    """Find the diffs in lines; most texts have none, which costs little to tell."""
    return diff.parse(lines) if any(_HUNK.match(line) for line in lines) else []


def _is_raw(lines: Sequence[str], spans: Sequence[_Span], default: str) -> bool:
    """Tell code that has fences or diffs in it (docstrings, templates) from a text that has code in fences."""
    first = next(row for row, line in enumerate(lines) if line.strip())
    if spans[0].begin == first:
        return False
    if languages.parses("\n".join(lines)):
        return True
    only_fences = all(isinstance(span, fences.Fence) for span in spans)
    return default == "code_context" and only_fences and prose.is_code(_outside(lines, spans))


def _outside(lines: Sequence[str], spans: Iterable[_Span]) -> list[str]:
    """Return the lines that belong to none of the spans, which are in order."""
    left: list[str] = []
    row = 0
    for span in spans:
        left += lines[row : span.begin]
        row = span.end
    return left + list(lines[row:])


def _take_spans(lines: Sequence[str], spans: Sequence[_Span], default: str) -> tuple[list[Source], list[str]]:
    """Make sources of fenced blocks and diffs in their order; what stands between them are words."""
    found: list[Source] = []
    words: list[str] = []
    row = 0
    for span in spans:
        between = list(lines[row : span.begin])
        row = span.end
        if isinstance(span, diff.FileDiff):
            found += _from_diffs([span], default)
        else:
            label = "" if span.name else _label(between)
            between = _drop_last(between) if label else between
            found += _take_block(span, span.name or label, default)
        words += between
    return _merge(found), [*words, *lines[row:]]


def _label(between: Sequence[str]) -> str:
    """Return the name that the last line before a fence is, if it is nothing else."""
    last = next((line for line in reversed(between) if line.strip()), "")
    found = _LABEL.match(last.strip()) if len(last) < 300 else None
    return found[1] if found and languages.by_name(found[1]) else ""


def _drop_last(between: list[str]) -> list[str]:
    while not between.pop().strip():
        pass
    return between


def _take_block(block: fences.Fence, name: str, default: str) -> list[Source]:
    """Read one fenced block: a diff, or a file."""
    if not any(line.strip() for line in block.lines):
        return []
    if block.tag in fences.DIFF_TAGS or (_diffs(block.lines) and not languages.parses("\n".join(block.lines))):
        files = diff.parse(block.lines)
        if files:
            return _from_diffs(files, name or default)
        if block.tag in fences.DIFF_TAGS:
            return [_marked(block.lines, name or default)]
    language = languages.by_tag(block.tag) or languages.by_name(name)
    if not language and not block.tag:
        language = languages.by_text(list(block.lines))
    return [Source(name or default, _number(block.lines), language)]


def _marked(lines: Sequence[str], file: str) -> Source:
    """Read a block of + and - lines without any header as one stretch that begins at line 1."""
    stays = [line for line in lines if not line.startswith(("-", "\\", "@@", "diff ", "index ", "+++ "))]
    added = frozenset(number for number, line in enumerate(stays, 1) if line.startswith("+"))
    kept = {number: line[1:] if line[:1] in "+ " else line for number, line in enumerate(stays, 1)}
    return Source(file, kept, languages.by_name(file) or languages.by_text(list(kept.values())), added)


def _from_diffs(files: Iterable[diff.FileDiff], default: str) -> list[Source]:
    """Make a source of each file, of its new side."""
    found = []
    for file in files:
        kept: dict[int, str] = {}
        added: set[int] = set()
        for hunk in file.hunks:
            kept.update(hunk.lines)
            added |= hunk.added
        name = file.file or default
        found.append(
            Source(name, dict(sorted(kept.items())), languages.by_name(name) or _guess(kept), frozenset(added))
        )
    return found


def _merge(found: Iterable[Source]) -> list[Source]:
    """Make one source of several stretches of one file of a diff."""
    stretches: dict[object, list[Source]] = {}
    for source in found:
        stretches.setdefault(source.file if source.added is not None else id(source), []).append(source)
    return [_joined(parts) if len(parts) > 1 else parts[0] for parts in stretches.values()]


def _joined(parts: Sequence[Source]) -> Source:
    """Make one source of stretches of a diff; of a line that two of them show, the last one counts."""
    kept: dict[int, str] = {}
    for part in parts:
        kept.update(part.lines)
    added = frozenset().union(*(part.added or () for part in parts))
    language = next((part.language for part in parts if part.language), "")
    return Source(parts[0].file, dict(sorted(kept.items())), language, added)


def _guess(kept: Mapping[int, str]) -> str:
    return languages.by_text([line for _, line in sorted(kept.items())]) if kept else ""


def _take_file(lines: list[str], default: str) -> Source:
    """Take a whole text as one file; its first line may be its name."""
    name = ""
    if len(lines) > 1 and (found := _LABEL.match(lines[0].strip()[:300])) and languages.by_name(found[1]):
        name = found[1]
        begin = next((row for row, line in enumerate(lines[1:], 1) if line.strip()), len(lines) - 1)
        lines = lines[begin:]
    return Source(name or default, _number(lines), languages.by_name(name) or languages.by_text(lines))


def _number(lines: Iterable[str]) -> dict[int, str]:
    return dict(enumerate(lines, 1))


def _question(words: Sequence[str]) -> str:
    """Join the words that are left, with one empty line where code stood."""
    return "\n".join(_squeeze(words)).strip()


def _squeeze(words: Sequence[str]) -> Iterator[str]:
    blank = False
    for line in words:
        if line.strip() or not blank:
            yield line.rstrip()
        blank = not line.strip()
