"""Many chats are deleted a few at a time where the database computes in this process."""

from __future__ import annotations

import time

from sqlalchemy import ColumnElement, delete, select

from codesherpa.chat.models import Chat
from codesherpa.extensions import db

# SQLite writes over what it deletes: 150 chats of 200 KB held every socket up for 0.8 s.
AT_ONCE = 4


def in_batches(whose: ColumnElement[bool]) -> None:
    """Delete the chats of something that is about to go, and let others have their turn between; each few for good.

    PostgreSQL does it beside this process, all at once, when that goes.
    """
    if db.engine.dialect.name != "sqlite":
        return
    few = select(Chat.id).where(whose).limit(AT_ONCE)
    while ids := db.session.scalars(few).all():
        db.session.execute(delete(Chat).where(Chat.id.in_(ids)), execution_options={"synchronize_session": False})
        db.session.commit()
        time.sleep(0)
    db.session.commit()
