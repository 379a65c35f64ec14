"""Unified diffs, as git and `diff -u` write them: reading them, and cutting them to a budget."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from codesherpa.analysis import lines as text_lines

_HUNK = re.compile(r"@@ -\d{1,9}(?:,(\d{1,9}))? \+(\d{1,9})(?:,(\d{1,9}))? @@ ?(.*)$")
_GIT = re.compile(r"diff --(?:git|cc|combined) (.+)$")
_EXTENDED = re.compile(
    r"(?:old mode|new mode|deleted file mode|new file mode|copy (?:from|to)|rename (?:from|to)|(?:dis)?similarity index"
    r"|index|Binary files|GIT binary patch|Index:|={20,}|literal \d|delta \d|Only in) ?(.*)$"
)
_ESCAPE = re.compile(rb'\\([0-7]{3}|[abtnvfr"\\])')
_LETTERS = {b"a": b"\a", b"b": b"\b", b"t": b"\t", b"n": b"\n", b"v": b"\v", b"f": b"\f", b"r": b"\r"}
_PREFIX = re.compile(r"[abciow]/")
_NOTHING = "/dev/null"
# Nobody writes these by hand: where a budget is short they go first.
_GENERATED = re.compile(r"(?:^|/)(?:[\w.-]*lock(?:\.json|\.yaml)?|[\w.-]+\.(?:min\.(?:js|css)|map|svg|snap|lock))$")


@dataclass(slots=True)
class Hunk:
    """A stretch of the new file. `begin` and `end` (exclusive) are its rows in the diff's text."""

    begin: int
    end: int
    lines: dict[int, str] = field(default_factory=dict)
    added: set[int] = field(default_factory=set)

    def rows(self) -> str:
        """Return which lines of the new file it shows, for a person."""
        return f"{min(self.lines)}-{max(self.lines)}" if self.lines else "nothing that stays"


@dataclass(slots=True)
class FileDiff:
    """What happens to one file: `kind` is modified, added, deleted, renamed or binary.

    `plain` tells whether it has the lines `---` and `+++`.
    """

    file: str
    begin: int
    end: int
    kind: str = "modified"
    plain: bool = False
    hunks: list[Hunk] = field(default_factory=list)


class LeftOut(NamedTuple):
    """A hunk that did not fit: its file and the lines of the new file that it shows, as in `10-24`."""

    file: str
    rows: str


class Cut(NamedTuple):
    """A diff's text as far as it fits, and what was left out of it."""

    kept: str
    left_out: tuple[LeftOut, ...]


def parse(lines: Sequence[str]) -> list[FileDiff]:
    """Find the diffs of files in lines of text; text around and between them is passed over.

    A hunk without a header belongs to a file without a name.
    """
    files: list[FileDiff] = []
    row = 0
    while row < len(lines):
        header = _header(lines, row)
        if header is None and not _HUNK.match(lines[row]):
            row += 1
            continue
        file = header or FileDiff("", row, row)
        row = file.end
        while row < len(lines) and (start := _HUNK.match(lines[row])):
            hunk = _read_hunk(lines, row, start)
            file.hunks.append(hunk)
            row = file.end = hunk.end
        files.append(file)
    return [file for file in files if file.hunks or file.file]


def _header(lines: Sequence[str], row: int) -> FileDiff | None:
    """Read a file's header at that row, None where none begins there."""
    git = _GIT.match(lines[row])
    if not git and not (_names(lines, row) and _follows(lines, row + 2)):
        return None
    file = FileDiff("", row, row + 1 if git else row)
    old = new = ""
    for at in range(file.end, len(lines)):
        line = lines[at]
        if _names(lines, at):
            old, new = _plain(line[4:]), _plain(lines[at + 1][4:])
            file.end, file.plain = at + 2, True
            break
        if not git or not _EXTENDED.match(line):
            break
        file.end = at + 1
        old, new = _extended(file, line, old, new)
        if line.startswith("GIT binary patch"):
            file.end = _skip_binary(lines, at + 1)
            break
    return _named(file, git[1] if git else "", old, new)


def _names(lines: Sequence[str], row: int) -> bool:
    return lines[row].startswith("--- ") and row + 1 < len(lines) and lines[row + 1].startswith("+++ ")


def _follows(lines: Sequence[str], row: int) -> bool:
    return row < len(lines) and bool(_HUNK.match(lines[row]))


def _extended(file: FileDiff, line: str, old: str, new: str) -> tuple[str, str]:
    """Take one of git's extended header lines in."""
    if line.startswith(("rename ", "copy ")):
        file.kind = "renamed"
        words = line.split(" ", 2)
        return (_plain(words[2]), new) if words[1] == "from" else (old, _plain(words[2]))
    for sign, kind in (("deleted", "deleted"), ("new file", "added"), ("Binary", "binary"), ("GIT binary", "binary")):
        if line.startswith(sign):
            file.kind = kind
    return old, new


