"""A model's words as markdown that stays in its place: it opens nothing that it does not close."""

from __future__ import annotations

import re

CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
# What keeps its letters: what is escaped, and code spans. A run of backticks that opens none is loose.
KEPT = re.compile(r"\\[\\`<!]|(`+)(?!`).+?(?<!`)\1(?!`)|(?P<loose>`+)")
# A picture is fetched as soon as it is shown: its address would tell a stranger what it says.
MARKUP = re.compile(r"<(?=[A-Za-z/!?])|!(?=\[)")
TICK = "&#96;"
ENTITIES = {"<": "&lt;", "!": "&#33;"}


def clean(text: str) -> str:
    """Return the text without control characters, which no answer needs and a database may refuse."""
    return CONTROL.sub("", text)


def inline(text: str) -> str:
    """Return the text on one line: no heading, list or fence can begin in it, no tag and no code span stay open."""
    text, shown, end = " ".join(text.split()), "", 0
    for kept in KEPT.finditer(text):
        shown += defuse(text[end : kept.start()]) + (TICK * len(kept[0]) if kept["loose"] else kept[0])
        end = kept.end()
    return shown + defuse(text[end:])


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
