"""The ledger of the models' calls, as it is stored."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import BigInteger, ForeignKey, Index, String, false
from sqlalchemy.orm import Mapped, mapped_column

from codesherpa.database import NEVER_AGAIN, Key, Time, now
from codesherpa.extensions import Model


class ModelCall(Model):
    """One call of a model, also when it failed; it outlives its chat and its agent, and goes with the account.

    `purpose` is who called: `router` or a sherpa's name. `day` is the UTC day whose budget it counts against.
    `fault` is the contract's code of what went wrong. Costs are whole billionths of a dollar, so that sums are exact.
    """

    __tablename__ = "model_calls"
    __table_args__ = (
        Index("ix_model_calls_user_id_day", "user_id", "day"),
        Index("ix_model_calls_day", "day"),
        NEVER_AGAIN,
    )

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    user_id: Mapped[int] = mapped_column(Key, ForeignKey("users.id", ondelete="CASCADE"))
    agent_id: Mapped[int | None] = mapped_column(Key, ForeignKey("agents.id", ondelete="SET NULL"), index=True)
    chat_id: Mapped[int | None] = mapped_column(Key, ForeignKey("chats.id", ondelete="SET NULL"), index=True)
    day: Mapped[date]
    purpose: Mapped[str] = mapped_column(String(40))
    provider: Mapped[str] = mapped_column(String(20))
    model_id: Mapped[str] = mapped_column(String(2048))
    input_tokens: Mapped[int]
    output_tokens: Mapped[int]
    cache_read_tokens: Mapped[int]
    cache_write_tokens: Mapped[int]
    estimated: Mapped[bool] = mapped_column(default=False, server_default=false())
    cost_nanodollars: Mapped[int] = mapped_column(BigInteger)
    fault: Mapped[str | None] = mapped_column(String(40))
    created_at: Mapped[datetime] = mapped_column(Time, default=now)
