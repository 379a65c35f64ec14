"""Who writes to many chats at once locks them in one order, so that PostgreSQL need not end one of two."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import insert, select, text, update

from codesherpa.chat import leases
from codesherpa.chat.models import Chat, Conversation
from codesherpa.chat.process import Process
from codesherpa.chat.stream import Unsaved
from codesherpa.database import now
from codesherpa.extensions import db
from tests.conftest import Caller
from tests.statements import somebody_waits

pytestmark = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)


@pytest.fixture
def process(app: Flask, ada: Caller) -> Process:
    """A process that writes the chats 1 and 2, the first of which stands behind the second in the table."""
    found: Process = app.extensions["process"]
    with app.app_context():
        db.session.add(Conversation(user_id=ada.id, title="Two"))
        db.session.flush()
        chat = {"user_id": ada.id, "conversation_id": 1, "message": "Hello", "status": "streaming"}
        chat |= {"lease_owner": found.owner, "response": "", "delta_ends": ""}
        db.session.execute(insert(Chat), [chat, chat])
        db.session.execute(update(Chat).where(Chat.id == 1).values(message="Moved"))
        db.session.commit()
    return found


def holds_nothing_it_need_not(app: Flask, work: Callable[[], object]) -> None:
    """Do something while another has locked the chat 1 and then wants the chat 2 as well."""

    def do() -> None:
        with app.app_context():
            work()

    with app.app_context():
        doing = threading.Thread(target=do)
        with db.engine.begin() as other:
            other.execute(update(Chat).where(Chat.id == 1).values(message="Held"))
            doing.start()
            somebody_waits()
            other.execute(update(Chat).where(Chat.id == 2).values(message="Held"))
        doing.join()


def test_a_reply_that_is_stopped_while_it_is_taken_up_stays_stopped(
    app: Flask, ada: Caller, process: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    due = leases.due

    def stopped_meanwhile(active: Sequence[Any]) -> list[int]:
        assert ada.post("/chat/1/stop").status_code == 200
        return due(active)

    with app.app_context():
        db.session.execute(update(Chat).values(status="pending", lease_owner=None))
        db.session.commit()
        monkeypatch.setattr(leases, "due", stopped_meanwhile)
        assert leases.claim(ada.id, process.owner) == []

        assert db.session.scalars(select(Chat.status).order_by(Chat.id)).all() == ["stopped", "pending"]


def test_deltas_are_saved_in_the_order_of_their_chats(app: Flask, process: Process) -> None:
    more = [Unsaved(2, "two", "3,"), Unsaved(1, "one", "3,")]

    holds_nothing_it_need_not(app, lambda: process._save(more))

    with app.app_context():
        assert dict(db.session.execute(text("SELECT id, response FROM chats")).all()) == {1: "one", 2: "two"}  # type: ignore[arg-type]


def test_leases_are_renewed_in_the_order_of_their_chats(app: Flask, process: Process) -> None:
    holds_nothing_it_need_not(app, lambda: leases.renew(process.owner, [1, 2]))

    with app.app_context():
        assert db.session.execute(text("SELECT count(*) FROM chats WHERE lease_expires_at > now()")).scalar() == 2


def test_two_who_end_what_a_dead_worker_left_share_it_without_waiting(app: Flask, process: Process) -> None:
    with app.app_context():
        db.session.execute(update(Chat).values(lease_expires_at=now() - timedelta(seconds=1)))
        db.session.commit()
        with db.engine.begin() as other:
            other.execute(select(Chat.id).where(Chat.id == 1).with_for_update())
            ended = leases.interrupt({1: [], 2: [(1, "what was logged")]})

        assert [(chat.id, chat.status, chat.response) for chat in ended] == [(2, "interrupted", "what was logged")]
        assert [chat.id for chat in leases.interrupt({1: [], 2: []})] == [1]
