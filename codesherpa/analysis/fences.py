"""Fenced blocks of markdown: ``` and ~~~, with what their info string says."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from codesherpa.analysis import languages
from codesherpa.analysis.lines import indent

DIFF_TAGS = frozenset({"diff", "patch", "udiff"})
_OPEN = re.compile(r"[ \t]*(`{3,}|~{3,})[ \t]*([^\n]*)$")
_SETTING = re.compile(r"(?:title|filename|file|name|path)\s*=\s*(?:\"([^\"]+)\"|'([^']+)'|([^\s}\"']+))", re.IGNORECASE)
_NAME = re.compile(
    r"[\w@.+~:\\/-]*[\w)\]]\.[A-Za-z]\w{0,9}$|[\w@.+~:\\/-]*[\\/][\w@.+-]+$|(?:Dockerfile|Makefile|Gemfile|Rakefile)$"
)
# `node.js` and its kind are languages, not files.
_DOTTED_TAGS = {"node.js", "vue.js", "next.js", "asp.net", "vb.net", "react.js"}


@dataclass(frozen=True, slots=True)
class Fence:
    """A fenced block: its first and last line in the text (0-based, `end` exclusive), and what it holds."""

    begin: int
    end: int
    tag: str
    name: str
    lines: tuple[str, ...]


def find(lines: Sequence[str], skip: Mapping[int, int] = MappingProxyType({})) -> list[Fence]:
    """Find the fenced blocks; one that is never closed runs to the end of the text.

    `skip` maps rows outside a fence to the row at which to go on: what stands between is no markdown.
    """
    fences: list[Fence] = []
    row = 0
    while row < len(lines):
        if row in skip:
            row = skip[row]
            continue
        opening = opens(lines[row])
        if opening is None:
            row += 1
            continue
        marker, info = opening
        tag, name = read_info(info)
        margin = indent(lines[row])
        # In a diff a fence that a space comes before is a line of the file.
        end = _close(lines, row, marker, margin if tag in DIFF_TAGS else margin + 3)
        body = tuple(_dedent(line, margin) for line in lines[row + 1 : end])
        fences.append(Fence(row, min(end + 1, len(lines)), tag, name, body))
        row = end + 1
    return fences


def opens(line: str) -> tuple[str, str] | None:
    """Return the marker and the info string of a line that opens a fence, None for any other."""
    if "```" not in line and "~~~" not in line:
        return None
    found = _OPEN.match(line)
    if not found or (found[1][0] == "`" and "`" in found[2]):
        return None
    return found[1], found[2].strip()[:500]


def _close(lines: Sequence[str], row: int, marker: str, margin: int) -> int:
    """Return the line that closes the fence, or the number of lines."""
    for end in range(row + 1, len(lines)):
        line = lines[end].strip()
        if (
            line[:1] == marker[0]
            and len(line) >= len(marker)
            and not line.strip(marker[0])
            and indent(lines[end]) <= margin
        ):
            return end
    return len(lines)


def _dedent(line: str, margin: int) -> str:
    return line if not margin else line[min(margin, len(line) - len(line.lstrip(" \t"))) :]


def read_info(info: str) -> tuple[str, str]:
    """Return the tag and the file's name in `python app.py`, `python title="app.py"`, `app.py`, `py:app.py`."""
    if setting := _SETTING.search(info):
        name = next(filter(None, setting.groups()))
        rest = info[: setting.start()].split()
        return (_tag(rest[0]) if rest else ""), clean(name)
    words = info.strip("{}").split()
    if not words:
        return "", ""
    first, colon, after = words[0].partition(":")
    if colon and after and languages.by_tag(first) and "\\" not in after[:1]:
        return _tag(first), clean(after)
    if is_name(words[0]):
        return "", clean(words[0])
    return _tag(words[0]), next((clean(word) for word in words[1:] if is_name(word.strip("()[],\"'"))), "")


def is_name(word: str) -> bool:
    """Tell whether a word can only be a file's name."""
    return len(word) <= 255 and word.lower() not in _DOTTED_TAGS and bool(_NAME.match(word)) and "://" not in word


def clean(name: str) -> str:
    """Return a name as it may be shown: without quotes, brackets and control characters."""
    shown = "".join(letter for letter in name.strip().strip("()[],\"'`") if letter.isprintable())
    return shown[:255].strip()


def _tag(word: str) -> str:
    return word.strip("{}.,")[:40].lower()
