"""What a user can do with chats and conversations."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, cast

from flask import current_app
from marshmallow import ValidationError as SchemaError
from sqlalchemy import Select, Table, bindparam, insert, select, update
from sqlalchemy.exc import IntegrityError

from codesherpa import checkpoints, providers
from codesherpa.agents import service as agents
from codesherpa.chat import budget, choice, conversations, deletion, leases, process, rooms, schemas, sweep, work
from codesherpa.chat.choice import Choice
from codesherpa.chat.generation import Task
from codesherpa.chat.models import Chat, Conversation, Held
from codesherpa.database import now, reading
from codesherpa.errors import (
    BY_CODE,
    AppError,
    BudgetExceeded,
    Conflict,
    ModelTimeout,
    NotFound,
    ServiceUnavailable,
)
from codesherpa.extensions import db
from codesherpa.observability import tracing
from codesherpa.observability.requests import request_id
from codesherpa.paging import contains, escaped
from codesherpa.projects import service as projects
from codesherpa.rows import end_reading, fetch, first, transaction
from codesherpa.shown import shown
from codesherpa.user import service as users
from codesherpa.user import storage
from codesherpa.user.models import User

TITLE = 80
STOPPING = 10.0  # Seconds that a caller waits for a reply that was told to stop.
UNSEEN = (
    "delta_ends",
    "request_id",
    "stored_bytes",
    "lease_owner",
    "lease_expires_at",
)  # Of a chat, what no list shows.
LONGEST_WAIT = 600.0  # Seconds that a caller waits for a reply.
RESTARTS = "The server restarts. What you sent is stored, and is answered by the one that comes."
RETRY_AFTER = 5  # Seconds after which a model that was short of breath is worth another try.
# Made once: to build a statement takes longer than to run it.
CONVERSATIONS, CHATS = cast(Table, Conversation.__table__), cast(Table, Chat.__table__)
NEW_CONVERSATION = insert(CONVERSATIONS).returning(CONVERSATIONS.c.id)
BLANK = {"status": "pending", "response": "", "delta_ends": "", "usage_estimated": False, "stop_wanted": False}
NEW_CHAT = insert(CHATS).returning(CHATS.c.id)
GOES_ON = update(CONVERSATIONS).where(CONVERSATIONS.c.id == bindparam("conversation_id"))
SENT_ID = schemas.Sent()
SENT = select(CHATS.c.id).where(
    CHATS.c.user_id == bindparam("user_id"), CHATS.c.client_message_id == bindparam("client_message_id")
)


@dataclass(frozen=True, slots=True)
class History:
    """Some chats as rows, oldest first; `next_before` leads to the ones before them."""

    chats: Sequence[Any]
    next_before: int | None

    @property
    def count(self) -> int:
        return len(self.chats)


@dataclass(frozen=True, slots=True)
class Stored:
    """A message that was stored: its chat's `values`, and whether its conversation begins with it.

    Where it was stored with who answers it, that is `chosen`, and `decided` are the values that say so.
    """

    values: dict[str, Any]
    is_first: bool
    chosen: Choice | None
    decided: dict[str, Any]


def find(user: User, id: int) -> Chat:
    """Return a user's own chat. Raises NotFound, for somebody else's too."""
    found = db.session.scalar(select(Chat).where(Chat.id == id, Chat.user_id == user.id))
    if found is None:
        raise NotFound("There is no such chat.")
    return found


def history(user: User, limit: int, before: int | None = None, q: str = "", **where: int) -> History:
    """Return the last chats of a user before one, oldest first, of the conversation, agent or project in `where`."""
    wanted: dict[str, Any] = where | ({} if before is None else {"before": before}) | ({"q": escaped(q)} if q else {})
    found = fetch(selection(*sorted(wanted)), user_id=user.id, most=limit + 1, **wanted)
    last = found[:limit][::-1]
    return History(last, last[0].id if len(found) > limit else None)


@cache
def selection(*wanted: str) -> Select[Any]:
    """Return the selection of a user's last chats by what is asked of them; each is made once."""
    asked = {
        "before": Chat.id < bindparam("before"),
        "q": contains(Chat.message) | contains(Chat.response),
        "conversation_id": Chat.conversation_id == bindparam("conversation_id"),
        "agent_id": Chat.agent_id == bindparam("agent_id"),
        "project_id": Chat.project_id == bindparam("project_id"),
    }
    mine = select(*shown(Chat, without=UNSEEN)).where(Chat.user_id == bindparam("user_id"))
    return mine.where(*(asked[name] for name in wanted)).order_by(Chat.id.desc()).limit(bindparam("most"))


