"""A reply from start to end, owned by no socket and no request."""

from __future__ import annotations

import time
from typing import Any

import structlog
from flask import current_app
from sqlalchemy import select, update
from sqlalchemy.exc import SQLAlchemyError

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
from codesherpa.sherpas.interface import Ask, Routing
from codesherpa.usage import metrics
from codesherpa.usage.meter import Meter
from codesherpa.user.models import User

BROKEN = {"code": "internal_error", "message": "Something went wrong on our side. You can ask again."}

log = structlog.get_logger(__name__)


def compose(chat: Chat, live: Live) -> None:
    """Ask a sherpa for the reply, show it while it comes, store how it ended, and tell."""
    try:
        reply = patiently(lambda: prepare(chat, live))
        for text in reply:
            if not live.stream.text:
                rooms.tell_status(chat, "streaming")
                log.info("first word", chat_id=chat.id, seconds=round(time.monotonic() - live.started, 3))
            live.stream.append(text)
        outcome = reply.outcome
    except leases.Lost:
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
    with reading():
        user = db.session.get_one(User, chat.user_id)
        agent = db.session.get(Agent, chat.agent_id) if chat.agent_id else None
        project = db.session.get(Project, chat.project_id) if chat.project_id else None
        model_id = agent.model_id if agent else None
        turns, _left_out = history.before(chat, provider.window(model_id))
        previous = last_sherpa(chat)
        db.session.commit()
    chosen = choice.choose(chat, agent, previous, live.meter.watch(provider, "router"), live.cancellation)
    sherpa, routing = chosen.sherpa, chosen.routing
    chat.sherpa, chat.provider, chat.model_id = sherpa.name, provider.name, provider.model(model_id)
    chat.routing = {slot: getattr(routing, slot) for slot in Routing.__slots__} if routing else None
    leases.hold(chat.id, here().owner)
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
    return Reply(sherpa, live.meter.watch(provider, sherpa.name), sherpa.brief(ask), live.cancellation)


def last_sherpa(chat: Chat) -> str | None:
    """Return who answered last in a conversation."""
    return db.session.scalar(
        select(Chat.sherpa)
        .where(Chat.conversation_id == chat.conversation_id, Chat.id < chat.id, Chat.sherpa.is_not(None))
        .order_by(Chat.id.desc())
        .limit(1)
    )


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
    mine = update(Chat).where(Chat.id == chat.id, Chat.lease_owner == here().owner).values(values).returning(Chat)
    ended = persist(chat, live.meter, mine)
    seconds = time.monotonic() - live.started
    metrics.REPLY.labels(chat.sherpa or "none", outcome.status).observe(seconds)
    if ended is not None:  # Else somebody deleted the chat, or took it for dead and told its end.
        rooms.tell_end(ended, retryable=outcome.retryable)
        log.info("reply", chat_id=chat.id, status=outcome.status, sherpa=chat.sherpa, provider=chat.provider)


def abandon(chat_id: int, live: Live) -> None:
    """Store as interrupted a reply whose writer does not heed its cancellation."""
    chat = db.session.get(Chat, chat_id)
    db.session.commit()
    if chat is not None and chat.status == "streaming":
        finish(chat, live, Outcome("interrupted", None, leases.INTERRUPTED))


def persist(chat: Chat, meter: Meter, last: Any) -> Chat | None:
    """Run the last write of a reply, again and again while the database is away and the lease may still be ours.

    The calls of models are booked in the same transaction, whatever became of the chat.
    """
    give_up = time.monotonic() + 60
    while True:
        try:
            if meter.calls:
                budget.hold(chat.user_id, chat.agent_id)
            ended: Chat | None = db.session.scalar(last, execution_options={"populate_existing": True})
            budget.settle(chat, meter.calls, ended)
            db.session.commit()
            return ended
        except SQLAlchemyError:
            db.session.rollback()
            if time.monotonic() > give_up:
                raise
            log.warning("the end of a reply waits for the database", exc_info=True)
            time.sleep(1)
