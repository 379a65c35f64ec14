"""A model's words as markdown that stays in its place: it opens nothing that it does not close."""

from __future__ import annotations

import re
from collections import deque

CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
# What may keep its letters: what is escaped, and code spans. A run of backticks that opens none is loose.
KEPT = re.compile(r"\\[\\`<!]|`+")
TICKS = re.compile("`+")
# A picture is fetched as soon as it is shown: its address would tell a stranger what it says.
MARKUP = re.compile(r"<(?=[A-Za-z/!?])|!(?=\[)")
TICK = "&#96;"
ENTITIES = {"<": "&lt;", "!": "&#33;"}


def clean(text: str) -> str:
    """Return the text without control characters, which no answer needs and a database may refuse."""
    return CONTROL.sub("", text)


def inline(text: str) -> str:
    """Return the text on one line: no heading, list or fence can begin in it, no tag and no code span stay open."""
    text = " ".join(text.split())
    shown, at, runs = list[str](), 0, Runs(text)
    while kept := KEPT.search(text, at):
        shown.append(defuse(text[at : kept.start()]))
        at = kept.end()
        if not kept[0].startswith("`"):
            shown.append(kept[0])
        elif end := runs.closing(at, len(kept[0])):
            shown.append(text[kept.start() : end])
            at = end
        else:
            shown.append(TICK * len(kept[0]))
    return "".join([*shown, defuse(text[at:])])


class Runs:
    """The runs of backticks in a text: a code span ends with the next one that is as long as the one that opens it.

    It takes time that is linear in the text, for all spans together, when they are asked for in their order.
    """

    def __init__(self, text: str) -> None:
        self._starts: dict[int, deque[int]] = {}
        for run in TICKS.finditer(text):
            self._starts.setdefault(len(run[0]), deque()).append(run.start())

    def closing(self, at: int, size: int) -> int:
        """Return where the next run of that size at or after `at` ends, 0 if there is none."""
        starts = self._starts.get(size, deque())
        while starts and starts[0] < at:
            starts.popleft()
        return starts[0] + size if starts else 0


def code(text: str) -> str:
    """Return the text as a code span, whatever backticks it has."""
    text = " ".join(text.split()) or " "
    ticks = "`" * (_longest(text, "`") + 1)
    space = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{ticks}{space}{text}{space}{ticks}"


def fence(text: str, language: str = "") -> str:
    """Return the text as a fenced block that no line of it can close."""
    ticks = "`" * max(3, _longest(text, "`") + 1)
    name = language if re.fullmatch(r"[\w+#.-]{1,30}", language) else ""
    return f"{ticks}{name}\n{text.strip(chr(10))}\n{ticks}"


def defuse(text: str) -> str:
    """Return the text with what would be a tag or a picture shown as it is written."""
    return MARKUP.sub(lambda mark: ENTITIES[mark[0]], text)


def _longest(text: str, mark: str) -> int:
    return max((len(run) for run in re.findall(f"{mark}+", text)), default=0)
