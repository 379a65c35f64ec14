"""MAX_STORED_MB_PER_USER: what a user stores is counted exactly, and bounded."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask_migrate import downgrade, upgrade
from sqlalchemy import func, select, text, update

from codesherpa.agents import service as agents
from codesherpa.agents.models import Agent
from codesherpa.chat import leases
from codesherpa.chat.models import Chat, Conversation
from codesherpa.database import now
from codesherpa.extensions import db
from codesherpa.projects import service as projects
from codesherpa.projects.models import Project
from codesherpa.user import storage
from codesherpa.user.models import User
from tests.conftest import Caller, settle
from tests.scripted import Scripted
from tests.test_two_writers import at_once

CODE = "x\u00e9" * 50_000  # 150,000 bytes.


def counted(app: Flask, caller: Caller) -> int:
    with app.app_context():
        return db.session.scalar(select(User.stored_bytes).where(User.id == caller.id)) or 0


def really_stored(app: Flask, caller: Caller) -> int:
    """Add up all that a user's rows hold."""
    with app.app_context():
        mine: list[Any] = [
            db.session.scalars(select(entity).where(entity.user_id == caller.id)).all()
            for entity in (Chat, Agent, Project)
        ]
        chats, all_agents, all_projects = mine
        texts = sum(storage.size(c.message, c.code_context, c.response, result=c.result) for c in chats)
        begun = select(func.count(Conversation.id)).where(Conversation.user_id == caller.id)
        return (
            texts
            + sum(map(agents.size, all_agents))
            + sum(map(projects.size, all_projects))
            + storage.ROW * (db.session.scalar(begun) or 0)
        )


def fill(caller: Caller) -> dict[str, int]:
    """Store something of each kind, and return its id by its path."""
    agent = caller.post("/agents", json={"name": "A", "system_prompt": "p" * 1000}).json["data"]["id"]
    project = caller.post("/projects", json={"name": "P", "instructions": "i" * 1000}).json["data"]["id"]
    body = {"message": "Hello", "code_context": CODE, "agent_id": agent, "project_id": project}
    chat = caller.post("/chat", json=body).json["data"]
    caller.post("/chat", json={"message": "Again", "conversation_id": chat["conversation_id"]})
    return {
        "/chat": chat["id"],
        "/chat/conversations": chat["conversation_id"],
        "/agents": agent,
        "/projects": project,
    }


def test_what_is_stored_is_counted_to_the_byte_and_given_back_when_it_is_deleted(
    app: Flask, ada: Caller, bob: Caller, model: Scripted
) -> None:
    made = fill(ada)
    settle(app)
    assert counted(app, ada) == really_stored(app, ada) > 150_000

    ada.put(f"/agents/{made['/agents']}", json={"system_prompt": None, "description": "d" * 300})
    ada.put(f"/projects/{made['/projects']}", json={"instructions": "j" * 3000})
    ada.post(f"/chat/{made['/chat']}/retry")
    settle(app)
    assert counted(app, ada) == really_stored(app, ada)

    for path, id in made.items():
        assert ada.delete(f"{path}/{id}").status_code == 200
        assert counted(app, ada) == really_stored(app, ada)
    assert (counted(app, ada), counted(app, bob)) == (0, 0)


def test_what_was_stored_uncounted_leaves_no_allowance_behind(app: Flask, ada: Caller) -> None:
    agent = ada.post("/agents", json={"name": "A", "system_prompt": "p" * 1000}).json["data"]["id"]
    with app.app_context():  # As a worker of the version before would have left it.
        db.session.execute(update(User).values(stored_bytes=0))
        db.session.commit()

    ada.delete(f"/agents/{agent}")

    assert counted(app, ada) == 0


def test_what_is_changed_and_deleted_at_once_is_counted_once(app: Flask, ada: Caller, model: Scripted) -> None:
    made = fill(ada)
    settle(app)

    def change(number: int) -> None:
        ada.put(f"/agents/{made['/agents']}", json={"description": "d" * 100 * number})
        ada.delete(f"/chat/{made['/chat']}")
        ada.post("/projects", json={"name": "P" * number})
        ada.delete(f"/chat/conversations/{made['/chat/conversations']}")

    at_once(change, 4)

    assert counted(app, ada) == really_stored(app, ada)


