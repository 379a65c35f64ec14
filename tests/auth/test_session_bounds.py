"""A user's sessions: so many at most, in as many statements whatever their number, and none kept for ever."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, insert, select, update

from codesherpa.auth import service
from codesherpa.auth.models import LIVE, AuthSession
from codesherpa.database import now
from codesherpa.extensions import db
from codesherpa.user.audit import AuditEvent
from tests.auth.forgery import decode
from tests.conftest import Caller
from tests.statements import recorded
from tests.test_two_writers import at_once


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "MOST_SESSIONS", 3)


def session_of(token: str) -> int:
    id: int = decode(token.split(".")[1])["sid"]
    return id


def live_sessions(app: Flask, user_id: int) -> int:
    with app.app_context():
        return db.session.scalar(select(func.count(AuthSession.id)).where(AuthSession.user_id == user_id, LIVE)) or 0


def store(app: Flask, user_id: int, count: int, at: datetime | None = None, **values: Any) -> None:
    """Store sessions as sign-ins did when there was no bound."""
    times = dict.fromkeys(("refresh_issued_at", "created_at", "last_used_at"), at or now() - timedelta(hours=1))
    with app.app_context():
        row = {"user_id": user_id, "refresh_jti": "x", "user_agent": "", "ip": ""} | times | values
        db.session.execute(insert(AuthSession), [row] * count)
        db.session.commit()


def test_one_sign_in_too_many_ends_the_session_that_was_idle_longest(app: Flask, ada: Caller, bob: Caller) -> None:
    first = ada.access
    ada.login()
    idle = ada.access
    ada.login()
    with app.app_context():  # The first is used again meanwhile.
        used = update(AuthSession).where(AuthSession.id == session_of(first)).values(last_used_at=now())
        db.session.execute(used)
        db.session.commit()

    ada.login()

    refused = ada.get("/user/me", token=idle)
    assert (refused.status_code, refused.json["data"]["code"]) == (401, "token_revoked")
    assert [ada.get("/user/me", token=token).status_code for token in (first, ada.access)] == [200, 200]
    listed = ada.get("/user/me/sessions").json["data"]
    assert (list(listed), listed["count"], len(listed["sessions"])) == (["sessions", "count"], 3, 3)
    assert session_of(idle) not in [one["id"] for one in listed["sessions"]]
    assert bob.get("/user/me/sessions").json["data"]["count"] == 1
    with app.app_context():
        trail = db.session.scalars(select(AuditEvent.action).where(AuditEvent.user_id == ada.id)).all()
    assert trail.count("session_ended") == 1


def test_sign_ins_at_once_leave_no_more_than_the_bound(app: Flask, ada: Caller) -> None:
    login = {"email": ada.email, "password": ada.password}

    answers = at_once(lambda _: app.test_client().post("/api/v1/auth/login", json=login).status_code, 8)

    assert answers == [200] * 8
    assert live_sessions(app, ada.id) == 3


def test_an_account_with_too_many_is_brought_down_by_its_next_sign_in_in_as_many_statements(
    app: Flask, ada: Caller
) -> None:
    with recorded(app) as few_sent:
        ada.login()
    store(app, ada.id, 60)
    assert ada.get("/user/me/sessions").json["data"]["count"] == 3

    with recorded(app) as sent:
        ada.login()

    assert live_sessions(app, ada.id) == 3
    assert rounds(sent) <= rounds(few_sent) + 1  # The row of the audit trail.


def rounds(sent: list[tuple[str, Any]]) -> int:
    """Count statements; one that is sent with many rows of parameters counts for each."""
    return sum(len(parameters) if isinstance(parameters, list) else 1 for _, parameters in sent)


def change_password(app: Flask, caller: Caller, new: str) -> int:
    with recorded(app) as sent:
        body = {"current_password": caller.password, "new_password": new}
        assert caller.put("/user/me/password", json=body).status_code == 200
    caller.password = new
    return rounds(sent)


def test_a_change_of_password_ends_all_others_in_as_many_statements_whatever_their_number(
    app: Flask, ada: Caller, bob: Caller
) -> None:
    ada.login()
    before = change_password(app, ada, "another long one")
    store(app, ada.id, 60)

    after = change_password(app, ada, "yet another long one")

    assert after == before
    assert (live_sessions(app, ada.id), live_sessions(app, bob.id)) == (1, 1)
    assert ada.get("/user/me").status_code == 200


def test_a_session_that_is_listed_can_be_ended_and_another_users_or_an_ended_one_cannot(
    ada: Caller, bob: Caller
) -> None:
    other = ada.access
    ada.login()
    path = f"/user/me/sessions/{session_of(other)}"

    assert bob.delete(path).status_code == 404
    assert ada.delete(path).status_code == 200
    assert ada.delete(path).status_code == 404
    assert ada.get("/user/me", token=other).json["data"]["code"] == "token_revoked"


@pytest.mark.parametrize(("days", "is_kept"), [(6, True), (8, False)])
def test_a_session_is_kept_as_long_as_its_tokens_live_and_deleted_by_anybodys_sign_in_after(
    app: Flask, ada: Caller, bob: Caller, days: int, is_kept: bool
) -> None:
    long_ago = now() - timedelta(days=days)
    store(app, bob.id, 5, long_ago, ended_at=long_ago)
    store(app, bob.id, 2, long_ago)

    ada.login()

    with app.app_context():
        count = db.session.scalar(select(func.count(AuthSession.id)).where(AuthSession.user_id == bob.id))
    assert count == (8 if is_kept else 1)


def test_a_sign_in_deletes_so_many_at_most(app: Flask, ada: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "FORGOTTEN_AT_ONCE", 4)
    store(app, ada.id, 6, now() - timedelta(days=30))

    left = []
    for _ in range(2):
        ada.login()
        with app.app_context():
            old = AuthSession.refresh_issued_at < now() - timedelta(days=7)
            left.append(db.session.scalar(select(func.count(AuthSession.id)).where(old)))

    assert left == [2, 0]
