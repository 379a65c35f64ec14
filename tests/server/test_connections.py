"""A worker's connections: served to the end, and closed when they are idle and others need the room."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from codesherpa.server import connections
from codesherpa.server.connections import Connections
from codesherpa.server.listener import ACCEPTED_AT_ONCE


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener


@pytest.fixture(autouse=True)
def closed(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The connections that were closed to make room."""
    closed: list[Any] = []
    monkeypatch.setattr(connections, "cut", closed.append)
    monkeypatch.setattr(connections, "IDLE", -1)
    return closed


def worker_on(listener: Any, limit: int = 10, handle: Any = lambda *args: None) -> Any:
    return SimpleNamespace(
        handle=handle, handle_request=lambda *request: None, sockets=[listener], worker_connections=limit
    )


def test_a_connection_that_comes_as_the_listener_closes_is_served(listener: socket.socket) -> None:
    served: list[Any] = []
    name = listener.getsockname()
    worker = worker_on(
        listener, handle=lambda listener, connection, address: served.append((listener.getsockname(), connection))
    )
    Connections(worker)
    with socket.socket() as connection:
        listener.close()

        worker.handle(listener, connection, ("127.0.0.1", 1))

        assert served == [(name, connection)]


def test_a_connection_that_fails_does_not_reach_the_accept_loop(listener: socket.socket) -> None:
    def fail(*args: Any) -> None:
        raise RuntimeError

    worker = worker_on(listener, handle=fail)
    Connections(worker)

    with socket.socket() as connection:
        worker.handle(listener, connection, ("127.0.0.1", 1))


def test_the_connections_that_are_idle_the_longest_make_room(listener: socket.socket, closed: list[Any]) -> None:
    opened = [socket.socket() for _ in range(ACCEPTED_AT_ONCE + 2)]
    worker = worker_on(listener, limit=len(opened))
    worker.handle_request = lambda name, request, connection, address: worker.sockets[0].accept()
    counted = Connections(worker)
    for since, connection in enumerate(opened):
        counted._idle_since[connection] = since
    with socket.create_connection(listener.getsockname()):
        # The first connection is busy with the request during which another client connects.
        accepted, _ = worker.handle_request("", None, opened[0], ("127.0.0.1", 1))
    accepted.close()

    assert closed == opened[1:-1]
    for connection in opened:
        connection.close()


def test_a_turns_worth_of_new_connections_finds_room(listener: socket.socket, closed: list[Any]) -> None:
    idle = [socket.socket() for _ in range(2 * ACCEPTED_AT_ONCE)]
    worker = worker_on(listener, limit=len(idle))
    counted = Connections(worker)
    for connection in idle:
        counted._idle_since[connection] = 0.0

    counted._make_room()

    assert len(closed) >= ACCEPTED_AT_ONCE
    assert worker.worker_connections == len(idle) + ACCEPTED_AT_ONCE
    for connection in idle:
        connection.close()


def test_a_connection_that_has_ended_counts_no_more(listener: socket.socket) -> None:
    worker = worker_on(listener)
    counted = Connections(worker)

    with socket.socket() as connection:
        worker.handle(listener, connection, ("127.0.0.1", 1))

        assert len(counted._idle_since) == 0


def test_no_connection_is_closed_while_there_is_room(listener: socket.socket, closed: list[Any]) -> None:
    worker = worker_on(listener, limit=2)
    counted = Connections(worker)
    with socket.socket() as idle:
        counted._idle_since[idle] = 0.0
        with socket.create_connection(listener.getsockname()):
            accepted, _ = worker.sockets[0].accept()
        accepted.close()

    assert closed == []
