"""What was said before in a conversation, as turns that a model accepts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import bindparam, func, literal_column, select

from codesherpa.chat.models import Chat
from codesherpa.providers.interface import Turn
from codesherpa.rows import fetch

# About three characters make a token in code; a quarter of the window is left for the answer.
CHARACTERS_PER_TOKEN = 3
SHARE = 0.75
AT_MOST = 100

WITHOUT_TEXT = {
    "stopped": "(I was stopped before I could say anything.)",
    "failed": "(I could not answer this.)",
    "interrupted": "(I was interrupted before I could say anything.)",
    "complete": "(I had nothing to say.)",
}
CUT_SHORT = {
    "stopped": "\n\n(I was stopped here.)",
    "failed": "\n\n(I broke off here.)",
    "interrupted": "\n\n(I was interrupted here.)",
}

# Made once: to build a statement takes longer than to run it.
CHATS = Chat.__table__.c
EARLIER = (
    CHATS.conversation_id == bindparam("conversation_id"),
    CHATS.id < bindparam("id"),
    CHATS.status.in_([literal_column(f"'{status}'") for status in WITHOUT_TEXT]),
)
COUNT = select(func.count(CHATS.id).label("count")).where(*EARLIER)
LAST = (
    select(CHATS.message, CHATS.code_context, CHATS.response, CHATS.status, CHATS.sherpa)
    .where(*EARLIER)
    .order_by(CHATS.id.desc())
    .limit(AT_MOST)
)


class Said(NamedTuple):
    """What is needed of an earlier chat."""

    message: str
    code_context: str | None
    response: str
    status: str
    sherpa: str | None


@dataclass(frozen=True, slots=True)
class Past:
    """The turns before a chat, how many chats were left out, and who answered last."""

    turns: tuple[Turn, ...]
    left_out: int
    sherpa: str | None


NOTHING = Past((), 0, None)


def before(chat: Chat, window: int) -> Past:
    """Return what was said before a chat and fits a window of so many tokens.

    Turns come in pairs, oldest first, alternating and never empty; the oldest pairs go first.
    """
    which = {"conversation_id": chat.conversation_id, "id": chat.id}
    earlier = [Said(**vars(row)) for row in fetch(LAST, **which)]
    whole = len(earlier) if len(earlier) < AT_MOST else fetch(COUNT, **which)[0].count
    left = int(window * CHARACTERS_PER_TOKEN * SHARE) - len(chat.message) - len(chat.code_context or "")
    pairs = newest(map(pair, earlier), left)
    turns = tuple(turn for both in reversed(pairs) for turn in both)
    return Past(turns, whole - len(pairs), next((one.sherpa for one in earlier if one.sherpa), None))


def shorter(turns: tuple[Turn, ...]) -> tuple[Turn, ...]:
    """Return the newest of these turns, a third of their text: a token may be a single character instead of three."""
    pairs = [(turns[at], turns[at + 1]) for at in range(len(turns) - 2, -1, -2)]
    kept = newest(pairs, sum(len(turn.text) for turn in turns) // CHARACTERS_PER_TOKEN)
    return tuple(turn for both in reversed(kept) for turn in both)


def newest(pairs: Iterable[tuple[Turn, Turn]], room: int) -> list[tuple[Turn, Turn]]:
    """Return the first of these pairs, newest first, that fit into so many characters."""
    kept = []
    for both in pairs:
        room -= len(both[0].text) + len(both[1].text)
        if room < 0:
            break
        kept.append(both)
    return kept


def pair(chat: Said) -> tuple[Turn, Turn]:
    """A chat as two turns; one that did not end well is carried as what it was."""
    asked = f"{chat.message}\n\n{chat.code_context}" if chat.code_context else chat.message
    text = chat.response.strip()
    answered = text + CUT_SHORT.get(chat.status, "") if text else WITHOUT_TEXT[chat.status]
    return Turn("user", asked), Turn("assistant", answered)
