"""Every call of a model is in the ledger, whatever becomes of its reply."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask

from codesherpa.chat import sweep
from codesherpa.chat.models import Chat
from codesherpa.database import now
from codesherpa.errors import ModelError, ModelThrottled
from codesherpa.extensions import db
from codesherpa.providers.interface import End, Usage
from codesherpa.usage.models import ModelCall
from tests.conftest import Caller
from tests.scripted import Scripted

KEYS = {"user", "sessions", "agents", "projects", "conversations", "chats", "audit"}


def ledger(app: Flask) -> list[ModelCall]:
    with app.app_context():
        found = db.session.scalars(db.select(ModelCall).order_by(ModelCall.id)).all()
        db.session.commit()
        return list(found)


def test_a_call_is_booked_with_who_made_it_and_what_it_took(app: Flask, ada: Caller, model: Scripted) -> None:
    model.end = End("end", Usage(1000, 200, 300, 40))
    agent = ada.post("/agents", json={"name": "Monk", "model_id": "anthropic.claude-sonnet-4-6"}).json["data"]

    chat = ada.post("/chat", json={"message": "hello", "agent_id": agent["id"]}).json["data"]

    (call,) = ledger(app)
    assert (call.user_id, call.agent_id, call.chat_id) == (ada.id, agent["id"], chat["id"])
    assert (call.purpose, call.provider, call.model_id) == ("general_chat", "scripted", "anthropic.claude-sonnet-4-6")
    assert (call.input_tokens, call.output_tokens, call.cache_read_tokens, call.cache_write_tokens) == (
        1000,
        200,
        300,
        40,
    )
    # 1000 at 3, 200 at 15, 300 at 0.3 and 40 at 3.75 dollars a million.
    assert call.cost_nanodollars == 3_000_000 + 3_000_000 + 90_000 + 150_000
    assert (call.estimated, call.fault, call.day) == (False, None, now().date())


def test_a_profile_that_names_no_model_costs_what_its_alias_does(make_app: Callable[..., Flask]) -> None:
    arn = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc"
    app = make_app(BEDROCK_MODEL_ALIASES=f"{arn} = anthropic.claude-opus-4-6-v1, other=amazon.nova-pro-v1:0")
    app.extensions["provider"] = Scripted()
    caller = Caller(app.test_client(), "ada@example.com")
    agent = caller.post("/agents", json={"name": "Monk", "model_id": arn}).json["data"]

    caller.post("/chat", json={"message": "hello", "agent_id": agent["id"]})

    (call,) = ledger(app)
    assert (call.model_id, call.cost_nanodollars) == (arn, 10 * 5_000 + 2 * 25_000)


def test_both_tries_at_a_structure_are_booked(app: Flask, ada: Caller, model: Scripted) -> None:
    chat = ada.post("/chat", json={"message": "@review this", "code_context": "x = 1"}).json["data"]

    assert [(call.purpose, call.input_tokens) for call in ledger(app)] == [("review_monk", 10)] * 2
    assert (chat["input_tokens"], chat["output_tokens"]) == (20, 4)


def test_the_call_that_finds_out_who_answers_is_booked_too(app: Flask, ada: Caller, model: Scripted) -> None:
    model.routes = ['{"target_agent": "general_chat", "confidence": 0.9, "reasoning": "It is small talk."}']

    ada.post("/chat", json={"message": "The cart of our shop, since last week."})

    booked = [(call.purpose, call.input_tokens, call.output_tokens) for call in ledger(app)]
    assert booked == [("router", 7, 3), ("general_chat", 10, 2)]


@pytest.mark.parametrize(("fault", "code"), [(ModelThrottled(), "model_throttled"), (ModelError(), "model_error")])
def test_a_call_that_failed_is_booked_with_what_went_wrong(
    app: Flask, ada: Caller, model: Scripted, fault: Any, code: str
) -> None:
    fault.usage = Usage(10, 1, estimated=True)
    model.pieces = ["Hello", fault]

    ada.post("/chat", json={"message": "hello"})

    (call,) = ledger(app)
    assert (call.fault, call.input_tokens, call.output_tokens, call.estimated) == (code, 10, 1, True)


def test_a_stopped_call_is_booked_as_an_estimate(app: Flask, ada: Caller, model: Scripted) -> None:
    model.pieces = ["Hello", threading.Event()]
    asked = threading.Thread(target=lambda: ada.post("/chat", json={"message": "hello"}))
    asked.start()
    assert model.begun.acquire(timeout=10)
    id = ada.get("/chat").json["data"]["chats"][0]["id"]

    ada.post(f"/chat/{id}/stop")
    asked.join(10)

    (call,) = ledger(app)
    assert (call.input_tokens, call.output_tokens, call.estimated) == (10, 1, True)


def test_the_ledger_outlives_its_chat_and_goes_with_the_account(app: Flask, ada: Caller, model: Scripted) -> None:
    agent = ada.post("/agents", json={"name": "Monk"}).json["data"]["id"]
    chat = ada.post("/chat", json={"message": "hello", "agent_id": agent}).json["data"]

    ada.delete(f"/chat/conversations/{chat['conversation_id']}")
    ada.delete(f"/agents/{agent}")
    kept = ledger(app)
    exported = ada.get("/user/me/export").json["data"]
    ada.delete("/user/me", json={"password": ada.password})

    assert [(call.chat_id, call.agent_id, call.input_tokens) for call in kept] == [(None, None, 10)]
    assert set(exported) == KEYS
    assert ledger(app) == []


def test_what_is_deleted_while_it_is_written_is_booked_all_the_same(app: Flask, ada: Caller, model: Scripted) -> None:
    model.pieces = ["Hello", threading.Event()]
    asked = threading.Thread(target=lambda: ada.post("/chat", json={"message": "hello"}))
    asked.start()
    assert model.begun.acquire(timeout=10)
    id = ada.get("/chat").json["data"]["chats"][0]["id"]

    ada.delete(f"/chat/{id}")
    asked.join(10)
    app.extensions["process"].close()

    assert [(call.chat_id, call.input_tokens) for call in ledger(app)] == [(None, 10)]


def test_an_account_that_goes_while_it_is_answered_leaves_nothing(app: Flask, ada: Caller, model: Scripted) -> None:
    gate = threading.Event()
    model.pieces = ["Hello", gate]
    asked = threading.Thread(target=lambda: ada.post("/chat", json={"message": "hello"}))
    asked.start()
    assert model.begun.acquire(timeout=10)

    assert ada.delete("/user/me", json={"password": ada.password}).status_code == 200
    asked.join(10)
    app.extensions["process"].close()

    assert ledger(app) == []


def die_while_writing(app: Flask, ada: Caller, model: Scripted) -> tuple[threading.Event, threading.Thread, int]:
    """Ask, and let the lease of the reply run out as if its worker had died."""
    gate = threading.Event()
    model.pieces = ["Hello", gate]
    asked = threading.Thread(target=lambda: ada.post("/chat", json={"message": "hello"}))
    asked.start()
    assert model.begun.acquire(timeout=10)
    with app.app_context():
        chat = db.session.scalars(db.select(Chat)).one()
        chat.lease_expires_at = now() - timedelta(seconds=1)
        db.session.commit()
        sweep.look()
        return gate, asked, chat.id


def test_what_a_dead_worker_took_is_booked_as_an_estimate(app: Flask, ada: Caller, model: Scripted) -> None:
    gate, asked, id = die_while_writing(app, ada, model)

    (call,) = ledger(app)
    gate.set()
    asked.join(10)

    assert (call.chat_id, call.estimated, call.fault, call.purpose) == (id, True, "interrupted", "general_chat")
    assert call.input_tokens > 0


def test_a_worker_that_only_seemed_dead_is_booked_once(app: Flask, ada: Caller, model: Scripted) -> None:
    gate, asked, _ = die_while_writing(app, ada, model)

    gate.set()
    asked.join(10)
    app.extensions["process"].close()

    assert [(call.input_tokens, call.estimated, call.fault) for call in ledger(app)] == [(10, False, None)]


def test_what_takes_no_model_is_no_call(app: Flask, ada: Caller) -> None:
    assert ada.post("/chat", json={"message": "hello"}).status_code == 201

    assert ledger(app) == []


def test_calls_and_tokens_and_faults_are_counted_for_prometheus(app: Flask, ada: Caller, model: Scripted) -> None:
    agent = ada.post("/agents", json={"name": "Monk", "model_id": "some.nova-pro-v1:0"}).json["data"]["id"]
    labels = 'model="Nova Pro",provider="scripted"'
    wanted = (
        f'codesherpa_model_tokens_total{{kind="input",{labels}}}',
        f'codesherpa_model_faults_total{{code="model_throttled",{labels}}}',
        f"codesherpa_model_first_token_seconds_count{{{labels}}}",
        "codesherpa_replies_writing",
    )

    def counted() -> list[float]:
        lines = dict(line.rsplit(" ", 1) for line in ada.client.get("/metrics").text.splitlines() if line[0] != "#")
        return [float(lines.get(name, 0)) for name in wanted]

    before = counted()
    ada.post("/chat", json={"message": "hello", "agent_id": agent})
    model.pieces = [ModelThrottled()]
    ada.post("/chat", json={"message": "hello", "agent_id": agent})
    app.extensions["process"].close()
    after = counted()

    assert [new - old for new, old in zip(after, before, strict=True)] == [10, 1, 1, 0]
