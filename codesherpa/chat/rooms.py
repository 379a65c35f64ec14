"""What a user's sockets are told, wherever they are connected."""

from __future__ import annotations

from typing import Any

from codesherpa.chat import schemas
from codesherpa.chat.models import Chat
from codesherpa.extensions import socketio

NAMESPACE = "/ws"
CHAT = schemas.Chat()


def room(user_id: int) -> str:
    return f"user:{user_id}"


def tell(user_id: int, event: str, payload: dict[str, Any]) -> None:
    """Emit an event to every tab and device of a user."""
    socketio.emit(event, payload, to=room(user_id), namespace=NAMESPACE)


def tell_status(chat: Chat, content: str) -> None:
    payload = {"chat_id": chat.id, "conversation_id": chat.conversation_id, "content": content}
    tell(chat.user_id, "status", {"type": "status", **payload, "agent": chat.sherpa, "routing": chat.routing})


def tell_end(chat: Chat, *, retryable: bool = True) -> None:
    """Emit the last event of a reply, which is one, whatever its end."""
    shown = CHAT.dump(chat)
    if chat.status in ("complete", "stopped"):
        payload = {"type": "response", "chat_id": chat.id, "content": chat.result, "chat": shown}
        tell(chat.user_id, "response", payload)
    else:
        error = chat.error or {"code": "internal_error", "message": "The reply was lost."}
        payload = {"type": "error", "chat_id": chat.id, "code": error["code"], "content": error["message"]}
        tell(chat.user_id, "error", payload | {"retryable": retryable, "chat": shown})
