"""What a user can do with conversations."""

from __future__ import annotations

from typing import Any, cast

from sqlalchemy import bindparam, func, select, update
from sqlalchemy.orm import undefer

from codesherpa import checkpoints
from codesherpa.chat import deletion, work
from codesherpa.chat.models import Chat, Conversation
from codesherpa.errors import NotFound
from codesherpa.extensions import db
from codesherpa.paging import Listing, Page
from codesherpa.rows import first
from codesherpa.user import storage
from codesherpa.user.models import User

LISTING = Listing(Conversation, Conversation.title, Conversation.last_chat_at.desc(), Conversation.id.desc())

MISSING = "There is no such conversation."
# Made once: to build a statement takes longer than to run it.
CONVERSATIONS = Conversation.__table__.c
MINE = select(*CONVERSATIONS).where(CONVERSATIONS.user_id == bindparam("user_id"))
BY_ID = MINE.where(CONVERSATIONS.id == bindparam("id"))
BY_NAME = MINE.where(CONVERSATIONS.session_key == bindparam("session_key"))


def find(user: User, id: int) -> Conversation:
    """Return a user's own conversation. Raises NotFound, for somebody else's too."""
    mine = select(Conversation).where(Conversation.id == id, Conversation.user_id == user.id)
    found = db.session.scalar(mine.options(undefer(Conversation.chat_count)))
    if found is None:
        raise NotFound(MISSING)
    return found


def named(user: User, conversation_id: int | None, session_id: str | None) -> Conversation | None:
    """Return the conversation that a message names, as a row, None where it begins one. Raises NotFound."""
    if conversation_id:
        found = first(BY_ID, user_id=user.id, id=conversation_id)
        if found is None:
            raise NotFound(MISSING)
    else:
        found = first(BY_NAME, user_id=user.id, session_key=session_id) if session_id else None
    return cast(Conversation | None, found)


def list(user: User, page: int, page_size: int, q: str = "") -> Page:
    """Return a page of a user's conversations whose title contains `q`, the one with the last chat first."""
    return LISTING.page(user, page, page_size, q)


def change(user: User, id: int, changes: dict[str, Any]) -> Conversation:
    """Change a conversation's title. Raises NotFound."""
    found = find(user, id)
    for name, value in changes.items():
        setattr(found, name, value)
    db.session.commit()
    return found


def lose_chat(gone: Chat) -> None:
    """Have the conversation of a chat that was just deleted stand where its last chat has it, in this transaction."""
    left = select(func.max(Chat.created_at)).where(Chat.conversation_id == gone.conversation_id).scalar_subquery()
    # What came meanwhile has moved it on.
    its = update(Conversation).where(
        Conversation.id == gone.conversation_id, Conversation.last_chat_at <= gone.created_at
    )
    moved = its.values(last_chat_at=func.coalesce(left, Conversation.created_at), updated_at=Conversation.updated_at)
    db.session.execute(moved, execution_options={"synchronize_session": False})


def delete(user: User, id: int) -> None:
    """Delete a conversation with its chats; what is being written is stopped first. Raises NotFound."""
    found = find(user, id)
    work.quiet(*db.session.scalars(select(Chat).where(Chat.conversation_id == id, Chat.is_active)).all())
    deletion.in_batches(user.id, Chat.conversation_id == id)
    storage.hold(user.id)
    chats = select(func.coalesce(func.sum(Chat.stored_bytes), 0)).where(Chat.conversation_id == id).scalar_subquery()
    size = db.session.scalar(select(chats + storage.ROW).where(Conversation.id == id))
    if size is None:  # Somebody else has deleted it meanwhile.
        raise NotFound(MISSING)
    storage.book(user.id, -size)
    db.session.delete(found)
    db.session.commit()
    checkpoints.request()
