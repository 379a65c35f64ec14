"""Who writes which reply: a lease in the database, that runs out when its process dies."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from flask import current_app
from sqlalchemy import bindparam, or_, select, update

from codesherpa.chat import budget, deltas
from codesherpa.chat.deltas import Part
from codesherpa.chat.models import WRITTEN_OUT, Chat
from codesherpa.database import now, reading
from codesherpa.extensions import db
from codesherpa.rows import fetch
from codesherpa.user.models import User

LEASE = timedelta(seconds=15)
INTERRUPTED = {"code": "interrupted", "message": "The server went away while it wrote this. You can ask again."}


class Lost(Exception):
    """A reply is no longer this process's to write."""


# Made once: to build a statement takes longer than to run it.
USERS, CHATS = User.__table__.c, Chat.__table__.c
LOCK = select(USERS.id).where(USERS.id == bindparam("user_id")).with_for_update(key_share=True)
BEING_WRITTEN = (
    select(CHATS.id, CHATS.conversation_id, CHATS.lease_owner)
    .where(CHATS.user_id == bindparam("user_id"), CHATS.status.in_(WRITTEN_OUT))
    .order_by(CHATS.id)
)


def claim(user_id: int, owner: str) -> list[int]:
    """Take leases for a process: the oldest pending reply of each conversation, up to the limit for a user."""
    ids = due(alone(user_id))
    if ids:
        taken = update(Chat).where(Chat.id.in_(ids)).values(fresh(owner))
        db.session.execute(taken, execution_options={"synchronize_session": False})
    db.session.commit()
    return ids


def fresh(owner: str) -> dict[str, Any]:
    """Return the values of a chat whose lease a process takes now."""
    return {"lease_owner": owner, "lease_expires_at": now() + LEASE}


def alone(user_id: int) -> Sequence[Any]:
    """Keep others from the leases of a user until the transaction ends, and return what is being written."""
    connection = db.session.connection()
    if connection.dialect.name != "sqlite":  # It has only one writer.
        connection.execute(LOCK, {"user_id": user_id})
    return connection.execute(BEING_WRITTEN, {"user_id": user_id}).all()


def at_once(active: Sequence[Any], conversation_id: int | None) -> bool:
    """Tell whether one more chat in a conversation may begin beside what is being written, before none that waits."""
    goes_before = any(chat.lease_owner is None or chat.conversation_id == conversation_id for chat in active)
    return not goes_before and len(active) < current_app.config["MAX_GENERATIONS_PER_USER"]


def waits(user_id: int) -> bool:
    """Tell whether a user has a reply that may begin now, without a lock."""
    return bool(due(fetch(BEING_WRITTEN, user_id=user_id)))


def due(active: Sequence[Any]) -> list[int]:
    """Return which of a user's active chats may begin now."""
    free = current_app.config["MAX_GENERATIONS_PER_USER"] - sum(chat.lease_owner is not None for chat in active)
    first_of = {chat.conversation_id: chat for chat in reversed(active)}
    return sorted(chat.id for chat in first_of.values() if chat.lease_owner is None)[: max(free, 0)]


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