def _skip_binary(lines: Sequence[str], row: int) -> int:
    while row < len(lines) and not lines[row].startswith("diff --") and " " not in lines[row].strip()[8:]:
        row += 1
    return row


def _named(file: FileDiff, both: str, old: str, new: str) -> FileDiff:
    """Give the file the name that it has afterwards; a deleted one keeps the one that it had."""
    bare = file.kind == "renamed" and not file.plain
    if not (old or new):
        old, new = _both(both)
    if new == _NOTHING:
        file.kind = "deleted"
    elif old == _NOTHING:
        file.kind = "added"
    name = old if new in (_NOTHING, "") else new
    # git writes two different prefixes, of which a/ and b/ are the usual ones; without them nothing is cut.
    prefixed = _NOTHING in (old, new) or (old[:1] != new[:1] and all(_PREFIX.match(side) for side in (old, new)))
    file.file = name[2:] if prefixed and not bare and _PREFIX.match(name) else name
    return file


def _both(names: str) -> tuple[str, str]:
    """Split `a/x b/x`, whose names may hold spaces or be quoted."""
    if names.startswith('"') or names.endswith('"'):
        found = re.findall(r'"(?:[^"\\]|\\.)*"|\S+', names[:2000])
        return (_plain(found[0]), _plain(found[-1])) if found else ("", "")
    middle = len(names) // 2
    if names[middle : middle + 1] == " " and names[2:middle] == names[middle + 3 :]:
        return names[:middle], names[middle + 1 :]
    old, _, new = names.partition(" b/")
    return old, f"b/{new}" if new else old


def _plain(name: str) -> str:
    """Return a name without its time stamp, quotes and escapes."""
    name = name.split("\t")[0].strip()[:1000]
    if len(name) >= 2 and name[0] == name[-1] == '"':
        octets = _ESCAPE.sub(_unescape, name[1:-1].encode())
        name = octets.decode(errors="replace")
    return "".join(letter for letter in name if letter.isprintable())


def _unescape(found: re.Match[bytes]) -> bytes:
    escape = found[1]
    return bytes([int(escape, 8) & 255]) if len(escape) == 3 else _LETTERS.get(escape, escape)


def _read_hunk(lines: Sequence[str], row: int, start: re.Match[str]) -> Hunk:
    """Read one hunk; where its counts are wrong the lines decide how long it is."""
    hunk = Hunk(row, row)
    old_left, number, new_left = int(start[1] or 1), int(start[2]), int(start[3] or 1)
    row += 1
    while row < len(lines):
        line = lines[row]
        mark = line[:1] or " "
        if mark not in " +-\\" or (_names(lines, row) and _follows(lines, row + 2)):
            break
        if old_left <= 0 and new_left <= 0 and _ends(lines, row):
            break
        if mark in " +":
            hunk.lines[number] = line[1:]
            if mark == "+":
                hunk.added.add(number)
            number, new_left = number + 1, new_left - 1
        old_left -= mark in " -"
        row += 1
    hunk.end = row
    return hunk


def _ends(lines: Sequence[str], row: int) -> bool:
    """Tell whether the line after a hunk's last counted one is outside it: counts are often a little wrong."""
    line = lines[row]
    return not line.strip() or line.startswith("-- ") or line == "--"


def cut(text: str, budget: int) -> Cut:
    """Cut the diffs in a text to at most `budget` characters, by whole files and whole hunks.

    Words around the diffs stay, whatever their length. Hunks are kept in their order, the first ones first,
    those of generated files (lock files, minified code) last; a header stays only with a hunk of its own, or
    where it has none. Text without a diff is returned as it is, however long.
    """
    lines = text_lines.split(text)
    files = parse(lines) if len(text) > budget else []
    if not files:
        return Cut(text, ())
    sizes = [len(line) + 1 for line in lines]
    kept = set(range(len(lines))).difference(*(range(file.begin, file.end) for file in files))
    left = budget - sum(sizes[row] for row in kept)
    left_out: list[LeftOut] = []
    for file in sorted(files, key=lambda file: bool(_GENERATED.search(file.file))):
        head = range(file.begin, file.hunks[0].begin if file.hunks else file.end)
        cost = sum(sizes[head.start : head.stop])
        for part in file.hunks or [Hunk(head.stop, head.stop)]:
            size = sum(sizes[part.begin : part.end])
            if size + cost > left:
                left_out.append(LeftOut(file.file, part.rows()))
                continue
            left, cost = left - size - cost, 0
            kept.update(head, range(part.begin, part.end))
    return Cut("\n".join(lines[row] for row in sorted(kept)), tuple(left_out))
