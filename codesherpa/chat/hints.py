"""What this process does about the hints of the others, and how it heals what it did not hear."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial

import structlog
from flask import Flask
from sqlalchemy import select

from codesherpa.chat import audience, work
from codesherpa.chat.bus import Hint
from codesherpa.chat.models import ENDED, Chat
from codesherpa.chat.process import Process, here
from codesherpa.database import reading
from codesherpa.extensions import db

MARGIN = timedelta(seconds=15)
CHUNK = 500

log = structlog.get_logger(__name__)


def init_app(app: Flask) -> None:
    """Have this process follow what the others tell."""
    process: Process = app.extensions["process"]
    process.bus.hear = partial(hear, process)
    process.bus.heal = partial(heal, process)


def hear(process: Process, hints: list[Hint]) -> None:
    """Follow hints, in their order."""
    with process.app.app_context():
        for word, *rest in hints:
            try:
                if word in FOLLOW:  # A worker of the next version may know more.
                    FOLLOW[word](process, *rest)
            except Exception:  # The database may be away; the next look finds what this one missed.
                db.session.rollback()
                log.exception("hint not followed", hint=word)


def delta(process: Process, user_id: int, chat_id: int, seq: int, content: str) -> None:
    process.delivery.delta(user_id, chat_id, seq, content)


def event(process: Process, user_id: int, name: str, payload: dict[str, object]) -> None:
    audience.tell(user_id, name, payload)


def status(process: Process, user_id: int, payload: dict[str, object]) -> None:
    process.delivery.status(user_id, payload)


def end(process: Process, user_id: int, chat_id: int, retryable: bool) -> None:
    process.wake(chat_id)
    if audience.sockets(user_id) and (chat := ended(chat_id)) is not None:
        process.delivery.end(chat, retryable)


def stop(process: Process, chat_id: int) -> None:
    if live := process.live.get(chat_id):
        live.cancellation.cancel()


def take(process: Process, user_id: int) -> None:
    """Take up what a process that is leaving does not; one that is leaving too would only ask in its turn."""
    if not process.leaving:
        work.dispatch(user_id)


def heal(process: Process, silent_since: float) -> None:
    """Tell the sockets here what they may have missed while Redis was away: deltas, and ends."""
    since = datetime.fromtimestamp(silent_since, UTC) - MARGIN
    with process.app.app_context():
        users = audience.users()
        for start in range(0, len(users), CHUNK):
            missed = select(Chat).where(Chat.user_id.in_(users[start : start + CHUNK]))
            for chat in listed(missed.where(Chat.status.in_(ENDED), Chat.completed_at > since)):
                if not process.delivery.has_told(chat):
                    process.delivery.end(chat)
            for chat in listed(missed.where(Chat.is_active)):
                process.delivery.fill(chat.user_id, chat.id)


def look() -> None:
    """Tell the ends of replies whose process died before it could."""
    process = here()
    elsewhere = [id for id in process.delivery.followed() if id not in process.live]
    if elsewhere:
        for chat in listed(select(Chat).where(Chat.id.in_(elsewhere), Chat.status.in_(ENDED))):
            process.delivery.end(chat)


def ended(chat_id: int) -> Chat | None:
    found = listed(select(Chat).where(Chat.id == chat_id, Chat.status.in_(ENDED)))
    return found[0] if found else None


def listed(statement: object) -> list[Chat]:
    with reading():
        found = list(db.session.scalars(statement, execution_options={"populate_existing": True}))  # type: ignore[call-overload]
        db.session.commit()
    return found


FOLLOW: dict[str, Callable[..., None]] = {
    "delta": delta,
    "status": status,
    "end": end,
    "stop": stop,
    "take": take,
    "event": event,
    "heal": heal,
}
