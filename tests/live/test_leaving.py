"""A worker that is told to leave: whoever waits is told, and it goes by itself."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.live.conftest import Browser, Server
from tests.live.raw import Raw
from tests.live.workers import assert_whole, open_tab, slowly
from tests.patience import eventually
from tests.standins import bedrock

SOCKETS = 60


@pytest.fixture
def alone(mode: str, tmp_path: Path, empty_sqlite: Path) -> Iterator[Server]:
    """A worker that no other stands beside."""
    shutil.copy(empty_sqlite, tmp_path / "live.db")
    settings = {"ASYNC_MODE": mode, "DATABASE_URL": f"sqlite:///{tmp_path / 'live.db'}", "MODEL_PROVIDER": "bedrock"}
    with bedrock.running() as model:
        server = Server(tmp_path, **settings, **model.environment)
        yield server
        server.stop()


def left_by_itself(server: Server) -> bool:
    """Tell whether a server that was told to leave did, before it was made to."""
    return server.process.wait(30) == 0 and "SIGKILL" not in server.log.read_text()


def test_every_socket_is_closed_properly(alone: Server) -> None:
    token = alone.sign_in("many@example.com")["access_token"]
    sockets = [Raw(alone.port).join(token) for _ in range(SOCKETS)]
    for one in sockets:
        one.until('42/ws,["ready"')
    silent = [Raw(alone.port).join(token) for _ in range(SOCKETS)]  # They never read, nor answer a closing frame.

    alone.process.send_signal(signal.SIGTERM)
    for one in sockets:
        one.wait_for_the_end()

    assert {one.closed_with for one in sockets} == {1000}
    assert left_by_itself(alone)
    for one in sockets + silent:
        one.close()


def test_who_waits_for_a_reply_that_is_not_begun_is_told_that_it_is_stored(
    alone: Server, browser: Callable[[], Browser]
) -> None:
    token = alone.sign_in("waits@example.com")["access_token"]
    tab = open_tab(alone, browser, token)
    first = tab.ask("message", {"message": slowly(50), "session_id": "one"})["data"]["chat"]
    tab.told("delta", chat_id=first["id"])
    answers: list[tuple[int, Any]] = []
    behind = {"message": slowly(2), "conversation_id": first["conversation_id"], "client_message_id": "behind"}
    asking = threading.Thread(target=lambda: answers.append(alone.call("POST", "/api/v1/chat", behind, token)))
    asking.start()
    while alone.call("GET", "/api/v1/chat", token=token)[1]["data"]["count"] < 2:
        pass

    alone.process.send_signal(signal.SIGTERM)
    asking.join()
    assert_whole(tab, tab.told("response", chat_id=first["id"])["chat"])
    assert left_by_itself(alone)
    alone.start()

    ((status, answer),) = answers
    assert (status, answer["data"]["code"], answer["data"]["chat"]["status"]) == (503, "internal_error", "pending")
    assert answer["data"]["retry_after"] >= 1
    status, again = alone.call("POST", "/api/v1/chat", behind, token)
    assert (status, again["data"]["id"]) == (200, answer["data"]["chat"]["id"])
    assert again["data"]["status"] == "complete"


def test_a_worker_whose_master_was_killed_leaves_in_good_order(alone: Server, browser: Callable[[], Browser]) -> None:
    tab = open_tab(alone, browser, alone.sign_in("orphan@example.com")["access_token"])
    tab.emit("message", {"message": slowly(20)})

    children = Path(f"/proc/{alone.process.pid}/task/{alone.process.pid}/children").read_text().split()
    alone.process.kill()
    alone.process.wait()
    try:
        assert tab.until("response")["payload"]["chat"]["status"] == "complete"
        tab.until("disconnect")
        assert eventually(lambda: not answers(alone.port), patience=30)
    finally:
        for child in children:
            with suppress(ProcessLookupError):
                os.kill(int(child), signal.SIGKILL)


def answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True
