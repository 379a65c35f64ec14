"""What many rows must not slow down finds its rows by an index, even where the database has counted them."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import insert, text

from codesherpa.chat import following, leases
from codesherpa.chat.models import Chat, Conversation
from codesherpa.extensions import db
from codesherpa.user.models import User
from tests.conftest import Caller
from tests.statements import recorded


def count_rows() -> None:
    """Have the database count its rows; SQLite tells that only to connections that are made afterwards."""
    if db.engine.dialect.name == "postgresql":
        remove_dead_rows()
    db.session.execute(text("ANALYZE"))
    db.session.commit()
    db.engine.dispose()


def remove_dead_rows() -> None:
    """Remove what earlier tests deleted: dead rows make some plans dearer than others."""
    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM FULL chats"))


@pytest.fixture
def many(app: Flask, ada: Caller) -> int:
    """The id of an agent of Ada's that has answered many times."""
    agent_id: int = ada.post("/agents", json={"name": "Reader"}).json["data"]["id"]
    with app.app_context():
        conversation = Conversation(user_id=ada.id, title="Long")
        db.session.add(conversation)
        db.session.flush()
        chat = {"user_id": ada.id, "conversation_id": conversation.id, "message": "Hello", "status": "complete"}
        for by in (agent_id, None):
            db.session.execute(insert(Chat), [chat | {"agent_id": by}] * (500 if by else 2000))
        db.session.commit()
        count_rows()
    return agent_id


@pytest.fixture
def crowd(app: Flask, ada: Caller) -> int:
    """The id of one of many conversations, Ada's, among those of others."""
    others = [Caller(app.test_client(), f"user{number}@example.com").id for number in range(9)]
    with app.app_context():
        for user_id in [*others, ada.id] * 5:
            conversation = Conversation(user_id=user_id, title="Long")
            db.session.add(conversation)
            db.session.flush()
            chat = {"user_id": user_id, "conversation_id": conversation.id, "message": "Hello", "status": "complete"}
            db.session.execute(insert(Chat), [chat] * 50)
        db.session.commit()
        count_rows()
        return conversation.id


def plan_of(app: Flask, work: Callable[[], Any]) -> str:
    """Do something, and return how the database found the chats for it."""
    with app.app_context():
        engine = db.engine
        with recorded(app) as sent:
            work()
        explain = "EXPLAIN QUERY PLAN" if engine.dialect.name == "sqlite" else "EXPLAIN"
        with engine.connect() as connection:
            plans = [
                connection.exec_driver_sql(f"{explain} {statement}", parameters).all()
                for statement, parameters in sent
                if "chats" in statement and statement.startswith("SELECT")
            ]
    return "\n".join(str(row[-1]) for plan in plans for row in plan)


def test_whether_an_agent_is_writing_is_found_by_its_index(app: Flask, ada: Caller, many: int) -> None:
    for path in ("/agents", f"/agents/{many}"):
        plan = plan_of(app, lambda path=path: ada.get(path))

        assert "ix_chats_active_agent" in plan


def test_what_is_being_written_for_a_user_is_found_by_its_index(app: Flask, ada: Caller, many: int) -> None:
    with app.app_context():
        user = db.session.get_one(User, ada.id)
        db.session.commit()

    for work in (lambda: following.active(user), lambda: leases.claim(ada.id, "me"), leases.left_behind):
        assert "ix_chats_active" in plan_of(app, work)


def test_the_chats_of_an_agent_are_read_in_the_order_of_an_index(app: Flask, ada: Caller, many: int) -> None:
    plan = plan_of(app, lambda: ada.get(f"/chat?agent_id={many}&limit=5"))

    assert "ix_chats_agent_id_id" in plan
    assert "TEMP B-TREE" not in plan
    assert "Sort" not in plan


@pytest.mark.parametrize(
    ("query", "index"),
    [
        ("", "ix_chats_user_id_id|pk_chats"),
        ("&before=1000", "ix_chats_user_id_id|pk_chats|INTEGER PRIMARY KEY"),
        ("&conversation_id={conversation}", "ix_chats_conversation_id_id"),
    ],
)
def test_history_is_read_by_an_index(app: Flask, ada: Caller, crowd: int, query: str, index: str) -> None:
    plan = plan_of(app, lambda: ada.get(f"/chat?limit=5{query.format(conversation=crowd)}"))

    assert re.search(index, plan)
    assert "SCAN" not in plan
    assert "Seq Scan" not in plan
