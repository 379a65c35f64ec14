"""Who writes which reply: a lease in the database, that runs out when its process dies."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, cast

from flask import current_app
from sqlalchemy import Table, bindparam, or_, select, update

from codesherpa.chat import budget, deltas
from codesherpa.chat.deltas import Part
from codesherpa.chat.models import WRITTEN_OUT, Chat
from codesherpa.database import now, reading
from codesherpa.extensions import db
from codesherpa.rows import Transaction, fetch, transaction, within
from codesherpa.user import storage
from codesherpa.user.models import User

LEASE = timedelta(seconds=15)
# A chat that may be taken by any process, as it was before anybody decided who answers it.
UNTAKEN: dict[str, Any] = {"status": "pending", "lease_owner": None, "lease_expires_at": None}
UNTAKEN |= dict.fromkeys(("sherpa", "provider", "model_id", "routing"))
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
# Whoever stops one that waits does not ask for the user first.
TAKE = (
    update(cast(Table, Chat.__table__))
    .where(CHATS.id == bindparam("chat_id"), CHATS.status == "pending", CHATS.lease_owner.is_(None))
    .returning(CHATS.id)
)


def claim(user_id: int, owner: str) -> list[int]:
    """Take leases for a process: the oldest pending reply of each conversation, up to the limit for a user."""
    with transaction() as unit:
        return [id for id in due(alone(unit, user_id)) if unit.run(TAKE, chat_id=id, **fresh(owner))]


def fresh(owner: str) -> dict[str, Any]:
    """Return the values of a chat whose lease a process takes now."""
    return {"lease_owner": owner, "lease_expires_at": now() + LEASE}


def alone(unit: Transaction, user_id: int) -> Sequence[Any]:
    """Keep others from the leases of a user until the transaction ends, and return what is being written."""
    if not unit.has_one_writer:
        unit.run(LOCK, user_id=user_id)
    return unit.run(BEING_WRITTEN, user_id=user_id)


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
    """Renew a process's leases on what it is writing; an idle process writes nothing.

    Locked in the order of their ids, as they are where deltas are saved: PostgreSQL has an order of its own.
    """
    if not chat_ids:
        return
    mine = select(Chat.id).where(Chat.id.in_(chat_ids), Chat.lease_owner == owner).order_by(Chat.id).with_for_update()
    renewed = update(Chat).where(Chat.id.in_(mine)).values(lease_expires_at=now() + LEASE)
    db.session.execute(renewed, execution_options={"synchronize_session": False})
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


def give_back(owner: str, chat_id: int) -> None:
    """Let another process, or this one later, take a chat whose lease a process has and that it can't begin."""
    mine = update(Chat).where(Chat.id == chat_id, Chat.lease_owner == owner, Chat.is_active)
    db.session.execute(mine.values(UNTAKEN), execution_options={"synchronize_session": False})
    db.session.commit()


def left_behind() -> list[tuple[int, int]]:
    """Return what nobody writes that should be written: the ids of chats and their users."""
    with reading():
        nobodys = or_(Chat.lease_owner.is_(None), Chat.lease_expires_at < now())
        found = db.session.execute(select(Chat.id, Chat.user_id).where(Chat.is_active, nobodys)).all()
        db.session.commit()
    return [(chat_id, user_id) for chat_id, user_id in found]


def interrupt(logs: Mapping[int, Sequence[Part]]) -> list[Chat]:
    """End the replies whose leases ran out, with the text that was saved, and return them.

    `logs` has for each chat's id the deltas that its process logged; those that were shown and not saved are added.
    One that was not begun is free to be taken again. Neither it is returned nor one whose lease goes on, nor one that
    is being ended elsewhere at this moment.
    """
    dead = (Chat.id.in_(logs), Chat.lease_expires_at < now())
    budget.hold_all(db.session.execute(select(Chat.user_id, Chat.agent_id).where(*dead)).all())
    ours = select(Chat).where(*dead).order_by(Chat.id).with_for_update(skip_locked=True)
    found = db.session.scalars(ours, execution_options={"populate_existing": True}).all()
    begun = [chat for chat in found if chat.status == "streaming"]
    unit = within(db.session.connection())
    more: Counter[int] = Counter()  # Bytes by user.
    for chat in found:
        chat.lease_owner = chat.lease_expires_at = None
    for chat in begun:
        chat.status, chat.error, chat.completed_at = "interrupted", INTERRUPTED, now()
        add(chat, logs[chat.id])
        size = storage.size(chat.message, chat.code_context, chat.response)
        more[chat.user_id] += size - chat.stored_bytes
        chat.stored_bytes = size
        budget.settle_unknown(unit, chat)
    for user_id, count in sorted(more.items()):
        storage.book(user_id, count, unit)
    db.session.commit()
    return begun


def add(chat: Chat, logged: Sequence[Part]) -> None:
    """Add to a reply the deltas that follow what is stored of it."""
    stored = chat.delta_ends.count(",")
    for _, content in deltas.joined(stored, (part for part in logged if part[0] > stored)):
        chat.response += content
        chat.delta_ends += f"{len(chat.response)},"
