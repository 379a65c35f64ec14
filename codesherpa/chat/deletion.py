"""Many chats are deleted a few at a time where the database computes in this process."""

from __future__ import annotations

import time

from sqlalchemy import ColumnElement, delete, select

from codesherpa.chat.models import Chat
from codesherpa.extensions import db
from codesherpa.user import storage

# SQLite writes over what it deletes: 150 chats of 200 KB held every socket up for 0.8 s.
AT_ONCE = 4


def in_batches(user_id: int, whose: ColumnElement[bool]) -> None:
    """Delete a user's chats of something that is about to go, and let others run between two batches.

    Each batch is committed, with the space that it gives back. PostgreSQL deletes outside this process, all at once,
    when the owner of the chats is deleted.
    """
    if db.engine.dialect.name != "sqlite":
        return
    few = select(Chat.id, Chat.stored_bytes).where(whose).limit(AT_ONCE)
    while found := db.session.execute(few).all():
        ids = [id for id, _ in found]
        db.session.execute(delete(Chat).where(Chat.id.in_(ids)), execution_options={"synchronize_session": False})
        storage.book(user_id, -sum(size for _, size in found))
        db.session.commit()
        time.sleep(0)
    db.session.commit()
