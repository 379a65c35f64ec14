"""Who answers: the words where they are plain, else the model that is there."""

from __future__ import annotations

import json
import threading

import pytest

from codesherpa.chat import choice
from codesherpa.errors import ModelUnavailable
from codesherpa.sherpas import router
from tests.conftest import Caller
from tests.scripted import Scripted

UNCLEAR = "The cart of our shop, since last week."
ROUTE = {"target_agent": "codebase_sherpa", "confidence": 0.8, "reasoning": "It is about how the cart works."}


def test_a_plain_message_asks_no_model(ada: Caller, model: Scripted) -> None:
    chat = ada.post("/chat", json={"message": "hello"}).json["data"]

    assert (chat["agent"], model.routing_briefs) == ("general_chat", [])


def test_where_the_words_leave_it_open_the_model_decides(ada: Caller, model: Scripted) -> None:
    assert router.route(UNCLEAR) is None
    model.routes = [json.dumps(ROUTE)[:20], json.dumps(ROUTE)[20:]]

    chat = ada.post("/chat", json={"message": UNCLEAR}).json["data"]

    assert (chat["agent"], chat["routing"]) == ("codebase_sherpa", ROUTE)
    assert len(model.routing_briefs) == 1
    assert UNCLEAR in model.routing_briefs[0].turns[-1].text


def test_what_it_cost_to_find_out_is_part_of_the_chats_tokens(ada: Caller, model: Scripted) -> None:
    model.routes = [json.dumps(ROUTE | {"target_agent": "general_chat"})]

    chat = ada.post("/chat", json={"message": UNCLEAR}).json["data"]

    assert (chat["input_tokens"], chat["output_tokens"]) == (10 + 7, 2 + 3)


@pytest.mark.parametrize("said", [["nonsense"], ['{"target_agent": "root"}'], [], [ModelUnavailable("No.")]])
def test_a_model_that_cannot_route_costs_no_reply(ada: Caller, model: Scripted, said: list[object]) -> None:
    model.routes = said

    chat = ada.post("/chat", json={"message": UNCLEAR}).json["data"]

    assert (chat["status"], chat["response"]) == ("complete", "Hello there.")
    assert chat["routing"]["confidence"] <= 0.4


def test_a_model_that_takes_too_long_is_not_waited_for(
    ada: Caller, model: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(choice, "PATIENCE", 0.05)
    model.routes = [json.dumps(ROUTE), threading.Event()]

    chat = ada.post("/chat", json={"message": UNCLEAR}).json["data"]

    assert (chat["status"], chat["agent"]) == ("complete", "general_chat")


def test_an_agent_decides_without_a_model(ada: Caller, model: Scripted) -> None:
    agent = ada.post("/agents", json={"name": "Guide", "kind": "explain"}).json["data"]

    chat = ada.post("/chat", json={"message": UNCLEAR, "agent_id": agent["id"]}).json["data"]

    assert (chat["agent"], chat["routing"], model.routing_briefs) == ("codebase_sherpa", None, [])
