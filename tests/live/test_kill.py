"""What a server that is killed, or kept waiting, leaves behind."""

from __future__ import annotations

import contextlib
import http.client
import shutil
import socket
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.live.conftest import PATIENCE, Server, started_at_once


class Dying(Server):
    command = ("gunicorn", "-c", "gunicorn.conf.py", "tests.live.dying:app")


class Hasty(Server):
    command = ("gunicorn", "-c", "gunicorn.conf.py", "tests.live.hasty:app")


def test_a_refresh_whose_answer_is_lost_with_the_worker_is_made_good_by_asking_again(
    tmp_path: Path, database: str
) -> None:
    starts = [partial(kind, tmp_path, DATABASE_URL=database) for kind in (Dying, Server)]
    dying, living = started_at_once(*starts)
    try:
        token = living.sign_in("killed@example.com")["refresh_token"]
        with pytest.raises((http.client.HTTPException, OSError)):
            dying.call("POST", "/api/v1/auth/refresh", token=token)

        status, answer = living.call("POST", "/api/v1/auth/refresh", token=token)

        assert status == 200
        assert living.call("GET", "/api/v1/user/me", token=answer["data"]["access_token"])[0] == 200
        assert living.call("POST", "/api/v1/auth/refresh", token=answer["data"]["refresh_token"])[0] == 200
    finally:
        dying.stop()
        living.stop()


@pytest.fixture(params=["eventlet", "threading"])
def hasty(request: pytest.FixtureRequest, tmp_path: Path, empty_sqlite: Path) -> Iterator[Server]:
    shutil.copy(empty_sqlite, tmp_path / "live.db")
    server = Hasty(tmp_path, ASYNC_MODE=request.param, DATABASE_URL=f"sqlite:///{tmp_path / 'live.db'}")
    yield server
    server.stop()


HTTP = "HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\n"


def receive(connection: socket.socket) -> bytes:
    """Return all that comes until the server hangs up."""
    answer = b""
    with contextlib.suppress(ConnectionResetError):
        while more := connection.recv(65_536):
            answer += more
    return answer


@pytest.mark.parametrize("framing", ["Content-Length: 1000", "Transfer-Encoding: chunked"])
def test_a_body_that_does_not_come_is_not_waited_for(hasty: Server, framing: str) -> None:
    head = f"POST /api/v1/auth/login {HTTP}{framing}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", hasty.port), PATIENCE) as slow:
        slow.sendall(head.encode() + (b"5\r\n" if "chunked" in framing else b"") + b'{"em')

        answer = receive(slow)

    assert b" 400 " in answer.split(b"\r\n")[0]
    assert b'"bad_request"' in answer


@pytest.mark.parametrize(
    ("path", "status"), [("/api/v1/auth/login", 401), ("/socket.io/?EIO=4&transport=polling&sid=x", 400)]
)
def test_a_body_that_comes_in_time_is_read_whole(hasty: Server, path: str, status: int) -> None:
    body = b'{"email": "nobody@example.com", "password": "not the one"}'
    head = f"POST {path} {HTTP}Content-Length: {len(body)}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", hasty.port), PATIENCE) as quick:
        quick.sendall(head.encode())
        quick.sendall(body)

        assert f" {status} ".encode() in receive(quick).split(b"\r\n")[0]


def test_a_body_in_chunks_is_too_large_when_it_is(hasty: Server) -> None:
    head = f"POST /api/v1/auth/login {HTTP}"
    with socket.create_connection(("127.0.0.1", hasty.port), PATIENCE) as large:
        large.sendall(f"{head}Transfer-Encoding: chunked\r\n\r\n".encode())
        for _ in range(18):
            large.sendall(b"10000\r\n" + b"x" * 65_536 + b"\r\n")
        large.sendall(b"0\r\n\r\n")

        assert b" 413 " in receive(large).split(b"\r\n")[0]
