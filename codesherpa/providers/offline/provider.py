"""The provider that needs no model, no key and no network."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from typing import Any

from codesherpa.analysis import outline
from codesherpa.analysis.phrases import Voice
from codesherpa.analysis.sources import beginning
from codesherpa.concurrency import Cancellation
from codesherpa.concurrency.children import Overrun, compute, pool
from codesherpa.concurrency.fairness import TASK, Cancelled, working_for
from codesherpa.providers.interface import Brief, End, Text, Usage
from codesherpa.providers.offline import review

# What a model writes in a word's time, and the longest that a whole answer is held back for its look.
PACE = 0.004
LONGEST = 1.5
_BRIEFLY = 2.0  # Seconds for the beginning of code that took too long as a whole.
_WORD = re.compile(r"\A\s*\S+\s*|\S+\s*")


class OfflineProvider:
    """Reviews and explains; `pace` is the seconds between two words, 0 for none."""

    name = "offline"

    def __init__(self, pace: float = PACE) -> None:
        self._pace = pace

    def model(self, model_id: str | None) -> str | None:
        """There is none."""
        return None

    def window(self, model_id: str | None) -> int:
        """Nothing that a chat can hold is too long."""
        return 1_000_000

    def stream(self, brief: Brief, cancellation: Cancellation) -> Iterator[Text | End]:
        """Yield the answer in pieces of a word or more, then one End; it spends no tokens.

        Raises ModelError where ruff is missing, ModelTimeout where it took too long for all of the code.
        """
        stopped = threading.Event()
        cancellation.on_cancel(stopped.set)
        pieces = [] if stopped.is_set() else self._pieces(_unless_cancelled(brief, cancellation))
        for piece in pieces:
            if stopped.is_set():
                break
            yield Text(piece)
            if self._pace:
                stopped.wait(self._pace)
        if stopped.is_set():
            yield End("cancelled", Usage(estimated=True))
        else:
            yield End("end", Usage())

    def _pieces(self, answer: str) -> list[str]:
        """Split an answer into words, or into runs of words where one by one would take too long."""
        words = _WORD.findall(answer)
        most = max(1, int(LONGEST / self._pace)) if self._pace else len(words)
        run = -(-len(words) // most) if words else 1
        return ["".join(words[start : start + run]) for start in range(0, len(words), run)]


def _unless_cancelled(brief: Brief, cancellation: Cancellation) -> str:
    """Make the whole answer, "" where it is cancelled meanwhile."""
    try:
        with working_for(TASK.get().owner, cancellation):
            return _answer(brief)
    except Cancelled:
        return ""


def _answer(brief: Brief) -> str:
    """Make the whole answer: JSON where the brief has a tool, else markdown."""
    voice = Voice(brief.language)
    if brief.task == "review":
        found = review.make(brief, voice)
        return _dump(found) if brief.tool else review.markdown(found, voice)
    if brief.task == "explanation":
        told = _explain(brief, voice)
        return _dump(told) if brief.tool else told["explanation"]
    return voice.say("offline_reply")


def _explain(brief: Brief, voice: Voice) -> dict[str, Any]:
    told, notice = _told(brief, voice)
    opening = " ".join(filter(None, [voice.say("offline_explanation"), notice]))
    return {key: value for key, value in told.items() if key != "kind"} | {
        "explanation": f"{opening}\n\n{told['explanation']}".strip()
    }


def _told(brief: Brief, voice: Voice) -> tuple[dict[str, Any], str]:
    """Return the explanation of the code, and what to say where that is not about all of it."""
    if brief.limited and not brief.sources:
        return _nothing_told(brief), voice.say("too_large")
    notice = voice.say("too_large") if brief.limited else ""
    try:
        size = sum(source.size for source in brief.sources)
        return compute(outline.explain, brief.sources, brief.language, size=size), notice
    except Overrun:
        return _told_first(brief, voice)


def _told_first(brief: Brief, voice: Voice) -> tuple[dict[str, Any], str]:
    """Explain the beginning of code that is too much as a whole."""
    first = beginning(brief.sources)
    lines = voice.count("lines", sum(len(source.lines) for source in first))
    try:
        told = pool().run(outline.explain, first, brief.language, seconds=_BRIEFLY)
    except Overrun:
        return _nothing_told(brief), voice.say("too_large")
    return told, f"{voice.say('too_large')} {voice.say('first_lines', lines=lines)}"


def _nothing_told(brief: Brief) -> dict[str, Any]:
    return outline.explain((), brief.language) | {"explanation": ""}


def _dump(answer: dict[str, Any]) -> str:
    return json.dumps(answer, ensure_ascii=False)
