"""Password, sessions, export and deletion of an account."""

from __future__ import annotations

import json
import threading
from time import monotonic
from types import SimpleNamespace
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import insert
from werkzeug.test import Client

from codesherpa.agents.models import Agent
from codesherpa.errors import ModelThrottled, RateLimited
from codesherpa.extensions import db
from codesherpa.user import export
from codesherpa.user.models import User
from tests.conftest import Caller
from tests.scripted import Scripted


def test_a_changed_password_signs_in_and_ends_every_other_session(app: Flask, ada: Caller) -> None:
    other = Caller(app.test_client(), ada.email)

    answer = ada.put("/user/me/password", json={"current_password": ada.password, "new_password": "another long one"})

    assert (answer.status_code, answer.json["data"]) == (200, None)
    assert ada.get("/user/me").status_code == 200
    assert ada.post("/auth/refresh", token=ada.refresh).status_code == 200
    assert other.get("/user/me").json["data"]["code"] == "token_revoked"
    assert login_code(ada, ada.password) == 401
    assert login_code(ada, "another long one") == 200


def login_code(caller: Caller, password: str) -> int:
    return caller.client.post("/api/v1/auth/login", json={"email": caller.email, "password": password}).status_code


def test_a_wrong_current_password_is_an_error_of_its_field(ada: Caller) -> None:
    answer = ada.put("/user/me/password", json={"current_password": "not mine", "new_password": "another long one"})

    assert (answer.status_code, list(answer.json["data"]["errors"])) == (400, ["current_password"])
    assert login_code(ada, ada.password) == 200


def test_sessions_are_listed_and_ended_one_by_one(app: Flask, ada: Caller, bob: Caller) -> None:
    other = Caller(app.test_client(), ada.email)

    listed = ada.get("/user/me/sessions").json["data"]
    there = next(one for one in listed["sessions"] if not one["current"])

    assert listed["count"] == 2
    assert set(there) == {"id", "created_at", "last_used_at", "user_agent", "ip", "current"}
    assert bob.delete(f"/user/me/sessions/{there['id']}").status_code == 404
    assert ada.delete(f"/user/me/sessions/{there['id']}").json["data"] is None
    assert ada.delete(f"/user/me/sessions/{there['id']}").status_code == 404
    assert other.get("/user/me").json["data"]["code"] == "token_revoked"
    assert ada.get("/user/me/sessions").json["data"]["count"] == 1


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        ("Bücher/1.0 (नमस्ते)".encode(), "Bücher/1.0 (नमस्ते)"),
        ("Bücher/1.0".encode("latin-1"), "Bücher/1.0"),
        (b"", ""),
        ("ü".encode() * 301, "ü" * 300),
    ],
)
def test_a_session_shows_what_a_client_calls_itself_in_its_own_letters(ada: Caller, sent: bytes, shown: str) -> None:
    login = {"email": ada.email, "password": ada.password}
    as_wsgi = {"HTTP_USER_AGENT": sent.decode("latin-1")}

    ada.access = ada.client.post("/api/v1/auth/login", json=login, environ_overrides=as_wsgi).json["data"][
        "access_token"
    ]

    sessions = ada.get("/user/me/sessions").json["data"]["sessions"]
    assert [one["user_agent"] for one in sessions if one["current"]] == [shown]


def test_the_export_has_everything_of_the_user_and_nothing_of_others(
    ada: Caller, bob: Caller, model: Scripted, monkeypatch: Any
) -> None:
    monkeypatch.setattr(export, "CHUNK", 2)
    for caller in (ada, bob):
        for number in range(5):
            caller.post("/agents", json={"name": f"Agent {number} of {caller.email}"})
            caller.post("/chat", json={"message": f"secret of {caller.email}"})
        caller.post("/projects", json={"name": "P"})
    model.pieces = ["some", ModelThrottled()]
    ada.post("/chat", json={"message": "this fails"})

    answer = ada.get("/user/me/export")
    data = json.loads(answer.data)["data"]

    assert list(data) == ["user", "sessions", "agents", "projects", "conversations", "chats", "audit"]
    assert data["user"] == ada.get("/user/me").json["data"]
    assert [len(data[name]) for name in ("sessions", "agents", "projects", "conversations", "chats")] == [1, 5, 1, 6, 6]
    assert data["chats"] == ada.get("/chat").json["data"]["chats"]
    assert data["chats"][-1] == ada.get(f"/chat/{data['chats'][-1]['id']}").json["data"]
    assert data["chats"][-1]["error"]["code"] == "model_throttled"
    for name in ("sessions", "agents", "projects", "conversations"):
        by_id = {"sessions": "/user/me/sessions", "conversations": "/chat/conversations"}.get(name, f"/{name}")
        assert data[name] == sorted(ada.get(by_id).json["data"][name], key=lambda one: one["id"])
    assert [event["action"] for event in data["audit"]] == ["registered", "signed_in"]
    assert bob.email not in answer.text
    assert "password" not in answer.text


