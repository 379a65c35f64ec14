"""What holds for every event that a socket may send, and for each that will come."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask

from codesherpa.chat.events import Events
from codesherpa.chat.sockets import Socket, Sockets
from codesherpa.extensions import db, socketio
from codesherpa.user.models import User
from tests.conftest import Caller
from tests.scripted import Scripted
from tests.test_routes import broken, expired

# Every event and a payload that is right; a new one must be put in its place here. `{chat}` is a chat's id.
OF_A_CHAT: dict[str, dict[str, Any]] = {"stop": {}, "resume": {"after_seq": 0}}
OTHERS: dict[str, dict[str, Any]] = {"message": {"message": "Hello"}, "authenticate": {"token": "{access}"}}
Opener = Callable[[Flask, Any], Any]
NOBODYS = {"connect", "disconnect", "unknown"}  # The last answers every event that has no handler.
# What the owner of a chat that has ended is told.
OWNER = {"stop": "conflict", "resume": None}


def test_every_event_is_classified() -> None:
    handled = {name.removeprefix("on_") for name in dir(Events) if name.startswith("on_")}

    assert handled == OF_A_CHAT.keys() | OTHERS.keys() | NOBODYS


@pytest.fixture
def open_socket() -> Iterator[Callable[[Flask, Any], Any]]:
    """Open sockets, closed at the end."""
    opened: list[Any] = []

    def open_one(app: Flask, token: Any) -> Any:
        opened.append(socketio.test_client(app, namespace="/ws", auth={"token": token}))
        return opened[-1]

    yield open_one
    for one in opened:
        if one.is_connected("/ws"):
            one.disconnect("/ws")


def ask(browser: Any, event: str, payload: Any) -> Any:
    answer = browser.emit(event, payload, namespace="/ws", callback=True)
    assert list(answer) == ["success", "data", "message"]
    return answer


def payload(event: str, caller: Caller, chat: int) -> dict[str, Any]:
    if event in OF_A_CHAT:
        return OF_A_CHAT[event] | {"chat_id": chat}
    return {name: value.format(access=caller.access) for name, value in OTHERS[event].items()}


@pytest.fixture
def chat(ada: Caller, model: Scripted) -> int:
    id: int = ada.post("/chat", json={"message": "Hello"}).json["data"]["id"]
    return id


def out(caller: Caller) -> str:
    gone = Caller(caller.client, caller.email)
    gone.post("/auth/logout")
    return gone.access


# Who is at the door, and what he is told.
STRANGERS: dict[str, Callable[[Flask, Caller], Any]] = {
    "nobody": lambda app, ada: None,
    "nonsense": lambda app, ada: "x",
    "a number": lambda app, ada: 7,
    "a broken token": lambda app, ada: broken(ada.access),
    "a refresh token": lambda app, ada: ada.refresh,
    "an expired token": expired,
    "a session that was signed out of": lambda app, ada: out(ada),
}
TOLD = {"an expired token": "token_expired", "a session that was signed out of": "token_revoked"}


@pytest.mark.parametrize("who", STRANGERS)
def test_whoever_may_not_gets_no_socket_and_none_of_its_events(
    app: Flask, open_socket: Opener, ada: Caller, chat: int, who: str
) -> None:
    browser = open_socket(app, STRANGERS[who](app, ada))

    assert not browser.is_connected("/ws")
    for event in OF_A_CHAT | OTHERS:
        with pytest.raises(RuntimeError, match="not connected"):
            browser.emit(event, payload(event, ada, chat), namespace="/ws", callback=True)


@pytest.mark.parametrize("who", STRANGERS)
def test_whoever_may_not_carries_no_socket_over(app: Flask, open_socket: Opener, ada: Caller, who: str) -> None:
    browser = open_socket(app, ada.access)

    answer = ask(browser, "authenticate", {"token": STRANGERS[who](app, ada)})

    wanted = "validation_error" if who in ("nobody", "a number") else TOLD.get(who, "unauthorized")
    assert (answer["success"], answer["data"]["code"]) == (False, wanted)


@pytest.mark.parametrize("event", sorted(OF_A_CHAT | OTHERS))
def test_an_event_is_refused_from_the_moment_its_session_ends(
    app: Flask, open_socket: Opener, ada: Caller, bob: Caller, chat: int, event: str
) -> None:
    hers, his = open_socket(app, ada.access), open_socket(app, bob.access)

    ada.post("/auth/logout")
    with app.app_context():
        db.session.get_one(User, bob.id).is_active = False
        db.session.commit()

    for browser, caller, code in ((hers, ada, "token_revoked"), (his, bob, "account_disabled")):
        if browser.is_connected("/ws"):  # The watch may have closed it by now.
            answer = ask(browser, event, payload(event, caller, chat))
            assert (answer["success"], answer["data"]["code"]) == (False, code)


@pytest.mark.parametrize("event", sorted(OF_A_CHAT | OTHERS))
def test_an_event_is_refused_once_the_token_has_run_out(
    app: Flask, open_socket: Opener, ada: Caller, chat: int, event: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Sockets, "look", lambda self: None)  # Which would close it, within a second.
    browser = open_socket(app, ada.access)
    monkeypatch.setattr(Socket, "seconds_left", -1.0)

    answer = ask(browser, event, payload(event, ada, chat))

    assert (answer["success"], answer["data"]["code"]) == (False, "token_expired")


def deactivate(app: Flask, caller: Caller) -> None:
    with app.app_context():
        db.session.get_one(User, caller.id).is_active = False
        db.session.commit()


ENDS: dict[str, Callable[[Flask, Caller, pytest.MonkeyPatch], Any]] = {
    "its token runs out": lambda app, ada, patch: patch.setattr(Socket, "seconds_left", 0.0),
    "its session ends": lambda app, ada, patch: ada.post("/auth/logout"),
    "its user is deactivated": lambda app, ada, patch: deactivate(app, ada),
}


@pytest.mark.parametrize("what", ENDS)
def test_a_socket_is_closed_when(
    app: Flask, open_socket: Opener, ada: Caller, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = open_socket(app, ada.access)

    ENDS[what](app, ada, monkeypatch)
    give_up = time.monotonic() + 20
    while browser.is_connected("/ws") and time.monotonic() < give_up:
        time.sleep(0.02)

    assert not browser.is_connected("/ws")


@pytest.mark.parametrize("event", sorted(OF_A_CHAT))
def test_another_users_chat_and_a_missing_one_cannot_be_told_apart(
    app: Flask, open_socket: Opener, ada: Caller, bob: Caller, chat: int, event: str
) -> None:
    browser = open_socket(app, bob.access)

    others, missing = (ask(browser, event, payload(event, bob, id)) for id in (chat, 10**6))

    for answer in (others, missing):
        answer["data"]["request_id"] = ""
    assert others == missing
    assert others["data"]["code"] == "not_found"


@pytest.mark.parametrize("named", ["conversation_id", "agent_id", "project_id"])
def test_a_message_cannot_be_put_into_what_is_somebody_elses(
    app: Flask, open_socket: Opener, ada: Caller, bob: Caller, chat: int, named: str
) -> None:
    hers = {
        "conversation_id": ada.get(f"/chat/{chat}").json["data"]["conversation_id"],
        "agent_id": ada.post("/agents", json={"name": "A"}).json["data"]["id"],
        "project_id": ada.post("/projects", json={"name": "P"}).json["data"]["id"],
    }
    browser = open_socket(app, bob.access)

    answers = [ask(browser, "message", {"message": "Hello", named: id}) for id in (hers[named], 10**6)]

    for answer in answers:
        answer["data"]["request_id"] = ""
    assert answers[0] == answers[1]
    assert answers[0]["data"]["code"] == "not_found"
    assert bob.get("/chat").json["data"]["chats"] == []


def test_a_socket_is_not_carried_over_to_another_user(
    app: Flask, open_socket: Opener, ada: Caller, bob: Caller
) -> None:
    answer = ask(open_socket(app, ada.access), "authenticate", {"token": bob.access})

    assert (answer["success"], answer["data"]["code"]) == (False, "forbidden")


def test_what_a_user_calls_a_conversation_is_his_own(
    app: Flask, open_socket: Opener, ada: Caller, bob: Caller, model: Scripted
) -> None:
    sent = {"message": "Hello", "session_id": "mine", "client_message_id": "m1"}

    hers, his = (ask(open_socket(app, caller.access), "message", sent)["data"]["chat"] for caller in (ada, bob))

    assert hers["id"] != his["id"]
    assert hers["conversation_id"] != his["conversation_id"]
    assert (hers["user_id"], his["user_id"]) == (ada.id, bob.id)


@pytest.mark.parametrize("event", sorted(OF_A_CHAT | OTHERS))
@pytest.mark.parametrize("sent", [None, [], "x", 7])
@pytest.mark.sqlite_only
def test_a_payload_that_is_no_object_is_told_so(
    app: Flask, open_socket: Opener, ada: Caller, event: str, sent: Any
) -> None:
    answer = ask(open_socket(app, ada.access), event, sent)

    assert (answer["success"], answer["data"]["code"]) == (False, "bad_request")


@pytest.mark.parametrize("event", sorted(OF_A_CHAT | OTHERS))
@pytest.mark.parametrize("sent", [{}, {"unknown": 1}])
def test_a_payload_that_is_not_right_is_told_so(
    app: Flask, open_socket: Opener, ada: Caller, event: str, sent: Any
) -> None:
    answer = ask(open_socket(app, ada.access), event, sent)

    assert (answer["success"], answer["data"]["code"]) == (False, "validation_error")
    assert answer["data"]["errors"]


@pytest.mark.parametrize("event", sorted(OF_A_CHAT | OTHERS))
def test_the_owner_is_served_in_the_envelope(
    app: Flask, open_socket: Opener, ada: Caller, chat: int, event: str
) -> None:
    answer = ask(open_socket(app, ada.access), event, payload(event, ada, chat))

    assert answer["data"].get("code") == OWNER.get(event)
    assert answer["success"] is (OWNER.get(event) is None)


def test_no_socket_hears_what_is_another_users(
    app: Flask, open_socket: Opener, ada: Caller, bob: Caller, model: Scripted
) -> None:
    his = open_socket(app, bob.access)
    his.get_received("/ws")

    ada.post("/chat", json={"message": "a secret of Ada's"})

    assert his.get_received("/ws") == []
