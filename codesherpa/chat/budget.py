"""DAILY_TOKEN_BUDGET: what a user may spend in a UTC day, reserved with a message and settled with its reply."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, time, timedelta
from typing import Any

from flask import current_app
from sqlalchemy import bindparam, func, select

from codesherpa import providers
from codesherpa.agents.models import Agent
from codesherpa.chat.models import Chat, Conversation
from codesherpa.database import now
from codesherpa.errors import BudgetExceeded
from codesherpa.extensions import db
from codesherpa.projects.models import Project
from codesherpa.providers.interface import Usage
from codesherpa.providers.models import estimate_tokens, family
from codesherpa.rows import Transaction
from codesherpa.usage import metrics
from codesherpa.usage import service as usage
from codesherpa.usage.meter import Call
from codesherpa.user.models import User

OURS = 3_000  # Tokens of the longest of our own instructions, with its tool.
# Made once: to build a statement takes longer than to run it.
MINE = (Chat.user_id == bindparam("user_id"), Chat.is_active, Chat.created_at >= bindparam("since"))
RESERVED = select(func.coalesce(func.sum(Chat.reserved_tokens), 0)).where(*MINE).scalar_subquery()
# What a user has spent and reserved today, in one statement: a reply may end between two.
TAKEN = select((usage.SPENT + RESERVED).label("tokens"))
WRITTEN = func.length(Chat.message) + func.length(Chat.response) + func.length(func.coalesce(Chat.code_context, ""))
SAID = select(func.sum(WRITTEN).label("characters")).where(Chat.conversation_id == bindparam("conversation_id"))
STAYS = [
    select(entity.id).where(entity.id == bindparam("id")).with_for_update(read=True, key_share=True)
    for entity in (User, Agent)
]
THERE = select(
    User.id,
    select(Agent.id).where(Agent.id == bindparam("agent_id")).scalar_subquery().label("agent_id"),
    select(Chat.id).where(Chat.id == bindparam("chat_id")).scalar_subquery().label("chat_id"),
).where(User.id == bindparam("user_id"))


def reserve(
    unit: Transaction,
    user: User,
    agent: Agent | None,
    project: Project | None,
    conversation: Conversation | None,
    text: str,
) -> int | None:
    """Return what to reserve for the reply to a message, None where there is no budget or no model to pay for.

    A reservation counts for as long as its chat is being written, so that nobody has to release it. The caller
    is alone with the user (`leases.alone`), so that of two that come at once the second sees the first.
    Raises BudgetExceeded.
    """
    limit = current_app.config["DAILY_TOKEN_BUDGET"]
    if limit is None or (provider := providers.of(current_app)).model(None) is None:
        return None
    since = datetime.combine(now().date(), time(), UTC)
    if unit.run(TAKEN, user_id=user.id, since=since, day=since.date())[0].tokens >= limit:
        metrics.REFUSED.inc()
        raise BudgetExceeded(retry_after=seconds_left())
    model_id = agent.model_id if agent else None
    answer = (agent.max_tokens if agent else None) or current_app.config["BEDROCK_MAX_TOKENS"]
    wishes = (agent and agent.system_prompt, project and project.instructions)
    asked = OURS + said_before(unit, conversation) + sum(estimate_tokens(part) for part in (text, *wishes) if part)
    return min(asked, provider.window(model_id)) + answer


def said_before(unit: Transaction, conversation: Conversation | None) -> int:
    """Estimate the tokens of a conversation so far."""
    if conversation is None:
        return 0
    return (unit.run(SAID, conversation_id=conversation.id)[0].characters or 0) // 3


def seconds_left() -> int:
    """Return the whole seconds until the next UTC day."""
    midnight = datetime.combine(now().date() + timedelta(days=1), time(), UTC)
    return max(1, -int(-(midnight - now()).total_seconds() // 1))


def settle(unit: Transaction, chat: Chat, calls: list[Call], ended: bool) -> None:
    """Book what a reply took, in the transaction that ends it; `ended` where its chat was there and still ours."""
    if calls and ended:
        usage.book(unit, calls, chat.user_id, chat.created_at.date(), chat.agent_id, chat.id)
    elif calls:
        settle_late(unit, chat, calls)


def settle_late(unit: Transaction, chat: Chat, calls: list[Call]) -> None:
    """Book what a reply took whose chat was deleted or taken for dead; with the account the ledger is gone too."""
    for left in unit.run(THERE, user_id=chat.user_id, agent_id=chat.agent_id, chat_id=chat.id):
        usage.forget_guess(unit, chat.id)
        usage.book(unit, calls, left.id, chat.created_at.date(), left.agent_id, left.chat_id)


def hold(unit: Transaction, user_id: int, agent_id: int | None) -> None:
    """Keep whom calls are booked on from going before the transaction ends.

    Asked for before the chat is written: who deletes a user or an agent takes them first and their chats second.
    """
    if unit.has_one_writer:
        return
    for stays, id in zip(STAYS, (user_id, agent_id), strict=True):
        if id:
            unit.run(stays, id=id)


def hold_all(whom: Sequence[Any]) -> None:
    """As `hold`, for many users with their agents, in the session's transaction."""
    for entity, at in ((User, 0), (Agent, 1)):
        if ids := {ids[at] for ids in whom} - {None}:
            held = select(entity.id).where(entity.id.in_(ids)).order_by(entity.id)
            # What users store is counted in their rows.
            db.session.execute(held.with_for_update(read=entity is not User, key_share=True))


def settle_unknown(unit: Transaction, chat: Chat) -> None:
    """Book a guess at what a reply took whose worker died; the caller commits."""
    if chat.model_id is None:
        return
    read, written = OURS + estimate_tokens(f"{chat.message}{chat.code_context or ''}"), estimate_tokens(chat.response)
    chat.input_tokens, chat.output_tokens, chat.usage_estimated = read, written, True
    known = family(chat.model_id, current_app.config["BEDROCK_MODEL_ALIASES"])
    guess = Usage(read, written, estimated=True)
    call = Call(chat.sherpa or "router", chat.provider or "", chat.model_id, known, guess, usage.GUESSED)
    usage.book(unit, [call], chat.user_id, chat.created_at.date(), chat.agent_id, chat.id)
