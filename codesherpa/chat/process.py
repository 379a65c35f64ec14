"""What this process writes, shows and hears, and who waits for it here."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import groupby
from typing import cast

from flask import Flask, current_app
from sqlalchemy import Table, bindparam, select

from codesherpa.chat import deltas
from codesherpa.chat.bus import Bus, Hint
from codesherpa.chat.delivery import Delivery
from codesherpa.chat.deltas import Part
from codesherpa.chat.models import Chat
from codesherpa.chat.stream import Stream, Streams, Unsaved
from codesherpa.concurrency import Cancellation, Turnstile
from codesherpa.database import reading
from codesherpa.extensions import db
from codesherpa.usage.meter import Meter

AT_ONCE = 2  # Messages that are taken up in one turn of the hub.
# Made once: to build a statement takes longer than to run it.
CHATS = cast(Table, Chat.__table__)
OURS = CHATS.update().where(CHATS.c.id == bindparam("chat_id"), CHATS.c.lease_owner == bindparam("owner"))
REWRITE = OURS.values(response=bindparam("more"), delta_ends=bindparam("more_ends"))
APPEND = OURS.values(
    response=CHATS.c.response.concat(bindparam("more")),
    delta_ends=CHATS.c.delta_ends.concat(bindparam("more_ends")),
)


@dataclass(slots=True)
class Live:
    """A reply that is being written in this process; an interrupted one ends because the process does."""

    cancellation: Cancellation
    stream: Stream
    meter: Meter
    started: float = field(default_factory=time.monotonic)
    interrupted: bool = False


class Process:
    """The replies of this process. `owner` names it in their leases; one that is leaving takes up no more.

    Where it is `dismissed`, nobody waits here for a reply's end.
    """

    def __init__(self, app: Flask) -> None:
        self.app = app
        self.owner = uuid.uuid4().hex
        self.live: dict[int, Live] = {}
        self.bus = Bus(app.config["REDIS_URL"], self.owner)
        self.bus.catch_up = self._unsaved
        self.delivery = Delivery(self.known)
        self.turnstile = Turnstile(AT_ONCE)
        self.streams = Streams(self._save, self._show, self.turnstile.is_crowded)
        self.waiting: dict[int, list[threading.Event]] = {}
        self.sweeper: threading.Thread | None = None
        self.trusts_leases_at = 0.0
        self.leaving = False
        self.dismissed = False
        self.closed = threading.Event()

    def close(self, patience: float = 10) -> None:
        """Stop sweeping, and wait for what is being written, for so many seconds."""
        self.closed.set()
        give_up = time.monotonic() + patience
        while self.live and time.monotonic() < give_up:
            time.sleep(0.01)
        if self.sweeper:
            self.sweeper.join(patience)
        self.bus.close()

    def known(self, chat_id: int, after: int) -> list[Part]:
        """Return the deltas of a reply that came after a seq, without a gap, as far as they are known here.

        Another process's are in the database for all but the last second, and that second is in the log.
        """
        if live := self.live.get(chat_id):
            return live.stream.parts(after)
        with self.app.app_context(), reading():
            stored = db.session.execute(select(Chat.response, Chat.delta_ends).where(Chat.id == chat_id)).first()
            db.session.commit()
        if stored is None:
            return []
        parts = deltas.cut(stored.response, stored.delta_ends, after)
        return deltas.joined(after, [*parts, *self.bus.log(chat_id, max(after, stored.delta_ends.count(",")))])

    def writing_for(self) -> set[int]:
        """Return the users for whom this process writes."""
        return {live.stream.user_id for live in list(self.live.values())}

    def dismiss(self) -> None:
        """Have nobody wait here any longer for the end of a reply."""
        self.dismissed = True
        for chat_id in list(self.waiting):
            self.wake(chat_id)

    def wake(self, chat_id: int) -> None:
        """Wake who waits here for the end of a reply."""
        for event in list(self.waiting.get(chat_id, [])):
            event.set()

    def _show(self, user_id: int, chat_id: int, seq: int, content: str) -> None:
        self.delivery.delta(user_id, chat_id, seq, content)
        self.bus.tell("delta", user_id, chat_id, seq, content)

    def _unsaved(self) -> list[Hint]:
        """Return the deltas that the log may lack, as hints."""
        streams = [live.stream for live in list(self.live.values())]
        return [["delta", one.user_id, one.chat_id, *part] for one in streams for part in one.unsaved_parts()]

    def _save(self, unsaved: list[Unsaved]) -> None:
        with self.app.app_context():
            # In the order in which leases are renewed, so that neither holds what the other waits for.
            ordered = sorted(unsaved, key=lambda more: more.chat_id)
            for is_whole, batch in groupby(ordered, key=lambda more: more.is_whole):
                values = [
                    {"owner": self.owner, "chat_id": one.chat_id, "more": one.more, "more_ends": one.more_ends}
                    for one in batch
                ]
                db.session.connection().execute(REWRITE if is_whole else APPEND, values)
            db.session.commit()
            self._obey()

    def _obey(self) -> None:
        """Stop what should stop and was not found here: it was being taken up, or Redis did not bring the wish."""
        with reading():
            wanted = select(Chat.id).where(Chat.id.in_(list(self.live)), Chat.stop_wanted)
            stopped = list(db.session.scalars(wanted))
            db.session.commit()
        for chat_id in stopped:
            if live := self.live.get(chat_id):
                live.cancellation.cancel()


def init_app(app: Flask) -> None:
    app.extensions["process"] = Process(app)


def here() -> Process:
    """Return the replies of this process."""
    found: Process = current_app.extensions["process"]
    return found


@contextmanager
def awaiting(chat_id: int) -> Iterator[threading.Event]:
    """Give an event that is set when a reply ends that this process writes, or hears of."""
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
