"""Which replies this process takes up, and how one of them is told to end."""

from __future__ import annotations

import time
from typing import cast

import structlog
from flask import Flask, g
from sqlalchemy import bindparam, select, update

from codesherpa.chat import generation, leases, rooms
from codesherpa.chat.generation import Task
from codesherpa.chat.models import WRITTEN_OUT, Chat, Held
from codesherpa.chat.patience import patiently
from codesherpa.chat.process import Live, Process, awaiting, here
from codesherpa.concurrency import Cancellation, start
from codesherpa.database import now
from codesherpa.extensions import db
from codesherpa.observability import tracing
from codesherpa.rows import first
from codesherpa.usage import metrics
from codesherpa.usage.meter import Meter
from codesherpa.user.models import User

# The entity would take five times as long to load as its columns.
WHOLE = select(*Chat.__table__.columns, User.language).join(User).where(Chat.id == bindparam("id"))
CHATS = Chat.__table__.c
IS_ACTIVE = select(CHATS.id).where(CHATS.id == bindparam("id"), CHATS.status.in_(WRITTEN_OUT))
STOPPING = 2.0  # Seconds that what is told to stop has to end, before it is deleted all the same.

log = structlog.get_logger(__name__)


def dispatch(user_id: int) -> None:
    """Start as many of a user's pending replies as may be written at once; one who leaves asks others to."""
    process = here()
    if process.leaving:
        process.bus.tell("take", user_id)
        return
    for chat_id in leases.claim(user_id, process.owner):
        begin(chat_id, user_id)


def begin(chat_id: int, user_id: int, task: Task | None = None) -> None:
    """Have a reply written whose lease this process has; a `task` is nobody else's, and None where it is to be read."""
    process = here()
    if chat_id in process.live:  # Its lease was lost and taken again: who writes it goes on.
        return
    meter = Meter(process.app.config["BEDROCK_MODEL_ALIASES"])
    process.live[chat_id] = Live(Cancellation(), process.streams.open(chat_id, user_id), meter)
    metrics.WRITING.inc()
    try:
        start(write, process.app, chat_id, task)
    except RuntimeError:  # No thread is to be had.
        let_go(process, chat_id)
        leases.give_back(process.owner, chat_id)
        raise


def write(app: Flask, chat_id: int, task: Task | None) -> None:
    """Write one reply, whatever happens, tell its end once, and begin what waited for it.

    Where its end can't be stored, its lease runs out, and it is ended by whoever looks for what was left behind.
    """
    process: Process = app.extensions["process"]
    user_id = process.live[chat_id].stream.user_id
    with app.app_context():
        try:
            write_one(process, chat_id, task)
            if leases.waits(user_id):
                dispatch(user_id)
        except Exception:
            log.exception("a reply is left to whoever looks for what was left behind", chat_id=chat_id)


def write_one(process: Process, chat_id: int, task: Task | None) -> None:
    live = process.live[chat_id]
    try:
        task = task or patiently(lambda: found(chat_id))
        if task is not None:
            g.request_id = task.chat.request_id
            with tracing.span("reply", tracing.recall(chat_id), **{"codesherpa.chat_id": chat_id}):
                generation.compose(task, live)
    finally:
        let_go(process, chat_id)


def let_go(process: Process, chat_id: int) -> None:
    """Write a reply no longer; where it has not ended, its lease runs out."""
    process.streams.close(process.live[chat_id].stream)
    del process.live[chat_id]
    metrics.WRITING.dec()
    process.wake(chat_id)


def found(chat_id: int) -> Task | None:
    """Return a chat as plain values, bound to no session: it is written to by statements alone."""
    row = first(WHOLE, id=chat_id)
    if row is None:
        return None
    values = vars(row)
    language = values.pop("language")
    return Task(cast(Chat, Held(**values)), language)


def stop(chat: Chat) -> None:
    """End a reply: one that is being written is cancelled, here or elsewhere; one that waits never begins."""
    if live := here().live.get(chat.id):
        live.cancellation.cancel()
        return
    waits = update(Chat).where(Chat.id == chat.id, Chat.status == "pending", Chat.lease_owner.is_(None))
    ending = {"status": "stopped", "result": {"kind": "reply", "reply": ""}, "completed_at": now()}
    ended = db.session.scalar(waits.values(ending).returning(Chat), execution_options={"populate_existing": True})
    if ended is None:
        wish = update(Chat).where(Chat.id == chat.id, Chat.is_active).values(stop_wanted=True)
        db.session.execute(wish, execution_options={"synchronize_session": False})
    db.session.commit()
    if ended is not None:
        rooms.tell_end(ended)
    elif live := here().live.get(chat.id):  # It was being taken up.
        live.cancellation.cancel()
    else:
        here().bus.tell("stop", chat.id)


def quiet(*chats: Chat) -> None:
    """Stop what is being written of these chats, and wait until it has ended, so that every tab is told."""
    db.session.commit()
    writing = [chat for chat in chats if not chat.has_ended]
    for chat in writing:
        stop(chat)
    give_up = time.monotonic() + STOPPING
    for chat in writing:
        with awaiting(chat.id) as ended:
            while first(IS_ACTIVE, id=chat.id) and time.monotonic() < give_up:
                ended.wait(0.5)
                ended.clear()
