"""An accept loop that survives what would end eventlet's."""

from __future__ import annotations

import errno
from types import SimpleNamespace
from typing import Any

import pytest

from codesherpa.server import listener
from codesherpa.server.listener import ACCEPTED_AT_ONCE, Listener


class Inner:
    """Stands for a listening socket; accept() raises or returns what comes next."""

    def __init__(self, *outcomes: Any) -> None:
        self.outcomes = list(outcomes)

    def accept(self) -> Any:
        outcome = self.outcomes.pop(0)
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    def fileno(self) -> int:
        return 7


@pytest.fixture(autouse=True)
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long the accept loop paused, each time."""
    slept: list[float] = []
    monkeypatch.setattr(listener.time, "sleep", slept.append)
    return slept


def over(inner: Inner, evicted: list[bool] | None = None, current: Any = None) -> Listener:
    return Listener(inner, lambda: None, lambda: (evicted if evicted is not None else []).append(True), current)


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE])
def test_a_worker_without_descriptors_closes_idle_connections_and_tries_again(number: int, slept: list[float]) -> None:
    evicted: list[bool] = []
    one = over(Inner(OSError(number, "too many"), ("connection", "address")), evicted)

    with pytest.raises(BlockingIOError):
        one.accept()

    assert (evicted, slept) == ([True], [listener.PAUSE])
    assert one.accept() == ("connection", "address")


@pytest.mark.parametrize("number", [errno.ECONNABORTED, errno.EPROTO, errno.ENOBUFS, errno.ENOMEM, errno.ENETDOWN])
def test_a_connection_that_fails_to_arrive_does_not_end_the_loop(number: int) -> None:
    one = over(Inner(OSError(number, "failed"), ("connection", "address")))

    with pytest.raises(BlockingIOError):
        one.accept()

    assert one.accept() == ("connection", "address")


@pytest.mark.parametrize("number", listener.CLOSED)
def test_a_listening_socket_that_is_closed_ends_the_loop(number: int) -> None:
    with pytest.raises(OSError, match="closed") as raised:
        over(Inner(OSError(number, "closed"))).accept()

    assert not isinstance(raised.value, BlockingIOError)


def test_a_burst_of_connections_lets_the_others_run(slept: list[float]) -> None:
    one = over(Inner(*[("connection", "address")] * (2 * ACCEPTED_AT_ONCE + 1)), current=lambda: None)

    for _ in range(2 * ACCEPTED_AT_ONCE + 1):
        one.accept()

    assert slept == [0, 0]


def test_an_acceptor_that_has_ended_is_noticed() -> None:
    acceptor = SimpleNamespace(dead=False)
    one = over(Inner(("connection", "address")), current=lambda: acceptor)
    assert not one.acceptor_died()
    one.accept()
    assert not one.acceptor_died()

    acceptor.dead = True

    assert one.acceptor_died()


def test_the_rest_is_the_sockets_own() -> None:
    assert over(Inner()).fileno() == 7
