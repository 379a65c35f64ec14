"""What a sherpa asks of a provider, and what a provider gives back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from codesherpa.analysis.lint import Finding
from codesherpa.analysis.sources import Source
from codesherpa.concurrency import Cancellation

Task = Literal["reply", "review", "explanation"]


@dataclass(frozen=True, slots=True)
class Turn:
    """One side's text in a conversation; never empty."""

    role: Literal["user", "assistant"]
    text: str


@dataclass(frozen=True, slots=True)
class Tool:
    """A structure that the model is made to answer in: its input is the answer."""

    name: str
    description: str
    schema: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Brief:
    """One call of a provider, whole: nothing else reaches the model.

    `system` is the same, byte for byte, for every call of a sherpa, so that a prompt cache hits;
    `context` is what follows it and varies (the agent's prompt, the project's instructions, the language).
    `turns` alternate, oldest first, and end with the user's. With a `tool` the provider yields the JSON
    text of the tool's input instead of prose. `sources`, `question` and `language` say the same as the
    last turn in a form that needs no model: the code as it was found, the words around it, `en|hi|hinglish`;
    `evidence` what ruff found in it, None where nobody has looked yet, and `more_evidence` how many findings there are
    beside. `limited` tells that a limit of time or memory was reached before all of the code was read or checked.
    """

    task: Task
    system: str
    turns: tuple[Turn, ...]
    context: str = ""
    tool: Tool | None = None
    model_id: str | None = None
    temperature: float | None = None
    max_tokens: int | None = None
    sources: tuple[Source, ...] = ()
    question: str = ""
    language: str = "en"
    evidence: tuple[Finding, ...] | None = None
    more_evidence: int = 0
    limited: bool = False


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one call; `estimated` where the provider could not say (a cancelled or broken stream)."""

    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    estimated: bool = False


@dataclass(frozen=True, slots=True)
class Text:
    """A piece of the answer, in order: prose, or JSON where the brief has a tool. Never empty."""

    text: str


@dataclass(frozen=True, slots=True)
class End:
    """The last thing that a stream yields, once, and only when the answer ended as the provider meant it."""

    reason: Literal["end", "max_tokens", "cancelled"]
    usage: Usage = field(default_factory=Usage)


class Provider(Protocol):
    """Makes text. Knows no sherpa, no user and no chat."""

    name: str

    def model(self, model_id: str | None) -> str | None:
        """Return the id of the model that would answer, None where there is none."""

    def window(self, model_id: str | None) -> int:
        """Return how many tokens of input that model takes."""

    def stream(self, brief: Brief, cancellation: Cancellation) -> Iterator[Text | End]:
        """Yield the answer piece by piece as it is made, then one End.

        Cancelling closes what is open within half a second and yields End("cancelled") with an estimate.
        Raises a ModelFault of `codesherpa.errors`, its `usage` set where tokens were spent.
        """
