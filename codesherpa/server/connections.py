"""The connections of a gunicorn worker: which are idle, which are busy, and how many there may be."""

from __future__ import annotations

import heapq
import time
import weakref
from collections.abc import Callable
from typing import Any

import structlog

from codesherpa.concurrency import green
from codesherpa.concurrency.websockets import cut
from codesherpa.server.listener import ACCEPTED_AT_ONCE, Listener

IDLE = 0.25  # Seconds without a request after which none is on its way.
POLL_INTERVAL = 0.05
EVICTED_AT_ONCE = 100  # One part in so many of the connections is closed to make room.

log = structlog.get_logger(__name__)


class LastingName:
    """The listener that a connection came by; gunicorn asks for its name when it may have been closed already."""

    def __init__(self, listener: Any, name: Any) -> None:
        self._listener, self._name = listener, name

    def getsockname(self) -> Any:
        try:
            return self._listener.getsockname()
        except OSError:
            return self._name


class Connections:
    """The open connections of a gunicorn worker, and which of them have a request that is being answered.

    Each connection is served in turn. When there are as many as there may be, the ones that have been idle the longest
    are closed, so that clients that keep connections open cannot keep others out.
    """

    def __init__(self, worker: Any) -> None:
        self._idle_since: weakref.WeakKeyDictionary[Any, float] = weakref.WeakKeyDictionary()
        self._busy: weakref.WeakSet[Any] = weakref.WeakSet()
        self._limit = int(worker.worker_connections)
        handle_request = worker.handle_request

        def count_busy(*args: Any) -> Any:
            connection = args[2] if len(args) > 2 else args[1].sock  # gunicorn's two workers differ.
            self._busy.add(connection)
            try:
                if hasattr(connection, "yield_once"):
                    connection.yield_once()
                return handle_request(*args)
            finally:
                self._busy.discard(connection)
                self._idle_since[connection] = time.monotonic()

        worker.handle_request = count_busy
        if hasattr(worker, "enqueue_req"):
            self._count_threaded(worker)
        else:
            self._count_green(worker)
        self._listeners = [self._listener(listener) for listener in worker.sockets]
        worker.sockets = self._listeners

    def _listener(self, inner: Any) -> Listener:
        return Listener(inner, self._make_room, self._evict, current_greenlet())

    def _count_threaded(self, worker: Any) -> None:
        enqueue = worker.enqueue_req

        def count(connection: Any) -> None:
            self._idle_since[connection.sock] = time.monotonic()
            enqueue(connection)

        worker.enqueue_req = count

    def _count_green(self, worker: Any) -> None:
        handle = worker.handle
        name = worker.sockets[0].getsockname()
        # Connections are counted when they are handled. gunicorn must have room for those that have just been accepted,
        # or its accept loop would wait in vain where this one closes idle connections.
        worker.worker_connections = self._limit + ACCEPTED_AT_ONCE

        def count(listener: Any, accepted: Any, address: Any) -> None:
            connection = fair(accepted)
            self._idle_since[connection] = time.monotonic()
            try:
                handle(LastingName(listener, name), connection, address)
            except Exception:  # One that got as far as gunicorn would end its accept loop.
                log.exception("connection failed")
            finally:  # Engine.IO keeps a closed socket's connection for some time.
                self._idle_since.pop(connection, None)

        worker.handle = count

    @property
    def busy(self) -> int:
        return len(self._busy)

    def acceptor_died(self) -> bool:
        """Return True if a listening socket has lost the greenlet that accepts from it."""
        return any(listener.acceptor_died() for listener in self._listeners)

    def cut_all(self) -> None:
        """Close the connections that clients keep for a next request, until gunicorn has nothing to wait for."""
        while self._idle_since:
            for connection in self._idle():
                cut(connection)
            time.sleep(POLL_INTERVAL)

    def _make_room(self) -> None:
        if len(self._idle_since) >= self._limit:
            self._evict()

    def _evict(self) -> None:
        """Close some of the connections that have been idle the longest."""
        some = max(ACCEPTED_AT_ONCE, self._limit // EVICTED_AT_ONCE)
        for connection in heapq.nsmallest(some, self._idle(), key=lambda one: self._idle_since.get(one, 0.0)):
            cut(connection)

    def _idle(self) -> list[Any]:
        """Return the connections without a request; one that has just been made may bring its first."""
        now = time.monotonic()
        return [
            one
            for one, since in list(self._idle_since.items())
            if one not in self._busy and now - since > IDLE and one.fileno() >= 0
        ]


def current_greenlet() -> Callable[[], Any] | None:
    """Return what tells which greenlet runs, None in a threaded worker."""
    if not green():
        return None
    from eventlet import getcurrent

    found: Callable[[], Any] = getcurrent
    return found


def fair(accepted: Any) -> Any:
    """Return a connection of a green worker that takes turns with the others."""
    if not green():
        return accepted
    from codesherpa.server.fair_socket import FairSocket

    return FairSocket(accepted)
