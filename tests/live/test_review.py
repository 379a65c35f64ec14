"""The main job with real clients: sign in, send code, see the review come word by word."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.live.conftest import Browser, Server

FAULTY = """\
import subprocess
from datetime import datetime


def collect(item, items=[]):
    items.append(item)
    return items


def run(command):
    subprocess.run(command, shell=True)


def compute(expression):
    try:
        return eval(input(expression))
    except:
        return datetime.now()
"""
FAULTS = {
    "mutable": 5,
    "shell": 11,
    "eval": 16,
    "bare": 17,
    "naive": 18,
}


@pytest.mark.parametrize("transport", ["websocket", "polling"])
def test_a_file_with_known_faults_is_reviewed_word_by_word(
    server: Server, browser: Callable[[], Browser], transport: str
) -> None:
    tokens = server.sign_in(f"{transport}@example.com")
    tab = browser().connect(server.url, tokens["access_token"], transports=[transport])
    ready = tab.until("ready")["payload"]

    message = {"message": "Please review this file.", "code_context": f"```python app.py\n{FAULTY}```"}
    stored = tab.ask("message", message)["data"]["chat"]
    response = tab.until("response")["payload"]

    assert (ready["user"]["email"], ready["active"]) == (f"{transport}@example.com", [])
    assert tab.until("connect")["transport"] == transport
    assert [status["content"] for status in tab.payloads("status")] == ["thinking", "streaming"]
    assert_deltas_are_the_response(tab, response)
    assert response["chat"]["id"] == stored["id"]
    assert (response["chat"]["status"], response["chat"]["agent"]) == ("complete", "review_monk")
    assert_every_fault_is_found(response["content"]["findings"])


def assert_deltas_are_the_response(tab: Browser, response: dict[str, Any]) -> None:
    deltas = tab.payloads("delta")
    assert [delta["seq"] for delta in deltas] == list(range(1, len(deltas) + 1))
    assert len(deltas) > 10
    assert "".join(delta["content"] for delta in deltas) == response["chat"]["response"]


def assert_every_fault_is_found(findings: list[dict[str, Any]]) -> None:
    for fault, line in FAULTS.items():
        found = [finding for finding in findings if finding["line"] == line and fault in finding["issue"].lower()]
        assert found, f"{fault} in line {line} is not among {findings}"
        assert found[0]["file"] == "app.py"
        assert found[0]["severity"] in ("CRITICAL", "HIGH", "MEDIUM", "LOW")


def test_the_same_over_http_gives_the_whole_reply(server: Server, browser: Callable[[], Browser]) -> None:
    token = server.sign_in("http@example.com")["access_token"]
    tab = browser().connect(server.url, token)
    tab.until("ready")

    message = {"message": "review", "code_context": FAULTY, "client_message_id": "one"}
    status, answer = server.call("POST", "/api/v1/chat", message, token)
    again, same = server.call("POST", "/api/v1/chat", message, token)

    chat = answer["data"]
    assert (status, again, same["data"]) == (201, 200, chat)
    assert {finding["file"] for finding in chat["result"]["findings"]} == {"code_context"}
    assert server.call("GET", f"/api/v1/chat/{chat['id']}", token=token)[1]["data"] == chat
    assert server.call("GET", "/api/v1/chat", token=token)[1]["data"]["chats"] == [chat]
    assert_deltas_are_the_response(tab, tab.until("response")["payload"])


def test_a_reply_goes_on_when_the_tab_closes(server: Server, browser: Callable[[], Browser]) -> None:
    token = server.sign_in("gone@example.com")["access_token"]
    tab = browser().connect(server.url, token)
    tab.until("ready")
    id = tab.ask("message", {"message": "review", "code_context": FAULTY})["data"]["chat"]["id"]
    tab.until("delta")
    tab.close()

    other = browser().connect(server.url, token)
    active = other.until("ready")["payload"]["active"]
    missed = other.ask("resume", {"chat_id": id, "after_seq": 0})["data"]
    response = other.until("response")["payload"]

    assert [one["chat_id"] for one in active] == [id]
    later = [delta["content"] for delta in other.payloads("delta") if delta["seq"] > missed["seq"]]
    assert missed["content"] + "".join(later) == response["chat"]["response"]


@pytest.mark.parametrize(
    ("payload", "field"),
    [
        ({"message": ""}, "message"),
        ({"message": "  "}, "message"),
        ({"message": "x" * 10_001}, "message"),
        ({"message": "hi", "code_context": "x" * 200_001}, "code_context"),
        ({"message": "hi", "user_id": 1}, "user_id"),
        ({}, "message"),
    ],
)
def test_a_payload_that_is_not_right_is_refused_and_the_socket_lives_on(
    server: Server, browser: Callable[[], Browser], payload: Any, field: str
) -> None:
    tab = browser().connect(server.url, server.sign_in("wrong@example.com")["access_token"])
    tab.until("ready")

    answer = tab.ask("message", payload)
    tab.emit("message", payload, silent=True)
    told = tab.until("error")["payload"]

    assert (answer["success"], answer["data"]["code"], list(answer["data"]["errors"])) == (
        False,
        "validation_error",
        [field],
    )
    assert (told["type"], told["code"], list(told["errors"])) == ("error", "validation_error", [field])
    assert len(tab.payloads("error")) == 1
    assert tab.ask("message", {"message": "hello"})["success"]


@pytest.mark.parametrize("payload", ["hi", None, 5, ["hi"]])
def test_a_payload_that_is_no_object_is_refused_like_a_body_that_is_none(
    server: Server, browser: Callable[[], Browser], payload: Any
) -> None:
    tab = browser().connect(server.url, server.sign_in("wrong@example.com")["access_token"])
    tab.until("ready")

    answer = tab.ask("message", payload)
    tab.emit("message", payload, silent=True)
    told = tab.until("error")["payload"]

    assert (answer["success"], answer["data"]["code"], "errors" in answer["data"]) == (False, "bad_request", False)
    assert told == {"type": "error", "code": "bad_request", "content": "Send one JSON object."}


@pytest.mark.parametrize("token", [None, "", "x", "a.b.c"])
def test_what_is_no_token_is_refused_with_the_reason(
    server: Server, browser: Callable[[], Browser], token: str | None
) -> None:
    tab = browser().connect(server.url, token)

    error = tab.until("connect_error")

    assert error["data"]["code"] == "unauthorized"
    assert error["data"]["message"] == error["message"] == "Sign in to do this."
    assert error["data"]["request_id"]
