"""Who writes which reply: a lease in the database, that runs out when its process dies."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from flask import current_app
from sqlalchemy import bindparam, or_, select, update

from codesherpa.chat import budget, deltas
from codesherpa.chat.deltas import Part
from codesherpa.chat.models import Chat
from codesherpa.database import now, reading
from codesherpa.extensions import db
from codesherpa.user.models import User

LEASE = timedelta(seconds=15)
INTERRUPTED = {"code": "interrupted", "message": "The server went away while it wrote this. You can ask again."}


class Lost(Exception):
    """A reply is no longer this process's to write."""


# Made once: to build a statement takes longer than to run it.
LOCK = select(User.id).where(User.id == bindparam("user_id")).with_for_update()  # Where two workers meet.
BEING_WRITTEN = (
    select(Chat.id, Chat.conversation_id, Chat.lease_owner)
    .where(Chat.user_id == bindparam("user_id"), Chat.is_active)
    .order_by(Chat.id)
)


def claim(user_id: int, owner: str) -> list[int]:
    """Take leases for a process: the oldest pending reply of each conversation, up to the limit for a user."""
    if db.engine.dialect.name != "sqlite":  # It has only one writer.
        db.session.execute(LOCK, {"user_id": user_id})
    ids = due(user_id)
    if ids:
        lease = {"lease_owner": owner, "lease_expires_at": now() + LEASE}
        taken = update(Chat).where(Chat.id.in_(ids)).values(lease)
        db.session.execute(taken, execution_options={"synchronize_session": False})
    db.session.commit()
    return ids


def waits(user_id: int) -> bool:
    """Tell whether a user has a reply that may begin now, without a lock."""
    with reading():
        found = bool(due(user_id))
        db.session.commit()
    return found


def due(user_id: int) -> list[int]:
    """Return the chats of a user whose replies may begin now, in the transaction that is open."""
    active = db.session.execute(BEING_WRITTEN, {"user_id": user_id}).all()
    free = current_app.config["MAX_GENERATIONS_PER_USER"] - sum(owner is not None for _, _, owner in active)
    first_of = {conversation_id: (id, owner) for id, conversation_id, owner in reversed(active)}
    return sorted(id for id, owner in first_of.values() if owner is None)[: max(free, 0)]


def renew(owner: str, chat_ids: list[int]) -> None:
    """Renew a process's leases on what it is writing; an idle process writes nothing."""
    if not chat_ids:
        return
    mine = update(Chat).where(Chat.id.in_(chat_ids), Chat.lease_owner == owner)
    db.session.execute(mine.values(lease_expires_at=now() + LEASE))
    db.session.commit()


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
        found = db.session.execute(select(Chat.id, Chat.user_id).where(Chat.is_active, nobodys)).all()
        db.session.commit()
    return [(chat_id, user_id) for chat_id, user_id in found]


def interrupt(chat_id: int, logged: Sequence[Part] = ()) -> Chat | None:
    """End a reply whose lease ran out, with the text that was saved, and return it.

    `logged` are the deltas that its process logged; those that were shown and not saved are added. One that
    was not begun is free to be taken again; it gives None, as does one whose lease goes on.
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
        add(ended, logged)
        budget.settle_unknown(ended)
    db.session.commit()
    return ended


def add(chat: Chat, logged: Sequence[Part]) -> None:
    """Add to a reply the deltas that follow what is stored of it."""
    stored = chat.delta_ends.count(",")
    for _, content in deltas.joined(stored, (part for part in logged if part[0] > stored)):
        chat.response += content
        chat.delta_ends += f"{len(chat.response)},"
