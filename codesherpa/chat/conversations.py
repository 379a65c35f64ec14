"""What a user can do with conversations."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import undefer

from codesherpa.chat import work
from codesherpa.chat.models import Chat, Conversation
from codesherpa.errors import NotFound
from codesherpa.extensions import db
from codesherpa.paging import Listing, Page
from codesherpa.user.models import User

LISTING = Listing(Conversation, Conversation.title, Conversation.last_chat_at.desc(), Conversation.id.desc())


def find(user: User, id: int) -> Conversation:
    """Return a user's own conversation. Raises NotFound, for somebody else's too."""
    mine = select(Conversation).where(Conversation.id == id, Conversation.user_id == user.id)
    found = db.session.scalar(mine.options(undefer(Conversation.chat_count)))
    if found is None:
        raise NotFound("There is no such conversation.")
    return found


def named(user: User, conversation_id: int | None, session_id: str | None) -> Conversation | None:
    """Return the conversation that a message names, None where it begins one."""
    if conversation_id:
        return find(user, conversation_id)
    if session_id:
        mine = select(Conversation).where(Conversation.user_id == user.id, Conversation.session_key == session_id)
        return db.session.scalar(mine)
    return None


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


def delete(user: User, id: int) -> None:
    """Delete a conversation with its chats; what is being written is stopped first. Raises NotFound."""
    found = find(user, id)
    work.quiet(*db.session.scalars(select(Chat).where(Chat.conversation_id == id, Chat.is_active)).all())
    db.session.delete(found)
    db.session.commit()
