"""A session on a socket, and the server of development."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.live.conftest import ROOT, Browser, DevelopmentServer, Server


def open_tab(server: Server, browser: Callable[[], Browser], token: str) -> Browser:
    tab = browser().connect(server.url, token)
    tab.until("ready")
    return tab


def test_signing_out_closes_the_sockets_of_that_session_alone(server: Server, browser: Callable[[], Browser]) -> None:
    here, there = (server.sign_in("out@example.com")["access_token"] for _ in range(2))
    tab, other = open_tab(server, browser, here), open_tab(server, browser, there)

    server.call("POST", "/api/v1/auth/logout", token=here)

    tab.until("session_expired")
    tab.until("disconnect")
    assert other.ask("message", {"message": "still here"})["success"]


def test_a_changed_password_closes_the_other_sessions_sockets(server: Server, browser: Callable[[], Browser]) -> None:
    here, there = (server.sign_in("changed@example.com")["access_token"] for _ in range(2))
    tab, other = open_tab(server, browser, here), open_tab(server, browser, there)

    change = {"current_password": "correct horse battery", "new_password": "correct horse battery"}
    assert server.call("PUT", "/api/v1/user/me/password", change, here)[0] == 200

    other.until("disconnect")
    assert tab.ask("message", {"message": "still here"})["success"]


def test_a_refresh_token_that_is_used_again_closes_the_sockets_of_its_session_alone(
    server: Server, browser: Callable[[], Browser]
) -> None:
    stolen, beside = (server.sign_in("stolen@example.com") for _ in range(2))
    tab, other = (open_tab(server, browser, tokens["access_token"]) for tokens in (stolen, beside))
    chain = [stolen["refresh_token"]]
    for _ in range(2):
        status, answer = server.call("POST", "/api/v1/auth/refresh", token=chain[-1])
        assert status == 200
        chain.append(answer["data"]["refresh_token"])

    status, answer = server.call("POST", "/api/v1/auth/refresh", token=chain[0])

    assert (status, answer["data"]["code"]) == (401, "token_revoked")
    tab.until("session_expired")
    tab.until("disconnect")
    assert other.ask("message", {"message": "still here"})["success"]


@pytest.mark.parametrize("order", ["sign-out", "deactivate", "set-password"])
def test_a_command_closes_the_sockets_of_a_running_server(
    server: Server, browser: Callable[[], Browser], order: str
) -> None:
    email = f"{order}@example.com"
    tab = open_tab(server, browser, server.sign_in(email)["access_token"])

    command = [sys.executable, "-m", "flask", "user", order, email]
    subprocess.run(command, cwd=ROOT, env=server.environ, input="another long one\n", text=True, check=True, timeout=60)

    tab.until("session_expired")
    tab.until("disconnect")


def test_a_socket_is_carried_over_to_a_new_token_of_the_same_user(
    server: Server, browser: Callable[[], Browser]
) -> None:
    tokens = server.sign_in("carried@example.com")
    tab = open_tab(server, browser, tokens["access_token"])
    fresh = server.call("POST", "/api/v1/auth/refresh", token=tokens["refresh_token"])[1]["data"]["access_token"]
    strange = server.sign_in("stranger@example.com")["access_token"]

    assert tab.ask("authenticate", {"token": fresh})["data"]["expires_in"] > 1700
    assert tab.ask("authenticate", {"token": strange})["data"]["code"] == "forbidden"
    assert tab.ask("authenticate", {"token": "x"})["data"]["code"] == "unauthorized"
    assert tab.ask("message", {"message": "still here"})["success"]


def test_every_tab_sees_the_same_and_any_can_stop(server: Server, browser: Callable[[], Browser]) -> None:
    token = server.sign_in("tabs@example.com")["access_token"]
    one, two = open_tab(server, browser, token), open_tab(server, browser, token)
    code = "\n".join(f"def f{number}(a=[]):\n    return eval(a)" for number in range(60))

    id = one.ask("message", {"message": "review", "code_context": code, "session_id": "mine"})["data"]["chat"]["id"]
    two.until("delta")
    stopped = two.ask("stop", {"chat_id": id})
    ends = [tab.until("response")["payload"] for tab in (one, two)]

    assert stopped["data"]["chat"]["status"] == "stopped"
    assert ends[0] == ends[1]
    assert "".join(delta["content"] for delta in one.payloads("delta")) == ends[0]["chat"]["response"]
    assert two.ask("stop", {"chat_id": id})["data"]["code"] == "conflict"
    again = one.ask("message", {"message": "hello", "session_id": "mine"})["data"]["chat"]
    assert again["conversation_id"] == ends[0]["chat"]["conversation_id"]


def test_a_repeated_message_gives_the_first_chat_again(server: Server, browser: Callable[[], Browser]) -> None:
    token = server.sign_in("again@example.com")["access_token"]
    tab = open_tab(server, browser, token)

    first = tab.ask("message", {"message": "hello", "client_message_id": "m1"})["data"]["chat"]
    tab.until("response")
    again = tab.ask("message", {"message": "hello", "client_message_id": "m1"})["data"]["chat"]

    assert (again["id"], again["status"]) == (first["id"], "complete")
    assert len(tab.payloads("response")) == 1


@pytest.mark.parametrize("transport", ["websocket", "polling"])
def test_flask_run_serves_the_same(
    tmp_path: Path, empty_sqlite: Path, browser: Callable[[], Browser], transport: str
) -> None:
    shutil.copy(empty_sqlite, tmp_path / "run.db")
    server = DevelopmentServer(tmp_path, DATABASE_URL=f"sqlite:///{tmp_path / 'run.db'}")
    try:
        tab = browser().connect(server.url, server.sign_in("dev@example.com")["access_token"], transports=[transport])
        tab.until("ready")

        tab.ask("message", {"message": "review", "code_context": "def f(a=[]):\n    return a\n"})

        assert tab.until("response")["payload"]["content"]["findings"][0]["line"] == 1
        assert tab.until("connect")["transport"] == transport
    finally:
        server.stop()
