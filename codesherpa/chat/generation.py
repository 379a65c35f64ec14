"""A reply from start to end, owned by no socket and no request."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any, cast

import structlog
from flask import current_app
from sqlalchemy import Table, bindparam, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm.attributes import set_committed_value

from codesherpa import providers
from codesherpa.agents.models import Agent
from codesherpa.chat import budget, choice, history, leases, rooms
from codesherpa.chat.models import Chat
from codesherpa.chat.patience import patiently
from codesherpa.chat.process import Live, here
from codesherpa.chat.reply import Outcome, Reply, told
from codesherpa.database import now, reading
from codesherpa.errors import AppError
from codesherpa.extensions import db
from codesherpa.projects.models import Project
from codesherpa.providers.interface import Brief
from codesherpa.rows import fetch
from codesherpa.sherpas import language
from codesherpa.sherpas.interface import Ask, Routing
from codesherpa.usage import metrics
from codesherpa.usage.meter import Meter
from codesherpa.user.models import User

BROKEN = {"code": "internal_error", "message": "Something went wrong on our side. You can ask again."}
# Made once: to build a statement takes longer than to run it.
CHATS = cast(Table, Chat.__table__)
OURS = (
    CHATS.update()
    .where(CHATS.c.id == bindparam("chat_id"), CHATS.c.lease_owner == bindparam("owner"))
    .returning(CHATS.c.agent_id, CHATS.c.project_id)
)
LANGUAGE = select(User.language).where(User.id == bindparam("user_id"))

log = structlog.get_logger(__name__)


def compose(chat: Chat, live: Live) -> None:
    """Ask a sherpa for the reply, show it while it comes, store how it ended, and tell."""
    try:
        reply = patiently(lambda: prepare(chat, live))
        begun = False
        for text in reply:
            if not begun:
                begun = True
                rooms.tell_status(chat, "streaming")
            live.stream.append(text)
        outcome = reply.outcome
    except leases.Lost:
        budget.settle(chat, live.meter.calls, ended=False)
        db.session.commit()
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


def prepare(chat: Chat, live: Live) -> Reply:
    """Decide who answers, and store that before the model is called."""
    provider = providers.of(current_app)
    (person,) = fetch(LANGUAGE, user_id=chat.user_id)
    agent, project = chosen_for(chat)
    model_id = agent.model_id if agent else None
    past = history.before(chat, provider.window(model_id))
    chosen = choice.choose(chat, agent, past.sherpa, live.meter.watch(provider, "router"), live.cancellation)
    sherpa, routing = chosen.sherpa, chosen.routing
    decided = {
        "sherpa": sherpa.name,
        "provider": provider.name,
        "model_id": provider.model(model_id),
        "routing": {slot: getattr(routing, slot) for slot in Routing.__slots__} if routing else None,
        "status": "streaming",
    }
    if not store(chat, decided):
        db.session.rollback()
        raise leases.Lost
    db.session.commit()
    rooms.tell_status(chat, "thinking", past.left_out)
    ask = Ask(
        message=chat.message,
        code_context=chat.code_context,
        history=past.turns,
        language=person.language if person.language != "en" else language.of(chat.message),
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
    if not (chat.agent_id or chat.project_id):
        return None, None
    with reading():
        agent = db.session.get(Agent, chat.agent_id) if chat.agent_id else None
        project = db.session.get(Project, chat.project_id) if chat.project_id else None
        db.session.commit()
    return agent, project


def finish(chat: Chat, live: Live, outcome: Outcome) -> None:
    """Store the end of a reply in one transaction, then tell it; a database that is away is waited for."""
    usage = live.meter.usage
    values = {
        "status": outcome.status,
        "response": live.stream.text,
        "delta_ends": live.stream.ends,
        "result": outcome.result,
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
    ended = persist(chat, live.meter, values)
    seconds = time.monotonic() - live.started
    metrics.REPLY.labels(chat.sherpa or "none", outcome.status).observe(seconds)
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
        finish(chat, live, Outcome("interrupted", None, leases.INTERRUPTED))


def persist(chat: Chat, meter: Meter, values: dict[str, Any]) -> bool:
    """Write the end of a reply, again and again while the database is away; tell whether the chat was still ours.

    The calls of models are booked in the same transaction, whatever became of the chat.
    """
    give_up = time.monotonic() + 60
    while True:
        try:
            if meter.calls:
                budget.hold(chat.user_id, chat.agent_id)
            ended = store(chat, values)
            budget.settle(chat, meter.calls, ended)
            db.session.commit()
            return ended
        except SQLAlchemyError:
            db.session.rollback()
            if time.monotonic() > give_up:
                raise
            log.warning("the end of a reply waits for the database", exc_info=True)
            time.sleep(1)


def store(chat: Chat, values: dict[str, Any]) -> bool:
    """Write values of a chat that is ours, and into what is held of it here; tell whether it was ours.

    Its agent and its project may have been deleted meanwhile.
    """
    row = db.session.connection().execute(OURS, {"chat_id": chat.id, "owner": here().owner, **values}).one_or_none()
    if row is None:
        return False
    for name, value in {**values, "agent_id": row.agent_id, "project_id": row.project_id}.items():
        set_committed_value(chat, name, value)
    return True
