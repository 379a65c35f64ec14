"""What Meta delivers: batches of entries, changes and messages, kept before they are acknowledged."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from flask import current_app
from sqlalchemy import update

from codesherpa.extensions import db
from codesherpa.integrations.jobs import insert_once
from codesherpa.integrations.whatsapp.models import Message, Reply

# Kinds that hold words, and where.
WORDS = {
    "text": ("text", "body"),
    "button": ("button", "text"),
    "interactive": ("interactive", "button_reply", "title"),
}
SILENT = ("reaction", "system", "unknown", "request_welcome")  # Nobody expects an answer to these.
ARRIVED = ("sent", "delivered", "read", "played")
LONGEST_ID = 255


@dataclass(frozen=True, slots=True)
class Incoming:
    """One message: its id, its sender's number, its kind, and its words where it has some."""

    wamid: str
    sender: str
    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Status:
    """What became of a message that we sent, by the mark that we gave it."""

    mark: str
    arrived: bool


def read(payload: dict[str, Any], phone_number_id: str | None = None) -> tuple[list[Incoming], list[Status]]:
    """Take a delivery apart; what is not understood, or is for another number, is left out."""
    messages: list[Incoming] = []
    statuses: list[Status] = []
    for value in _values(payload):
        if phone_number_id and _dig(value, "metadata", "phone_number_id") != phone_number_id:
            continue
        messages += filter(None, map(_message, _list(value.get("messages"))))
        statuses += filter(None, map(_status, _list(value.get("statuses"))))
    return messages, statuses


def _values(payload: dict[str, Any]) -> Iterator[dict[str, Any]]:
    if payload.get("object") != "whatsapp_business_account":
        return
    for entry in _list(payload.get("entry")):
        for change in _list(entry.get("changes")):
            if change.get("field") == "messages" and isinstance(change.get("value"), dict):
                yield change["value"]


def _message(told: dict[str, Any]) -> Incoming | None:
    wamid, sender, kind = told.get("id"), told.get("from"), told.get("type")
    if not (isinstance(wamid, str) and 0 < len(wamid) <= LONGEST_ID and isinstance(kind, str)) or kind in SILENT:
        return None
    if not (isinstance(sender, str) and sender.isascii() and sender.isdigit() and len(sender) <= 20):
        return None
    words = _dig(told, *WORDS[kind]) if kind in WORDS else ""
    text = words.replace("\0", " ").strip() if isinstance(words, str) else ""
    return Incoming(wamid, sender, kind[:20], text)


def _status(told: dict[str, Any]) -> Status | None:
    mark, status = told.get("biz_opaque_callback_data"), told.get("status")
    if not (isinstance(mark, str) and mark.isascii() and mark.isdigit() and len(mark) < 19):
        return None
    return Status(mark, status in ARRIVED) if status in (*ARRIVED, "failed") else None


def _list(value: Any) -> list[dict[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _dig(value: Any, *path: str) -> Any:
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def keep(payload: dict[str, Any]) -> int:
    """Store a delivery's messages, each once, note its statuses, and return how many messages were new."""
    messages, statuses = read(payload, current_app.config["WHATSAPP_PHONE_NUMBER_ID"])
    new = _store(messages) if messages else 0
    for status in statuses:
        _settle(status)
    db.session.commit()
    return new


def _store(messages: list[Incoming]) -> int:
    return sum(insert_once(Message, **asdict(one)) for one in messages)


def _settle(status: Status) -> None:
    """Note that a message arrived, or never will; a worker may have died before it could."""
    mine = update(Reply).where(Reply.id == int(status.mark), Reply.state.in_(("waiting", "sending")))
    told = {"state": "sent" if status.arrived else "failed", "body": None, "lease_owner": None}
    db.session.execute(mine.values(told), execution_options={"synchronize_session": False})
