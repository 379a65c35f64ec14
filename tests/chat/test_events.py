"""Every event and acknowledgement that the server sends is as docs/asyncapi.yaml promises."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from codesherpa.chat import sockets
from codesherpa.errors import ModelThrottled
from codesherpa.extensions import socketio
from tests.conformance import faults
from tests.conftest import Caller
from tests.scripted import Scripted

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

PATIENCE = 10.0


class Tab:
    """A socket in this process that holds every event to the document."""

    def __init__(self, app: Flask, token: str) -> None:
        self.socket = socketio.test_client(app, namespace="/ws", auth={"token": token})
        self.seen: list[tuple[str, Any]] = []

    def look(self) -> None:
        for event in self.socket.get_received("/ws"):
            (payload,) = event["args"]
            assert faults(event["name"], payload) == []
            self.seen.append((event["name"], payload))

    def until(self, name: str, **where: Any) -> Any:
        give_up = time.monotonic() + PATIENCE
        while time.monotonic() < give_up:
            self.look()
            for seen, payload in self.seen:
                if seen == name and where.items() <= payload.items():
                    return payload
            time.sleep(0.005)
        raise AssertionError(f"no {name} {where} among {[name for name, _ in self.seen]}")

    def ask(self, event: str, payload: Any) -> Any:
        answer = self.socket.emit(event, payload, namespace="/ws", callback=True)
        assert faults(f"{event}_acknowledged", answer) == []
        return answer


@pytest.fixture
def tab(app: Flask, ada: Caller, model: Scripted) -> Tab:
    return Tab(app, ada.access)


def test_a_reply_from_start_to_end(tab: Tab) -> None:
    tab.until("ready")
    asked = tab.ask("message", {"message": "hello"})["data"]["chat"]
    ended = tab.until("response")

    assert [payload["content"] for name, payload in tab.seen if name == "status"] == ["thinking", "streaming"]
    assert "".join(payload["content"] for name, payload in tab.seen if name == "delta") == "Hello there."
    assert (ended["chat_id"], ended["content"]["kind"]) == (asked["id"], "reply")


@pytest.mark.parametrize("kind", ["review", "explain"])
def test_a_reply_that_is_data(client: FlaskClient, make_app: Callable[..., Flask], app: Flask, kind: str) -> None:
    tab = Tab(app, Caller(client, "offline@example.com").access)

    tab.ask("message", {"message": f"@{kind} this", "code_context": "def f(a=[]):\n    return eval(a)\n"})

    assert tab.until("response")["content"]["kind"] in ("review", "explanation")


def test_a_reply_that_is_stopped_and_resumed(tab: Tab, model: Scripted) -> None:
    model.pieces = ["Hello ", threading.Event()]
    id = tab.ask("message", {"message": "hello"})["data"]["chat"]["id"]
    tab.until("delta")

    assert tab.ask("resume", {"chat_id": id, "after_seq": 0})["data"]["content"] == "Hello "
    assert tab.ask("stop", {"chat_id": id})["data"]["chat"]["status"] == "stopped"
    assert tab.until("response")["chat"]["response"] == "Hello "


def test_a_reply_that_fails(tab: Tab, model: Scripted) -> None:
    model.pieces = ["Hello ", ModelThrottled()]

    tab.ask("message", {"message": "hello"})

    assert tab.until("error")["retryable"] is True


@pytest.mark.parametrize("event", ["message", "stop", "resume", "authenticate"])
@pytest.mark.parametrize("payload", [{}, "text", None, {"chat_id": 99, "after_seq": 0}, {"token": "x"}])
def test_a_payload_that_is_refused(tab: Tab, event: str, payload: Any) -> None:
    assert tab.ask(event, payload)["success"] is False

    tab.socket.emit(event, payload, namespace="/ws")

    assert "chat" not in tab.until("error")


def test_a_session_that_is_carried_over_and_ends_soon(tab: Tab, ada: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    assert tab.ask("authenticate", {"token": ada.access})["success"]

    monkeypatch.setattr(sockets, "AHEAD", 10_000)

    assert tab.until("session_expiring")["expires_in"] > 1700
