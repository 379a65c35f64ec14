"""What waits for a database that is away, and for how long."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask
from sqlalchemy.exc import IntegrityError, OperationalError

from codesherpa.chat import generation, patience
from codesherpa.chat.models import Chat
from codesherpa.extensions import db
from tests.conftest import Caller
from tests.scripted import Scripted


class Clock:
    """Time that passes only where somebody sleeps."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(patience, "time", clock)
    monkeypatch.setattr(generation, "time", clock)
    return clock


def away() -> OperationalError:
    return OperationalError("SELECT", (), Exception("gone"))


def test_work_is_done_again_until_the_database_is_back(app: Flask, clock: Clock) -> None:
    faults = [away(), away(), away()]

    def work() -> str:
        if faults:
            raise faults.pop()
        return "done"

    with app.app_context():
        assert patience.patiently(work) == "done"
    assert (faults, clock.now) == ([], 3 * patience.PAUSE)


def test_who_waits_gives_up_after_a_minute(app: Flask, clock: Clock) -> None:
    def work() -> None:
        raise away()

    with app.app_context(), pytest.raises(OperationalError):
        patience.patiently(work)
    assert patience.PATIENCE < clock.now <= patience.PATIENCE + 2 * patience.PAUSE


def test_what_the_database_refuses_is_not_tried_again(app: Flask, clock: Clock) -> None:
    def work() -> None:
        raise IntegrityError("INSERT", (), Exception("taken"))

    with app.app_context(), pytest.raises(IntegrityError):
        patience.patiently(work)
    assert clock.now == 0


def test_the_end_of_a_reply_is_stored_when_the_database_is_back(
    app: Flask, ada: Caller, model: Scripted, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, faults = generation.store, [away(), away()]

    def store_later(connection: Any, chat: Chat, values: dict[str, Any]) -> bool:
        if values["status"] == "complete" and faults:
            raise faults.pop()
        return store(connection, chat, values)

    monkeypatch.setattr(generation, "store", store_later)

    answered = ada.post("/chat", json={"message": "hello"})

    assert (answered.status_code, answered.json["data"]["status"], faults) == (201, "complete", [])
    with app.app_context():
        assert db.session.scalars(db.select(Chat.response)).one() == "Hello there."
