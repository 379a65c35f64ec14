"""Leave in good order when a worker is told to: nothing is lost, and nobody waits in vain."""

from __future__ import annotations

import os
import signal
import threading
import time
import weakref
from typing import Any

import structlog
from flask import Flask

from codesherpa.chat import generation, leases
from codesherpa.chat.process import Process
from codesherpa.chat.wire import Wire
from codesherpa.concurrency import spawn
from codesherpa.concurrency.websockets import cut
from codesherpa.extensions import db

RESERVE = 3.0  # Seconds of the grace time that are kept for what comes after the replies.
IDLE = 0.25  # Seconds without a request after which none is on its way.
PARTING = 0.5  # Seconds that webhooks' work has to be put back, beside what replies take.
LOOK = 0.05

log = structlog.get_logger(__name__)


class Listener:
    """What a connection came by; gunicorn asks for its name, and what comes last may find it closed."""

    def __init__(self, listener: Any, name: Any) -> None:
        self._listener, self._name = listener, name

    def getsockname(self) -> Any:
        try:
            return self._listener.getsockname()
        except OSError:
            return self._name


class Connections:
    """The open connections of a gunicorn worker, and which of them have a request that is being answered."""

    def __init__(self, worker: Any) -> None:
        self._idle_since: weakref.WeakKeyDictionary[Any, float] = weakref.WeakKeyDictionary()
        self._busy: weakref.WeakSet[Any] = weakref.WeakSet()
        handle_request = worker.handle_request

        def count_busy(*args: Any) -> Any:
            connection = args[2] if len(args) > 2 else args[1].sock  # gunicorn's two workers differ.
            self._busy.add(connection)
            try:
                return handle_request(*args)
            finally:
                self._busy.discard(connection)
                self._idle_since[connection] = time.monotonic()

        worker.handle_request = count_busy
        if hasattr(worker, "enqueue_req"):
            self._count_threaded(worker)
        else:
            self._count_green(worker)

    def _count_threaded(self, worker: Any) -> None:
        enqueue = worker.enqueue_req

        def count(connection: Any) -> None:
            self._idle_since[connection.sock] = time.monotonic()
            enqueue(connection)

        worker.enqueue_req = count

    def _count_green(self, worker: Any) -> None:
        handle = worker.handle
        name = worker.sockets[0].getsockname()

        def count(listener: Any, connection: Any, address: Any) -> None:
            self._idle_since[connection] = time.monotonic()
            handle(Listener(listener, name), connection, address)

        worker.handle = count

    @property
    def busy(self) -> int:
        return len(self._busy)

    def cut_all(self) -> None:
        """End what clients keep for a next request, until gunicorn has nothing to wait for."""
        while self._idle_since:
            self._cut_idle()
            time.sleep(LOOK)

    def _cut_idle(self) -> None:
        """End the connections that are kept for a next request; one that has just been made brings its first."""
        for connection, since in list(self._idle_since.items()):
            if connection not in self._busy and time.monotonic() - since > IDLE:
                cut(connection)


def prepare(app: Flask, worker: Any) -> None:
    """Have a gunicorn worker take its leave at SIGTERM, or when its master dies.

    gunicorn itself stops accepting and then waits for it.
    """
    connections = Connections(worker)
    worker.has_left = threading.Event()
    wanted: list[bool] = []
    go = worker.handle_exit

    def note(number: int, frame: Any) -> None:
        wanted.append(True)  # A signal comes anywhere, in the hub too, where nothing may wait.
        worker.leaves = True
        go(number, frame)

    signal.signal(signal.SIGTERM, note)

    def watch() -> None:
        while not wanted:
            time.sleep(2 * LOOK)
            if os.getppid() != worker.ppid:  # Who would restart it has died, and it holds the port.
                os.kill(os.getpid(), signal.SIGTERM)
        try:
            leave(app, connections, worker.cfg.graceful_timeout - RESERVE)
        finally:
            worker.has_left.set()
            connections.cut_all()

    spawn(watch)


def leave(app: Flask, connections: Connections, grace: float) -> None:
    """Take up nothing more, let replies end within the grace time, interrupt the rest, and close everything."""
    process: Process = app.extensions["process"]
    wire: Wire = app.extensions["wire"]
    started = time.monotonic()
    process.leaving = True
    # What webhooks cause goes back to be done by another; where that takes too long, its lease runs out.
    parting = [spawn(app.extensions[name].close, grace) for name in ("runner", "whatsapp")]
    while process.live and time.monotonic() < started + grace:
        wire.part(process.writing_for())
        time.sleep(LOOK)
    interrupt(app, process)
    hand_over(app, process)
    while True:
        # What this process has not begun, others may yet end in time, where there are any.
        if not process.bus.shared or time.monotonic() > started + grace:
            process.dismiss()
        wire.part(set())
        if not (wire.connections() or connections.busy) or time.monotonic() > started + grace + RESERVE - 1:
            break
        time.sleep(LOOK)
    for thread in parting:
        thread.join(PARTING)
    process.close(0)


def interrupt(app: Flask, process: Process) -> None:
    """End what is still being written; its text is kept."""
    for live in list(process.live.values()):
        live.interrupted = True
        live.cancellation.cancel()
    give_up = time.monotonic() + 1
    while process.live and time.monotonic() < give_up:
        time.sleep(LOOK)
    with app.app_context():
        for chat_id, live in list(process.live.items()):
            try:
                generation.abandon(chat_id, live)
            except Exception:  # The database may be away; then its lease runs out by itself.
                db.session.rollback()
                log.exception("not abandoned", chat_id=chat_id)


def hand_over(app: Flask, process: Process) -> None:
    """Leave to others what was claimed and not begun."""
    try:
        with app.app_context():
            for user_id in leases.release(process.owner):
                process.bus.tell("take", user_id)
    except Exception:  # The database may be away; then the leases run out by themselves.
        log.exception("not handed over")
