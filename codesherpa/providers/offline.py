"""The provider that needs no model: reviews with ruff, explains from the syntax tree, and says so."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from dataclasses import asdict
from itertools import chain
from typing import Any

from codesherpa.analysis import lint, outline
from codesherpa.analysis.lint import Finding
from codesherpa.analysis.ruff import LintError
from codesherpa.concurrency import Cancellation, offload
from codesherpa.errors import ModelError
from codesherpa.providers.interface import Brief, End, Text, Usage

PACE = 0.004  # Seconds between two words, about as a quick model writes.
LONGEST = 1.5  # Seconds that a whole answer may take, however long it is.
WINDOW = 1_000_000

PHRASES = {
    "en": {
        "review": "Offline review (ruff and the syntax tree, no language model): ",
        "explanation": "Offline explanation (from the syntax tree, no language model): ",
        "found": "{count} finding(s) in {files}.",
        "clean": "nothing to complain about in {files}.",
        "unread": " {files}: only Python can be reviewed offline; what can be seen is its size, not its faults.",
        "nothing": "there is no code in this message. Send a file, a fenced block or a unified diff.",
        "reply": (
            "I am offline, without a language model: I can review Python and diffs of it, and explain code. "
            "Set MODEL_PROVIDER=bedrock, with AWS credentials, and a model answers everything else."
        ),
    },
    "hi": {
        "review": "ऑफ़लाइन समीक्षा (ruff और सिंटैक्स ट्री से, बिना भाषा मॉडल के): ",
        "explanation": "ऑफ़लाइन व्याख्या (सिंटैक्स ट्री से, बिना भाषा मॉडल के): ",
        "found": "{files} में {count} बात(ें) मिलीं।",
        "clean": "{files} में कोई शिकायत नहीं मिली।",
        "unread": " {files}: ऑफ़लाइन केवल Python की समीक्षा हो सकती है; बाकी का केवल आकार दिखता है, गलतियाँ नहीं।",
        "nothing": "इस संदेश में कोड नहीं है। कोई फ़ाइल, fenced block या unified diff भेजिए।",
        "reply": (
            "मैं ऑफ़लाइन हूँ, बिना भाषा मॉडल के: मैं Python और उसके diff की समीक्षा और कोड की व्याख्या कर सकता हूँ। "
            "MODEL_PROVIDER=bedrock और AWS credentials सेट करें, तो बाकी सब का जवाब मॉडल देगा।"
        ),
    },
    "hinglish": {
        "review": "Offline review (ruff aur syntax tree se, bina language model ke): ",
        "explanation": "Offline explanation (syntax tree se, bina language model ke): ",
        "found": "{files} mein {count} baat(en) mili.",
        "clean": "{files} mein koi shikayat nahi mili.",
        "unread": " {files}: offline sirf Python ka review hota hai; baaki ka sirf size dikhta hai, galtiyan nahi.",
        "nothing": "is message mein code nahi hai. Koi file, fenced block ya unified diff bhejo.",
        "reply": (
            "Main offline hoon, bina language model ke: main Python aur uske diff ka review kar sakta hoon aur code "
            "samjha sakta hoon. MODEL_PROVIDER=bedrock aur AWS credentials set karo, phir baaki sab model batayega."
        ),
    },
}


class OfflineProvider:
    """Answers from the code alone. `pace` are the seconds between two words, 0 for at once."""

    name = "offline"

    def __init__(self, pace: float = PACE) -> None:
        self.pace = pace

    def model(self, model_id: str | None) -> str | None:
        """There is none."""
        return None

    def window(self, model_id: str | None) -> int:
        """Code is read as it is; its size is bounded by what a message may hold."""
        return WINDOW

    def stream(self, brief: Brief, cancellation: Cancellation) -> Iterator[Text | End]:
        """Yield the answer word by word. Raises ModelError where ruff cannot be run."""
        woken = threading.Event()
        cancellation.on_cancel(woken.set)
        words = re.findall(r"\s*\S+\s*", answer(brief)) if not woken.is_set() else []
        pause = min(self.pace, LONGEST / max(len(words), 1))
        for word in words:
            if woken.is_set() or (pause and woken.wait(pause)):
                yield End("cancelled", Usage(estimated=True))
                return
            yield Text(word)
        yield End("cancelled" if woken.is_set() else "end", Usage())


def answer(brief: Brief) -> str:
    """Return the whole answer: the JSON text of the tool's input, or prose."""
    words = PHRASES.get(brief.language, PHRASES["en"])
    if brief.task == "review":
        return json.dumps(review(brief, words), ensure_ascii=False)
    if brief.task == "explanation":
        return json.dumps(explanation(brief, words), ensure_ascii=False)
    return words["reply"]


def review(brief: Brief, words: dict[str, str]) -> dict[str, Any]:
    """Review every Python source; say of the others that they were not."""
    python = [source for source in brief.sources if source.language == "python"]
    others = [source.file for source in brief.sources if source.language != "python"]
    try:
        found = brief.evidence if brief.evidence is not None else tuple(chain.from_iterable(map(lint.lint, python)))
    except LintError as error:
        raise ModelError("The offline reviewer could not run.") from error
    return {
        "summary": words["review"] + summary(found, [source.file for source in python], others, words),
        "findings": [without_rule(one) for one in sorted(found, key=lambda one: SEVERITIES.index(one.severity))],
        "quality_score": lint.score(found),
        "security_risk": lint.security_risk(found),
    }


SEVERITIES = ("CRITICAL", "HIGH", "MEDIUM", "LOW")


def summary(found: tuple[Finding, ...], files: list[str], others: list[str], words: dict[str, str]) -> str:
    if not files and not others:
        return words["nothing"]
    told = words["found" if found else "clean"].format(count=len(found), files=", ".join(files)) if files else ""
    return told + (words["unread"].format(files=", ".join(others)) if others else "")


def without_rule(finding: Finding) -> dict[str, Any]:
    told = asdict(finding)
    del told["rule"]
    return told


def explanation(brief: Brief, words: dict[str, str]) -> dict[str, Any]:
    """Explain every source from its syntax tree or its tokens."""
    if not brief.sources:
        told = words["explanation"] + words["nothing"]
        return {"explanation": told, "learning_steps": [], "key_concepts": [], "analogy": ""}
    explained = offload(outline.explain, brief.sources, brief.language)
    del explained["kind"]
    return explained | {"explanation": f"{words['explanation'].rstrip(' :')}.\n\n{explained['explanation']}"}
