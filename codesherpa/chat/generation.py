"""A reply from start to end, owned by no socket and no request."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import structlog
from flask import Flask, current_app, g
from sqlalchemy import select, update
from sqlalchemy.exc import SQLAlchemyError

from codesherpa import providers
from codesherpa.agents.models import Agent
from codesherpa.chat import choice, history, leases, rooms
from codesherpa.chat.models import Chat
from codesherpa.chat.reply import Outcome, Reply
from codesherpa.chat.stream import Stream, Streams, Unsaved
from codesherpa.concurrency import Cancellation, spawn
from codesherpa.database import now, reading
from codesherpa.errors import AppError
from codesherpa.extensions import db
from codesherpa.projects.models import Project
from codesherpa.sherpas.interface import Ask, Routing
from codesherpa.user.models import User

SWEEP = 4.0  # Seconds between two looks for what a dead worker left; also how often leases are renewed.
BROKEN = {"code": "internal_error", "message": "Something went wrong on our side. You can ask again."}

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Live:
    """A reply that is being written in this process."""

    cancellation: Cancellation
    stream: Stream


class Generations:
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
    app.extensions["generations"] = Generations(app)


def here() -> Generations:
    """Return the replies of this process."""
    found: Generations = current_app.extensions["generations"]
    return found


def dispatch(user_id: int) -> None:
    """Start as many of a user's pending replies as may be written at once."""
    process = here()
    start_sweeping()
    for chat_id in leases.claim(user_id, process.owner):
        cancellation = Cancellation()
        process.live[chat_id] = Live(cancellation, process.streams.open(chat_id, user_id))
        spawn(write, process.app, chat_id)


def write(app: Flask, chat_id: int) -> None:
    """Write one reply, whatever happens, and tell its end once."""
    process: Generations = app.extensions["generations"]
    live = process.live[chat_id]
    with app.app_context():
        chat = db.session.get(Chat, chat_id)
        db.session.commit()
        try:
            if chat is not None:
                g.request_id = chat.request_id
                compose(chat, live)
        finally:
            process.streams.close(live.stream)
            process.live.pop(chat_id, None)
            for event in process.waiting.pop(chat_id, []):
                event.set()
        if chat is not None:
            dispatch(chat.user_id)


def compose(chat: Chat, live: Live) -> None:
    """Ask a sherpa for the reply, show it while it comes, store how it ended, and tell."""
    started = time.monotonic()
    reply: Reply | None = None
    try:
        reply = prepare(chat, live)
        for text in reply:
            if not live.stream.text:
                rooms.tell_status(chat, "streaming")
                log.info("first word", chat_id=chat.id, seconds=round(time.monotonic() - started, 3))
            live.stream.append(text)
        outcome = reply.outcome
    except AppError as fault:
        outcome = Outcome("failed", None, {"code": fault.code, "message": fault.message})
    except Exception:
        log.exception("reply failed", chat_id=chat.id)
        outcome = Outcome("failed", None, BROKEN)
    live.stream.flush()
    finish(chat, live.stream, outcome, reply)


def prepare(chat: Chat, live: Live) -> Reply:
    """Decide who answers, and store that before the model is called."""
    provider = providers.of(current_app)
    with reading():
        user = db.session.get_one(User, chat.user_id)
        agent = db.session.get(Agent, chat.agent_id) if chat.agent_id else None
        project = db.session.get(Project, chat.project_id) if chat.project_id else None
        model_id = agent.model_id if agent else None
        turns, _left_out = history.before(chat, provider.window(model_id))
        previous = last_sherpa(chat)
        db.session.commit()
    chosen = choice.choose(chat, agent, previous, provider, live.cancellation)
    sherpa, routing = chosen.sherpa, chosen.routing
    chat.sherpa, chat.provider, chat.model_id = sherpa.name, provider.name, provider.model(model_id)
    chat.routing = {slot: getattr(routing, slot) for slot in Routing.__slots__} if routing else None
    chat.status = "streaming"
    db.session.add(chat)
    db.session.commit()
    rooms.tell_status(chat, "thinking")
    ask = Ask(
        message=chat.message,
        code_context=chat.code_context,
        history=turns,
        language=user.language,
        system_prompt=agent.system_prompt if agent else None,
        model_id=model_id,
        temperature=agent.temperature if agent else None,
        max_tokens=agent.max_tokens if agent else None,
        instructions=project.instructions if project else None,
    )
    return Reply(sherpa, provider, sherpa.brief(ask), live.cancellation, chosen.usage)


