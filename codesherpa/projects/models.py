"""A project as it is stored."""

from __future__ import annotations

from sqlalchemy import ForeignKey, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from codesherpa.database import Dated, Key
from codesherpa.extensions import Model


class Project(Dated, Model):
    """Something that a user works on: its instructions go with every message in it."""

    __tablename__ = "projects"

    user_id: Mapped[int] = mapped_column(Key, ForeignKey("users.id", ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column(String(120))
    description: Mapped[str | None] = mapped_column(Text)
    instructions: Mapped[str | None] = mapped_column(Text)
    repository: Mapped[str | None] = mapped_column(String(140))
