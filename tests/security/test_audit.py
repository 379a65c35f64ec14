"""The audit trail: what happened to an account, when, from where and by which request."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Flask

from codesherpa.extensions import db
from codesherpa.user.audit import AuditEvent
from tests.conftest import Caller


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


def test_a_failure_for_an_unknown_address_is_kept_without_what_was_typed(app: Flask) -> None:
    body = {"email": "nobody@example.com", "password": "not the one"}
    app.test_client().post("/api/v1/auth/login", json=body, headers={"X-Request-ID": "unknown"})

    [event] = trail(app)

    assert (event.user_id, event.action, event.ip, event.request_id) == (None, "sign_in_failed", "127.0.0.1", "unknown")


def test_what_a_command_does_is_in_the_trail_too(app: Flask, ada: Caller) -> None:
    app.test_cli_runner().invoke(args=["user", "sign-out", ada.email])

    last = trail(app)[-1]

    assert (last.action, last.user_id, last.ip) == ("session_ended", ada.id, "")
    assert last.request_id.startswith("command-")


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
