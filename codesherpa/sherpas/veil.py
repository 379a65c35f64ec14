"""Keeps the system prompt out of answers: a long verbatim part of it is not shown."""

from __future__ import annotations

import re
from collections import deque
from functools import lru_cache

# So many words in a row are no coincidence.
RUN = 12
TOKEN = re.compile(r"\w+|\W+")
REST = re.compile(r"\w*")
MARK = "[…]"


class Veil:
    """Takes text in any pieces and gives it back without the long parts that it shares with the secret.

    Words are compared whatever their case and whatever stands between them. What may still become such a
    part waits: mostly a word or two. A word that none of the secret's begins as is shown letter by letter.
    """

    def __init__(self, secret: str) -> None:
        self._secret = _spaced(secret)
        self._word = ""
        self._run: deque[str] = deque()  # What is kept; of what is hidden, the last word alone.
        self._words: deque[str] = deque()  # Those of the run, as they are compared; of what is hidden, the last RUN.
        self._hiding = False
        self._end = 0  # Of what is hidden, where it ends in the secret.
        self._plain = False  # The word at hand is none of the secret's, and what there is of it has been shown.

    def feed(self, text: str) -> str:
        """Take the next piece and return what may be shown by now."""
        shown = REST.match(text)[0] if self._plain else ""  # type: ignore[index]  # It matches nothing, too.
        self._plain = self._plain and len(shown) == len(text)
        tokens = TOKEN.findall(self._word + text[len(shown) :])
        self._word = tokens.pop() if tokens and _is_word(tokens[-1]) else ""
        shown += "".join(self._take(token) for token in tokens)
        if self._word and f" {self._word.casefold()}" not in self._secret:
            shown, self._word, self._plain = shown + self._take(self._word), "", True
        return shown

    def close(self) -> str:
        """Return the rest."""
        shown = self._take(self._word) if self._word else ""
        shown += MARK if self._hiding else "".join(self._run)
        self._word, self._run, self._words, self._hiding = "", deque(), deque(), False
        return shown

    def _take(self, token: str) -> str:
        if not self._run and not _is_word(token):
            return token
        self._run.append(token)
        if not _is_word(token):
            return ""
        self._words.append(token.casefold())
        return self._hide_on() if self._hiding else self._settle()

    def _hide_on(self) -> str:
        """Go on hiding while the words go on as the secret does; show the rest where they turn away."""
        if len(self._words) > RUN:
            self._words.popleft()
        _, *between, word = self._run  # The last word that is hidden, and what follows it.
        self._run = deque([word])
        if self._goes_on() or self._shared():
            return ""
        self._words, self._hiding = deque([word.casefold()]), False
        return MARK + "".join(between) + self._settle()

    def _settle(self) -> str:
        """Show what begins no part of the secret, keep what may."""
        shown = ""
        while self._run and not (_is_word(self._run[0]) and self._shared()):
            token = self._run.popleft()
            if _is_word(token):
                self._words.popleft()
            shown += token
        if len(self._words) >= RUN:
            self._run, self._hiding = deque([self._run[-1]]), True
        return shown

    def _goes_on(self) -> bool:
        """Return True if the secret has the last word next: in a long part, one look instead of a search for each."""
        word = f" {self._words[-1]} "
        if not self._secret.startswith(word, self._end):
            return False
        self._end += len(word) - 1
        return True

    def _shared(self) -> bool:
        words = f" {' '.join(self._words)} "
        start = self._secret.find(words)
        self._end = start + len(words) - 1
        return start >= 0


def hidden(text: str, secret: str) -> bool:
    """Tell whether the text has a long part of the secret."""
    veil = Veil(secret)
    return veil.feed(text) + veil.close() != text


def _is_word(token: str) -> bool:
    return token[0].isalnum() or token[0] == "_"


@lru_cache(maxsize=16)
def _spaced(secret: str) -> str:
    words = [token for token in TOKEN.findall(secret) if _is_word(token)]
    return f" {' '.join(words).casefold()} "
