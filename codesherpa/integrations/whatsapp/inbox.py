"""What came in: each message taken once, in order for each sender, and answered when its chat has ended."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import Any

import structlog
from sqlalchemy import exists, or_, select, update
from sqlalchemy.orm import aliased

from codesherpa import limits
from codesherpa.chat import service as chats
from codesherpa.chat.models import ENDED, Chat, Conversation
from codesherpa.database import now
from codesherpa.errors import AppError, Conflict, NotFound
from codesherpa.extensions import db
from codesherpa.integrations.jobs import insert_once
from codesherpa.integrations.whatsapp import client, linking, markup, outbox
from codesherpa.integrations.whatsapp.models import Link, Message, Stranger
from codesherpa.integrations.whatsapp.phrases import say
from codesherpa.user.models import User

LEASE = timedelta(seconds=30)
AT_ONCE = 50
STOP = {"stop", "ruko", "band karo", "रुको", "रुकें", "बंद करो"}
NEW = {"new", "naya", "nayi baat", "नया", "नई बात"}

log = structlog.get_logger(__name__)


def take(owner: str) -> Message | None:
    """Take the oldest message that is not taken, of a sender none of whose earlier ones wait."""
    earlier = aliased(Message)
    in_turn = ~exists().where(
        earlier.sender == Message.sender, earlier.id < Message.id, earlier.state == "waiting"
    ).correlate(Message)
    free = or_(Message.lease_owner.is_(None), Message.lease_expires_at <= now())
    waiting = select(Message.id).where(Message.state == "waiting", free, in_turn).order_by(Message.id).limit(1)
    mine = update(Message).where(Message.id == waiting.scalar_subquery(), Message.state == "waiting", free)
    taken = mine.values(lease_owner=owner, lease_expires_at=now() + LEASE).returning(Message)
    found: Message | None = db.session.scalar(taken, execution_options={"populate_existing": True})
    db.session.commit()
    return found


def handle(message: Message) -> None:
    """Do what a message asks for; what it changes and what is said to it are one transaction."""
    if confirmed := linking.confirm(message.sender, message.text):
        key, user = confirmed
        return settle(message, "done", [say(key, user.language)], user)
    found = linking.owner(message.sender)
    if found is None:
        return settle(message, "done", [say("stranger")] if is_news(message.sender) else [])
    user, link = found
    if not message.text:
        return settle(message, "done", [say("text_only", user.language)], user)
    word = message.text.casefold().strip(" .!।")
    if word in STOP:
        return settle(message, "done", [say(stop(user, link), user.language)], user)
    if word in NEW:
        link.thread += 1
        return settle(message, "done", [say("new", user.language)], user)
    return submit(message, user, link)


def submit(message: Message, user: User, link: Link) -> None:
    """Hand a message to the same service as a socket's; the same message twice is one chat."""
    key = hashlib.sha256(message.wamid.encode()).hexdigest()[:60]
    session = session_of(link)
    db.session.commit()
    try:
        limits.count_message(user.id)
        chat, _ = chats.submit(user, message.text, f"wa:{key}", session_id=session)
    except AppError as refused:
        db.session.rollback()
        return settle(message, "done", [refused.message], user)
    settle(message, "answering", [], user, chat)


def session_of(link: Link) -> str:
    return f"whatsapp-{link.thread}"


def stop(user: User, link: Link) -> str:
    """Stop what is being written in the phone's conversation; return what to say."""
    writing = db.session.scalars(
        select(Chat.id)
        .join(Conversation, Conversation.id == Chat.conversation_id)
        .where(Chat.user_id == user.id, Chat.status.not_in(ENDED), Conversation.session_key == session_of(link))
    ).all()
    db.session.commit()
    stopped = [id for id in writing if stops(user, id)]
    return "stopped" if stopped else "nothing_to_stop"


def stops(user: User, id: int) -> bool:
    try:
        chats.stop(user, id)
    except (Conflict, NotFound):
        return False
    return True


def is_news(number: str) -> bool:
    """Note that a stranger is told so today; False where it has been. The caller commits."""
    today = now().date()
    if insert_once(Stranger, number=number, told_on=today):
        return True
    before = update(Stranger).where(Stranger.number == number, Stranger.told_on < today).values(told_on=today)
    return db.session.scalar(before.returning(Stranger.number)) is not None


def settle(message: Message, state: str, says: list[str], user: User | None = None, chat: Chat | None = None) -> None:
    """Note what became of a message, together with what is said to it, unless somebody else has."""
    values: dict[str, Any] = {"state": state, "lease_owner": None, "lease_expires_at": None, "text": ""}
    values |= {"user_id": user.id if user else None, "chat_id": chat.id if chat else None}
    mine = update(Message).where(
        Message.id == message.id, Message.state == "waiting", Message.lease_owner == message.lease_owner
    )
    if db.session.execute(mine.values(values), execution_options={"synchronize_session": False}).rowcount:  # type: ignore[attr-defined]
        outbox.put(message.sender, map(client.text, says), user_id=user.id if user else None)
        db.session.commit()
    else:
        db.session.rollback()


def answer_ended() -> int:
    """Answer the messages whose chats have ended, each once, and return how many there were."""
    ended = db.session.execute(
        select(Message, Chat)
        .outerjoin(Chat, Chat.id == Message.chat_id)
        .where(Message.state == "answering", or_(Chat.id.is_(None), Chat.status.in_(ENDED)))
        .order_by(Message.id)
        .limit(AT_ONCE)
    ).all()
    db.session.commit()
    for message, chat in ended:
        mine = update(Message).where(Message.id == message.id, Message.state == "answering")
        done = mine.values(state="done").returning(Message.id)
        if db.session.scalar(done, execution_options={"synchronize_session": False}):
            outbox.put(message.sender, map(client.text, told(chat)), user_id=message.user_id)
        db.session.commit()
    return len(ended)


def told(chat: Chat | None) -> list[str]:
    """Return what is said to a phone when a chat has ended: nothing where it is gone or was stopped at once."""
    if chat is None or (chat.status == "stopped" and not chat.response):
        return []
    pages = markup.messages(chat.response, chat.result) if chat.response else []
    fault = chat.error["message"] if chat.error and chat.status in ("failed", "interrupted") else ""
    return [*pages, fault] if fault else pages


def is_answering() -> bool:
    """Tell whether replies are being written for phones, by any process."""
    found = db.session.scalar(select(Message.id).where(Message.state == "answering").limit(1))
    db.session.commit()
    return found is not None
