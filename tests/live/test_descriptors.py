"""A worker that runs out of file descriptors answers again, and clients that keep connections open keep nobody out."""

from __future__ import annotations

import os
import resource
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live.conftest import Server
from tests.live.test_abuse import worker

FREE = 40  # Descriptors that the worker has left; ruff, the database and a client's request need some.


@pytest.fixture
def alone(mode: str, tmp_path: Path, empty_sqlite: Path) -> Iterator[Server]:
    shutil.copy(empty_sqlite, tmp_path / "live.db")
    server = Server(tmp_path, ASYNC_MODE=mode, DATABASE_URL=f"sqlite:///{tmp_path / 'live.db'}")
    yield server
    server.stop()


def test_connections_that_take_every_descriptor_keep_nobody_out(alone: Server) -> None:
    pid = worker(alone)
    taken = len(os.listdir(f"/proc/{pid}/fd"))
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (taken + FREE, taken + FREE))

    kept = [socket.create_connection(("127.0.0.1", alone.port)) for _ in range(3 * FREE)]
    for one in kept:
        one.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
    while_they_last = alone.call("GET", "/health")[0]
    for one in kept:
        one.close()

    assert while_they_last == 200
    assert "accept failed" in alone.log.read_text()
    assert alone.call("GET", "/health")[0] == 200
    assert worker(alone) == pid


def test_a_worker_raises_its_soft_limit(alone: Server) -> None:
    soft, hard = resource.prlimit(worker(alone), resource.RLIMIT_NOFILE)

    assert soft == min(hard, 65_536)
    assert alone.counted("codesherpa_descriptors_most") == soft
