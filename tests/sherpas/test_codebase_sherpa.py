"""Explanations, from a model's JSON to markdown and data."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codesherpa.sherpas.interface import InvalidStructure
from codesherpa.sherpas.phrases import PHRASES
from tests.sherpas.answers import EXPLANATION, assert_contract, brief_of, pieces, write, writer_of

WORDS = st.text("ab `#<\n~.-1नम", max_size=40)
ODD = st.none() | st.booleans() | st.integers() | WORDS | st.lists(WORDS, max_size=2) | st.dictionaries(WORDS, WORDS)
EXPLANATIONS = st.fixed_dictionaries(
    {"explanation": WORDS | ODD},
    optional={
        "learning_steps": st.lists(WORDS | ODD, max_size=3) | ODD,
        "key_concepts": st.lists(st.fixed_dictionaries({"term": WORDS, "definition": WORDS}) | ODD, max_size=3) | ODD,
        "analogy": WORDS | ODD,
        "more": ODD,
    },
).flatmap(lambda explanation: st.permutations(list(explanation.items())).map(dict))
BRIEF = brief_of("codebase_sherpa", "Explain this")


def outcome(text: str, sizes: list[int]) -> tuple[str, dict[str, Any]]:
    writer, shown = writer_of("codebase_sherpa", BRIEF), ""
    for piece in pieces(text, sizes):
        shown += writer.feed(piece)
        assert_contract(writer.result())
    try:
        shown += writer.finish()
    except InvalidStructure:
        shown += "(refused)"
    return shown, writer.result()


@given(EXPLANATIONS, st.lists(st.integers(1, 12), max_size=80), st.integers(0, 400))
def test_however_the_answer_is_cut_the_same_is_written(answer: dict[str, Any], sizes: list[int], end: int) -> None:
    text = json.dumps(answer)

    assert outcome(text, sizes) == outcome(text, [])
    assert outcome(text[:end], sizes) == outcome(text[:end], [])


def test_an_explanation_reads_like_this() -> None:
    writer = writer_of("codebase_sherpa")

    assert write(writer, EXPLANATION) == (
        "It runs a command and keeps a log of it.\n\n- `run` does the work.\n\n"
        "## Learning path\n\n1. Read `run`.\n2. Call it with `true`.\n3. Look at the log.\n\n"
        "## Key concepts\n\n- **Shell**: Reads commands.\n- **Log**: A list.\n\n"
        "## Analogy\n\nLike a waiter who writes every order down."
    )
    assert writer.result() == {"kind": "explanation"} | EXPLANATION


def test_explanation_and_analogy_stream_word_by_word() -> None:
    writer = writer_of("codebase_sherpa")

    shown = [
        writer.feed(text)
        for text in ('{"explanation": "', "Sorts", " numbers", ' quickly", "analogy": "Like', " cards")
    ]

    assert "".join(shown) == "Sorts numbers quickly\n\n## Analogy\n\nLike cards"


def test_a_step_appears_as_soon_as_it_is_complete() -> None:
    writer = writer_of("codebase_sherpa")

    shown = writer.feed('{"explanation": "Fine.", "learning_steps": ["Read it.", "Run')

    assert shown == "Fine.\n\n## Learning path\n\n1. Read it."
    assert writer.result()["learning_steps"] == ["Read it."]


def test_steps_are_numbered_once() -> None:
    writer = writer_of("codebase_sherpa")

    text = write(writer, EXPLANATION | {"learning_steps": ["1. Read.", "2) Write.", "- Rest."]})

    assert "1. Read.\n2. Write.\n3. Rest." in text
    assert writer.result()["learning_steps"] == ["Read.", "Write.", "Rest."]


def test_the_prompt_asks_for_steps_that_build_on_one_another() -> None:
    assert "build on one another: each step starts from what the one before has given" in BRIEF.system


@pytest.mark.parametrize("steps", ["1. Read.\n2. Write.", '["Read.", "Write."]', ["Read.", None, "", "Write."]])
def test_steps_in_another_shape_are_understood(steps: Any) -> None:
    writer = writer_of("codebase_sherpa")

    write(writer, EXPLANATION | {"learning_steps": steps})

    assert writer.result()["learning_steps"] == ["Read.", "Write."]


def test_only_the_explanation_is_needed() -> None:
    writer = writer_of("codebase_sherpa")

    assert write(writer, {"explanation": "A loop."}) == "A loop."
    assert_contract(writer.result())


@pytest.mark.parametrize(
    "text", ["", "Well, it sorts.", "{}", '{"explanation": ""}', '{"explanation": null}', '{"explanation": "x']
)
def test_what_is_no_explanation_is_refused(text: str) -> None:
    writer = writer_of("codebase_sherpa")
    writer.feed(text)

    with pytest.raises(InvalidStructure):
        writer.finish()


def test_an_explanation_that_is_stopped_closes_what_it_opened() -> None:
    writer = writer_of("codebase_sherpa")

    shown = writer.feed('{"explanation": "See:\\n```python\\nx = 1') + writer.finish(cut=True)

    assert shown == "See:\n```python\nx = 1\n```"


@pytest.mark.parametrize("language", sorted(PHRASES))
def test_the_headings_are_in_the_persons_language(language: str) -> None:
    words = PHRASES[language]

    text = write(writer_of("codebase_sherpa", brief_of("codebase_sherpa", language=language)), EXPLANATION)

    assert [line[3:] for line in text.splitlines() if line.startswith("## ")] == [
        words.steps,
        words.concepts,
        words.analogy,
    ]


def test_an_explanation_that_comes_late_has_its_heading() -> None:
    text = write(writer_of("codebase_sherpa"), {"analogy": "A queue.", "explanation": "It waits."})

    assert text == "## Analogy\n\nA queue.\n\n## Explanation\n\nIt waits."
