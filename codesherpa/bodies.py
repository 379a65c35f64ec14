"""A deadline for reading a request's body: who sends a byte now and then must not hold a connection for ever."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from socket import SHUT_RD, socket
from typing import Any

from codesherpa.concurrency import spawn

PATIENCE = 20.0  # Seconds for a whole body, of 1 MiB at most: 50 KiB a second.
BEAT = 1.0  # Seconds between two looks.


class Watch:
    """Reads that are under way, each with its end; one thread for all, and none while there are none."""

    def __init__(self) -> None:
        self._reads: dict[int, tuple[float, socket]] = {}
        self._lock = threading.Lock()
        self._watching = False

    @contextmanager
    def until(self, end: float, connection: socket) -> Iterator[None]:
        """Hang up on a connection that is still being read from at `end`, by the monotonic clock."""
        key = id(connection)
        with self._lock:
            self._reads[key] = (end, connection)
            if not self._watching:
                self._watching = True
                spawn(self._watch)
        try:
            yield
        finally:
            self._reads.pop(key, None)

    def _watch(self) -> None:
        while self._goes_on():
            now = time.monotonic()
            for end, connection in list(self._reads.values()):
                if end <= now:
                    with suppress(OSError):  # It may have gone by itself.
                        connection.shutdown(SHUT_RD)
            time.sleep(BEAT)

    def _goes_on(self) -> bool:
        with self._lock:
            self._watching = bool(self._reads)
            return self._watching


class Body:
    """A request's body that comes within the deadline or breaks off."""

    def __init__(self, inner: Any, connection: socket, watch: Watch) -> None:
        self._inner, self._connection, self._watch = inner, connection, watch
        self._end = 0.0

    def read(self, size: int = -1) -> bytes:
        return self._within(self._inner.read, size)

    def readline(self, size: int = -1) -> bytes:
        return self._within(self._inner.readline, size)

    def _within(self, read: Callable[[int], bytes], size: int) -> bytes:
        self._end = self._end or time.monotonic() + PATIENCE
        with self._watch.until(self._end, self._connection):
            return read(size)


class Deadline:
    """Watches the bodies that a server reads from its sockets; one that has the whole body is left alone."""

    def __init__(self, app: Callable[..., Any]) -> None:
        self.app, self.watch = app, Watch()

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        connection = environ.get("gunicorn.socket") or environ.get("werkzeug.socket")
        has_body = environ.get("CONTENT_LENGTH", "0") not in ("", "0") or "HTTP_TRANSFER_ENCODING" in environ
        if connection is not None and has_body:
            environ["wsgi.input"] = Body(environ["wsgi.input"], connection, self.watch)
        return self.app(environ, start_response)
