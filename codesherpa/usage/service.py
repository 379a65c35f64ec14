"""The ledger: what calls took is booked in the transaction that ends their reply."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import cast

from sqlalchemy import ColumnElement, Table, delete, func, insert, select

from codesherpa.extensions import db
from codesherpa.providers.models import cost
from codesherpa.usage.meter import Call
from codesherpa.usage.models import ModelCall

NEW = insert(cast(Table, ModelCall.__table__))  # Made once: to build a statement takes longer than to run it.
BILLION = 1_000_000_000
GUESSED = "interrupted"  # Marks what was booked for a worker that seemed dead.


def book(calls: Iterable[Call], user_id: int, day: date, agent_id: int | None, chat_id: int | None) -> None:
    """Add calls to a user's ledger, on the day that they count against; the caller commits."""
    rows = [
        {
            "user_id": user_id,
            "agent_id": agent_id,
            "chat_id": chat_id,
            "day": day,
            "purpose": call.purpose,
            "provider": call.provider,
            "model_id": call.model_id,
            "input_tokens": call.usage.input_tokens,
            "output_tokens": call.usage.output_tokens,
            "cache_read_tokens": call.usage.cache_read_tokens,
            "cache_write_tokens": call.usage.cache_write_tokens,
            "estimated": call.usage.estimated,
            "cost_nanodollars": int(cost(call.family, call.usage) * BILLION),
            "fault": call.fault,
            "created_at": call.at,
        }
        for call in calls
    ]
    db.session.connection().execute(NEW, rows)


def forget_guess(chat_id: int) -> None:
    """Take back what was booked for a worker that seemed dead and is not; the caller commits."""
    db.session.execute(delete(ModelCall).where(ModelCall.chat_id == chat_id, ModelCall.fault == GUESSED))


def spent(user_id: int, day: date) -> ColumnElement[int]:
    """Select how many tokens, input and output, count against a user's budget of a day."""
    tokens = func.coalesce(func.sum(ModelCall.input_tokens + ModelCall.output_tokens), 0)
    return select(tokens).where(ModelCall.user_id == user_id, ModelCall.day == day).scalar_subquery()
