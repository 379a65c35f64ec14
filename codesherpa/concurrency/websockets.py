"""WebSockets for both kinds of threads, with a bound on what a peer may make us hold.

Neither library bounds a whole message as it comes: eventlet's bounds a frame, simple-websocket's nothing
unless told, and its reader takes in message after message while the first is still being handled. Neither bounds how
many frames come in a second; here the reader of a connection waits as its `PacketRate` says.
"""

from __future__ import annotations

import contextlib
import re
import socket
import threading
from collections.abc import Callable
from typing import Any

import simple_websocket
from engineio.async_drivers._websocket_wsgi import SimpleWebSocketWSGI

from codesherpa.server.packet_rate import PacketRate

BACKLOG = 16  # Messages that have come and wait for the one before them.
PATIENCE = 45.0  # Seconds that a reader waits for room in the backlog.
FAREWELL = 1.0  # Seconds that a peer has to answer a closing frame.
CRUMB = 512  # Bytes of a fragment that is so short that it counts as a packet; else only a message's last one does.
KEY = re.compile(r"[A-Za-z0-9+/]{22}==")  # Sixteen bytes.


def websocket(
    green: bool, limit: int, rate_of: Callable[[str], PacketRate]
) -> Callable[[Callable[..., Any], Any], Any]:
    """Return what engineio makes a WebSocket with.

    `limit` is the largest message in bytes; `rate_of` returns the rate of a connection by its id.
    """
    make = green_websocket if green else threaded_websocket
    return make(limit, rate_of)


def is_standard(environ: dict[str, Any]) -> bool:
    """Tell whether a handshake is RFC 6455's.

    eventlet speaks the drafts before it too, which know no bound: a long message of theirs holds the hub for minutes.
    """
    key = environ.get("HTTP_SEC_WEBSOCKET_KEY", "")
    return environ.get("HTTP_SEC_WEBSOCKET_VERSION") == "13" and KEY.fullmatch(key) is not None


def refuse(start_response: Callable[..., Any]) -> list[bytes]:
    start_response("400 Bad Request", [("Sec-WebSocket-Version", "13"), ("Content-Length", "0")])
    return []


def plain(environ: dict[str, Any]) -> dict[str, Any]:
    """Decline compression: a zlib context costs 300 KB a socket, and deltas are short."""
    environ.pop("HTTP_SEC_WEBSOCKET_EXTENSIONS", None)
    return environ


def cut(connection: Any) -> None:
    """End a connection at once, whoever waits at it."""
    with contextlib.suppress(OSError):  # The peer may be quicker.
        connection.shutdown(socket.SHUT_RDWR)


def green_websocket(limit: int, rate_of: Callable[[str], PacketRate]) -> Callable[[Callable[..., Any], Any], Any]:
    import eventlet
    from engineio.async_drivers.eventlet import WebSocketWSGI
    from eventlet.websocket import FailedConnectionError, RFC6455WebSocket

    class Message(RFC6455WebSocket.Message):
        """A message that is refused as soon as its fragments are too much together."""

        size = 0

        def push(self, data: bytes, final: bool = False) -> None:
            self.size += len(data)
            if self.size > self.max_frame_length:
                raise FailedConnectionError(1009, "The message is too big.")
            super().push(data, final)

    class WebSocket(RFC6455WebSocket):
        rate: PacketRate

        def _recv_frame(self, message: Any = None) -> Any:
            """Receive a frame, and wait when there were too many; control frames are not seen by engineio at all."""
            before = message.size if message else 0
            received = super()._recv_frame(message)
            if received.finished or received.size - before < CRUMB:
                self.rate.wait()
            return received

        @staticmethod
        def _apply_mask(data: bytes, mask: tuple[int, ...], length: int | None = None, offset: int = 0) -> bytes:
            """Unmask as one large number: byte by byte, a message of 1 MiB holds the hub for a third of a second."""
            key = bytes(mask[(offset + place) % 4] for place in range(4))
            size = len(data)
            repeated = (key * (size // 4 + 1))[:size]
            return (int.from_bytes(data, "little") ^ int.from_bytes(repeated, "little")).to_bytes(size, "little")

        def close(self, close_data: tuple[int, str] | None = None) -> None:
            """Send a closing frame, and wait a moment for the peer's.

            eventlet's own closes the socket under its reader, which is then not woken for 45 seconds.
            """
            self._send_closing_frame(close_data=close_data or (1000, ""), ignore_send_errors=True)
            with contextlib.suppress(OSError):
                self.socket.shutdown(socket.SHUT_WR)
            eventlet.spawn_after(FAREWELL, cut, self.socket)

    WebSocket.Message = Message

    class Wsgi(WebSocketWSGI):
        def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
            if not is_standard(environ):
                return refuse(start_response)
            self.handler.__self__.queue.connection = environ["eventlet.input"].get_socket()
            return super().__call__(plain(environ), start_response)

        def _handle_hybi_request(self, environ: dict[str, Any]) -> WebSocket:
            made = super()._handle_hybi_request(environ)
            opened = WebSocket(made.socket, environ, made.version, protocol=made.protocol, max_frame_length=limit)
            opened.rate = rate_of(self.handler.__self__.sid)
            return opened

    return Wsgi


class Backlog(list[Any]):
    """The messages that wait to be handled; a peer that sends faster waits too, in its own TCP window."""

    def __init__(self) -> None:
        super().__init__()
        self._room = threading.Semaphore(BACKLOG)

    def append(self, message: Any) -> None:
        if not self._room.acquire(timeout=PATIENCE):
            raise OSError("nobody takes the messages")
        super().append(message)

    def pop(self, index: Any = -1) -> Any:
        message = super().pop(index)
        self._room.release()
        return message


class Bounded(simple_websocket.Server):
    def handshake(self) -> None:
        super().handshake()
        self.input_buffer = Backlog()


def threaded_websocket(limit: int, rate_of: Callable[[str], PacketRate]) -> Callable[[Callable[..., Any], Any], Any]:
    class Wsgi(SimpleWebSocketWSGI):
        def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
            if not is_standard(environ):
                return refuse(start_response)
            self.ws = Bounded(plain(environ), max_message_size=limit)
            self.app.__self__.queue.connection = self.ws.sock
            self.rate = rate_of(self.app.__self__.sid)
            answer = self.app(self)
            if self.ws.mode == "gunicorn":
                raise StopIteration
            if self.ws.mode == "werkzeug":
                raise ConnectionError
            return answer

        def wait(self) -> Any:
            """Receive a message, and wait when there were too many."""
            message = super().wait()
            self.rate.wait()
            return message

        def close(self) -> None:
            """Close, and wait a moment for the peer's answer, whose loss would look like a failure to it."""
            super().close()
            self.ws.thread.join(FAREWELL)
            cut(self.ws.sock)
            self.ws.event.set()

    return Wsgi
