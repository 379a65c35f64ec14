"""An account that is deleted while another request of its user is under way."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import bcrypt
import pytest
from flask import Flask
from sqlalchemy import delete, event, select

from codesherpa.database import reading
from codesherpa.extensions import db
from codesherpa.user.models import User
from tests.conftest import Caller
from tests.statements import somebody_waits
from tests.test_two_writers import at_once

ON_POSTGRESQL = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
CHANGES: dict[str, tuple[str, str, dict[str, Any] | None]] = {
    "name": ("PUT", "/user/me", {"name": "Eve"}),
    "email": ("PUT", "/user/me", {"email": "eve@example.com", "current_password": "correct horse battery"}),
    "number": ("PUT", "/user/me", {"whatsapp_number": None}),
    "password": (
        "PUT", "/user/me/password", {"current_password": "correct horse battery", "new_password": "another long one"}
    ),
    "wrong password": ("PUT", "/user/me/password", {"current_password": "a guess", "new_password": "another long one"}),
    "deletion": ("DELETE", "/user/me", {"password": "a guess"}),
    "logout": ("POST", "/auth/logout", None),
    "agent": ("POST", "/agents", {"name": "A"}),
    "project": ("POST", "/projects", {"name": "P"}),
}  # fmt: skip


def vanish() -> None:
    """Delete every account, as somebody else would."""
    with db.engine.begin() as other:
        other.execute(delete(User))


def told(answer: Any) -> tuple[int, str | None]:
    return answer.status_code, (answer.json["data"] or {}).get("code")


@pytest.mark.parametrize("change", CHANGES)
def test_who_has_gone_between_the_look_at_the_token_and_the_change_is_signed_out(
    app: Flask, ada: Caller, change: str
) -> None:
    method, path, body = CHANGES[change]
    app.before_request_funcs[None].append(vanish)  # After the guard.

    assert told(ada.call(method, path, json=body)) == (401, "token_revoked")


@pytest.mark.parametrize("change", ["registration", "email"])
def test_an_account_that_goes_right_after_a_change_has_been_changed(app: Flask, ada: Caller, change: str) -> None:
    """The change and its trail are one transaction, so nothing comes between them."""
    changed = []

    def once(_session: Any) -> None:
        with reading(), db.engine.connect() as other:
            is_there = other.scalar(select(User.id).where(User.email == "eve@example.com"))
        if is_there:
            changed.append(is_there)
            vanish()

    event.listen(db.session, "after_commit", once)
    try:
        if change == "email":
            method, path, body = CHANGES["email"]
            answer = ada.call(method, path, json=body)
        else:
            body = {"name": "Eve", "email": "eve@example.com", "password": "correct horse battery"}
            answer = ada.client.post("/api/v1/auth/register", json=body)
    finally:
        event.remove(db.session, "after_commit", once)

    assert changed
    assert answer.status_code in (200, 201)


@pytest.fixture
def gone_meanwhile(app: Flask, ada: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    """Delete the account while the next password is being checked."""
    real = bcrypt.checkpw

    def check(*args: Any) -> bool:
        monkeypatch.setattr(bcrypt, "checkpw", real)
        with app.app_context():
            vanish()
        return real(*args)

    monkeypatch.setattr(bcrypt, "checkpw", check)


@pytest.mark.parametrize("password", ["correct horse battery", "a guess"])
@pytest.mark.usefixtures("gone_meanwhile")
def test_an_account_that_goes_while_its_password_is_checked_signs_nobody_in(ada: Caller, password: str) -> None:
    answer = ada.client.post("/api/v1/auth/login", json={"email": ada.email, "password": password})

    assert told(answer) == (401, "invalid_credentials")


@pytest.mark.parametrize("change", ["password", "wrong password", "deletion", "email"])
@pytest.mark.usefixtures("gone_meanwhile")
def test_who_goes_while_its_password_is_asked_for_once_more_is_signed_out(ada: Caller, change: str) -> None:
    method, path, body = CHANGES[change]

    assert told(ada.call(method, path, json=body)) == (401, "token_revoked")


@ON_POSTGRESQL
def test_a_session_that_ends_while_its_account_goes_waits_for_the_account_first(app: Flask, ada: Caller) -> None:
    """Else each of the two would hold what the other wants, and PostgreSQL would end one of them."""
    answers: list[Any] = []
    leaving = threading.Thread(target=lambda: answers.append(ada.post("/auth/logout")))

    with app.app_context(), db.engine.begin() as other:
        other.execute(select(User.id).where(User.id == ada.id).with_for_update())
        leaving.start()
        somebody_waits()
        other.execute(delete(User))
    leaving.join(20)

    assert [told(answer) for answer in answers] == [(401, "token_revoked")]


@ON_POSTGRESQL
def test_all_at_once_with_a_deletion_each_is_answered(app: Flask) -> None:
    for round in range(6):
        caller = Caller(app.test_client(), f"ada{round}@example.com")
        calls: list[Callable[[], Any]] = [
            lambda way=way, caller=caller: caller.call(way[0], way[1], json=way[2])  # type: ignore[misc]
            for way in CHANGES.values()
        ]
        calls.insert(3, lambda caller=caller: caller.delete("/user/me", json={"password": caller.password}))  # type: ignore[misc]

        answers = at_once(lambda number, calls=calls: calls[number](), len(calls))  # type: ignore[misc]

        for answer in answers:
            assert told(answer) in ALLOWED, answer.text


ALLOWED = {(200, None), (201, None), (400, "validation_error"), (401, "token_revoked")}
