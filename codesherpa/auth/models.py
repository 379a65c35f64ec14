"""A session as it is stored."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from codesherpa.database import Key, Time, now
from codesherpa.extensions import Model
from codesherpa.user.models import User


class AuthSession(Model):
    """One signed-in device. It knows its unspent refresh token by id and time of issue, never the token.

    `previous_jti` is the token that was spent last, at `rotated_at`.
    """

    __tablename__ = "auth_sessions"

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    user_id: Mapped[int] = mapped_column(Key, ForeignKey("users.id", ondelete="CASCADE"), index=True)
    refresh_jti: Mapped[str] = mapped_column(String(36))
    refresh_issued_at: Mapped[datetime] = mapped_column(Time, index=True)
    previous_jti: Mapped[str | None] = mapped_column(String(36))
    rotated_at: Mapped[datetime | None] = mapped_column(Time)
    ended_at: Mapped[datetime | None] = mapped_column(Time)
    user_agent: Mapped[str] = mapped_column(String(300), default="")
    ip: Mapped[str] = mapped_column(String(45), default="")
    created_at: Mapped[datetime] = mapped_column(Time, default=now)
    last_used_at: Mapped[datetime] = mapped_column(Time, default=now)

    user: Mapped[User] = relationship(lazy="joined", innerjoin=True)


# A user's live sessions are few among all that there were in the life of a refresh token.
LIVE = AuthSession.ended_at.is_(None)
Index(
    "ix_auth_sessions_live",
    AuthSession.user_id,
    AuthSession.last_used_at,
    AuthSession.id,
    sqlite_where=LIVE,
    postgresql_where=LIVE,
)
