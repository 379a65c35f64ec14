"""What may wait for a client that does not read."""

from __future__ import annotations

import queue
import time
from types import SimpleNamespace
from typing import Any

import pytest
from engineio.exceptions import EngineIOError
from engineio.packet import CLOSE, MESSAGE, Packet
from flask import Flask

from codesherpa.chat import wire
from codesherpa.chat.audience import NAMESPACE
from codesherpa.chat.wire import CONNECT_BYTES, Wire
from codesherpa.extensions import socketio

pytestmark = pytest.mark.sqlite_only  # No test here looks at a row.
PING_TIMEOUT = 20


class Connection:
    """Stands for a socket, and knows whether it was cut."""

    was_cut = False


@pytest.fixture
def connection(monkeypatch: pytest.MonkeyPatch) -> Connection:
    monkeypatch.setattr(wire, "cut", lambda one: setattr(one, "was_cut", True))
    return Connection()


def text(size: int) -> Packet:
    return Packet(MESSAGE, data="x" * (size - 1))  # With the packet's own letter it is as long as that.


@pytest.fixture
def outbox(connection: Connection) -> Any:
    """The queue of a WebSocket."""
    outbox = wire.bounded(queue.Queue)()
    outbox.connection = connection
    return outbox


def wire_of(outbox: Any) -> Any:
    """Return what Wire.drain needs of the connection "here", whose queue this is."""
    sockets = {"here": SimpleNamespace(queue=outbox, closed=False)}
    return SimpleNamespace(_engine=SimpleNamespace(sockets=sockets, ping_timeout=PING_TIMEOUT))


def fill(outbox: Any) -> None:
    """Put as much as may wait, in frames that are not large."""
    for _ in range(wire.UNREAD // wire.LARGE):
        outbox.put(text(wire.LARGE))


def test_the_frame_that_is_being_written_does_not_count(outbox: Any, connection: Connection) -> None:
    outbox.put(text(5 * wire.UNREAD))
    outbox.get()  # The writer sends this, and the client does not take it.
    fill(outbox)
    assert not connection.was_cut

    outbox.put(text(2))
    assert connection.was_cut


def test_large_frames_wait_beside_small_ones_until_they_are_too_many(outbox: Any, connection: Connection) -> None:
    outbox.put(text(2))
    outbox.get()
    fill(outbox)
    outbox.put(text(wire.UNREAD_LARGE))
    outbox.put(text(3 * wire.UNREAD))
    assert not connection.was_cut

    outbox.put(text(wire.LARGE + 1))
    assert connection.was_cut


def test_a_client_that_reads_is_sent_any_number_of_large_frames(outbox: Any, connection: Connection) -> None:
    for _ in range(8):
        outbox.put(text(3 * wire.UNREAD))
        outbox.get()

    assert not connection.was_cut


def test_the_writer_of_a_websocket_takes_one_frame_at_a_time(outbox: Any) -> None:
    outbox.put(text(2))
    outbox.put(text(3))
    outbox.get()

    with pytest.raises(queue.Empty):
        outbox.get(block=False)
    assert outbox.get().encode() == "4xx"


def test_letters_count_by_their_bytes(outbox: Any, connection: Connection) -> None:
    hindi = "\u0928" * (wire.LARGE // 3)
    for _ in range(4):
        outbox.put(Packet(MESSAGE, data=hindi))
    assert not connection.was_cut

    outbox.put(text(2))
    assert connection.was_cut


def test_a_client_that_polls_is_given_all_that_waits_at_once() -> None:
    outbox = wire.bounded(queue.Queue)()
    outbox.put(text(3 * wire.UNREAD))
    outbox.put(text(2))

    assert [len(outbox.get(block=False).encode()) for _ in range(2)] == [3 * wire.UNREAD, 2]


def test_who_polls_and_does_not_fetch_is_told_goodbye_and_nothing_more() -> None:
    outbox = wire.bounded(queue.Queue)()
    fill(outbox)

    outbox.put(text(2))
    outbox.put(text(2))

    left = [outbox.get(block=False) for _ in range(6)]
    assert [packet and packet.packet_type for packet in left] == [MESSAGE] * 4 + [CLOSE, None]
    assert outbox.empty()


@pytest.mark.parametrize("frame", [wire.LARGE, wire.LARGE + 1])
def test_an_event_waits_until_the_large_frames_before_it_are_written(
    outbox: Any, frame: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[int] = []

    def write(seconds: float) -> None:
        written.append(len(outbox.get().encode()))  # The writer has sent what it took before.

    monkeypatch.setattr(wire, "time", SimpleNamespace(monotonic=time.monotonic, sleep=write))
    outbox.put(text(frame))
    outbox.put(text(2))

    Wire.drain(wire_of(outbox), "here")

    assert written == ([] if frame == wire.LARGE else [frame, 2])


def test_a_client_that_asks_and_does_not_read_is_cut(
    outbox: Any, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter(range(100))
    monkeypatch.setattr(wire, "time", SimpleNamespace(monotonic=lambda: next(clock), sleep=lambda seconds: None))
    outbox.put(text(wire.UNREAD))

    Wire.drain(wire_of(outbox), "here")

    assert connection.was_cut
    assert next(clock) == PING_TIMEOUT + 2


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
    polling = SimpleNamespace(sid="polling", upgraded=False)

    wire._post(polling, lambda environ: wire._take("polling", "3/ws,1[]"), {})
    wire._take("websocket", "3/ws,1[]")

    assert waited == [True]


def test_requests_of_long_polling_that_overlap_are_refused(app: Flask) -> None:
    wire, read = app.extensions["wire"], []
    one = SimpleNamespace(sid="polling", upgraded=False)
    upgraded = SimpleNamespace(sid="websocket", upgraded=True)

    def post_again(environ: dict[str, Any]) -> None:
        with pytest.raises(EngineIOError):
            wire._post(one, read.append, environ)

    wire._post(one, post_again, {})
    with pytest.raises(EngineIOError):
        wire._post(upgraded, read.append, {})
    wire._post(one, read.append, {})

    assert read == [{}]


def test_a_payload_of_too_many_values_reaches_its_handler_unparsed(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    wire, closed, handled = app.extensions["wire"], [], []
    monkeypatch.setattr(wire, "hang_up", closed.append)
    monkeypatch.setattr(wire._server, "_handle_event", lambda *event: handled.append(event))

    wire._handle_event("member", '2/ws,7["message",{"x":[' + "[]," * 20_000 + "0]}]")
    wire._handle_event("member", "2/ws,7[" + "[]," * 20_000 + "0]")

    assert handled == [("member", NAMESPACE, 7, ["message"])]
    assert closed == ["member"]
