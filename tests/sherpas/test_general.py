"""Prose, and what was to be a structure and is none."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codesherpa.sherpas.general import as_reply
from codesherpa.sherpas.phrases import PHRASES
from tests.sherpas.answers import REVIEW, brief_of, pieces, write, writer_of


@given(st.text(max_size=80), st.lists(st.integers(1, 9), max_size=30))
def test_prose_comes_through_as_it_is(text: str, sizes: list[int]) -> None:
    writer = writer_of("general_chat")

    shown = "".join([*(writer.feed(piece) for piece in pieces(text, sizes)), writer.finish()])

    plain = "".join(letter for letter in text if letter in "\n\t" or not (letter < " " or "\x7f" <= letter < "\xa0"))
    assert shown.startswith(plain)
    assert writer.result() == {"kind": "reply", "reply": shown}


def test_prose_is_shown_word_by_word() -> None:
    writer = writer_of("general_chat")

    assert [writer.feed(text) for text in ("Heaps", " beat", " trees", " in")] == ["Heaps", " beat", " trees", " "]
    assert writer.feed("deed") + writer.finish() == "indeed"


def test_a_fence_that_is_cut_is_closed() -> None:
    writer = writer_of("general_chat")

    assert writer.feed("```python\nx = 1\n") + writer.finish(cut=True) == "```python\nx = 1\n\n```"


def test_what_was_left_out_is_named_at_the_end() -> None:
    brief = brief_of("general_chat", code="\n".join("x = 1" + " " * 95 for _ in range(1500)))

    text = write(writer_of("general_chat", brief), "Done.")

    assert text.startswith("Done.\n\nLeft out, because it was too much for one answer:\n\n- `code_context: ")


@pytest.mark.parametrize("language", sorted(PHRASES))
def test_a_structure_that_stays_invalid_is_shown_as_text_and_marked(language: str) -> None:
    brief = brief_of("review_monk", language=language)

    text, result = as_reply("It looks **fine** to me.\n```\nopen", brief)

    assert text == f"{PHRASES[language].unreadable}\n\nIt looks **fine** to me.\n```\nopen\n```"
    assert result == {"kind": "reply", "reply": text}


def test_broken_json_is_shown_as_code() -> None:
    raw = json.dumps(REVIEW)[:-30] + "\x00 ```"

    text, _ = as_reply(raw, brief_of("review_monk"))

    assert text.endswith(f"````json\n{raw.replace(chr(0), '')}\n````")


def test_text_that_is_shown_instead_hides_the_prompt_too() -> None:
    brief = brief_of("review_monk")

    text, _ = as_reply(f"My rules: {brief.system}", brief)

    assert text.endswith("My rules: […]")
