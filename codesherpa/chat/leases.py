"""Who writes which reply: a lease in the database, that runs out when its process dies."""

from __future__ import annotations

from datetime import timedelta

from flask import current_app
from sqlalchemy import func, or_, select, update
from sqlalchemy.orm import aliased

from codesherpa.chat import budget
from codesherpa.chat.models import ACTIVE, Chat
from codesherpa.database import now, reading
from codesherpa.extensions import db
from codesherpa.user.models import User

LEASE = timedelta(seconds=15)
INTERRUPTED = {"code": "interrupted", "message": "The server went away while it wrote this. You can ask again."}


class Lost(Exception):
    """A reply is no longer this process's to write."""


def claim(user_id: int, owner: str) -> list[int]:
    """Take leases for a process: the oldest pending reply of each conversation, up to the limit for a user."""
    # The user's row is the lock that two workers meet at; SQLite has only one writer anyway.
    db.session.execute(select(User.id).where(User.id == user_id).with_for_update())
    mine = (Chat.user_id == user_id, Chat.status.in_(ACTIVE))
    writing = db.session.scalar(select(func.count(Chat.id)).where(*mine, Chat.lease_owner.is_not(None))) or 0
    earlier = aliased(Chat)
    in_turn = ~(
        select(earlier.id)
        .where(earlier.conversation_id == Chat.conversation_id, earlier.id < Chat.id, earlier.status.in_(ACTIVE))
        .exists()
    )
    free = current_app.config["MAX_GENERATIONS_PER_USER"] - writing
    pending = select(Chat.id).where(*mine, Chat.lease_owner.is_(None), in_turn).order_by(Chat.id).limit(max(free, 0))
    ids = list(db.session.scalars(pending))
    if ids:
        lease = {"lease_owner": owner, "lease_expires_at": now() + LEASE}
        db.session.execute(update(Chat).where(Chat.id.in_(ids)).values(lease))
    db.session.commit()
    return ids


def renew(owner: str, chat_ids: list[int]) -> None:
    """Renew a process's leases on what it is writing; an idle process writes nothing."""
    if not chat_ids:
        return
    mine = update(Chat).where(Chat.id.in_(chat_ids), Chat.lease_owner == owner)
    db.session.execute(mine.values(lease_expires_at=now() + LEASE))
    db.session.commit()


def hold(chat_id: int, owner: str) -> None:
    """Make sure, in the transaction that is open, that a process has the lease. Raises Lost."""
    mine = select(Chat.id).where(Chat.id == chat_id, Chat.lease_owner == owner).with_for_update()
    if db.session.scalar(mine) is None:
        db.session.rollback()
        raise Lost


def release(owner: str) -> set[int]:
    """Let go of what a process has claimed and not begun; return the users for whom another is to take it up."""
    mine = update(Chat).where(Chat.lease_owner == owner, Chat.status == "pending")
    free = mine.values(lease_owner=None, lease_expires_at=None).returning(Chat.user_id)
    db.session.execute(free, execution_options={"synchronize_session": False})
    db.session.commit()
    with reading():
        waiting = select(Chat.user_id).where(Chat.status == "pending", Chat.lease_owner.is_(None)).distinct()
        users = set(db.session.scalars(waiting))
        db.session.commit()
    return users


def left_behind() -> list[tuple[int, int]]:
    """Return what nobody writes that should be written: the ids of chats and their users."""
    with reading():
        nobodys = or_(Chat.lease_owner.is_(None), Chat.lease_expires_at < now())
        found = db.session.execute(select(Chat.id, Chat.user_id).where(Chat.status.in_(ACTIVE), nobodys)).all()
        db.session.commit()
    return [(chat_id, user_id) for chat_id, user_id in found]


def interrupt(chat_id: int) -> Chat | None:
    """End a reply whose lease ran out, with the text that was saved, and return it.

    One that was not begun is free to be taken again; it gives None, as does one whose lease goes on.
    """
    dead = (Chat.id == chat_id, Chat.lease_expires_at < now())
    for user_id, agent_id in db.session.execute(select(Chat.user_id, Chat.agent_id).where(*dead)):
        budget.hold(user_id, agent_id)
    free = {"lease_owner": None, "lease_expires_at": None}
    db.session.execute(update(Chat).where(*dead, Chat.status == "pending").values(free))
    ending = {"status": "interrupted", "error": INTERRUPTED, "completed_at": now()}
    ended = db.session.scalar(
        update(Chat).where(*dead, Chat.status == "streaming").values(free | ending).returning(Chat)
    )
    if ended is not None:
        budget.settle_unknown(ended)
    db.session.commit()
    return ended
