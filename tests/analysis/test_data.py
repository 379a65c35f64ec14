"""The sentences that are data: complete in every language."""

from __future__ import annotations

import string
import tomllib
from pathlib import Path

import pytest

from codesherpa.analysis.phrases import LANGUAGES, Voice, code

DATA = Path(__file__).parents[2] / "codesherpa" / "analysis" / "data"
PHRASES = tomllib.loads((DATA / "phrases.toml").read_text(encoding="utf-8"))
CONCEPTS = tomllib.loads((DATA / "concepts.toml").read_text(encoding="utf-8"))


def fields(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


@pytest.mark.parametrize("key", PHRASES)
def test_a_sentence_says_the_same_in_every_language(key: str):
    phrase = PHRASES[key]

    wanted = fields(phrase["en"])
    assert all(fields(phrase[language]) == wanted for language in LANGUAGES)
    assert all(fields(many) == wanted for many in phrase.get("many", {}).values())


@pytest.mark.parametrize("key", CONCEPTS)
def test_an_idea_is_told_in_every_language(key: str):
    concept = CONCEPTS[key]

    assert concept["marks"]
    assert all(concept[language]["term"] and concept[language]["definition"] for language in LANGUAGES)
    assert len({"analogy" in concept[language] for language in LANGUAGES}) == 1


def test_counting_knows_one_and_many():
    voice = Voice("en")

    assert [voice.count("files", number) for number in (0, 1, 2)] == ["0 files", "1 file", "2 files"]


def test_code_with_backticks_stays_code():
    assert code("x") == "`x`"
    assert code("a`b``c") == "```a`b``c```"
    assert code("`x`") == "`` `x` ``"
