"""The audit trail: what happened to an account, when, from where and by which request."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import update

from codesherpa.database import now
from codesherpa.extensions import db
from codesherpa.user import audit
from codesherpa.user.audit import AuditEvent
from tests.conftest import Caller
from tests.user.test_me import move


def trail(app: Flask) -> list[AuditEvent]:
    with app.app_context():
        return list(db.session.scalars(db.select(AuditEvent).order_by(AuditEvent.id)))


def test_each_event_has_its_time_user_address_and_request(app: Flask, ada: Caller) -> None:
    login = {"email": ada.email, "password": "not the one"}
    ada.client.post("/api/v1/auth/login", json=login, headers={"X-Request-ID": "wrong-password"})
    change = {"current_password": ada.password, "new_password": "another long one"}
    other = Caller(ada.client, ada.email)
    ada.put("/user/me/password", json=change)
    ada.post("/auth/logout")
    assert other.get("/user/me").status_code == 401

    events = trail(app)

    assert [event.action for event in events] == [
        "registered", "signed_in", "sign_in_failed", "signed_in", "password_changed", "session_ended", "session_ended",
    ]  # fmt: skip
    assert {(event.user_id, event.ip) for event in events} == {(ada.id, "127.0.0.1")}
    assert events[2].request_id == "wrong-password"
    assert all(event.request_id and event.created_at for event in events)


def test_a_password_that_was_asked_for_once_more_and_is_wrong_is_a_failure_too(app: Flask, ada: Caller) -> None:
    ada.put("/user/me/password", json={"current_password": "a guess", "new_password": "another long one"})
    ada.delete("/user/me", json={"password": "a guess"})
    move(ada, "lovelace@example.com", current_password="a guess")

    assert [event.action for event in trail(app)[-3:]] == ["password_refused"] * 3
    assert {(event.user_id, event.ip) for event in trail(app)} == {(ada.id, "127.0.0.1")}


def test_a_failure_for_an_unknown_address_is_kept_without_what_was_typed(app: Flask) -> None:
    body = {"email": "nobody@example.com", "password": "not the one"}
    app.test_client().post("/api/v1/auth/login", json=body, headers={"X-Request-ID": "unknown"})

    [event] = trail(app)

    assert (event.user_id, event.action, event.ip, event.request_id) == (None, "sign_in_failed", "127.0.0.1", "unknown")


# What each command on an account leaves in its trail, the sessions that it ends apart.
COMMANDS = {
    "sign-out": [],
    "set-password": ["password_set"],
    "deactivate": ["deactivated"],
    "activate": ["activated"],
}


def order(app: Flask, *args: str) -> None:
    done = app.test_cli_runner().invoke(args=["user", *args], input="another long one\n")
    assert done.exit_code == 0, done.output


@pytest.mark.parametrize("command", COMMANDS)
def test_what_a_command_does_is_in_the_trail_too(app: Flask, ada: Caller, command: str) -> None:
    if command == "activate":
        order(app, "deactivate", ada.email)
    before = len(trail(app))

    order(app, command, ada.email)

    told = trail(app)[before:]
    assert [event.action for event in told] == COMMANDS[command] + ["session_ended"] * (command != "activate")
    assert {(event.user_id, event.ip) for event in told} == {(ada.id, "")}
    assert all(event.request_id.startswith("command-") for event in told)


@pytest.mark.parametrize("password", ["correct horse battery", "a guess"])
def test_events_are_kept_for_a_year_and_deleted_by_later_sign_ins(
    app: Flask, ada: Caller, bob: Caller, monkeypatch: pytest.MonkeyPatch, password: str
) -> None:
    monkeypatch.setattr(audit, "FORGOTTEN_AT_ONCE", 3)
    with app.app_context():
        for days, kept in ((366, AuditEvent.user_id == ada.id), (364, AuditEvent.user_id == bob.id)):
            db.session.execute(update(AuditEvent).where(kept).values(created_at=now() - timedelta(days=days)))
        db.session.commit()

    ada.client.post("/api/v1/auth/login", json={"email": "nobody@example.com", "password": password})

    assert [event.user_id for event in trail(app)] == [bob.id, bob.id, None]


def test_an_account_that_a_command_makes_begins_its_trail_with_it(app: Flask) -> None:
    order(app, "create", "ada@example.com")

    [event] = trail(app)

    assert (event.action, event.ip, event.request_id[:8]) == ("registered", "", "command-")


def test_another_address_is_in_the_trail_once_it_is_the_accounts(app: Flask, ada: Caller, bob: Caller) -> None:
    move(ada, bob.email)
    ada.put("/user/me", json={"email": "ADA@example.com"})
    ada.put("/user/me", json={"name": "Ada L."})
    assert "email_changed" not in [event.action for event in trail(app)]

    move(ada, "lovelace@example.com")

    assert (trail(app)[-1].action, trail(app)[-1].user_id) == ("email_changed", ada.id)


@pytest.mark.parametrize("way", ["command", "its owner"])
def test_an_account_that_is_deleted_is_told_in_the_log(
    app: Flask, ada: Caller, caplog: pytest.LogCaptureFixture, way: str
) -> None:
    if way == "command":
        order(app, "delete", ada.email, "--yes")
    else:
        ada.delete("/user/me", json={"password": ada.password})

    [line] = [record.msg for record in caplog.records if record.msg["event"] == "account deleted"]
    assert line["user_id"] == ada.id
    assert line["ip"] == ("" if way == "command" else "127.0.0.1")
    assert line["request_id"].startswith("command-") is (way == "command")


def test_a_users_trail_is_shown_with_time_address_and_request_and_nobody_elses(
    app: Flask, ada: Caller, bob: Caller
) -> None:
    login = {"email": ada.email, "password": "not the one"}
    ada.client.post("/api/v1/auth/login", json=login, headers={"X-Request-ID": "wrong-password"})

    shown = app.test_cli_runner().invoke(args=["user", "show", ada.email]).output
    nothing = app.test_cli_runner().invoke(args=["user", "show", bob.email]).output

    [line] = [line for line in shown.splitlines() if "sign_in_failed" in line]
    assert re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d", line)
    assert ("127.0.0.1" in line, "wrong-password" in line) == (True, True)
    assert "sign_in_failed" not in nothing


def test_an_address_is_what_the_trusted_proxies_say_and_nothing_else(make_app: Callable[..., Flask]) -> None:
    said = "6.6.6.6, 203.0.113.7, 198.51.100.2"
    expected = {
        "0": ("127.0.0.1", said),
        "1": ("198.51.100.2", said),
        "2": ("203.0.113.7", said),
        "3": ("6.6.6.6", said),
        "4": ("127.0.0.1", said),  # Fewer proxies than were promised: nobody is believed.
    }
    for hops, (address, header) in expected.items():
        caller = Caller(make_app(TRUSTED_PROXIES=hops).test_client(), f"ada{hops}@example.com")
        assert signed_in_from(caller, header) == address
    for nonsense in ("<script>", "x" * 5000, "203.0.113.7:80", "fe80::1%eth0' --", "127.0.0.1\u00e9"):
        caller = Caller(make_app(TRUSTED_PROXIES="1").test_client(), "bob@example.com")
        assert signed_in_from(caller, nonsense) in ("", "fe80::1")


def signed_in_from(caller: Caller, forwarded: str) -> Any:
    login = {"email": caller.email, "password": caller.password}
    answer = caller.client.post("/api/v1/auth/login", json=login, headers={"X-Forwarded-For": forwarded})
    token = answer.json["data"]["access_token"]
    sessions = caller.get("/user/me/sessions", token=token).json["data"]["sessions"]
    return next(session["ip"] for session in sessions if session["current"])
