"""Leave in good order when a worker is told to: nothing is lost, and nobody waits in vain."""

from __future__ import annotations

import os
import signal
import threading
import time
from typing import Any

import structlog
from flask import Flask

from codesherpa.chat import generation, leases
from codesherpa.chat.process import Process
from codesherpa.chat.wire import Wire
from codesherpa.concurrency import children, spawn
from codesherpa.extensions import db
from codesherpa.server.connections import Connections

RESERVE = 3.0  # Seconds of the grace time that are kept for what comes after the replies.
PARTING = 0.5  # Seconds that webhooks' work has to be put back, beside what replies take.
LOOK = 0.05

log = structlog.get_logger(__name__)


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
            elif connections.acceptor_died():  # It would never answer a new connection again: gunicorn starts another.
                log.critical("the accept loop ended; the worker restarts")
                os.kill(os.getpid(), signal.SIGTERM)
        try:
            leave(app, connections, worker.cfg.graceful_timeout - RESERVE)
        finally:
            children.close()
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