def submit(user: User, message: str, client_message_id: str | None = None, **beside: Any) -> tuple[Chat, bool]:
    """Store a message and have it answered; return its chat, and whether it is new.

    The same `client_message_id` gives the first chat again, whatever else is sent. `beside` may name
    code_context, conversation_id, session_id, agent_id and project_id. Raises NotFound, Conflict, StorageFull, and
    BudgetExceeded where the user's tokens of the day are spent; then nothing is stored.
    """
    end_reading()  # Whoever calls may have read: nobody waits inside a transaction.
    process.here().turnstile.enter()
    for _ in range(2):  # Another may make the same message or conversation first; then it is there to be found.
        if client_message_id and (sent := known(user, client_message_id)):
            return sent, False
        try:
            stored = store(user, message, client_message_id, **beside)
        except IntegrityError:
            continue
        except BudgetExceeded:
            # The first of two at once may have taken what was left, and is the answer to both.
            if client_message_id and (sent := known(user, client_message_id)):
                return sent, False
            raise
        sweep.start()
        chat = cast(Chat, Held(**stored.values))
        tracing.remember(chat.id)
        if chat.lease_owner:
            held = cast(Chat, Held(**stored.values | stored.decided))
            work.begin(chat.id, user.id, Task(held, user.language, stored.is_first, stored.chosen))
        else:
            work.dispatch(user.id)
        return chat, True
    raise Conflict("What this message belongs to has just changed. Send it again.")


def sent_before(user: User, body: object) -> Chat | None:
    """Return the chat of a message that was sent before, by its client_message_id, whatever else its body says."""
    try:
        return known(user, SENT_ID.load(body)["client_message_id"])  # type: ignore[arg-type]
    except SchemaError:
        return None


def known(user: User, client_message_id: str) -> Chat | None:
    sent = first(SENT, user_id=user.id, client_message_id=client_message_id)
    if sent is None:
        return None
    with reading():
        found = db.session.get(Chat, sent.id, populate_existing=True)
        db.session.commit()
    return found


def store(
    user: User,
    message: str,
    client_message_id: str | None,
    code_context: str | None = None,
    conversation_id: int | None = None,
    session_id: str | None = None,
    agent_id: int | None = None,
    project_id: int | None = None,
) -> Stored:
    """Store a message in its conversation; what it does not name, the conversation does.

    Where its reply may begin at once, its lease is taken in the same transaction, and who answers is stored with it
    where that is plain.
    """
    agent = agents.glance(user.id, agent_id) if agent_id else None
    project = projects.glance(user.id, project_id) if project_id else None
    if agent_id and agent is None:
        raise NotFound(agents.MISSING)
    if agent and agent.status == "inactive":
        raise Conflict("This agent is inactive.")
    if project_id and project is None:
        raise NotFound(projects.MISSING)
    conversation = conversations.named(user, conversation_id, session_id)
    where = {"agent_id": agent_id, "project_id": project_id}
    if conversation is not None:
        where = {name: where[name] or getattr(conversation, name) for name in where}
        where["conversation_id"] = conversation.id
    said = {"message": message, "code_context": code_context, "client_message_id": client_message_id}
    size = storage.size(message, code_context)
    here, chosen, decided = process.here(), None, dict[str, Any]()
    provider = providers.made(current_app)
    if provider and (agent or conversation is None):  # Else who answered last may count.
        chosen = choice.plain(message, code_context, agent, None, provider)
    with transaction() as unit:
        # It takes the user's row, as `leases.alone` does.
        storage.reserve(user.id, size + (storage.ROW if conversation is None else 0), unit)
        active = unit.run(leases.BEING_WRITTEN, user_id=user.id)
        reserved = budget.reserve(unit, user, agent, project, conversation, f"{message}{code_context or ''}")
        at = now()
        if conversation is None:
            named = {"user_id": user.id, "title": titled(message), "session_key": session_id}
            times = {"created_at": at, "updated_at": at, "last_chat_at": at}
            where["conversation_id"] = unit.run(NEW_CONVERSATION, **where, **named, **times)[0].id
        values = BLANK | where | said | {"user_id": user.id, "reserved_tokens": reserved, "request_id": request_id()}
        values["stored_bytes"] = size
        if not here.leaving and leases.at_once(active, where["conversation_id"]):
            values |= leases.fresh(here.owner)
            decided = choice.stored(chosen, provider, agent) if chosen and provider else decided
        values["created_at"] = at
        values["id"] = unit.run(NEW_CHAT, **values | decided)[0].id
        if conversation is not None:  # Last: who deletes its agent waits for it, with the agent in hand.
            unit.run(GOES_ON, conversation_id=conversation.id, last_chat_at=at, updated_at=at)
    return Stored(values, conversation is None, chosen if decided else None, decided)


