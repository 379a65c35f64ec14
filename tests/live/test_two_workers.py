"""Two workers, one database and one Redis: sessions and limits hold for both together."""

from __future__ import annotations

import contextlib
import shutil
import signal
import socket
import subprocess
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import REDIS, skip_or_fail
from tests.live.conftest import PATIENCE, Server, free_port, started_at_once


@pytest.fixture
def two(tmp_path: Path, postgres_of_servers: str) -> Iterator[Callable[..., list[Server]]]:
    """Start two servers with the same settings."""
    started: list[Server] = []

    def start(**settings: str) -> list[Server]:
        shared = {"DATABASE_URL": postgres_of_servers, "REDIS_URL": REDIS} | settings
        started.extend(started_at_once(*[partial(Server, tmp_path, **shared)] * 2))
        return started

    yield start
    for server in started:
        server.stop()


def at_once(servers: list[Server], count: int, work: Callable[[Server, int], Any]) -> list[Any]:
    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(lambda number: work(servers[number % 2], number), range(count)))


def somebody() -> str:
    return f"{uuid.uuid4().hex}@example.com"


def guess(server: Server, email: str) -> int:
    return server.call("POST", "/api/v1/auth/login", {"email": email, "password": "a guess"})[0]


def test_fifty_refreshes_at_once_over_two_workers_have_one_successor(
    two: Callable[..., list[Server]], database: str
) -> None:
    servers = two(DATABASE_URL=database)
    tokens = servers[0].sign_in(somebody())

    answers = at_once(
        servers, 50, lambda server, _: server.call("POST", "/api/v1/auth/refresh", token=tokens["refresh_token"])
    )

    assert {status for status, _ in answers} == {200}
    (successor,) = {answer["data"]["refresh_token"] for _, answer in answers}
    assert servers[1].call("POST", "/api/v1/auth/refresh", token=successor)[0] == 200


def test_a_session_that_has_ended_on_one_worker_is_dead_on_the_other(two: Callable[..., list[Server]]) -> None:
    here, there = two()
    tokens = here.sign_in(somebody())
    assert there.call("GET", "/api/v1/user/me", token=tokens["access_token"])[0] == 200

    here.call("POST", "/api/v1/auth/logout", token=tokens["access_token"])

    for token, call in (
        ("access_token", ("GET", "/api/v1/user/me")),
        ("refresh_token", ("POST", "/api/v1/auth/refresh")),
    ):
        status, answer = there.call(*call, token=tokens[token])
        assert (status, answer["data"]["code"]) == (401, "token_revoked")


def test_a_limit_is_exact_over_two_workers(two: Callable[..., list[Server]]) -> None:
    servers, email = two(RATE_LIMIT_LOGIN="10/minute"), somebody()

    answers = Counter(at_once(servers, 30, lambda server, _: guess(server, email)))

    assert answers == {401: 10, 429: 20}


@pytest.fixture
def redis() -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """A Redis of this test's own, to take away."""
    if not shutil.which("redis-server"):
        skip_or_fail("no redis-server")
    port = free_port()
    command = ["redis-server", "--port", str(port), "--save", "", "--appendonly", "no", "--bind", "127.0.0.1"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    give_up = time.monotonic() + PATIENCE
    while time.monotonic() < give_up:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            break
        time.sleep(0.05)
    yield f"redis://127.0.0.1:{port}/0", process
    process.send_signal(signal.SIGCONT)
    process.kill()
    process.wait()


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP], ids=["gone", "silent"])
def test_a_limit_is_stricter_and_never_open_while_redis_is_away(
    two: Callable[..., list[Server]], redis: tuple[str, subprocess.Popen[bytes]], how: signal.Signals
) -> None:
    url, process = redis
    servers = two(RATE_LIMIT_LOGIN="10/minute", RATE_LIMIT_AUTH="100/minute", REDIS_URL=url)
    process.send_signal(how)
    email = somebody()

    answers = [guess(server, email) for server in servers for _ in range(8)]  # None of them hangs.

    assert Counter(answers) == {401: 10, 429: 6}
    assert answers[:8].count(401) == 5
