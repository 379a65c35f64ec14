"""A JSON object that is still arriving, told in the order in which it comes."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from typing import Any

import jiter

# Reading it whole again costs time that grows with its length, so it is read again when it has grown by
# this share: every token of a short answer, every dozen of a long one.
GROWTH = 256


@dataclass(frozen=True, slots=True)
class Piece:
    """What came under `key`: with `part` the next stretch of a string, else one item of a list or a whole value."""

    key: str
    value: Any
    part: bool = False


class Arrivals:
    """Takes the text of a JSON object in any pieces and gives what is certain by now.

    The pieces are the same however the text was cut: a string comes as it grows, an item or a number only
    when it is complete. Text before the first brace is passed over. `seen` has what was read, `broken`
    tells that the rest cannot be read, `closed` that the object came whole.
    """

    def __init__(self) -> None:
        self._data = b""
        self._new: list[str] = []
        self._grown = 0
        self._at = 0
        self._taken = 0
        self.seen: dict[str, Any] = {}
        self.broken = False

    def feed(self, text: str) -> list[Piece]:
        """Take the next text and return what it makes certain."""
        self._new.append(text)
        self._grown += len(text)
        if self.broken or self._grown * GROWTH < len(self._data):
            return []
        self._read()
        return self._advance(whole=False)

    def finish(self) -> list[Piece]:
        """Take the end and return what is left; of an object that was cut, only what is complete."""
        self._read()
        return self._advance(whole=self.closed)

    @property
    def closed(self) -> bool:
        """Tell whether the object's last brace has come."""
        self._read()
        if self.broken or not self._data:
            return False
        try:
            jiter.from_json(self._data)
        except ValueError as error:
            # What follows the object is none of ours.
            return not str(error).startswith("EOF")
        return True

    def _read(self) -> None:
        if self.broken or not self._new:
            return
        self._data += "".join(self._new).encode(errors="replace")
        self._new, self._grown = [], 0
        if not self.seen:
            self._data = self._data[max(self._data.find(b"{"), 0) :]
        if not self._data.startswith(b"{"):
            self._data = b""
            return
        try:
            self.seen = _partial(self._data)
        except ValueError:
            # The longest readable beginning, so that what is told does not hang on how the text was cut.
            self.broken = True
            sizes = range(len(self._data) + 1)
            self._data = self._data[: bisect_left(sizes, True, lo=1, key=self._unreadable) - 1]
            self.seen = _partial(self._data)

    def _unreadable(self, size: int) -> bool:
        try:
            _partial(self._data[:size])
        except ValueError:
            return True
        return False

    def _advance(self, whole: bool) -> list[Piece]:
        pieces: list[Piece] = []
        entries = list(self.seen.items())
        while self._at < len(entries):
            key, value = entries[self._at]
            complete = whole or self._at < len(entries) - 1
            pieces += self._parts(key, value, complete)
            if not complete:
                break
            self._at, self._taken = self._at + 1, 0
        return pieces

    def _parts(self, key: str, value: Any, complete: bool) -> list[Piece]:
        start = self._taken
        if isinstance(value, str):
            self._taken = len(value)
            return [Piece(key, value[start:], part=True)] if value[start:] else []
        if isinstance(value, list):
            self._taken = len(value) if complete else max(len(value) - 1, start)
            return [Piece(key, item) for item in value[start : self._taken]]
        return [Piece(key, value)] if complete else []


def _partial(data: bytes) -> dict[str, Any]:
    found: dict[str, Any] = jiter.from_json(data, partial_mode="trailing-strings", catch_duplicate_keys=True)
    return found
