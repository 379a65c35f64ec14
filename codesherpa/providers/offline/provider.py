"""The provider that needs no model, no key and no network."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from typing import Any

from codesherpa.analysis import outline
from codesherpa.analysis.phrases import Voice
from codesherpa.concurrency import Cancellation, offload
from codesherpa.providers.interface import Brief, End, Text, Usage
from codesherpa.providers.offline import review

# What a model writes in a word's time, and the longest that a whole answer is held back for its look.
PACE = 0.004
LONGEST = 1.5
_WORD = re.compile(r"\s*\S+\s*")


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
        pieces = [] if stopped.is_set() else self._pieces(_answer(brief, stopped))
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


def _answer(brief: Brief, stopped: threading.Event) -> str:
    """Make the whole answer: JSON where the brief has a tool, else markdown."""
    voice = Voice(brief.language)
    if brief.task == "review":
        found = review.make(brief.sources, voice, stopped, brief.evidence)
        return _dump(found) if brief.tool else review.markdown(found, voice)
    if brief.task == "explanation":
        told = _explain(brief, voice)
        return _dump(told) if brief.tool else told["explanation"]
    return voice.say("offline_reply")


def _explain(brief: Brief, voice: Voice) -> dict[str, Any]:
    told = offload(outline.explain, brief.sources, brief.language)
    opening = voice.say("offline_explanation")
    return {key: value for key, value in told.items() if key != "kind"} | {
        "explanation": f"{opening}\n\n{told['explanation']}"
    }


def _dump(answer: dict[str, Any]) -> str:
    return json.dumps(answer, ensure_ascii=False)