def test_a_reply_whose_worker_died_is_counted_as_far_as_it_came(app: Flask, ada: Caller, model: Scripted) -> None:
    fill(ada)
    settle(app)
    with app.app_context():
        dead = {"status": "streaming", "lease_owner": "x", "lease_expires_at": now() - timedelta(seconds=1)}
        db.session.execute(update(Chat).where(Chat.id == 1).values(result=None, response="", delta_ends="", **dead))
        [chat] = db.session.scalars(select(Chat).where(Chat.id == 1))
        size = storage.size(chat.message, chat.code_context)
        storage.book(ada.id, size - chat.stored_bytes)
        chat.stored_bytes = size
        db.session.commit()
        leases.interrupt({1: [(1, "what was shown")]})

    assert counted(app, ada) == really_stored(app, ada)


def test_a_user_that_is_full_is_told_how_much_it_holds_and_may_go_on_once_it_has_deleted_some(make_app: Any) -> None:
    app = make_app(MAX_STORED_MB_PER_USER="1")
    app.extensions["provider"] = Scripted()
    ada, bob = (Caller(app.test_client(), f"{name}@example.com") for name in ("ada", "bob"))
    body = {"message": "Hello", "code_context": CODE}
    answers = [ada.post("/chat", json=body) for _ in range(8)]
    agent = ada.post("/agents", json={"name": "A", "system_prompt": "p" * 20_000})

    stored = [answer.status_code for answer in answers]
    full = answers[-1]
    assert stored == sorted(stored)
    assert (stored[0], stored[-1], agent.status_code) == (201, 409, 201)  # There is room for a smaller thing.
    assert full.json["data"]["code"] == "conflict"
    assert "of 1.0 MB" in full.json["message"]
    assert "Delete" in full.json["message"]
    assert counted(app, ada) == really_stored(app, ada) <= storage.MB
    assert bob.post("/chat", json=body).status_code == 201
    shown = app.test_cli_runner().invoke(args=["user", "show", ada.email])
    assert " of 1.0 MB" in shown.output
    told = json.loads(app.test_cli_runner().invoke(args=["user", "show", ada.email, "--json"]).output)
    assert told["stored"] == {"bytes": counted(app, ada), "limit": storage.MB}

    assert ada.put(f"/agents/{agent.json['data']['id']}", json={"system_prompt": "less"}).status_code == 200
    assert ada.delete(f"/chat/{answers[0].json['data']['id']}").status_code == 200
    assert ada.post("/chat", json=body).status_code == 201
    settle(app)


def test_messages_at_once_are_not_more_than_a_user_may_store(make_app: Any) -> None:
    app = make_app(MAX_STORED_MB_PER_USER="1")
    app.extensions["provider"] = Scripted()
    ada = Caller(app.test_client(), "ada@example.com")

    def submit(number: int) -> bool:
        from codesherpa.chat import service

        with app.app_context():
            user = db.session.get_one(User, ada.id)
            db.session.commit()
            try:
                service.submit(user, "Hello", code_context=CODE)
            except storage.StorageFull:
                return False
            return True

    taken = at_once(submit, 20)
    settle(app)

    assert taken.count(True) == storage.MB // (len(CODE.encode()) + len("Hello") + 2 * storage.ROW)
    assert counted(app, ada) == really_stored(app, ada)


def test_without_a_limit_all_is_taken_and_counted(app: Flask, ada: Caller, model: Scripted) -> None:
    answers = [ada.post("/chat", json={"message": "Hello", "code_context": CODE}).status_code for _ in range(9)]
    settle(app)

    assert answers == [201] * 9
    assert counted(app, ada) == really_stored(app, ada) > storage.MB
    assert " of " not in app.test_cli_runner().invoke(args=["user", "show", ada.email]).output.split("SESSION")[0]


@pytest.mark.parametrize("revision", ["6d20a1f4b8c3"])
def test_a_migration_counts_what_is_there(make_app: Callable[..., Flask], revision: str) -> None:
    app = make_app()
    app.extensions["provider"] = Scripted()
    ada = Caller(app.test_client(), "ada@example.com")
    fill(ada)
    settle(app)
    expected = counted(app, ada)

    with app.app_context():
        downgrade(revision=revision)
        assert db.session.execute(text("SELECT count(*) FROM chats")).scalar() == 2
        db.session.commit()
        upgrade()

    assert counted(app, ada) == really_stored(app, ada) == expected
