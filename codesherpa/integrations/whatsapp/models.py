"""What is known of WhatsApp's users, and what came from them and goes to them."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import JSON, Date, ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from codesherpa.database import NEVER_AGAIN, Key, Time, now
from codesherpa.extensions import Model


class Link(Model):
    """A user's number, as WhatsApp writes it: digits alone.

    `pending_number` waits for its code, of which a keyed hash is kept. `thread` counts the conversations begun.
    """

    __tablename__ = "whatsapp_links"

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    user_id: Mapped[int] = mapped_column(Key, ForeignKey("users.id", ondelete="CASCADE"), unique=True)
    number: Mapped[str | None] = mapped_column(String(20), unique=True)
    pending_number: Mapped[str | None] = mapped_column(String(20), index=True)
    code_hash: Mapped[str | None] = mapped_column(String(64))
    code_expires_at: Mapped[datetime | None] = mapped_column(Time)
    tries: Mapped[int] = mapped_column(default=0)
    thread: Mapped[int] = mapped_column(default=1)
    linked_at: Mapped[datetime | None] = mapped_column(Time)


class Message(Model):
    """A message that came in, once by its `wamid`.

    `state` goes `waiting` → `answering` (its chat is being written) → `done`. `text` is gone when it is done.
    """

    __tablename__ = "whatsapp_messages"
    __table_args__ = (
        Index("ix_whatsapp_messages_state_id", "state", "id"),
        Index("ix_whatsapp_messages_sender_state_id", "sender", "state", "id"),
        NEVER_AGAIN,
    )

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    wamid: Mapped[str] = mapped_column(String(255), unique=True)
    sender: Mapped[str] = mapped_column(String(20))
    kind: Mapped[str] = mapped_column(String(20))
    text: Mapped[str] = mapped_column(Text, default="")
    state: Mapped[str] = mapped_column(String(10), default="waiting")
    user_id: Mapped[int | None] = mapped_column(Key, ForeignKey("users.id", ondelete="CASCADE"), index=True)
    chat_id: Mapped[int | None] = mapped_column(Key, ForeignKey("chats.id", ondelete="SET NULL"), index=True)
    lease_owner: Mapped[str | None] = mapped_column(String(32))
    lease_expires_at: Mapped[datetime | None] = mapped_column(Time)
    received_at: Mapped[datetime] = mapped_column(Time, default=now, index=True)


class Reply(Model):
    """A message that goes out. `body` is what the Cloud API takes, and is gone when it was sent.

    `state` goes `waiting` → `sending` → `sent` or `failed`. Its id goes with it and comes back in WhatsApp's
    statuses, which tell whether a message was sent by a worker that died before it could note so.
    """

    __tablename__ = "whatsapp_replies"
    __table_args__ = (
        Index("ix_whatsapp_replies_state_id", "state", "id"),
        Index("ix_whatsapp_replies_recipient_state_id", "recipient", "state", "id"),
        NEVER_AGAIN,
    )

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    recipient: Mapped[str] = mapped_column(String(20))
    body: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    state: Mapped[str] = mapped_column(String(10), default="waiting")
    tries: Mapped[int] = mapped_column(default=0)
    due_at: Mapped[datetime] = mapped_column(Time, default=now)
    lease_owner: Mapped[str | None] = mapped_column(String(32))
    user_id: Mapped[int | None] = mapped_column(Key, ForeignKey("users.id", ondelete="CASCADE"), index=True)
    link_id: Mapped[int | None] = mapped_column(Key, ForeignKey("whatsapp_links.id", ondelete="CASCADE"), index=True)
    created_at: Mapped[datetime] = mapped_column(Time, default=now, index=True)


class Stranger(Model):
    """A number that belongs to no user, and the last day on which it was told so."""

    __tablename__ = "whatsapp_strangers"

    number: Mapped[str] = mapped_column(String(20), primary_key=True)
    told_on: Mapped[date] = mapped_column(Date, index=True)
