"""A reply from start to end, owned by no socket and no request."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import Any, cast

import structlog
from flask import current_app
from sqlalchemy import Table, bindparam, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm.attributes import set_committed_value

from codesherpa import providers
from codesherpa.agents import service as agents
from codesherpa.agents.models import Agent
from codesherpa.chat import budget, choice, history, leases, rooms
from codesherpa.chat.choice import Choice
from codesherpa.chat.models import Chat
from codesherpa.chat.patience import patiently
from codesherpa.chat.process import Live, here
from codesherpa.chat.reply import Outcome, Reply, told
from codesherpa.concurrency.fairness import working_for
from codesherpa.database import now
from codesherpa.errors import AppError
from codesherpa.extensions import db
from codesherpa.projects import service as projects
from codesherpa.projects.models import Project
from codesherpa.providers.interface import Brief
from codesherpa.rows import Transaction, transaction
from codesherpa.sherpas import language
from codesherpa.sherpas.interface import Ask
from codesherpa.usage import metrics
from codesherpa.usage.meter import Meter
from codesherpa.user import storage

BROKEN = {"code": "internal_error", "message": "Something went wrong on our side. You can ask again."}
# Made once: to build a statement takes longer than to run it.
CHATS = cast(Table, Chat.__table__)
OURS = (
    CHATS.update()
    .where(CHATS.c.id == bindparam("chat_id"), CHATS.c.lease_owner == bindparam("owner"))
    .returning(CHATS.c.agent_id, CHATS.c.project_id)
)
# The same that a try stored whose answer got lost.
STORED = select(CHATS.c.agent_id, CHATS.c.project_id).where(
    CHATS.c.id == bindparam("chat_id"),
    CHATS.c.status == bindparam("status"),
    CHATS.c.completed_at == bindparam("completed_at"),
)
FRESH = 5.0  # Seconds after which a lease is confirmed before the model is called: this process may have stood still.
PATIENCE = 60.0  # Seconds that the end of a reply waits for the database.

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Task:
    """A chat to reply to, as plain values, and the language that its user has set.

    One that is the first of its conversation has nothing before it to be read. Where the chat was stored with who
    answers it, that is `chosen`.
    """

    chat: Chat
    language: str
    is_first: bool = False
    chosen: Choice | None = None


def compose(task: Task, live: Live) -> None:
    """Ask a sherpa for the reply, show it while it comes, store how it ended, and tell."""
    with working_for(task.chat.user_id, live.cancellation):
        write(task, live)


def write(task: Task, live: Live) -> None:
    chat, streams = task.chat, here().streams
    try:
        reply = patiently(lambda: prepare(task, live))
        begun = False
        for text in reply:
            if not begun:
                begun = True
                rooms.tell_status(chat, "streaming")
            live.stream.append(text)
            streams.rest()
        outcome = reply.outcome
    except leases.Lost:
        with transaction() as unit:
            budget.settle(unit, chat, live.meter.calls, ended=False)
        return
    except AppError as fault:
        outcome = Outcome("failed", None, told(fault))
    except Exception:
        log.exception("reply failed", chat_id=chat.id)
        outcome = Outcome("failed", None, BROKEN)
    if live.interrupted and outcome.status == "stopped":
        outcome = Outcome("interrupted", None, leases.INTERRUPTED)
    live.stream.flush()
    finish(chat, live, outcome)


def prepare(task: Task, live: Live) -> Reply:
    """Decide who answers, where that was not stored with the message, and store it before the model is called."""
    provider, chat = providers.of(current_app), task.chat
    agent, project = chosen_for(chat)
    model_id = agent.model_id if agent else None
    past = history.NOTHING if task.is_first else history.before(chat, provider.window(model_id))
    chosen, is_fresh = task.chosen, time.monotonic() - live.started < FRESH
    if chosen is None or not is_fresh:
        router = live.meter.watch(provider, "router")
        chosen = chosen or choice.choose(chat, agent, past.sherpa, router, live.cancellation)
        with transaction() as unit:
            if not store(unit, chat, choice.stored(chosen, provider, agent)):
                raise leases.Lost
    sherpa = chosen.sherpa
    rooms.tell_status(chat, "thinking", past.left_out)
    ask = Ask(
        message=chat.message,
        code_context=chat.code_context,
        history=past.turns,
        language=task.language if task.language != "en" else language.of(chat.message),
        system_prompt=agent.system_prompt if agent else None,
        model_id=model_id,
        temperature=agent.temperature if agent else None,
        max_tokens=agent.max_tokens if agent else None,
        instructions=project.instructions if project else None,
    )

    def shorter() -> Brief | None:
        fewer = history.shorter(ask.history)
        if not ask.history:
            return None
        rooms.tell_status(chat, "thinking", past.left_out + (len(ask.history) - len(fewer)) // 2)
        return sherpa.brief(replace(ask, history=fewer))

    watched = live.meter.watch(provider, sherpa.name)
    return Reply(sherpa, watched, sherpa.brief(ask), live.cancellation, shorter)


def chosen_for(chat: Chat) -> tuple[Agent | None, Project | None]:
    """Return the agent and the project that a chat names and that there are still."""
    agent = agents.glance(chat.user_id, chat.agent_id) if chat.agent_id else None
    project = projects.glance(chat.user_id, chat.project_id) if chat.project_id else None
    return agent, project


def finish(chat: Chat, live: Live, outcome: Outcome, patience: float = PATIENCE) -> None:
    """Store the end of a reply in one transaction, then tell it; a database that is away is waited for, so long."""
    usage = live.meter.usage
    texts = (chat.message, chat.code_context, live.stream.text)
    values = {
        "status": outcome.status,
        "response": live.stream.text,
        "delta_ends": live.stream.ends,
        "result": outcome.result,
        "stored_bytes": storage.size(*texts, result=outcome.result),
        "error": outcome.error,
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "cache_read_tokens": usage.cache_read_tokens,
        "cache_write_tokens": usage.cache_write_tokens,
        "usage_estimated": usage.estimated,
        "completed_at": now(),
        "lease_owner": None,
        "lease_expires_at": None,
    }
    ended = persist(chat, live.meter, values, patience)
    seconds = time.monotonic() - live.started
    metrics.reply(chat.sherpa or "none", outcome.status).observe(seconds)
    if ended:  # Else somebody deleted the chat, or took it for dead and told its end.
        rooms.tell_end(chat, retryable=outcome.retryable)
        log.info("reply", **as_logged(chat, live))


def as_logged(chat: Chat, live: Live) -> dict[str, Any]:
    """Return what the log says of a reply that has ended; times are in seconds."""
    return {
        "chat_id": chat.id,
        "user_id": chat.user_id,
        "status": chat.status,
        "sherpa": chat.sherpa,
        "provider": chat.provider,
        "model": chat.model_id,
        "input_tokens": chat.input_tokens,
        "output_tokens": chat.output_tokens,
        "first_word_seconds": round(first - live.started, 3) if (first := live.stream.first_at) else None,
        "seconds": round(time.monotonic() - live.started, 3),
        "error": chat.error["code"] if chat.error else None,
    }


def abandon(chat_id: int, live: Live) -> None:
    """Store as interrupted a reply whose writer does not heed its cancellation."""
    chat = db.session.get(Chat, chat_id)
    db.session.commit()
    if chat is not None and chat.status == "streaming":
        finish(chat, live, Outcome("interrupted", None, leases.INTERRUPTED), patience=0)


def persist(chat: Chat, meter: Meter, values: dict[str, Any], patience: float) -> bool:
    """Write the end of a reply, again and again while the database is away; tell whether the chat was still ours.

    The calls of models are booked in the same transaction, whatever became of the chat. A connection may break
    between the commit and the word of it: then the next try finds what the last one has done.
    """
    give_up, is_first = time.monotonic() + patience, True
    more = values["stored_bytes"] - chat.stored_bytes
    ended_so = {name: values[name] for name in ("status", "completed_at")}
    while True:
        try:
            with transaction() as unit:
                if not is_first and (stored := unit.run(STORED, chat_id=chat.id, **ended_so)):
                    mirror(chat, values | vars(stored[0]))
                    return True
                is_first = False
                storage.book(chat.user_id, more, unit)  # Before the chat is locked.
                if meter.calls:
                    budget.hold(unit, chat.user_id, chat.agent_id)
                ended = store(unit, chat, values)
                if not ended:
                    storage.book(chat.user_id, -more, unit)
                budget.settle(unit, chat, meter.calls, ended)
            return ended
        except SQLAlchemyError:
            if time.monotonic() > give_up:
                raise
            log.warning("the end of a reply waits for the database", exc_info=True)
            time.sleep(1)


def store(unit: Transaction, chat: Chat, values: dict[str, Any]) -> bool:
    """Write values of a chat that is ours, and into what is held of it here; tell whether it was ours.

    Its agent and its project may have been deleted meanwhile.
    """
    ours = unit.run(OURS, chat_id=chat.id, owner=here().owner, **values)
    if not ours:
        return False
    mirror(chat, values | vars(ours[0]))
    return True


def mirror(chat: Chat, values: dict[str, Any]) -> None:
    """Have what is held of a chat here be as it is stored."""
    if not isinstance(chat, Chat):
        vars(chat).update(values)
        return
    for name, value in values.items():
        set_committed_value(chat, name, value)
