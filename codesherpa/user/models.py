"""The user as it is stored."""

from __future__ import annotations

from sqlalchemy import BigInteger, String, true
from sqlalchemy.orm import Mapped, mapped_column

from codesherpa import emails
from codesherpa.database import Dated
from codesherpa.extensions import Model

LONGEST_NAME = 120


class User(Dated, Model):
    """A person with an account; `email_key` is what the address is found by (`emails.key`).

    `stored_bytes` is what it stores, as `user.storage` counts.
    """

    __tablename__ = "users"

    name: Mapped[str] = mapped_column(String(LONGEST_NAME))
    email: Mapped[str] = mapped_column(String(emails.LONGEST))
    email_key: Mapped[str] = mapped_column(String(emails.LONGEST_KEY), unique=True)
    password_hash: Mapped[str] = mapped_column(String(60))
    is_active: Mapped[bool] = mapped_column(default=True, server_default=true())
    language: Mapped[str] = mapped_column(String(8), default="en", server_default="en")
    stored_bytes: Mapped[int] = mapped_column(BigInteger, default=0, server_default="0")
