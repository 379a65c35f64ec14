"""DAILY_TOKEN_BUDGET: what a user may spend in a UTC day, reserved with a message and settled with its reply."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta

from flask import current_app
from sqlalchemy import Select, func, select

from codesherpa import providers
from codesherpa.agents.models import Agent
from codesherpa.chat.models import Chat, Conversation
from codesherpa.database import now
from codesherpa.errors import BudgetExceeded
from codesherpa.extensions import db
from codesherpa.projects.models import Project
from codesherpa.providers.interface import Usage
from codesherpa.providers.models import estimate_tokens, family
from codesherpa.usage import metrics
from codesherpa.usage import service as usage
from codesherpa.usage.meter import Call
from codesherpa.user.models import User

OURS = 3_000  # Tokens of the longest of our own instructions, with its tool.


def reserve(
    user: User, agent: Agent | None, project: Project | None, conversation: Conversation | None, text: str
) -> int | None:
    """Return what to reserve for the reply to a message, None where there is no budget or no model to pay for.

    A reservation counts for as long as its chat is being written, so that nobody has to release it. The caller
    is alone with the user (`leases.alone`), so that of two that come at once the second sees the first.
    Raises BudgetExceeded, having written nothing.
    """
    limit = current_app.config["DAILY_TOKEN_BUDGET"]
    if limit is None or (provider := providers.of(current_app)).model(None) is None:
        return None
    if (db.session.scalar(taken(user.id)) or 0) >= limit:
        db.session.rollback()
        metrics.REFUSED.inc()
        raise BudgetExceeded(retry_after=seconds_left())
    model_id = agent.model_id if agent else None
    answer = (agent.max_tokens if agent else None) or current_app.config["BEDROCK_MAX_TOKENS"]
    wishes = (agent and agent.system_prompt, project and project.instructions)
    asked = OURS + said_before(conversation) + sum(estimate_tokens(part) for part in (text, *wishes) if part)
    return min(asked, provider.window(model_id)) + answer


def taken(user_id: int) -> Select[tuple[int]]:
    """Select what a user has spent and reserved today, in one statement: a reply may end between two."""
    since = datetime.combine(now().date(), time(), UTC)
    mine = (Chat.user_id == user_id, Chat.is_active, Chat.created_at >= since)
    reserved = select(func.coalesce(func.sum(Chat.reserved_tokens), 0)).where(*mine).scalar_subquery()
    return select(usage.spent(user_id, since.date()) + reserved)


def said_before(conversation: Conversation | None) -> int:
    """Estimate the tokens of a conversation so far."""
    if conversation is None:
        return 0
    written = func.length(Chat.message) + func.length(Chat.response) + func.length(func.coalesce(Chat.code_context, ""))
    lengths = select(func.sum(written)).where(Chat.conversation_id == conversation.id)
    return (db.session.scalar(lengths) or 0) // 3


def seconds_left() -> int:
    """Return the whole seconds until the next UTC day."""
    midnight = datetime.combine(now().date() + timedelta(days=1), time(), UTC)
    return max(1, -int(-(midnight - now()).total_seconds() // 1))


def settle(chat: Chat, calls: list[Call], ended: bool) -> None:
    """Book what a reply took, in the transaction that ends it; `ended` where its chat was there and still ours."""
    if calls and ended:
        usage.book(calls, chat.user_id, chat.created_at.date(), chat.agent_id, chat.id)
    elif calls:
        settle_late(chat, calls)


def settle_late(chat: Chat, calls: list[Call]) -> None:
    """Book what a reply took whose chat was deleted or taken for dead; with the account the ledger is gone too."""
    agent_id = select(Agent.id).where(Agent.id == chat.agent_id).scalar_subquery()
    chat_id = select(Chat.id).where(Chat.id == chat.id).scalar_subquery()
    left = db.session.execute(select(User.id, agent_id, chat_id).where(User.id == chat.user_id)).one_or_none()
    if left is not None:
        usage.forget_guess(chat.id)
        usage.book(calls, left[0], chat.created_at.date(), left[1], left[2])


def hold(user_id: int, agent_id: int | None) -> None:
    """Keep whom calls are booked on from going before the transaction ends.

    Asked for before the chat is written: who deletes a user or an agent takes them first and their chats second.
    """
    if db.engine.dialect.name == "sqlite":
        return  # It has only one writer.
    db.session.execute(select(User.id).where(User.id == user_id).with_for_update(read=True, key_share=True))
    if agent_id:
        db.session.execute(select(Agent.id).where(Agent.id == agent_id).with_for_update(read=True, key_share=True))


def settle_unknown(chat: Chat) -> None:
    """Book a guess at what a reply took whose worker died; the caller commits."""
    if chat.model_id is None:
        return
    read, written = OURS + estimate_tokens(f"{chat.message}{chat.code_context or ''}"), estimate_tokens(chat.response)
    chat.input_tokens, chat.output_tokens, chat.usage_estimated = read, written, True
    known = family(chat.model_id, current_app.config["BEDROCK_MODEL_ALIASES"])
    guess = Usage(read, written, estimated=True)
    call = Call(chat.sherpa or "router", chat.provider or "", chat.model_id, known, guess, usage.GUESSED)
    usage.book([call], chat.user_id, chat.created_at.date(), chat.agent_id, chat.id)