def titled(message: str) -> str:
    """Return what a conversation is called by its first message: its beginning, but never white space alone."""
    return message[:TITLE] if message[:TITLE].strip() else message.strip()[:TITLE]


def answer(user: User, **message: Any) -> tuple[Chat, bool]:
    """As `submit`, and wait until the reply has ended. Raises the model's fault, with the chat, where it is new."""
    chat, is_new = submit(user, **message)
    ended = await_end(user, chat)
    if is_new:
        raise_fault(ended)
    return ended, is_new


def await_end(user: User, chat: Chat, patience: float = LONGEST_WAIT) -> Chat:
    """Wait until a reply has ended, in this process or another. Raises ServiceUnavailable where this one goes first."""
    id, give_up = chat.id, time.monotonic() + patience
    with process.awaiting(id) as ended:
        chat = reread(user, id)
        while not chat.has_ended and time.monotonic() < give_up:
            if process.here().dismissed:
                raise ServiceUnavailable(RESTARTS, retry_after=RETRY_AFTER, chat=rooms.CHAT.dump(chat))
            ended.wait(1)
            ended.clear()
            chat = reread(user, id)
    if not chat.has_ended:
        raise ModelTimeout(chat=rooms.CHAT.dump(chat))
    return chat


def reread(user: User, id: int) -> Chat:
    """Return a chat as it is now. Raises NotFound when it has been deleted meanwhile."""
    mine = select(Chat).where(Chat.id == id, Chat.user_id == user.id).execution_options(populate_existing=True)
    found = db.session.scalar(mine)
    db.session.commit()
    if found is None:
        raise NotFound("There is no such chat.")
    return found


def stop(user: User, id: int) -> Chat:
    """End a reply that is being written; its text so far is kept. Raises NotFound, and Conflict when it has ended."""
    chat = find(user, id)
    db.session.commit()
    if chat.has_ended:
        raise Conflict("This reply has ended already.")
    work.stop(chat)
    return await_end(user, chat, STOPPING)


def retry(user: User, id: int) -> Chat:
    """Ask the same again, in a chat beside the old one. Raises NotFound, and Conflict while it is being written."""
    chat = find(user, id)
    if not chat.has_ended:
        raise Conflict("This reply is still being written.")
    names = ("code_context", "conversation_id", "agent_id", "project_id")
    return submit(user, chat.message, **{name: getattr(chat, name) for name in names})[0]


def answer_again(user: User, id: int) -> Chat:
    """As `retry`, and wait until the reply has ended. Raises the model's fault, with the chat."""
    ended = await_end(user, retry(user, id))
    raise_fault(ended)
    return ended


def delete(user: User, id: int) -> None:
    """Delete a chat; a reply that is being written is stopped first. Raises NotFound."""
    going = find(user, id)
    work.quiet(going)
    storage.hold(user.id)
    size = db.session.scalar(select(Chat.stored_bytes).where(Chat.id == id))
    if size is None:  # Somebody else has deleted it meanwhile.
        raise NotFound("There is no such chat.")
    storage.book(user.id, -size)
    db.session.delete(going)
    db.session.flush()
    conversations.lose_chat(going)
    db.session.commit()
    checkpoints.request()


@users.deleting.connect
def quiet_all(user: User) -> None:
    """Stop all that is being written for a user whose account goes, and delete the chats."""
    work.quiet(*db.session.scalars(select(Chat).where(Chat.user_id == user.id, Chat.is_active)).all())
    deletion.in_batches(user.id, Chat.user_id == user.id)


def raise_fault(chat: Chat) -> None:
    """Raise what went wrong with a reply that somebody waited for, with the chat."""
    if chat.status in ("failed", "interrupted") and chat.error:
        kind = BY_CODE.get(chat.error["code"], AppError)
        soon = {"retry_after": chat.error.get("retry_after", RETRY_AFTER)} if kind.status == 503 else {}
        raise kind(chat.error["message"], chat=rooms.CHAT.dump(chat), **soon)
