"""The replies that this process writes, and who waits for them here."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from flask import Flask, current_app
from sqlalchemy import update

from codesherpa.chat.models import Chat
from codesherpa.chat.stream import Stream, Streams, Unsaved
from codesherpa.concurrency import Cancellation
from codesherpa.extensions import db
from codesherpa.usage.meter import Meter


@dataclass(slots=True)
class Live:
    """A reply that is being written in this process."""

    cancellation: Cancellation
    stream: Stream
    meter: Meter
    started: float = field(default_factory=time.monotonic)


class Process:
    """The replies that this process writes. `owner` names the process in their leases."""

    def __init__(self, app: Flask) -> None:
        self.app = app
        self.owner = uuid.uuid4().hex
        self.live: dict[int, Live] = {}
        self.streams = Streams(self._save)
        self.waiting: dict[int, list[threading.Event]] = {}
        self.sweeper: threading.Thread | None = None
        self.closed = threading.Event()

    def close(self, patience: float = 10) -> None:
        """Stop sweeping, and wait for what is being written, for so many seconds."""
        self.closed.set()
        give_up = time.monotonic() + patience
        while self.live and time.monotonic() < give_up:
            time.sleep(0.01)
        if self.sweeper:
            self.sweeper.join(patience)

    def _save(self, unsaved: list[Unsaved]) -> None:
        with self.app.app_context():
            for more in unsaved:
                append = {"response": Chat.response + more.more, "delta_ends": Chat.delta_ends + more.more_ends}
                mine = update(Chat).where(Chat.id == more.chat_id, Chat.lease_owner == self.owner)
                db.session.execute(mine.values(append), execution_options={"synchronize_session": False})
            db.session.commit()


def init_app(app: Flask) -> None:
    app.extensions["process"] = Process(app)


def here() -> Process:
    """Return the replies of this process."""
    found: Process = current_app.extensions["process"]
    return found


@contextmanager
def awaiting(chat_id: int) -> Iterator[threading.Event]:
    """Give an event that is set when a reply of this process ends."""
    event = threading.Event()
    waiting = here().waiting
    waiting.setdefault(chat_id, []).append(event)
    try:
        yield event
    finally:
        if event in (left := waiting.get(chat_id, [])):
            left.remove(event)
            if not left:
                waiting.pop(chat_id, None)
