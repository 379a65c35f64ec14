"""The fixed sentences of what is written offline, in English, Hindi and Hinglish."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

LANGUAGES = ("en", "hi", "hinglish")
_PHRASES: dict[str, dict[str, Any]] = tomllib.loads(
    (Path(__file__).parent / "data" / "phrases.toml").read_text(encoding="utf-8")
)


class Voice:
    """Says things in one language; one that is not ours becomes English."""

    def __init__(self, language: str) -> None:
        self.language = language if language in LANGUAGES else "en"

    def say(self, key: str, **words: object) -> str:
        """Return the sentence of that key with the words put in."""
        return str(_PHRASES[key][self.language]).format_map(words)

    def count(self, key: str, number: int) -> str:
        """Return how many there are of something."""
        form = _PHRASES[key].get("many", {}) if number != 1 else {}
        return str(form.get(self.language, _PHRASES[key][self.language])).format(n=number)

    def join(self, parts: Iterable[str], word: str = "and") -> str:
        """Return `a, b and c`."""
        listed = list(parts)
        if len(listed) < 2:
            return "".join(listed)
        return f"{', '.join(listed[:-1])} {self.say(word)} {listed[-1]}"


def names(found: Iterable[str], limit: int = 12) -> str:
    """Return names as code, the first ones where there are many."""
    listed = list(found)
    shown = ", ".join(map(code, listed[:limit]))
    return f"{shown}, …" if len(listed) > limit else shown


def code(text: str) -> str:
    """Return text as a span of code, whatever backticks it holds."""
    fence = "`" * (max((len(run) for run in _runs(text)), default=0) + 1)
    gap = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{fence}{gap}{text}{gap}{fence}"


def _runs(text: str) -> list[str]:
    return ["`" * len(run) for run in "".join(letter if letter == "`" else " " for letter in text).split()]
