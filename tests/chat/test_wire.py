"""What may wait for a client that does not read."""

from __future__ import annotations

import queue

import pytest
from engineio.packet import CLOSE, MESSAGE, Packet
from flask import Flask

from codesherpa.chat import wire
from codesherpa.chat.audience import NAMESPACE
from codesherpa.extensions import socketio

HALF = wire.UNREAD // 2


class Connection:
    """Stands for a socket, and knows whether it was cut."""

    was_cut = False


@pytest.fixture
def connection(monkeypatch: pytest.MonkeyPatch) -> Connection:
    monkeypatch.setattr(wire, "cut", lambda one: setattr(one, "was_cut", True))
    return Connection()


def text(size: int) -> Packet:
    return Packet(MESSAGE, data="x" * (size - 1))  # With the packet's own letter it is as long as that.


def test_what_is_on_its_way_counts_until_the_writer_comes_back(connection: Connection) -> None:
    outbox = wire.bounded(queue.Queue)()
    outbox.connection = connection

    outbox.put(text(HALF))
    outbox.get()  # The writer sends this, and the client does not take it.
    outbox.put(text(HALF))
    assert not connection.was_cut

    outbox.put(text(2))
    assert connection.was_cut


def test_what_was_taken_counts_no_more(connection: Connection) -> None:
    outbox = wire.bounded(queue.Queue)()
    outbox.connection = connection

    for _ in range(8):
        outbox.put(text(HALF))
        outbox.get()

    assert not connection.was_cut


def test_letters_count_by_their_bytes(connection: Connection) -> None:
    outbox = wire.bounded(queue.Queue)()
    outbox.connection = connection

    outbox.put(Packet(MESSAGE, data="\u0928" * (wire.UNREAD // 2)))

    assert connection.was_cut


def test_who_polls_and_does_not_fetch_is_told_goodbye_and_nothing_more() -> None:
    outbox = wire.bounded(queue.Queue)()
    outbox.put(text(HALF))

    outbox.put(text(HALF + 1))
    outbox.put(text(2))

    left = [outbox.get(block=False) for _ in range(3)]
    assert [packet and packet.packet_type for packet in left] == [MESSAGE, CLOSE, None]
    assert outbox.empty()


def test_a_connection_that_has_gone_is_not_let_in(app: Flask) -> None:
    manager = socketio.server.manager

    app.extensions["wire"]._take("gone", "0/ws,{}")

    assert manager.sid_from_eio_sid("gone", NAMESPACE) is None
