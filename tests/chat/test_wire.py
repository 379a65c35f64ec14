"""What may wait for a client that does not read."""

from __future__ import annotations

import queue
from types import SimpleNamespace

import pytest
from engineio.packet import CLOSE, MESSAGE, Packet
from flask import Flask

from codesherpa.chat import wire
from codesherpa.chat.audience import NAMESPACE
from codesherpa.chat.wire import CONNECT_BYTES
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


STRANGERS = ('2/ws,1["message",{}]', "51-/ws,[]", '2["message"]', "3/ws,1[]", "4/ws,{", "61-/ws,[]")


def test_nothing_of_a_stranger_is_parsed(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    wire, parsed = app.extensions["wire"], []
    monkeypatch.setattr(wire._server, "packet_class", lambda **packet: parsed.append(packet))

    for packet in STRANGERS:
        wire._take("stranger", packet)

    assert parsed == []


def test_a_packet_that_joins_with_more_than_a_token_closes_the_connection(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    wire, closed = app.extensions["wire"], []
    monkeypatch.setattr(wire, "hang_up", closed.append)

    wire._take("stranger", '0/ws,{"token":"' + "x" * CONNECT_BYTES + '"}')

    assert closed == ["stranger"]


def test_the_json_of_no_packet_below_socket_io_is_parsed(app: Flask) -> None:
    for sent in ('4{"a":1}', "4[1]", '2{"a":1}', "4null"):
        assert Packet(encoded_packet=sent).data == sent[1:]


def test_what_comes_too_fast_by_long_polling_waits(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    wire, waited = app.extensions["wire"], []
    rate = SimpleNamespace(wait=lambda: waited.append(True))
    monkeypatch.setattr(wire, "_rates", {"polling": rate, "websocket": rate})
    for name, websocket in (("polling", None), ("websocket", object())):
        engine_socket = SimpleNamespace(queue=SimpleNamespace(connection=websocket))
        monkeypatch.setitem(wire._engine.sockets, name, engine_socket)

    wire._take("polling", "3/ws,1[]")
    wire._take("websocket", "3/ws,1[]")

    assert waited == [True]
