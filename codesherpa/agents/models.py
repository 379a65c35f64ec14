"""An agent as it is stored."""

from __future__ import annotations

from sqlalchemy import ForeignKey, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from codesherpa.database import Dated, Key
from codesherpa.extensions import Model


class Agent(Dated, Model):
    """A way of answering that a user has set up: a kind of sherpa with a prompt and a model of its own."""

    __tablename__ = "agents"

    user_id: Mapped[int] = mapped_column(Key, ForeignKey("users.id", ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column(String(120))
    description: Mapped[str | None] = mapped_column(Text)
    status: Mapped[str] = mapped_column(String(8), default="active")
    kind: Mapped[str] = mapped_column(String(8), default="general")
    system_prompt: Mapped[str | None] = mapped_column(Text)
    model_id: Mapped[str | None] = mapped_column(String(2048))
    temperature: Mapped[float | None]
    max_tokens: Mapped[int | None]
