"""A reply in the making: a sherpa's brief, a provider's pieces, markdown that only grows."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from codesherpa.concurrency import Cancellation
from codesherpa.errors import AppError, InputTooLong, ModelError, ModelFault
from codesherpa.providers.interface import Brief, End, Provider
from codesherpa.sherpas.general import as_reply
from codesherpa.sherpas.interface import InvalidStructure, Sherpa

CUT = "\n\n*The reply was cut off here: it reached the longest length that is allowed.*\n"
MAX_TOKENS = {"code": "max_tokens", "message": "The reply reached the longest length that is allowed."}
AGAIN = "\n\n---\n\n"
TRIES = 2
SLICE = 4_096  # Letters of a provider's piece that are written before other replies and requests have a turn.


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a reply ended: the status of its chat, its data, and what went wrong."""

    status: str
    result: dict[str, Any] | None
    error: dict[str, Any] | None = None
    retryable: bool = True


def told(fault: AppError) -> dict[str, Any]:
    """Return a fault as it is stored with its chat, with the seconds after which another try is due."""
    return {"code": fault.code, "message": fault.message, **{k: v for k, v in fault.data.items() if k == "retry_after"}}


class Reply:
    """One reply. Iterate it for its markdown, which `text` has so far; after that `outcome` says how it ended."""

    def __init__(
        self,
        sherpa: Sherpa,
        provider: Provider,
        brief: Brief,
        cancellation: Cancellation,
        shorter: Callable[[], Brief | None] | None = None,
    ) -> None:
        """`shorter` makes a brief that says less, once, for a model that cannot read so much; None where it cannot."""
        self._sherpa, self._provider, self._brief, self._cancellation = sherpa, provider, brief, cancellation
        self._shorter = shorter
        self._writer = sherpa.writer(brief)
        self._raw: list[str] = []
        self._shown: list[str] = []
        self.outcome = Outcome("failed", None)

    @property
    def text(self) -> str:
        """The markdown so far."""
        return "".join(self._shown)

    def __iter__(self) -> Iterator[str]:
        try:
            for _ in range(TRIES):
                try:
                    yield from self._ask()
                    return
                except InvalidStructure:
                    # What the first try left open, such as a fence, must not swallow the second.
                    yield from self._show(self._writer.finish(cut=True) if self.text else "")
                    yield from self._show(AGAIN if self.text else "")
            marked, _ = as_reply("".join(self._raw), self._brief)
            yield from self._show(marked)
            self.outcome = Outcome("complete", {"kind": "reply", "reply": self.text})
        except ModelFault as fault:
            yield from self._show(self._writer.finish(cut=True) if self._raw else "")
            result = self._data() if self.text else None
            self.outcome = Outcome("failed", result, told(fault), fault.retryable)

    def _ask(self) -> Iterator[str]:
        """Ask the provider, once more with less where that was too long. Raises InvalidStructure and ModelFault."""
        try:
            yield from self._try()
        except InputTooLong:
            shorter, self._shorter = self._shorter, None
            brief = shorter() if shorter and not self._raw else None
            if brief is None:
                raise
            self._brief = brief
            yield from self._try()

    def _try(self) -> Iterator[str]:
        """Ask the provider once. Raises InvalidStructure and ModelFault."""
        writer = self._writer = self._sherpa.writer(self._brief)
        self._raw = []
        end: End | None = None
        for piece in self._provider.stream(self._brief, self._cancellation):
            if isinstance(piece, End):
                end = piece
            else:
                self._raw.append(piece.text)
                for part in slices(piece.text):
                    yield from self._show(writer.feed(part))
        if end is None:
            raise ModelError("The model broke off without an end.")
        yield from self._show(writer.finish(cut=end.reason != "end"))
        if end.reason == "max_tokens":
            yield from self._show(CUT)
        status = "stopped" if end.reason == "cancelled" else "complete"
        self.outcome = Outcome(status, self._data(), MAX_TOKENS if end.reason == "max_tokens" else None)

    def _show(self, text: str) -> Iterator[str]:
        if text:
            self._shown.append(text)
            yield text

    def _data(self) -> dict[str, Any]:
        result = self._writer.result()
        return result | {"reply": self.text} if result["kind"] == "reply" else result


def slices(text: str) -> Iterator[str]:
    """Yield text in parts, and let others run between two: a model may send all of a long reply in one piece."""
    for start in range(0, len(text), SLICE):
        if start:
            time.sleep(0)
        yield text[start : start + SLICE]
