"""Prose of a model as it streams: markdown that closes what it opens before anything else follows."""

from __future__ import annotations

import re
from collections.abc import Iterator

from codesherpa.sherpas.markdown import defuse

SPACE = " \t\n"
BREAK = re.compile(r"(?:[ \t]*\n)+")
# The beginnings of a line that do not tell yet what line it is.
UNDECIDED = re.compile(r"[ \t]*(?:[`~#=-]*|(?:```|~~~).*)")
FENCED = re.compile(r"[ \t]*(?:```|~~~)")
OPENING = re.compile(r"([ \t]*+)(`{3,}+(?=[^`]*$)|~{3,}+)(.*)")
HEADING = re.compile(r"[ \t]*(#{1,6})(?=[ \t]|$)")
UNDERLINE = re.compile(r"[ \t]*=")
RULE = re.compile(r"[ \t]*-+")
# In a code span a backslash is a letter, outside it takes the meaning of what follows.
SPANNED = re.compile(r"`+|[^`]+")
LOOSE = re.compile(r"\\.|`+|[^`\\]+|\\")
HALF = "`<!\\"
# What has to come before more is certain, by what is held: it is not looked at again until then.
NO_SPACE = re.compile(r"[^ \t\n]")
NO_BLANK = re.compile(r"[^ \t]")
NO_MARK = re.compile(r"[^`~#=-]")
NO_HALF = re.compile(r"[^`<!\\]")
END = re.compile(r"\n")


def unclosed(text: str) -> str:
    """Return what closes the fence that a text leaves open, "" where it leaves none."""
    prose = Prose()
    prose.feed(text)
    prose._steps(last=True)
    return f"\n{prose._fence}" if prose._fence else ""


class Prose:
    """Takes markdown in any pieces and gives it back tamed.

    Headings go down a level, below those of the answer. A fence that stays open is closed, and so is
    a code span at the end of its line. Tags and pictures outside of code are shown as they are written.
    White space at both ends is dropped.
    """

    def __init__(self) -> None:
        self._held = ""
        self._at = 0  # Where in it the text begins that is still held.
        self._new: list[str] = []  # Text after it that nobody has looked at yet.
        self._awaited: re.Pattern[str] | None = None
        self._begun = False
        self._line_start = True
        self._fence = ""
        self._indent = 0
        self._span = ""
        self._ticked = False

    def feed(self, text: str) -> str:
        """Take the next piece and return what is certain by now."""
        self._new.append(text)
        if self._awaited and not self._awaited.search(text):
            return ""
        shown = self._steps(last=False)
        self._awaited = self._awaits()
        return shown

    def close(self) -> str:
        """Return the rest, with everything closed."""
        shown = self._steps(last=True) + self._close_span()
        if self._fence:
            shown += f"\n{self._fence}"
        self._held, self._fence, self._awaited = "", "", None
        return shown

    def _awaits(self) -> re.Pattern[str]:
        """Return what must come before more of what is held is certain."""
        if not NO_SPACE.search(self._held):
            return NO_SPACE
        if self._line_start and FENCED.match(self._held):
            return END
        if self._held.endswith((" ", "\t")):
            return NO_BLANK
        return NO_MARK if self._line_start else NO_HALF

    def _steps(self, last: bool) -> str:
        self._held, self._at, self._new = "".join([self._held, *self._new]), 0, []
        if not self._begun and (gap := BREAK.match(self._held)):
            self._at = gap.end()
        shown: list[str] = []
        while NO_SPACE.search(self._held, self._at) and (step := self._step(last)) is not None:
            shown.append(step)
        self._held, self._at = self._held[self._at :], 0
        self._begun = self._begun or any(shown)
        return "".join(shown)

    def _step(self, last: bool) -> str | None:
        """Take what is certain off the beginning of what is held, None where nothing is."""
        if gap := BREAK.match(self._held, self._at):
            self._line_start = True
            return self._close_span() + self._cut(len(gap[0]))
        end = self._held.find("\n", self._at)
        line = self._held[self._at : end if end >= 0 else None].rstrip(SPACE)
        whole = last or end >= 0
        if not self._line_start:
            return self._inside(line, whole)
        if not whole and UNDECIDED.fullmatch(line):
            return None
        self._line_start = False
        return self._begin_fenced(line) if self._fence else self._begin(line, whole)

    def _begin(self, line: str, whole: bool) -> str | None:
        if opening := OPENING.fullmatch(line):
            # At the margin, so that it does not end with a list that it stands in.
            self._indent, self._fence = len(opening[1]), opening[2]
            return self._cut(len(line)).lstrip(SPACE)
        if heading := HEADING.match(line):
            self._cut(heading.end())
            return "#" * min(max(len(heading[1]) + 1, 3), 6)
        if underline := UNDERLINE.match(line):
            return self._cut(underline.end()).replace("=", "\\=")
        if RULE.fullmatch(line):
            # Under a line of text it would make that a heading: a rule of stars does not.
            return "***" if len(self._cut(len(line)).strip(SPACE)) > 2 else "\\-"
        return self._inside(line, whole) or ""

    def _begin_fenced(self, line: str) -> str:
        text = line.strip(SPACE)
        if set(text) == {self._fence[0]} and len(text) >= len(self._fence):
            self._cut(len(line))
            self._fence = ""
            return text
        indent = len(line) - len(line.lstrip(SPACE))
        self._cut(min(indent, self._indent))
        return self._cut(len(line) - min(indent, self._indent))

    def _inside(self, line: str, whole: bool) -> str | None:
        if self._fence:
            return self._cut(len(line))
        if not whole:
            line = line.rstrip(HALF)
        if not line:
            return None
        self._cut(len(line))
        return "".join(self._parts(line))

    def _parts(self, line: str) -> Iterator[str]:
        at = 0
        while part := (SPANNED if self._span else LOOSE).match(line, at):
            at, text = part.end(), part[0]
            yield text if self._span or text.startswith("\\") else defuse(text)
            self._ticked = text.endswith("`")
            if text.startswith("`"):
                self._span = {"": text, text: ""}.get(self._span, self._span)

    def _close_span(self) -> str:
        span, self._span = self._span, ""
        return f" {span}" if span and self._ticked else span

    def _cut(self, size: int) -> str:
        begin, self._at = self._at, self._at + size
        return self._held[begin : self._at]
