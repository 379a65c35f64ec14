"""What happened to an account: who signed in, from where, and what was changed; in the database and in the log."""

from __future__ import annotations

from datetime import datetime, timedelta

import structlog
from sqlalchemy import ForeignKey, String, delete, insert, select
from sqlalchemy.orm import Mapped, mapped_column

from codesherpa.database import Key, Time, now
from codesherpa.edge import address
from codesherpa.extensions import Model, db
from codesherpa.observability.requests import request_id
from codesherpa.user.models import User

KEPT = timedelta(days=365)
FORGOTTEN_AT_ONCE = 100

log = structlog.get_logger(__name__)


class AuditEvent(Model):
    """One thing that happened, and the request or command that did it; a command has no address.

    A sign-in that failed for an address without an account happened to nobody.
    """

    __tablename__ = "audit_events"

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    user_id: Mapped[int | None] = mapped_column(Key, ForeignKey("users.id", ondelete="CASCADE"), index=True)
    action: Mapped[str] = mapped_column(String(40))
    ip: Mapped[str] = mapped_column(String(45), default="")
    request_id: Mapped[str] = mapped_column(String(64), default="")
    created_at: Mapped[datetime] = mapped_column(Time, default=now)


def record(user_id: int | None, action: str, count: int | None = None) -> None:
    """Note what happens to an account, in the transaction that does it; in a request, a socket's event or a command.

    It is one row whatever the `count` of what it happened to, which the log has.
    """
    happened = {"action": action, "user_id": user_id, "ip": address(), "request_id": request_id()}
    db.session.execute(insert(AuditEvent), happened)
    log.info("audit", **happened, **({} if count is None else {"count": count}))


def forget_old() -> None:
    """Delete some events that are older than KEPT; the caller commits.

    Each sign-in, a failed one too, writes two rows at most and deletes up to FORGOTTEN_AT_ONCE, so the table does not
    grow for ever. Ids grow with time, so the oldest are looked at alone.
    """
    oldest = select(AuditEvent.id).order_by(AuditEvent.id).limit(FORGOTTEN_AT_ONCE)
    old = select(AuditEvent.id).where(AuditEvent.id.in_(oldest), AuditEvent.created_at < now() - KEPT)
    forgotten = delete(AuditEvent).where(AuditEvent.id.in_(old.with_for_update(skip_locked=True)))
    db.session.execute(forgotten, execution_options={"synchronize_session": False})


def trail(user: User, limit: int) -> list[AuditEvent]:
    """Return what happened to an account last, oldest first."""
    mine = select(AuditEvent).where(AuditEvent.user_id == user.id)
    return list(reversed(db.session.scalars(mine.order_by(AuditEvent.id.desc()).limit(limit)).all()))
