"""What a user can do with chats and conversations."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, cast

from sqlalchemy import Select, Table, bindparam, insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.sql.dml import ReturningInsert

from codesherpa import tracing
from codesherpa.agents import service as agents
from codesherpa.chat import budget, conversations, leases, process, rooms, sweep, work
from codesherpa.chat.models import Chat, Conversation
from codesherpa.database import now
from codesherpa.errors import BY_CODE, AppError, BudgetExceeded, Conflict, ModelTimeout, NotFound
from codesherpa.extensions import db
from codesherpa.observability import request_id
from codesherpa.paging import contains, escaped
from codesherpa.projects import service as projects
from codesherpa.rows import fetch, shown
from codesherpa.user import service as users
from codesherpa.user.models import User

TITLE = 80
STOPPING = 10.0  # Seconds that a caller waits for a reply that was told to stop.
UNSEEN = ("delta_ends", "request_id", "lease_owner", "lease_expires_at")  # Of a chat, what no list shows.
LONGEST_WAIT = 600.0  # Seconds that a caller waits for a reply.
RETRY_AFTER = 5  # Seconds after which a model that was short of breath is worth another try.
# Made once: to build a statement takes longer than to run it.
CONVERSATIONS, CHATS = cast(Table, Conversation.__table__), cast(Table, Chat.__table__)
NEW_CONVERSATION = insert(CONVERSATIONS).returning(CONVERSATIONS.c.id)
BLANK = {"status": "pending", "response": "", "delta_ends": "", "usage_estimated": False, "stop_wanted": False}
NEW_CHAT = insert(CHATS).returning(CHATS.c.id)


@dataclass(frozen=True, slots=True)
class History:
    """Some chats as rows, oldest first; `next_before` leads to the ones before them."""

    chats: Sequence[Any]
    next_before: int | None

    @property
    def count(self) -> int:
        return len(self.chats)


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
    code_context, conversation_id, session_id, agent_id and project_id. Raises NotFound, Conflict, and
    BudgetExceeded where the user's tokens of the day are spent; then nothing is stored.
    """
    for _ in range(2):  # Another may make the same message or conversation first; then it is there to be found.
        if client_message_id and (first := sent_before(user, client_message_id)):
            return first, False
        try:
            values = store(user, message, client_message_id, **beside)
        except IntegrityError:
            db.session.rollback()
        except BudgetExceeded:
            # The first of two at once may have taken what was left, and is the answer to both.
            if client_message_id and (first := sent_before(user, client_message_id)):
                return first, False
            raise
        else:
            sweep.start()
            chat = Chat(**values)
            tracing.remember(chat.id)
            if chat.lease_owner:
                work.begin(chat.id, user.id, Chat(**values))
            else:
                work.dispatch(user.id)
            return chat, True
    raise Conflict("What this message belongs to has just changed. Send it again.")


def sent_before(user: User, client_message_id: str) -> Chat | None:
    mine = select(Chat).where(Chat.user_id == user.id, Chat.client_message_id == client_message_id)
    found = db.session.scalar(mine)
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
) -> dict[str, Any]:
    """Store a message in its conversation, and return its chat's values; what it does not name, the conversation does.

    Where its reply may begin at once, its lease is taken in the same transaction.
    """
    active = leases.alone(user.id)
    agent = agents.find(user, agent_id) if agent_id else None
    if agent and agent.status == "inactive":
        raise Conflict("This agent is inactive.")
    project = projects.find(user, project_id) if project_id else None
    conversation = conversations.named(user, conversation_id, session_id)
    reserved = budget.reserve(user, agent, project, conversation, f"{message}{code_context or ''}")
    where = {"agent_id": agent_id, "project_id": project_id}
    if conversation is None:
        title = message.strip()[:TITLE]
        where["conversation_id"] = added(
            NEW_CONVERSATION, where | {"user_id": user.id, "title": title, "session_key": session_id}
        )
    else:
        conversation.last_chat_at = now()
        where = {name: where[name] or getattr(conversation, name) for name in where} | {
            "conversation_id": conversation.id
        }
    said = {"message": message, "code_context": code_context, "client_message_id": client_message_id}
    values = BLANK | where | said | {"user_id": user.id, "reserved_tokens": reserved, "request_id": request_id()}
    here = process.here()
    if not here.leaving and leases.at_once(active, where["conversation_id"]):
        values |= leases.fresh(here.owner)
    values["created_at"] = now()
    values["id"] = added(NEW_CHAT, values)
    db.session.commit()
    return values


def added(new: ReturningInsert[tuple[int]], values: dict[str, Any]) -> int:
    return db.session.connection().execute(new, values).scalar_one()


def answer(user: User, **message: Any) -> tuple[Chat, bool]:
    """As `submit`, and wait until the reply has ended. Raises the model's fault, with the chat."""
    chat, is_new = submit(user, **message)
    ended = await_end(user, chat)
    raise_fault(ended)
    return ended, is_new


def await_end(user: User, chat: Chat, patience: float = LONGEST_WAIT) -> Chat:
    """Wait until a reply has ended, in this process or another."""
    id, give_up = chat.id, time.monotonic() + patience
    with process.awaiting(id) as ended:
        chat = reread(user, id)
        while not chat.has_ended and time.monotonic() < give_up:
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
    work.quiet(find(user, id))
    db.session.delete(find(user, id))
    db.session.commit()


@users.deleting.connect
def quiet_all(user: User) -> None:
    """Stop all that is being written for a user whose account goes."""
    work.quiet(*db.session.scalars(select(Chat).where(Chat.user_id == user.id, Chat.is_active)).all())


def raise_fault(chat: Chat) -> None:
    """Raise what went wrong with a reply that somebody waited for, with the chat."""
    if chat.status in ("failed", "interrupted") and chat.error:
        kind = BY_CODE.get(chat.error["code"], AppError)
        soon = {"retry_after": chat.error.get("retry_after", RETRY_AFTER)} if kind.status == 503 else {}
        raise kind(chat.error["message"], chat=rooms.CHAT.dump(chat), **soon)
