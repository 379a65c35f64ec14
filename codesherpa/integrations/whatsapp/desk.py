"""The loop that takes what came in and sends what goes out, in every process, as long as WhatsApp is switched on."""

from __future__ import annotations

import threading
import uuid
from datetime import timedelta

import structlog
from flask import Flask
from sqlalchemy import delete

from codesherpa.concurrency import spawn
from codesherpa.database import now
from codesherpa.extensions import db
from codesherpa.integrations.whatsapp import client, inbox, linking, outbox
from codesherpa.integrations.whatsapp.models import Message, Reply, Stranger

BUSY, IDLE = 0.3, 3.0  # Seconds between two looks: while replies are written for phones, and otherwise.
KEEP = timedelta(days=30)  # Longer than Meta delivers a message again.
TIDY = timedelta(hours=1)
AT_ONCE = 8  # Messages that are read before replies are looked after again: no more than are sent in one go.

log = structlog.get_logger(__name__)


class Desk:
    """One process's share of the work; `owner` names it in leases."""

    def __init__(self, app: Flask) -> None:
        self.app = app
        self.owner = uuid.uuid4().hex
        self.closed = False
        self.bell = threading.Event()
        self.lock = threading.Lock()
        self.tidied = now() - TIDY
        self.thread: threading.Thread | None = None

    def wake(self) -> None:
        """Look at once for what there is to do; the first call begins, where WhatsApp is switched on."""
        self.bell.set()
        with self.lock:
            if self.thread is None and not self.closed and client.of(self.app):
                self.thread = spawn(self._run)

    def close(self, patience: float = 10) -> None:
        """End after what is under way."""
        self.closed = True
        self.bell.set()
        if self.thread:
            self.thread.join(patience)

    def _run(self) -> None:
        while not self.closed:
            self.bell.clear()
            try:
                with self.app.app_context():
                    busy = self.work()
            except Exception:  # The database may be away for a while; this goes on.
                log.exception("whatsapp's desk stumbled")
                busy = False
            if not self.closed:
                self.bell.wait(BUSY if busy else IDLE)

    def work(self) -> bool:
        """Do all there is to do now, some of each kind in turn; tell whether more is soon to come."""
        while not self.closed and any([self._read(), inbox.answer_ended(), self._send_due()]):
            pass
        self._tidy()
        return inbox.is_answering()

    def _read(self) -> int:
        """Handle a few messages, so that a flood of them keeps nobody's answer back; return how many."""
        for count in range(AT_ONCE):
            if self.closed or (message := inbox.take(self.owner)) is None:
                return count
            inbox.handle(message)
        return AT_ONCE

    def _send_due(self) -> int:
        """Send what is due, the first for each of a few numbers; return how many there were."""
        if self.closed or (sender := client.of(self.app)) is None:
            return 0
        due = outbox.claim(self.owner)
        sending = [spawn(self._send, reply, sender) for reply in due]
        for thread in sending:
            thread.join()
        return len(due)

    def _send(self, reply: Reply, sender: client.Client) -> None:
        with self.app.app_context():
            outbox.send(reply, sender, self.owner)

    def _tidy(self) -> None:
        """Forget, now and then, what nobody will ask for again."""
        if now() - self.tidied < TIDY:
            return
        self.tidied, old = now(), now() - KEEP
        db.session.execute(delete(Message).where(Message.received_at < old, Message.state == "done"))
        db.session.execute(delete(Reply).where(Reply.created_at < old, Reply.state.in_(("sent", "failed"))))
        db.session.execute(delete(Stranger).where(Stranger.told_on < old.date()))
        linking.forget(old)
        db.session.commit()


def init_app(app: Flask) -> None:
    app.extensions["whatsapp"] = Desk(app)


def wake(app: Flask) -> None:
    """Have this process do its share, from now on."""
    desk: Desk = app.extensions["whatsapp"]
    desk.wake()
