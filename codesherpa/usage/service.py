"""The ledger: what calls took is booked in the transaction that ends their reply."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import cast

from sqlalchemy import Table, bindparam, delete, func, insert, select

from codesherpa.providers.models import cost
from codesherpa.rows import Transaction
from codesherpa.usage.meter import Call
from codesherpa.usage.models import ModelCall

BILLION = 1_000_000_000
GUESSED = "interrupted"  # Marks what was booked for a worker that seemed dead.
# Made once: to build a statement takes longer than to run it.
CALLS = cast(Table, ModelCall.__table__)
NEW = insert(CALLS)
FORGET = delete(CALLS).where(CALLS.c.chat_id == bindparam("guessed_id"), CALLS.c.fault == GUESSED)
# How many tokens, input and output, count against a user's budget of a day.
SPENT = (
    select(func.coalesce(func.sum(CALLS.c.input_tokens + CALLS.c.output_tokens), 0))
    .where(CALLS.c.user_id == bindparam("user_id"), CALLS.c.day == bindparam("day"))
    .scalar_subquery()
)


def book(
    unit: Transaction, calls: Iterable[Call], user_id: int, day: date, agent_id: int | None, chat_id: int | None
) -> None:
    """Add calls to a user's ledger, on the day that they count against."""
    for call in calls:
        unit.run(
            NEW,
            user_id=user_id,
            agent_id=agent_id,
            chat_id=chat_id,
            day=day,
            purpose=call.purpose,
            provider=call.provider,
            model_id=call.model_id,
            input_tokens=call.usage.input_tokens,
            output_tokens=call.usage.output_tokens,
            cache_read_tokens=call.usage.cache_read_tokens,
            cache_write_tokens=call.usage.cache_write_tokens,
            estimated=call.usage.estimated,
            cost_nanodollars=int(cost(call.family, call.usage) * BILLION),
            fault=call.fault,
            created_at=call.at,
        )


def forget_guess(unit: Transaction, chat_id: int) -> None:
    """Take back what was booked for a worker that seemed dead and is not."""
    unit.run(FORGET, guessed_id=chat_id)
