"""How a socket that comes in or comes back follows what is being written for its user."""

from __future__ import annotations

import time

from sqlalchemy import select

from codesherpa.chat import leases, process, stream
from codesherpa.chat.models import ENDED, Chat
from codesherpa.chat.service import find
from codesherpa.database import reading
from codesherpa.extensions import db
from codesherpa.rows import fetch
from codesherpa.user.models import User

CATCH_UP = 2.0  # Seconds in which what another process has shown must be known here too.
PAUSE = 0.1


def resume(user: User, id: int, after_seq: int) -> tuple[Chat, int, str]:
    """Return a chat, its last seq, and the text of the reply that came after `after_seq`. Raises NotFound."""
    live = process.here().live.get(id)
    chat = find(user, id)
    db.session.commit()
    if live is not None and chat.is_active:
        return chat, *live.stream.after(after_seq)
    if chat.is_active:
        return chat, *written_elsewhere(user, id, after_seq)
    return chat, *stream.after(chat.response, chat.delta_ends, after_seq)


def written_elsewhere(user: User, id: int, after_seq: int) -> tuple[int, str]:
    """Return how far the user's sockets here have been shown a reply, and its text after `after_seq` up to there.

    What another process wrote in the last second may not be known here while Redis is away; it is waited for.
    """
    here, give_up = process.here(), time.monotonic() + CATCH_UP
    while True:
        shown = here.delivery.position(user.id, id)
        parts = here.known(id, 0)
        if shown is None or len(parts) >= shown or time.monotonic() > give_up:
            break
        time.sleep(PAUSE)
    until = len(parts) if shown is None else min(shown, len(parts))
    return until, "".join(content for _, content in parts[after_seq:until])


def active(user: User) -> dict[int, int]:
    """Return what is being written for a user: the ids of chats, and the last seq that is known of each."""
    return {chat.id: len(process.here().known(chat.id, 0)) for chat in fetch(leases.BEING_WRITTEN, user_id=user.id)}


def catch_up(user: User) -> None:
    """Tell a user's sockets here the end of what was being written when the last of them came in."""
    here = process.here()
    ids = [chat_id for chat_id, user_id in here.delivery.followed().items() if user_id == user.id]
    if ids:
        with reading():
            ended = db.session.scalars(select(Chat).where(Chat.id.in_(ids), Chat.status.in_(ENDED))).all()
            db.session.commit()
        for chat in ended:
            here.delivery.end(chat)
