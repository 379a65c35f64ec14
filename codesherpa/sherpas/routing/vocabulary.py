"""The words of developers and the ideas they stand for, in English, Hindi and Hinglish, from `words.toml`.

Words become ideas in capitals ("samjhao", "समझाओ" and "explain" are all EXPLAIN), so that one rule reads all
three languages; a word without an entry stays as it is, in small letters. Hindi is compared after `fold` has
taken the spelling out of it, so that one entry covers "theek", "thik", "teek" and ठीक.
"""

from __future__ import annotations

import re
import tomllib
from functools import lru_cache
from pathlib import Path
from typing import Any

TABLES: dict[str, Any] = tomllib.loads((Path(__file__).parent / "words.toml").read_text(encoding="utf-8"))
IDEAS = {"NOISE": "", "ITSELF": "-"}  # How those two are told from ideas here.

# Latin letters for Devanagari ones; breath and length are left out, as `SPELLINGS` does with Latin ones.
LETTERS = {
    **{
        "k": "कख",
        "g": "गघ",
        "n": "ङञणनंँ",
        "c": "चछ",
        "j": "जझ",
        "t": "टठतथ",
        "d": "डढदध",
        "p": "पफ",
        "b": "बभ",
        "m": "म",
    },
    **{"y": "य", "r": "र", "l": "लळ", "v": "व", "s": "शषस", "h": "ह", "a": "अआा", "i": "इईिी", "u": "उऊुू", "ri": "ऋृ"},
    **{"e": "एऐेैऍॅ", "o": "ओऔोौऑॉ", "": "़्ःऽ\u200c\u200d"},
}
DEVANAGARI = str.maketrans({letter: latin for latin, letters in LETTERS.items() for letter in letters})
SPELLINGS = tuple(
    (re.compile(pattern), plain)
    for pattern, plain in (
        (r"ee", "i"),
        (r"oo", "u"),
        (r"a+", "a"),
        (r"a[iy]e?|e[iy]", "e"),
        (r"a[uw]", "o"),
        (r"ph|f", "p"),
        (r"w", "v"),
        (r"z", "j"),
        (r"(?<=[bcdgjklmnprstvy])h", ""),
        (r"^kia$", "kya"),
        (r"(?<=[bcdghjklmnprstv])a", ""),
        (r"(.)\1+", r"\1"),
        (r"(?<=[eiou])[nh]$", ""),
    )
)


def fold(word: str) -> str:
    """Take the spelling out of a Hindi word in either script: smjhao, samjao and समझाओ are all `smjo`."""
    folded = word.translate(DEVANAGARI)
    for pattern, plain in SPELLINGS:
        folded = pattern.sub(plain, folded)
    return folded


@lru_cache(maxsize=8_192)
def idea(word: str) -> str:
    """Return the idea of a word in small letters, the word itself where it has none, "" for noise."""
    if len(word) > 24:
        return "long"
    plain = re.sub(r"(.)\1{2,}", r"\1", word)
    for known in (WORDS.get(word), WORDS.get(plain), HINDI_WORDS.get(word)):
        if known is not None:
            return word if known == "-" else known
    for stem, known in STEMS.items():
        if plain.startswith(stem):
            return known
    folded = fold(plain)
    # A fold of two letters says too little: "path" would be "phat".
    if len(folded) > 2 and folded in FOLDED:
        return word if FOLDED[folded] == "-" else FOLDED[folded]
    return _mistyped(plain) or word


def _mistyped(word: str) -> str:
    """Return the idea of the long word that is meant, "" where none is a slip away."""
    if len(word) >= 5:
        for shorter in _shortened(word):
            meant = SLIPS.get(shorter, " ")
            if meant[0] == word[0]:
                return WORDS.get(meant) or idea(meant)
    return ""


def _shortened(word: str) -> list[str]:
    """Return the word and what it becomes without any one of its letters."""
    return [word, *(word[:at] + word[at + 1 :] for at in range(len(word)))]


def _known(table: dict[str, str]) -> dict[str, str]:
    """Return every word of a table and its idea."""
    return {word: IDEAS.get(idea, idea) for idea, words in table.items() for word in words.split()}


def _hindi() -> dict[str, str]:
    """Return every Hindi word as it is spelled in the tables, and its idea."""
    known = _known(TABLES["hindi"])
    endings = ["", *TABLES["lists"]["endings"].split()]
    for idea, roots in TABLES["hindi_verbs"].items():
        forms = [root + ending for root in roots.split() for ending in endings]
        for form in [*forms, *TABLES["irregular"].get(idea, "").split()]:
            known.setdefault(form, idea)
    return known


FUNCTION_WORDS = frozenset(TABLES["lists"]["grammar"].split())
WORDS = _known(TABLES["english"])
STEMS = _known(TABLES["stems"])
HINDI_WORDS = _hindi()
# The first of two words with the same fold counts.
FOLDED = {fold(word): known for word, known in reversed(HINDI_WORDS.items())}
SLIPS = {shorter: word for word in TABLES["lists"]["mistyped"].split() for shorter in _shortened(word)}
