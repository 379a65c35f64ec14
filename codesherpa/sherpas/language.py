"""In which language somebody writes: English, Hindi, or Hindi in Latin letters."""

from __future__ import annotations

import re

from codesherpa.sherpas import router
from codesherpa.sherpas.routing.vocabulary import FUNCTION_WORDS, HINDI_WORDS, WORDS

_WORD = re.compile(r"[A-Za-z]+|[\u0900-\u097f]+")
# Spelled like English words, names or abbreviations.
_EITHER = "acha are bas bata bug code dar de file hi hue log man mat par path pe sab sun tab use wo"
_HINDI = frozenset(
    word
    for word in HINDI_WORDS
    if word.isascii() and len(word) > 1 and word not in WORDS and word not in _EITHER.split()
) - frozenset(FUNCTION_WORDS)


def of(message: str) -> str:
    """Return `en`, `hi` or `hinglish`; code says nothing about it, and English is what is not plainly another."""
    words = _WORD.findall(router.words(message).lower())
    if sum(not word.isascii() for word in words) * 2 >= len(words) > 0:
        return "hi"
    hindi = sum(word in _HINDI for word in words)
    return "hinglish" if hindi >= 2 or (hindi and len(words) <= 4) else "en"