def test_a_large_export_is_sent_in_pieces_and_lets_others_have_their_turn(
    app: Flask, ada: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "CHUNK", 10)
    with app.app_context():
        db.session.execute(insert(Agent), [{"user_id": ada.id, "name": f"Agent {number}"} for number in range(95)])
        db.session.commit()
    turns = []
    monkeypatch.setattr(export, "time", SimpleNamespace(sleep=turns.append))  # And nobody else's.

    headers = {"Authorization": f"Bearer {ada.access}"}
    with Client(app).get("/api/v1/user/me/export", headers=headers, buffered=False) as answer:  # Flask's reads it all.
        pieces = []
        for piece in answer.response:
            pieces.append(piece)
            assert len(turns) <= len(pieces)  # Nothing is read ahead of what was taken.

    agents = [one["name"] for one in json.loads(b"".join(pieces))["data"]["agents"]]
    assert agents == [f"Agent {number}" for number in range(95)]
    assert len(turns) >= 10
    assert max(map(len, pieces)) < 10_000


def test_a_user_downloads_one_export_at_a_time(app: Flask, ada: Caller, bob: Caller) -> None:
    path, headers = "/api/v1/user/me/export", {"Authorization": f"Bearer {ada.access}"}

    with Client(app).get(path, headers=headers, buffered=False):
        refused = ada.get("/user/me/export")
        assert (refused.status_code, refused.json["data"]["code"]) == (429, "rate_limited")
        assert refused.json["data"]["retry_after"] > 0
        assert bob.get("/user/me/export").status_code == 200
    with Client(app).head(path, headers=headers, buffered=False):
        pass  # It is over though nothing of it was made.
    # The client of the first has gone; the next one reads all of it.
    for _ in range(2):
        assert len(json.loads(ada.get("/user/me/export").data)["data"]["audit"]) == 2


def test_an_export_that_never_ends_keeps_its_user_from_others_for_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    exports = export.UnderWay()
    first = exports.begin(1)
    monkeypatch.setattr(export, "monotonic", lambda: monotonic() + export.LONGEST)
    exports.begin(1)

    first()  # It ends after all, and is no longer the one that counts.

    with pytest.raises(RateLimited):
        exports.begin(1)


def test_an_export_of_nothing_is_empty_lists(app: Flask, ada: Caller) -> None:
    data = json.loads(ada.get("/user/me/export").data)["data"]

    assert data["agents"] == data["projects"] == data["conversations"] == data["chats"] == []


def test_a_deleted_account_is_gone_with_all_that_is_its_own(
    app: Flask, ada: Caller, bob: Caller, model: Scripted
) -> None:
    model.pieces = ["some words", threading.Event()]
    thread = threading.Thread(target=lambda: ada.post("/chat", json={"message": "hello"}))
    thread.start()
    assert model.begun.acquire(timeout=10)

    wrong = ada.delete("/user/me", json={"password": "not mine"})
    gone = ada.delete("/user/me", json={"password": ada.password})
    thread.join(20)

    assert (wrong.status_code, list(wrong.json["data"]["errors"])) == (400, ["password"])
    assert (gone.status_code, gone.json["data"]) == (200, None)
    assert ada.get("/user/me").json["data"]["code"] == "token_revoked"
    assert login_code(ada, ada.password) == 401
    assert not thread.is_alive()
    assert app.extensions["process"].live == {}
    assert Caller(ada.client, ada.email).get("/chat").json["data"]["chats"] == []
    assert bob.get("/user/me").status_code == 200


def test_large_rows_are_exported_a_few_at_a_time(app: Flask, ada: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "PIECE", 10_000)
    with app.app_context():
        rows = [{"user_id": ada.id, "name": f"Agent {number}", "system_prompt": "x" * 4_000} for number in range(20)]
        db.session.execute(insert(Agent), rows)
        db.session.commit()
        user = db.session.get(User, ada.id)

        pieces = list(export.pieces(user.id, *export.PARTS["agents"]))

    assert [piece.count(b'"name"') for piece in pieces] == [5, *([2] * 7), 1]
    names = [one["name"] for one in json.loads(b"[" + b",".join(pieces) + b"]")]
    assert names == [f"Agent {number}" for number in range(20)]
