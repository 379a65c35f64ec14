"""What a connection may cost: how much it sends and leaves unread, and how long it stays a stranger."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable
from functools import partial
from queue import Empty
from typing import Any

import structlog
from engineio.exceptions import EngineIOError
from engineio.packet import CLOSE, Packet
from flask_socketio import SocketIO
from socketio import Manager
from socketio import packet as packets

from codesherpa.api import MOST_VALUES, SMALL_BODY, has_few_values
from codesherpa.chat import audience
from codesherpa.chat.audience import NAMESPACE
from codesherpa.concurrency import spawn
from codesherpa.concurrency.websockets import cut, websocket
from codesherpa.server.packet_rate import PacketRate

# What a client may call; `connect` and `disconnect` would reach the handlers of those names.
EVENTS = ("message", "stop", "resume", "authenticate")
UNREAD = 1024 * 1024  # Bytes that may wait behind the frame that is being written, large frames apart.
LARGE = UNREAD // 4  # Bytes of a frame from which on it is large.
UNREAD_LARGE = 4 * UNREAD  # Bytes of large frames behind which another large one may not wait.
PAUSE = 0.01  # Seconds between two looks whether the large frames of a connection have been written.
STRANGER = 10.0  # Seconds in which a connection must join the namespace.
LINGER = 2.0  # Seconds that a connection has to take its leave in.
BEAT = 0.5
# Packets a second of one connection, and how many may come at once. A client that reconnects sends some for each reply
# that it follows; before it has joined, one.
STRANGERS_RATE = (5.0, 20)
MEMBERS_RATE = (200.0, 1000)
CONNECT_BYTES = 16 * 1024  # The longest packet that joins the namespace: it holds a token.
# What a packet of Socket.IO begins with: its type, the number of its attachments, its namespace.
HEAD = re.compile(r"([0-6])(?:[0-9]{1,10}-)?(/[^,?]{0,100})?")
# An event up to its name, with the number of its acknowledgement.
NAMED = re.compile(r'([25](?:[0-9]{1,10}-)?/ws,[0-9]{0,15})\["([a-z_]{1,20})"')

log = structlog.get_logger(__name__)


class Members(Manager):
    """Who is in which room. A socket that leaves is in three, and the others need not be searched for it."""

    def basic_disconnect(self, sid: str, namespace: str, **kwargs: Any) -> None:
        for room in (sid, None):
            self.basic_leave_room(sid, namespace, room)
        self.callbacks.pop(sid, None)
        for pending in (self.pending_connect, self.pending_disconnect):
            if sid in pending.get(namespace, ()):
                pending[namespace].remove(sid)


def bounded(plain: type[Any]) -> type[Any]:
    """Return a queue for what is sent to one connection, which is cut when too much of it is unread.

    A frame of any size can be sent: what the server took or made may be larger than UNREAD. So the frame that is
    being written does not count, and large frames have a bound of their own: several replies may end at once. Each
    end is encoded once for all sockets of its user. A client that does not read has UNREAD and UNREAD_LARGE bytes
    and two of the largest frames waiting for it at most. A connection by long polling has no socket of its own to
    cut; it gets nothing more. All that waits for it goes out as the answer to one request.
    """

    class Outbox(plain):
        connection: Any = None
        waiting = large = 0  # Bytes of the frames that wait: the small ones, and the large ones.
        writing = 0  # Bytes of the frame that is being written.
        overflown = False

        def put(self, packet: Any, *args: Any, **kwargs: Any) -> None:
            if packet is not None:
                if self.overflown:
                    return
                if self.is_full(size(packet)):
                    self.overflow()
                    return
            super().put(packet, *args, **kwargs)

        def get(self, block: bool = True, timeout: float | None = None) -> Any:
            """Return the next packet. The writer of a WebSocket is given one at a time, so that it is known which."""
            if self.connection is not None:
                if not block:
                    raise Empty
                self.writing = 0
            packet = super().get(block=block, timeout=timeout)
            if self.connection is not None and packet is not None:
                self.writing = size(packet)
            return packet

        def is_full(self, more: int) -> bool:
            """Return True if a frame of that many bytes is too much behind what waits."""
            return self.large > UNREAD_LARGE if more > LARGE else self.waiting + more > UNREAD

        def is_draining(self) -> bool:
            """Return True if a large frame waits, or is being written."""
            return self.large > 0 or self.writing > LARGE

        def join(self) -> None:
            """Return at once; engineio would wait here, for ever, for a client to fetch what it was sent."""

        def overflow(self) -> None:
            self.overflown = True
            log.warning("connection cut", reason="a client does not read")
            if self.connection is not None:
                cut(self.connection)
            else:
                super().put(Packet(CLOSE))
                super().put(None)

        # The library calls these two while it holds the queue's lock.

        def _put(self, packet: Any) -> None:
            super()._put(packet)
            self._count(packet, 1)

        def _get(self) -> Any:
            packet = super()._get()
            self._count(packet, -1)
            return packet

        def _count(self, packet: Any, sign: int) -> None:
            if packet is None:
                return
            if size(packet) > LARGE:
                self.large += sign * size(packet)
            else:
                self.waiting += sign * size(packet)

    return Outbox


def size(packet: Any) -> int:
    """Return the bytes of a packet as it is sent, which are counted once: several connections may share it."""
    if getattr(packet, "size", None) is None:
        encoded = packet.encode()
        is_plain = isinstance(encoded, bytes) or encoded.isascii()
        packet.size = len(encoded) if is_plain else len(encoded.encode("utf-8", "replace"))
    in_bytes: int = packet.size
    return in_bytes


class OpaquePayloads:
    """JSON for Engine.IO's own packets, which reads none.

    Engine.IO tries to parse whatever a client sends, before anyone knows who that is. Socket.IO's packets begin with a
    digit, which it leaves alone, and no other packet of a client carries JSON. Written for python-engineio 4.13.
    """

    dumps = staticmethod(json.dumps)

    @staticmethod
    def loads(text: str) -> Any:
        raise ValueError("Engine.IO's packets are not parsed.")


class Wire:
    """The connections of this process below Socket.IO. `welcome` is called with a sid that has just connected."""

    def __init__(self, server: SocketIO, welcome: Callable[[str], None]) -> None:
        self._server, self._engine, self._welcome = server.server, server.server.eio, welcome
        self._strangers: dict[str, float] = {}
        self._leaving: dict[str, float] = {}
        self._rates: dict[str, PacketRate] = {}
        self._posting: set[str] = set()
        self._lock = threading.Lock()
        self._watching = False
        parts = self._engine._async
        make = websocket(server.async_mode == "eventlet", self._engine.max_http_buffer_size, self._rate_of)
        Packet.json = OpaquePayloads
        self._engine._async = parts | {"websocket": make, "queue": bounded(parts["queue"])}
        self._on_arrival, self._on_leave = self._server._handle_eio_connect, self._server._handle_eio_disconnect
        for event, follow in (("connect", self._arrive), ("message", self._take), ("disconnect", self._leave)):
            setattr(self._server, f"_handle_eio_{event}", follow)
            self._engine.on(event, follow)

    def left_namespace(self, connection: str) -> None:
        """Take a connection for a stranger again."""
        engine_socket = self._engine.sockets.get(connection)
        if engine_socket is not None and not engine_socket.closing:
            self._mind(self._strangers, connection, STRANGER)
            if rate := self._rates.get(connection):
                rate.allow(*STRANGERS_RATE)

    def hang_up(self, connection: str) -> None:
        """Close a connection properly, soon, and surely."""
        self._strangers.pop(connection, None)
        engine_socket = self._engine.sockets.get(connection)
        if engine_socket is None:
            return
        self._mind(self._leaving, connection, LINGER)
        spawn(engine_socket.close, wait=False)

    def drop(self, connection: str) -> None:
        """Close a connection without another word, so that its client comes again by itself."""
        engine_socket = self._engine.sockets.get(connection)
        if engine_socket is not None:
            self._mind(self._leaving, connection, LINGER)
            engine_socket.close(wait=False)

    def drain(self, connection: str) -> None:
        """Wait until the large frames of a connection have been written, as long as it has to answer a ping.

        A client may ask for several large acknowledgements at once. Each is made when those before it have been
        written: a client that reads is not cut, and one that does not is cut with one of them at most.
        """
        engine_socket = self._engine.sockets.get(connection)
        if engine_socket is None:
            return
        give_up = time.monotonic() + self._engine.ping_timeout
        while engine_socket.queue.is_draining() and not engine_socket.closed:
            if time.monotonic() > give_up:
                engine_socket.queue.overflow()
                return
            time.sleep(PAUSE)

    def part(self, users: set[int]) -> None:
        """Close every connection but those of these users; their clients come again, to another process."""
        stay = {connection for user_id in users for connection in audience.sockets(user_id)}
        for connection in self.connections():
            if connection not in stay and connection not in self._leaving:
                self.hang_up(connection)

    def connections(self) -> list[str]:
        """Return the connections that have not been closed."""
        return [connection for connection, one in list(self._engine.sockets.items()) if not one.closed]

    def _arrive(self, connection: str, environ: dict[str, Any]) -> Any:
        self._rates[connection] = PacketRate(*STRANGERS_RATE)
        if engine_socket := self._engine.sockets.get(connection):  # A test client has none.
            engine_socket.handle_post_request = partial(self._post, engine_socket, engine_socket.handle_post_request)
        self._mind(self._strangers, connection, STRANGER)
        return self._on_arrival(connection, environ)

    def _leave(self, connection: str, reason: Any) -> None:
        self._strangers.pop(connection, None)
        self._rates.pop(connection, None)
        self._on_leave(connection, reason)

    def _post(self, engine_socket: Any, handle: Callable[[Any], None], environ: dict[str, Any]) -> None:
        """Read what a client sent by long polling: one request at a time, and none beside a WebSocket.

        Requests that overlap would each wait for the rate of the connection, and hold a place of the server meanwhile.
        engineio refuses them with 400 and closes the connection; its own client sends none. Written for python-engineio
        4.13.
        """
        connection = engine_socket.sid
        if engine_socket.upgraded or connection in self._posting:
            raise EngineIOError("overlapping requests")
        self._posting.add(connection)
        try:
            handle(environ)
        finally:
            self._posting.discard(connection)

    def _take(self, connection: str, data: Any) -> None:
        """Follow one packet, in the connection's own thread: its events keep their order, and wait for each other.

        What is no packet closes the connection. What a connection sends before it has joined is ignored, and nothing
        of it is parsed but the packet that joins. A binary event is handled without its parts, which are what the
        payload's schema refuses, and the parts that follow are not kept.
        """
        if isinstance(data, bytes):
            return
        self._wait_for_polling(connection)
        head = HEAD.match(data)
        if head is None:
            self.hang_up(connection)
            return
        kind, namespace = int(head[1]), head[2] or "/"
        if kind == packets.DISCONNECT:
            self._server._handle_disconnect(connection, namespace, self._server.reason.CLIENT_DISCONNECT)
        elif kind == packets.CONNECT:
            if len(data) > CONNECT_BYTES:
                self.hang_up(connection)
            elif packet := self._parse(connection, data):
                self._connect(connection, namespace, packet.data)
        elif kind in (packets.EVENT, packets.BINARY_EVENT) and namespace == NAMESPACE and self._has_joined(connection):
            self._handle_event(connection, data)

    def _rate_of(self, connection: str) -> PacketRate:
        return self._rates.get(connection) or PacketRate(*STRANGERS_RATE)

    def _wait_for_polling(self, connection: str) -> None:
        """Delay what comes too fast by long polling; a WebSocket's reader has waited already."""
        rate = self._rates.get(connection)
        if rate is not None and connection in self._posting:
            rate.wait()

    def _has_joined(self, connection: str) -> bool:
        manager = self._server.manager
        sid = manager.sid_from_eio_sid(connection, NAMESPACE)
        return bool(sid and manager.is_connected(sid, NAMESPACE))

    def _parse(self, connection: str, data: str) -> Any:
        """Return the packet that was sent; close the connection and return None if it is none."""
        try:
            return self._server.packet_class(encoded_packet=data)
        except Exception:  # noqa: BLE001 (whatever a client can think of)
            self.hang_up(connection)
            return None

    def _handle_event(self, connection: str, data: str) -> None:
        """Call an event's handler; without its payload if that has too many values, so that it is refused unparsed."""
        if len(data) > SMALL_BODY and not has_few_values(data.encode("utf-8", "replace"), MOST_VALUES):
            named = NAMED.match(data)
            data = f'{named[1]}["{named[2]}"]' if named else ""
        packet = self._parse(connection, data)
        if packet is None:
            return
        if isinstance(packet.data, list) and packet.data and isinstance(packet.data[0], str):
            word, *payload = packet.data
            event = [word if word in EVENTS else "unknown", *payload]
            self._server._handle_event(connection, NAMESPACE, packet.id, event)
        else:
            self.hang_up(connection)

    def _connect(self, connection: str, namespace: str, auth: Any) -> None:
        if connection not in self._server.environ:  # It has gone meanwhile, and nobody would forget its sid.
            return
        if self._server.manager.sid_from_eio_sid(connection, namespace):
            # socket.io-client asks again where `connect` is called before the answer has come. Refused the second
            # time, as python-socketio would, it believes that it is in and never hears of anything any more.
            return
        self._server._handle_connect(connection, namespace, auth)
        sid = self._server.manager.sid_from_eio_sid(connection, NAMESPACE)
        if namespace == NAMESPACE and sid and self._server.manager.is_connected(sid, NAMESPACE):
            self._strangers.pop(connection, None)
            if rate := self._rates.get(connection):
                rate.allow(*MEMBERS_RATE)
            try:
                self._welcome(sid)
            except Exception:  # One that is told nothing must not believe that it is in.
                log.exception("not welcomed")
                self.drop(connection)

    def _mind(self, whom: dict[str, float], connection: str, seconds: float) -> None:
        with self._lock:
            whom[connection] = time.monotonic() + seconds
            if not self._watching:
                self._watching = True
                spawn(self._watch)

    def _watch(self) -> None:
        while self._goes_on():
            time.sleep(BEAT)
            late = time.monotonic()
            for connection in [one for one, due in list(self._strangers.items()) if due <= late]:
                self.hang_up(connection)
            for connection in [one for one, due in list(self._leaving.items()) if due <= late]:
                self._cut(connection)

    def _goes_on(self) -> bool:
        with self._lock:
            self._watching = bool(self._strangers or self._leaving)
            return self._watching

    def _cut(self, connection: str) -> None:
        """End a connection that was closed and is still there, because its client does not read."""
        self._leaving.pop(connection, None)
        engine_socket = self._engine.sockets.get(connection)
        if engine_socket is not None and engine_socket.queue.connection is not None:
            cut(engine_socket.queue.connection)
