"""What the chat hands to a sherpa, and what a sherpa gives back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from codesherpa.providers.interface import Brief, Turn


@dataclass(frozen=True, slots=True)
class Ask:
    """A message with everything that shapes its answer.

    `history` are the conversation's earlier turns, alternating, oldest first, within the model's window.
    `system_prompt`, `model_id`, `temperature` and `max_tokens` are the agent's, None where it has none or
    where there is no agent; `instructions` the project's; `language` is `en`, `hi` or `hinglish`.
    """

    message: str
    code_context: str | None = None
    history: tuple[Turn, ...] = ()
    language: str = "en"
    system_prompt: str | None = None
    model_id: str | None = None
    temperature: float | None = None
    max_tokens: int | None = None
    instructions: str | None = None


@dataclass(frozen=True, slots=True)
class Routing:
    """Who answers, how sure we are (0 to 1), and why, in a sentence for a person."""

    target_agent: str
    confidence: float
    reasoning: str


class Writer(Protocol):
    """Turns the provider's pieces into markdown that only ever grows."""

    def feed(self, text: str) -> str:
        """Take the next piece and return the markdown that it adds, "" where none is due yet."""

    def finish(self, cut: bool = False) -> str:
        """Take the end of the stream and return the last of the markdown; `cut` tells that it came too early.

        Raises InvalidStructure where a whole structure was asked for and cannot be read.
        """

    def result(self) -> dict[str, Any]:
        """Return the answer so far as the contract's `result`: valid after any number of pieces."""


class Sherpa(Protocol):
    """One who answers: `name` as in the contract's `agent`."""

    name: str

    def brief(self, ask: Ask) -> Brief:
        """Put the ask into words for a provider."""

    def writer(self, brief: Brief) -> Writer:
        """Make the writer for one answer to that brief."""


class InvalidStructure(Exception):
    """The model's structure cannot be read as what was asked for."""
