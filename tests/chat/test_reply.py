"""A reply in the making, when the structure that was asked for does not come."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from codesherpa.chat import reply as replies
from codesherpa.chat.reply import Reply
from codesherpa.concurrency import Cancellation
from codesherpa.providers.interface import Brief, End, Text, Usage
from codesherpa.sherpas import SHERPAS
from codesherpa.sherpas.interface import Ask

REVIEW = {"summary": "It is fine.", "findings": [], "quality_score": 9, "security_risk": "None"}
CODE = "```python app.py\nx = 1\n```"


class Answers:
    """A model that gives one answer after the other."""

    name = "answers"

    def __init__(self, *answers: str) -> None:
        self.answers = iter(answers)

    def model(self, model_id: str | None) -> str | None:
        return None

    def window(self, model_id: str | None) -> int:
        return 1000

    def stream(self, brief: Brief, cancellation: Cancellation) -> Iterator[Text | End]:
        for word in next(self.answers).split(" "):
            yield Text(f"{word} ")
        yield End("end", Usage(10, 5))


def review(*answers: str) -> tuple[str, Reply]:
    monk = SHERPAS["review_monk"]
    reply = Reply(monk, Answers(*answers), monk.brief(Ask("review", CODE)), Cancellation())
    return "".join(reply), reply


def test_a_broken_structure_is_asked_for_once_more() -> None:
    text, reply = review("I would rather not.", json.dumps(REVIEW))

    assert reply.outcome.status == "complete"
    assert reply.outcome.result is not None
    assert (reply.outcome.result["kind"], reply.outcome.result["quality_score"]) == ("review", 9)
    assert text == reply.text


def test_what_the_first_try_showed_does_not_swallow_the_second() -> None:
    text, reply = review('{"summary": "Look: ```python\\nx = 1", "findings": 7', json.dumps(REVIEW))

    before, after = text.split("\n\n---\n\n", 1)
    assert before.count("```") % 2 == 0
    assert "It is fine." in after
    assert reply.outcome.result is not None
    assert reply.outcome.result["kind"] == "review"


def test_a_structure_that_stays_broken_is_given_as_text_and_marked() -> None:
    text, reply = review("No structure here.", "None here either.")

    assert reply.outcome.status == "complete"
    assert reply.outcome.result == {"kind": "reply", "reply": text}
    assert "None here either." in text
    assert text.index("None here either.") > 0


class OnePiece(Answers):
    """A model that sends each answer in one piece."""

    def stream(self, brief: Brief, cancellation: Cancellation) -> Iterator[Text | End]:
        yield Text(next(self.answers))
        yield End("end", Usage(10, 5))


def test_others_have_a_turn_while_a_long_piece_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    turns: list[float] = []
    monkeypatch.setattr(replies.time, "sleep", turns.append)
    general, said = SHERPAS["general_chat"], "A word and another. " * 1_000

    written = Reply(general, OnePiece(said), general.brief(Ask("hello")), Cancellation())

    assert "".join(written).strip() == said.strip()
    assert turns == [0] * ((len(said) - 1) // replies.SLICE)
