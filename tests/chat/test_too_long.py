"""Conversations that outgrow what a model can read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from codesherpa.chat import history, rooms
from codesherpa.concurrency import Cancellation
from codesherpa.errors import InputTooLong
from codesherpa.providers.interface import Brief, End, Text, Turn
from tests.conftest import Caller
from tests.scripted import Scripted


class Reads(Scripted):
    """A model that reads so many characters of turns."""

    limit = 10**9

    def stream(self, brief: Brief, cancellation: Cancellation) -> Iterator[Text | End]:
        if sum(len(turn.text) for turn in brief.turns) > self.limit:
            self.briefs.append(brief)
            raise InputTooLong
        yield from super().stream(brief, cancellation)


@pytest.fixture
def model(app: Any) -> Reads:
    app.extensions["provider"] = model = Reads()
    return model


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """The status events that are told."""
    told: list[dict[str, Any]] = []
    tell = rooms.tell_status

    def listen(chat: Any, content: str, left_out: int = 0) -> None:
        told.append({"content": content} | ({"left_out": left_out} if left_out else {}))
        tell(chat, content, left_out)

    monkeypatch.setattr(rooms, "tell_status", listen)
    return told


def converse(caller: Caller, count: int, length: int) -> Any:
    """Send messages of a length in one conversation and return the last answer."""
    id = None
    for number in range(count):
        answer = caller.post("/chat", json={"message": f"@chat {number} ".ljust(length, "x"), "conversation_id": id})
        data = answer.json["data"]
        id = data.get("conversation_id") or data["chat"]["conversation_id"]
    return answer


def test_what_is_left_out_is_told(ada: Caller, model: Reads, told: list[dict[str, Any]]) -> None:
    # The window of 10,000 tokens takes some 22,000 characters, two of these messages and a third to answer.
    assert converse(ada, 5, 9_000).status_code == 201

    assert [status for status in told if status["content"] == "thinking"] == [
        {"content": "thinking"},
        {"content": "thinking"},
        {"content": "thinking", "left_out": 1},
        {"content": "thinking", "left_out": 2},
        {"content": "thinking", "left_out": 3},
    ]
    assert [len(brief.turns) for brief in model.briefs] == [1, 3, 3, 3, 3]


def test_too_long_is_met_by_one_shorter_try(ada: Caller, model: Reads, told: list[dict[str, Any]]) -> None:
    model.limit = 2_300

    answer = converse(ada, 4, 600)

    assert (answer.status_code, answer.json["data"]["response"]) == (201, "Hello there.")
    assert [len(brief.turns) for brief in model.briefs[-2:]] == [7, 3]
    assert told[-2:] == [{"content": "thinking", "left_out": 2}, {"content": "streaming"}]


def test_what_stays_too_long_is_an_error_after_two_tries(ada: Caller, model: Reads) -> None:
    converse(ada, 2, 600)
    model.limit, model.briefs = 100, []

    refused = converse(ada, 1, 600)
    alone = len(model.briefs)
    model.limit = 10**9
    id = refused.json["data"]["chat"]["conversation_id"]
    ada.post("/chat", json={"message": "@chat hello", "conversation_id": id})
    model.limit, model.briefs = 10, []
    again = ada.post("/chat", json={"message": "@chat hello", "conversation_id": id})

    assert (refused.status_code, refused.json["data"]["code"], alone) == (502, "model_error", 1)
    assert (again.status_code, len(model.briefs)) == (502, 2)


def test_the_shorter_history_is_the_newest_third_in_whole_pairs() -> None:
    turns = tuple(Turn("user" if at % 2 == 0 else "assistant", f"{at}".ljust(10)) for at in range(12))

    assert history.shorter(turns) == turns[-4:]
    assert history.shorter(turns[:2]) == ()
    assert history.shorter(()) == ()
