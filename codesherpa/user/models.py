"""The user as it is stored."""

from __future__ import annotations

from sqlalchemy import String, true
from sqlalchemy.orm import Mapped, mapped_column

from codesherpa.database import Dated
from codesherpa.extensions import Model

LONGEST_NAME = 120


class User(Dated, Model):
    """A person with an account; `email_key` is the address as it is compared, case-folded."""

    __tablename__ = "users"

    name: Mapped[str] = mapped_column(String(LONGEST_NAME))
    email: Mapped[str] = mapped_column(String(254))
    email_key: Mapped[str] = mapped_column(String(320), unique=True)
    password_hash: Mapped[str] = mapped_column(String(60))
    is_active: Mapped[bool] = mapped_column(default=True, server_default=true())
    language: Mapped[str] = mapped_column(String(8), default="en", server_default="en")