def last_sherpa(chat: Chat) -> str | None:
    """Return who answered last in a conversation."""
    return db.session.scalar(
        select(Chat.sherpa)
        .where(Chat.conversation_id == chat.conversation_id, Chat.id < chat.id, Chat.sherpa.is_not(None))
        .order_by(Chat.id.desc())
        .limit(1)
    )


def finish(chat: Chat, stream: Stream, outcome: Outcome, reply: Reply | None) -> None:
    """Store the end of a reply in one transaction, then tell it; a database that is away is waited for."""
    usage = reply.usage if reply else None
    values = {
        "status": outcome.status,
        "response": stream.text,
        "delta_ends": stream.ends,
        "result": outcome.result,
        "error": outcome.error,
        "input_tokens": usage.input_tokens if usage else 0,
        "output_tokens": usage.output_tokens if usage else 0,
        "cache_read_tokens": usage.cache_read_tokens if usage else 0,
        "cache_write_tokens": usage.cache_write_tokens if usage else 0,
        "usage_estimated": usage.estimated if usage else False,
        "completed_at": now(),
        "lease_owner": None,
        "lease_expires_at": None,
    }
    mine = update(Chat).where(Chat.id == chat.id, Chat.lease_owner == here().owner).values(values).returning(Chat)
    ended = persist(mine)
    if ended is not None:  # Else somebody deleted the chat, or took it for dead and told its end.
        rooms.tell_end(ended, retryable=outcome.retryable)
        log.info("reply", chat_id=chat.id, status=outcome.status, sherpa=chat.sherpa, provider=chat.provider)


def persist(statement: object) -> Chat | None:
    """Run the last write of a reply, again and again while the database is away and the lease may still be ours."""
    give_up = time.monotonic() + 60
    while True:
        try:
            ended = db.session.scalar(statement, execution_options={"populate_existing": True})  # type: ignore[call-overload]
            db.session.commit()
            return ended  # type: ignore[no-any-return]
        except SQLAlchemyError:
            db.session.rollback()
            if time.monotonic() > give_up:
                raise
            log.warning("the end of a reply waits for the database", exc_info=True)
            time.sleep(1)


def stop(chat: Chat) -> None:
    """End a reply: one that is being written here is cancelled, one that waits its turn never begins."""
    if live := here().live.get(chat.id):
        live.cancellation.cancel()
        return
    waits = update(Chat).where(Chat.id == chat.id, Chat.status == "pending", Chat.lease_owner.is_(None))
    ending = {"status": "stopped", "result": {"kind": "reply", "reply": ""}, "completed_at": now()}
    ended = db.session.scalar(waits.values(ending).returning(Chat), execution_options={"populate_existing": True})
    db.session.commit()
    if ended is not None:
        rooms.tell_end(ended)


def quiet(*chats: Chat) -> None:
    """Stop what is being written of these chats."""
    db.session.commit()
    for chat in chats:
        if not chat.has_ended:
            stop(chat)


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


def start_sweeping() -> None:
    """Have this process look after leases from now on; the second call does nothing."""
    process = here()
    if process.sweeper is None:
        process.sweeper = spawn(sweep_until_closed, process)


def sweep_until_closed(process: Generations) -> None:
    while not process.closed.wait(SWEEP):
        try:
            with process.app.app_context():
                leases.renew(process.owner, list(process.live))
                sweep()
        except Exception:  # The database may be away for a while; this goes on.
            log.exception("sweep failed")


def sweep() -> None:
    """Mark what a dead worker was writing as interrupted, and take up what it had not begun."""
    left = leases.left_behind()
    for chat_id, _ in left:
        if (ended := leases.interrupt(chat_id)) is not None:
            rooms.tell_end(ended)
    for user_id in {user_id for _, user_id in left}:
        dispatch(user_id)
