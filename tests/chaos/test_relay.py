"""The relay passes, delays, stalls, cuts and goes away."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest

from tests.chaos.relay import Relay


class Echo:
    """A server that sends back what it is sent, after its own name."""

    def __init__(self, name: bytes) -> None:
        self.name, self.listener = name, socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                connection = self.listener.accept()[0]
            except OSError:
                return
            threading.Thread(target=self._echo, args=(connection,), daemon=True).start()

    def _echo(self, connection: socket.socket) -> None:
        with connection:
            while data := connection.recv(100):
                connection.sendall(self.name + data)

    def close(self) -> None:
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


@pytest.fixture
def echoes() -> Iterator[list[Echo]]:
    echoes = [Echo(b"a:"), Echo(b"b:")]
    yield echoes
    for echo in echoes[:]:
        echo.close()


@pytest.fixture
def relay(echoes: list[Echo]) -> Iterator[Relay]:
    with Relay(*(echo.port for echo in echoes)) as relay:
        yield relay


def reach(relay: Relay) -> socket.socket:
    return socket.create_connection(("127.0.0.1", relay.port), 5)


def ask(connection: socket.socket, text: bytes) -> bytes:
    connection.sendall(text)
    return connection.recv(100)


def is_broken(connection: socket.socket) -> bool:
    try:
        return connection.recv(100) == b""
    except ConnectionError:
        return True


def test_connections_are_handed_to_the_targets_in_turn(relay: Relay) -> None:
    with reach(relay) as one, reach(relay) as two:
        assert {ask(one, b"x"), ask(two, b"x")} == {b"a:x", b"b:x"}


def test_a_target_that_is_away_is_passed_over(relay: Relay, echoes: list[Echo]) -> None:
    echoes.pop(0).close()

    for _ in range(3):
        with reach(relay) as connection:
            assert ask(connection, b"x") == b"b:x"


def test_a_cut_breaks_what_is_open_and_nothing_else(relay: Relay) -> None:
    with reach(relay) as before:
        ask(before, b"x")
        relay.cut()
        assert is_broken(before)
    with reach(relay) as after:
        assert ask(after, b"x")[2:] == b"x"


def test_a_stall_holds_back_what_flows_on_afterwards(relay: Relay) -> None:
    with reach(relay) as connection:
        ask(connection, b"x")
        relay.stall()
        connection.settimeout(0.2)
        with pytest.raises(TimeoutError):
            ask(connection, b"y")
        connection.settimeout(5)
        relay.flow()
        assert connection.recv(100)[2:] == b"y"


def test_a_relay_that_is_away_refuses_until_it_comes_back(relay: Relay) -> None:
    relay.go_away()
    with pytest.raises(ConnectionRefusedError):
        reach(relay)

    relay.come_back()

    with reach(relay) as connection:
        assert ask(connection, b"x")[2:] == b"x"


def test_one_end_that_closes_is_told_to_the_other(relay: Relay) -> None:
    with reach(relay) as connection:
        ask(connection, b"x")
        connection.shutdown(socket.SHUT_WR)
        assert connection.recv(1) == b""
