"""DAILY_TOKEN_BUDGET: held for each user and UTC day, by two workers at once too. A reply here takes 12 tokens."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

import pytest
from flask import Flask

from codesherpa.chat import budget, sweep
from codesherpa.chat.models import Chat
from codesherpa.extensions import db, socketio
from codesherpa.providers.interface import Usage
from codesherpa.providers.models import UNKNOWN
from codesherpa.rows import transaction
from codesherpa.usage import service
from codesherpa.usage.meter import Call
from codesherpa.usage.models import ModelCall
from tests.chat.test_generation import left_by_a_dead_worker
from tests.conftest import Caller
from tests.scripted import Scripted


@pytest.fixture
def app(make_app: Callable[..., Flask]) -> Flask:
    return make_app(DAILY_TOKEN_BUDGET="20")


def ask(caller: Caller, **beside: Any) -> Any:
    return caller.post("/chat", json={"message": "hello", **beside})


def test_the_refusal_says_when_it_opens_again_and_nothing_is_stored(ada: Caller, model: Scripted) -> None:
    assert [ask(ada).status_code for _ in range(2)] == [201, 201]

    refused = ask(ada)

    left = (datetime.now(UTC) + timedelta(days=1)).replace(hour=0, minute=0, second=0) - datetime.now(UTC)
    assert (refused.status_code, refused.json["success"], refused.json["data"]["code"]) == (
        429,
        False,
        "budget_exceeded",
    )
    assert abs(refused.json["data"]["retry_after"] - left.total_seconds()) < 5
    assert refused.headers["Retry-After"] == str(refused.json["data"]["retry_after"])
    assert ada.get("/chat").json["data"]["count"] == 2
    assert ada.get("/chat/conversations").json["data"]["total"] == 2
    assert len(model.briefs) == 2


def test_over_a_socket_the_refusal_is_the_acknowledgement(app: Flask, ada: Caller, model: Scripted) -> None:
    for _ in range(2):
        ask(ada)
    socket = socketio.test_client(app, namespace="/ws", auth={"token": ada.access})

    told = socket.emit("message", {"message": "hello"}, namespace="/ws", callback=True)
    socket.disconnect(namespace="/ws")

    assert (told["success"], told["data"]["code"]) == (False, "budget_exceeded")
    assert 0 < told["data"]["retry_after"] <= 86_400
    assert ada.get("/chat").json["data"]["count"] == 2


def test_a_retry_obeys_it(ada: Caller, model: Scripted) -> None:
    chats = [ask(ada).json["data"]["id"] for _ in range(2)]

    assert ada.post(f"/chat/{chats[0]}/retry").json["data"]["code"] == "budget_exceeded"


def test_a_repeated_message_gives_its_chat_when_the_budget_is_spent(ada: Caller, model: Scripted) -> None:
    first = ask(ada, client_message_id="m1")
    ask(ada)

    assert ask(ada, client_message_id="m1").json["data"] == first.json["data"]


def test_each_user_has_a_budget_and_each_day(app: Flask, ada: Caller, bob: Caller, model: Scripted) -> None:
    for _ in range(3):
        ask(ada)

    assert ask(bob).status_code == 201
    with app.app_context():
        db.session.execute(db.update(ModelCall).values(day=datetime.now(UTC).date() - timedelta(days=1)))
        db.session.commit()
    assert ask(ada).status_code == 201


def test_a_deleted_chat_gives_nothing_back(ada: Caller, model: Scripted) -> None:
    for _ in range(2):
        ada.delete(f"/chat/{ask(ada).json['data']['id']}")

    assert ask(ada).status_code == 429


def test_of_many_at_once_on_two_workers_at_most_one_goes_over(make_app: Callable[..., Flask]) -> None:
    workers = [make_app(DAILY_TOKEN_BUDGET="100000", MAX_GENERATIONS_PER_USER="100") for _ in range(2)]
    callers = [Caller(worker.test_client(), "ada@example.com") for worker in workers]
    gate = threading.Event()
    for worker in workers:
        worker.extensions["provider"] = scripted = Scripted()
        scripted.pieces = ["Hello", gate]
    with workers[0].app_context():
        spent = Call("general_chat", "scripted", "scripted-1", UNKNOWN, Usage(99_990, 0))
        with transaction() as unit:
            service.book(unit, [spent], callers[0].id, datetime.now(UTC).date(), None, None)

    with ThreadPoolExecutor(12) as pool:
        answers = [pool.submit(ask, callers[number % 2]) for number in range(12)]
        try:
            refused = [one.result().status_code for one in islice(as_completed(answers, timeout=20), 11)]
        finally:
            gate.set()
        written = [one.result().status_code for one in answers if one.result().status_code == 201]

    assert (refused, written) == ([429] * 11, [201])


def test_what_is_reserved_is_at_least_what_the_reply_may_take(app: Flask, ada: Caller, model: Scripted) -> None:
    agent = ada.post("/agents", json={"name": "x", "max_tokens": 500, "system_prompt": "Be kind. " * 300}).json["data"]

    ask(ada, agent_id=agent["id"], code_context="x = 1\n" * 1000)

    with app.app_context():
        assert db.session.scalars(db.select(Chat.reserved_tokens)).one() > 500 + 900 + 2000


def test_what_a_dead_worker_had_reserved_is_free_again(app: Flask, ada: Caller, model: Scripted) -> None:
    id = left_by_a_dead_worker(app, ada, "streaming")
    with app.app_context():
        db.session.execute(db.update(Chat).where(Chat.id == id).values(reserved_tokens=10_000))
        db.session.commit()
    assert ask(ada).status_code == 429

    with app.app_context():
        sweep.look()

    assert ask(ada).status_code == 201


def test_without_a_model_no_budget_binds(make_app: Callable[..., Flask]) -> None:
    caller = Caller(make_app(DAILY_TOKEN_BUDGET="1").test_client(), "ada@example.com")

    assert [ask(caller).status_code for _ in range(2)] == [201, 201]


def test_the_day_ends_at_midnight_in_greenwich(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(budget, "now", lambda: datetime(2026, 11, 23, 23, 59, 58, 500_000, UTC))

    assert budget.seconds_left() == 2
