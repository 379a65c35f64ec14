"""A page of markdown that only grows, written from a JSON object while that arrives."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from codesherpa.sherpas.arriving import Arrivals, Piece
from codesherpa.sherpas.interface import InvalidStructure
from codesherpa.sherpas.loose import as_items, as_text
from codesherpa.sherpas.markdown import clean
from codesherpa.sherpas.prose import Prose
from codesherpa.sherpas.veil import Veil


class Part(Protocol):
    """What one key of the object becomes: `heading` stands above it, "" for none."""

    heading: str

    def take(self, piece: Piece) -> str:
        """Take what came and return the markdown that it adds."""

    def close(self) -> str:
        """Take the end of the key and return the last of its markdown."""


class Page:
    """Gives each piece of the object to its part, in the order in which they come; unknown keys are passed over.

    The first block has no heading where its part is an `opening` one: the answer begins with its words.
    """

    def __init__(self, parts: Mapping[str, Part], opening: str) -> None:
        self._parts = parts
        self._opening = opening
        self._arrivals = Arrivals()
        self._key: str | None = None
        self._begun = False
        self._headed = False

    def feed(self, text: str) -> str:
        """Take the next of the JSON and return the markdown that it adds."""
        return "".join(self._take(piece) for piece in self._arrivals.feed(text))

    def finish(self, cut: bool, needs: Mapping[str, Callable[[Any], bool]]) -> str:
        """Take the end and return the last of the markdown.

        Raises InvalidStructure where the object is broken, has no end or lacks what it `needs`: by key, what
        tells a fit value. One that was `cut` is taken as far as it came.
        """
        if not cut:
            self._check(needs)
        return "".join(self._take(piece) for piece in self._arrivals.finish()) + self._turn_to(None)

    def block(self, text: str) -> str:
        """Return the text as the next block of the page, "" where there is none."""
        gap = "\n\n" if self._begun and text else ""
        self._begun = self._begun or bool(text)
        return gap + text

    def _check(self, needs: Mapping[str, Callable[[Any], bool]]) -> None:
        if not self._arrivals.closed:
            raise InvalidStructure("The object is broken or has no end.")
        for key, fits in needs.items():
            if key not in self._arrivals.seen or not fits(self._arrivals.seen[key]):
                raise InvalidStructure(f"The object lacks a fit {key}.")

    def _take(self, piece: Piece) -> str:
        part = self._parts.get(piece.key)
        if part is None:
            return ""
        turned = self._turn_to(piece.key)
        return turned + self._under_heading(part, part.take(piece))

    def _turn_to(self, key: str | None) -> str:
        if key == self._key:
            return ""
        last, self._key = self._key, key
        shown = self._under_heading(self._parts[last], self._parts[last].close()) if last else ""
        self._headed = False
        return shown

    def _under_heading(self, part: Part, text: str) -> str:
        if self._headed or not text:
            return text
        self._headed = True
        opens = not self._begun and self._parts.get(self._opening) is part
        return self.block(text if opens or not part.heading else f"## {part.heading}\n\n{text}")


class Passage:
    """Prose that streams. `text` is what was shown of it, as plain data."""

    def __init__(self, heading: str, secret: str) -> None:
        self.heading = heading
        self.text = ""
        self._veil = Veil(secret)
        self._prose = Prose()

    def take(self, piece: Piece) -> str:
        """Show the next words; of what is no string, its own text."""
        text = piece.value if piece.part else as_text(piece.value)
        return self._show(self._veil.feed(clean(text) if piece.part else f"{clean(text)}\n"))

    def close(self) -> str:
        """Show the words that waited."""
        return self._show(self._veil.close()) + self._prose.close()

    def _show(self, text: str) -> str:
        self.text += text
        return self._prose.feed(text)


class Listing:
    """Items that are shown one after the other, each when it is complete.

    `render` gives an item's markdown from the item and its number, "" where it is not to be shown.
    """

    def __init__(self, heading: str, render: Callable[[Any, int], str], gap: str = "\n") -> None:
        self.heading = heading
        self.count = 0
        self._render = render
        self._gap = gap
        self._text = ""

    def take(self, piece: Piece) -> str:
        """Show the next item; a string that should have been a list waits for its end."""
        if piece.part:
            self._text += piece.value
            return ""
        return self._add(piece.value)

    def close(self) -> str:
        """Show the items of a list that came as text."""
        text, self._text = self._text, ""
        return "".join(self._add(item) for item in as_items(text))

    def _add(self, item: Any) -> str:
        text = self._render(item, self.count + 1)
        if not text:
            return ""
        self.count += 1
        return text if self.count == 1 else self._gap + text


class Value:
    """A value that is kept for later. `value` is None until it is complete."""

    heading = ""

    def __init__(self) -> None:
        self.value: Any = None

    def take(self, piece: Piece) -> str:
        """Keep it."""
        self.value = f"{self.value or ''}{piece.value}" if piece.part else piece.value
        return ""

    def close(self) -> str:
        """Show nothing."""
        return ""
