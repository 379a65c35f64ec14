"""What the sockets of this process have been shown of each reply, so that nothing comes twice or out of turn."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from codesherpa.chat import audience, deltas, schemas
from codesherpa.chat.deltas import Part
from codesherpa.chat.models import Chat
from codesherpa.database import now
from codesherpa.errors import BY_CODE
from codesherpa.extensions import socketio

CHAT = schemas.Chat()
REMEMBERED = 20_000  # Ends that are remembered, so that none is told twice.
SKEW = timedelta(seconds=0.25)  # By which the clocks of two workers may differ.
AGAIN = 0.2  # Seconds between two looks for deltas that are missing.

Missing = Callable[[int, int], list[Part]]


@dataclass(frozen=True, slots=True)
class Joined:
    """When a socket came in, and what it was told is being written."""

    at: datetime
    active: frozenset[int]


class Delivery:
    """Everything that a user's sockets here are told about replies goes through this, whoever writes them.

    A delta is shown when the one before it has been; where one is missing, it and those after it are fetched
    from `known`, and if they are nowhere yet, the next delta or the end tries again.
    """

    def __init__(self, known: Missing) -> None:
        self._known = known
        self._shown: dict[int, int] = {}
        self._owners: dict[int, int] = {}
        self._ended: OrderedDict[int, None] = OrderedDict()
        self._since: dict[int, datetime] = {}
        self._tried: dict[int, float] = {}
        self._joined: dict[str, Joined] = {}
        self._lock = threading.RLock()

    def delta(self, user_id: int, chat_id: int, seq: int, content: str) -> None:
        """Show one delta, after all before it and once."""
        with self._lock:
            if not (sockets := audience.sockets(user_id)):
                self._forget(chat_id)
                return
            if chat_id in self._ended:  # What was said before the end may come after it.
                return
            shown = self._follow(user_id, chat_id)
            if seq == shown + 1:
                self._show(sockets, chat_id, seq, content)
        if seq > shown + 1:
            self.fill(user_id, chat_id)

    def fill(self, user_id: int, chat_id: int) -> None:
        """Show what is missing, as far as it is known."""
        if time.monotonic() - self._tried.get(chat_id, 0) < AGAIN:
            return
        self._tried[chat_id] = time.monotonic()
        self._show_all(user_id, chat_id, self._known(chat_id, self._shown.get(chat_id, 0)))

    def status(self, user_id: int, payload: dict[str, Any]) -> None:
        """Tell how far a reply is."""
        with self._lock:
            if (sockets := audience.sockets(user_id)) and payload["chat_id"] not in self._ended:
                self._follow(user_id, payload["chat_id"])
                audience.send(sockets, "status", payload)

    def end(self, chat: Chat, retryable: bool | None = None) -> None:
        """Show what is missing of a reply, then tell its end, once."""
        with self._lock:
            if chat.id in self._ended:
                return
            if audience.sockets(chat.user_id):
                awaited = [one for one in audience.sockets(chat.user_id) if self._awaits(one, chat)]
                parts = deltas.cut(chat.response, chat.delta_ends, self._shown.get(chat.id, 0))
                self._show_all(chat.user_id, chat.id, parts, awaited)
                audience.send(awaited, *last_event(chat, retryable))
                self._ended[chat.id] = None
                if len(self._ended) > REMEMBERED:
                    self._ended.popitem(last=False)
            self._forget(chat.id)

    def position(self, user_id: int, chat_id: int) -> int | None:
        """Return the seq that a user's sockets here have been shown, None where there is nobody to show it to."""
        with self._lock:
            return self._shown.get(chat_id) if audience.sockets(user_id) else None

    def welcome(self, sid: str, user_id: int, ready: dict[str, Any], active: dict[int, int]) -> None:
        """Let a socket into its user's room and tell it `ready`, in one step, so that no delta falls between."""
        with self._lock:
            first = not audience.sockets(user_id)
            if first:
                self._since[user_id] = now()
            for chat_id, seq in active.items():
                if first or chat_id not in self._shown:
                    self._owners[chat_id], self._shown[chat_id] = user_id, seq
            socketio.server.manager.enter_room(sid, audience.NAMESPACE, audience.room(user_id))
            shown = [
                {"chat_id": id, "seq": self._shown[id]} for id in active if id in self._shown and id not in self._ended
            ]
            if connection := socketio.server.manager.eio_sid_from_sid(sid, audience.NAMESPACE):
                self._joined[connection] = Joined(now(), frozenset(active))
            audience.tell_one(sid, "ready", ready | {"active": shown})

    def left(self, user_id: int, connection: str | None) -> None:
        """Forget a socket, and what a user has been shown when nobody is left to show it to."""
        with self._lock:
            self._joined.pop(connection or "", None)
            if not audience.sockets(user_id):
                self._since.pop(user_id, None)
                for chat_id in [chat_id for chat_id, owner in self._owners.items() if owner == user_id]:
                    self._forget(chat_id)

    def followed(self) -> dict[int, int]:
        """Return what is being shown here: the ids of chats and of their users."""
        with self._lock:
            return dict(self._owners)

    def has_told(self, chat: Chat) -> bool:
        """Tell whether a chat's end is known to the sockets here, or older than all of them."""
        since = self._since.get(chat.user_id)
        return chat.id in self._ended or since is None or (chat.completed_at or since) < since

    def _awaits(self, connection: str, chat: Chat) -> bool:
        """Tell whether a socket waits for a chat's end, or came here after it had been told elsewhere."""
        joined = self._joined.get(connection)
        if joined is None or chat.completed_at is None or chat.id in joined.active:
            return True
        return chat.completed_at > joined.at - SKEW

    def _follow(self, user_id: int, chat_id: int) -> int:
        self._owners.setdefault(chat_id, user_id)
        return self._shown.setdefault(chat_id, 0)

    def _show_all(self, user_id: int, chat_id: int, parts: list[Part], sockets: list[str] | None = None) -> None:
        with self._lock:
            if sockets is None:
                sockets = audience.sockets(user_id) if chat_id not in self._ended else []
            for seq, content in parts:
                if sockets and seq == self._follow(user_id, chat_id) + 1:
                    self._show(sockets, chat_id, seq, content)

    def _show(self, sockets: list[str], chat_id: int, seq: int, content: str) -> None:
        self._shown[chat_id] = seq
        audience.send(sockets, "delta", {"type": "delta", "chat_id": chat_id, "seq": seq, "content": content})

    def _forget(self, chat_id: int) -> None:
        self._shown.pop(chat_id, None)
        self._owners.pop(chat_id, None)
        self._tried.pop(chat_id, None)


def last_event(chat: Chat, retryable: bool | None = None) -> tuple[str, dict[str, Any]]:
    """Return the last event of a reply, which is one, whatever its end.

    Whether it is worth another try is known to who wrote it; who comes later goes by the kind of the error.
    """
    shown = CHAT.dump(chat)
    if chat.status in ("complete", "stopped"):
        return "response", {"type": "response", "chat_id": chat.id, "content": chat.result, "chat": shown}
    error = chat.error or {"code": "internal_error", "message": "The reply was lost."}
    told = {"type": "error", "chat_id": chat.id, "code": error["code"], "content": error["message"]}
    if retryable is None:
        retryable = BY_CODE[error["code"]].retryable if error["code"] in BY_CODE else True
    return "error", told | {"retryable": retryable, "chat": shown}
