"""Two of everything at once: nothing is lost, on either database."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import delete

from codesherpa.agents import service as agents
from codesherpa.chat import conversations
from codesherpa.extensions import db
from codesherpa.projects import service as projects
from codesherpa.user.models import User
from tests.conftest import Caller
from tests.scripted import Scripted


def at_once(work: Callable[[int], Any], count: int) -> list[Any]:
    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(work, range(count)))


def test_what_many_make_at_once_is_all_there(ada: Caller) -> None:
    def make(number: int) -> list[int]:
        return [ada.post("/agents", json={"name": f"{number}-{one}"}).status_code for one in range(20)]

    answers = at_once(make, 8)

    assert {status for statuses in answers for status in statuses} == {201}
    assert ada.get("/agents").json["data"]["total"] == 160


def test_two_who_change_different_fields_of_one_thing_both_succeed(ada: Caller) -> None:
    id = ada.post("/agents", json={"name": "x"}).json["data"]["id"]

    def change(number: int) -> set[int]:
        field = ("name", "description", "system_prompt", "model_id")[number]
        return {ada.put(f"/agents/{id}", json={field: f"{field} {turn}"}).status_code for turn in range(20)}

    assert at_once(change, 4) == [{200}] * 4
    agent = ada.get(f"/agents/{id}").json["data"]
    assert [agent[field] for field in ("name", "description", "system_prompt", "model_id")] == [
        "name 19", "description 19", "system_prompt 19", "model_id 19",
    ]  # fmt: skip


def test_one_address_registers_once_however_many_try(app: Flask) -> None:
    body = {"name": "Ada", "email": "ada@example.com", "password": "correct horse battery"}

    answers = at_once(lambda _: app.test_client().post("/api/v1/auth/register", json=body).status_code, 8)

    assert sorted(answers) == [201] + [409] * 7


def test_fifty_refreshes_at_once_have_one_successor(app: Flask, ada: Caller) -> None:
    answers = at_once(lambda _: ada.post("/auth/refresh", token=ada.refresh), 50)

    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json["data"]["refresh_token"] for answer in answers}) == 1


def test_one_session_name_is_one_conversation(app: Flask, ada: Caller, model: Scripted) -> None:
    from codesherpa.chat import service

    def submit(_: int) -> int:
        with app.app_context():
            user = db.session.get_one(User, ada.id)
            db.session.commit()
            return service.submit(user, "hello", session_id="mine")[0].conversation_id

    assert len(set(at_once(submit, 8))) == 1


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
@pytest.mark.parametrize(
    ("feature", "path", "change"),
    [(agents, "/agents", {"name": "New"}), (projects, "/projects", {"name": "New"}),
     (conversations, "/chat/conversations", {"title": "New"})],
)  # fmt: skip
def test_what_is_deleted_between_look_and_change_is_not_found(
    app: Flask, ada: Caller, model: Scripted, monkeypatch: pytest.MonkeyPatch, feature: Any, path: str, change: Any
) -> None:
    """SQLite lets nobody write between the two."""
    chat = ada.post("/chat", json={"message": "Hello"}).json["data"]
    made = ada.post(path, json={"name": "Old"}) if path != "/chat/conversations" else None
    id = made.json["data"]["id"] if made else chat["conversation_id"]
    look = feature.find

    def look_and_lose(user: User, id: int) -> Any:
        found = look(user, id)
        with db.engine.begin() as other:
            other.execute(delete(type(found)).where(type(found).id == id))
        return found

    monkeypatch.setattr(feature, "find", look_and_lose)

    assert ada.put(f"{path}/{id}", json=change).status_code == 404


def test_two_who_delete_one_thing_at_once_are_both_rid_of_it(ada: Caller, model: Scripted) -> None:
    for path, body in (("/agents", {"name": "A"}), ("/projects", {"name": "P"}), ("/chat", {"message": "Hello"})):
        id = ada.post(path, json=body).json["data"]["id"]

        answers = at_once(lambda _, gone=f"{path}/{id}": ada.delete(gone).status_code, 4)

        assert set(answers) <= {200, 404}
        assert 200 in answers
        assert ada.get(f"{path}/{id}").status_code == 404
