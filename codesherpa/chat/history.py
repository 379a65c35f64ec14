"""What was said before in a conversation, as turns that a model accepts."""

from __future__ import annotations

from sqlalchemy import select

from codesherpa.chat.models import Chat
from codesherpa.extensions import db
from codesherpa.providers.interface import Turn

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


def before(chat: Chat, window: int) -> tuple[tuple[Turn, ...], int]:
    """Return the turns before a chat that fit a window of so many tokens, and how many chats were left out.

    Turns come in pairs, oldest first, alternating and never empty; the oldest pairs go first.
    """
    earlier = db.session.scalars(
        select(Chat)
        .where(Chat.conversation_id == chat.conversation_id, Chat.id < chat.id, Chat.status.in_(WITHOUT_TEXT))
        .order_by(Chat.id.desc())
        .limit(AT_MOST)
    ).all()
    left = int(window * CHARACTERS_PER_TOKEN * SHARE) - len(chat.message) - len(chat.code_context or "")
    pairs: list[tuple[Turn, Turn]] = []
    for one in earlier:
        asked, answered = pair(one)
        left -= len(asked.text) + len(answered.text)
        if left < 0:
            break
        pairs.append((asked, answered))
    turns = tuple(turn for both in reversed(pairs) for turn in both)
    return turns, len(earlier) - len(pairs)


def pair(chat: Chat) -> tuple[Turn, Turn]:
    """A chat as two turns; one that did not end well is carried as what it was."""
    asked = f"{chat.message}\n\n{chat.code_context}" if chat.code_context else chat.message
    text = chat.response.strip()
    answered = text + CUT_SHORT.get(chat.status, "") if text else WITHOUT_TEXT[chat.status]
    return Turn("user", asked), Turn("assistant", answered)
