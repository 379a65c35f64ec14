"""Conversations and chats as they are stored."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    JSON,
    ColumnElement,
    ForeignKey,
    Index,
    String,
    Text,
    UniqueConstraint,
    exists,
    false,
    func,
    literal_column,
    select,
)
from sqlalchemy.ext.hybrid import hybrid_property
from sqlalchemy.orm import Mapped, column_property, mapped_column

from codesherpa.agents.models import Agent
from codesherpa.database import NEVER_AGAIN, Dated, Key, Time, now
from codesherpa.extensions import Model

ACTIVE = ("pending", "streaming")
# Written out, not bound: SQLite uses an index of some rows only where it can see that no other is asked for.
WRITTEN_OUT: list[Any] = [literal_column(f"'{status}'") for status in ACTIVE]
ENDED = ("complete", "stopped", "failed", "interrupted")


class Conversation(Dated, Model):
    """Chats that belong together. `session_key` is the name that a client gave it, if it gave one."""

    __tablename__ = "conversations"
    __table_args__ = (
        UniqueConstraint("user_id", "session_key"),
        Index("ix_conversations_recent", "user_id", "last_chat_at", "id"),
        NEVER_AGAIN,
    )

    user_id: Mapped[int] = mapped_column(Key, ForeignKey("users.id", ondelete="CASCADE"))
    title: Mapped[str] = mapped_column(String(120))
    agent_id: Mapped[int | None] = mapped_column(Key, ForeignKey("agents.id", ondelete="SET NULL"), index=True)
    project_id: Mapped[int | None] = mapped_column(Key, ForeignKey("projects.id", ondelete="SET NULL"), index=True)
    session_key: Mapped[str | None] = mapped_column(String(64))
    last_chat_at: Mapped[datetime] = mapped_column(Time, default=now)

    if TYPE_CHECKING:  # Set below, where there are chats to count.
        chat_count: Mapped[int]


class Chat(Model):
    """A message and the reply to it.

    `sherpa` is who answered. `delta_ends` are the lengths of the response after each delta, comma-separated,
    so that a client can resume from any of them. A worker that writes the reply holds the lease; one that
    runs out tells that the worker has died. `reserved_tokens` is kept of the day's budget while it is written.
    Another worker that is asked to stop it sets `stop_wanted`. `stored_bytes` is what its user's count has of it.
    """

    __tablename__ = "chats"
    __table_args__ = (
        UniqueConstraint("user_id", "client_message_id"),
        Index("ix_chats_user_id_id", "user_id", "id"),
        Index("ix_chats_conversation_id_id", "conversation_id", "id"),
        Index("ix_chats_agent_id_id", "agent_id", "id"),
        NEVER_AGAIN,
    )

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    user_id: Mapped[int] = mapped_column(Key, ForeignKey("users.id", ondelete="CASCADE"))
    conversation_id: Mapped[int] = mapped_column(Key, ForeignKey("conversations.id", ondelete="CASCADE"))
    agent_id: Mapped[int | None] = mapped_column(Key, ForeignKey("agents.id", ondelete="SET NULL"))
    project_id: Mapped[int | None] = mapped_column(Key, ForeignKey("projects.id", ondelete="SET NULL"), index=True)
    message: Mapped[str] = mapped_column(Text)
    code_context: Mapped[str | None] = mapped_column(Text)
    response: Mapped[str] = mapped_column(Text, default="")
    result: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    status: Mapped[str] = mapped_column(String(11), default="pending")
    sherpa: Mapped[str | None] = mapped_column(String(40))
    routing: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    provider: Mapped[str | None] = mapped_column(String(20))
    model_id: Mapped[str | None] = mapped_column(String(2048))
    input_tokens: Mapped[int | None]
    output_tokens: Mapped[int | None]
    cache_read_tokens: Mapped[int | None]
    cache_write_tokens: Mapped[int | None]
    usage_estimated: Mapped[bool] = mapped_column(default=False, server_default=false())
    reserved_tokens: Mapped[int | None]
    error: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    client_message_id: Mapped[str | None] = mapped_column(String(64))
    request_id: Mapped[str] = mapped_column(String(64), default="")
    delta_ends: Mapped[str] = mapped_column(Text, default="")
    stop_wanted: Mapped[bool] = mapped_column(default=False, server_default=false())
    stored_bytes: Mapped[int] = mapped_column(default=0, server_default="0")
    lease_owner: Mapped[str | None] = mapped_column(String(32))
    lease_expires_at: Mapped[datetime | None] = mapped_column(Time)
    created_at: Mapped[datetime] = mapped_column(Time, default=now)
    completed_at: Mapped[datetime | None] = mapped_column(Time)

    @property
    def has_ended(self) -> bool:
        return self.status in ENDED

    @hybrid_property
    def is_active(self) -> bool:
        return self.status in ACTIVE

    @is_active.inplace.expression
    @classmethod
    def _is_active(cls) -> ColumnElement[bool]:
        return cls.status.in_(WRITTEN_OUT)


class Held:
    """A chat as the process holds it that writes its reply: the values of its columns, bound to no session.

    An entity takes five times as long to make, and each look at one of its columns calls a function.
    """

    def __init__(self, **values: Any) -> None:
        vars(self).update(dict.fromkeys(COLUMNS) | values)

    @property
    def has_ended(self) -> bool:
        return vars(self)["status"] in ENDED


COLUMNS = tuple(column.key for column in Chat.__table__.columns)


# What is being written is little among all that is stored; each worker looks for it again and again,
# and every list of agents asks whether it is one of theirs.
few: dict[str, Any] = {"sqlite_where": Chat.is_active, "postgresql_where": Chat.is_active}
Index("ix_chats_active", Chat.user_id, Chat.id, **few)
Index("ix_chats_active_agent", Chat.agent_id, **few)

COUNT = select(func.count(Chat.id)).where(Chat.conversation_id == Conversation.id).scalar_subquery()
Conversation.chat_count = column_property(COUNT, deferred=True, expire_on_flush=False)
Agent.is_writing = column_property(exists().where(Chat.agent_id == Agent.id, Chat.is_active), expire_on_flush=False)
