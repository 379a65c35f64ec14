"""What a user's sockets are told, wherever they are connected."""

from __future__ import annotations

from typing import Any

from codesherpa.chat import audience
from codesherpa.chat.delivery import CHAT
from codesherpa.chat.models import Chat
from codesherpa.chat.process import here

__all__ = ["CHAT", "tell", "tell_end", "tell_status"]


def tell(user_id: int, event: str, payload: dict[str, Any]) -> None:
    """Tell every socket of a user, on every worker, something that belongs to no reply."""
    audience.tell(user_id, event, payload)
    here().bus.tell("event", user_id, event, payload)


def tell_status(chat: Chat, content: str, left_out: int = 0) -> None:
    """Tell how far a reply is, and how many old chats of its conversation the model was not given, if any."""
    payload = {"type": "status", "chat_id": chat.id, "conversation_id": chat.conversation_id, "content": content}
    payload |= {"agent": chat.sherpa, "routing": chat.routing, **({"left_out": left_out} if left_out else {})}
    here().delivery.status(chat.user_id, payload)
    here().bus.tell("status", chat.user_id, payload)


def tell_end(chat: Chat, *, retryable: bool = True) -> None:
    """Tell the end of a reply that is stored."""
    here().delivery.end(chat, retryable)
    here().bus.tell("end", chat.user_id, chat.id, retryable)
