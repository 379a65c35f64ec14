"""A provider whose calls are counted, whoever makes them."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from codesherpa.concurrency import Cancellation
from codesherpa.database import now
from codesherpa.errors import ModelFault
from codesherpa.providers.interface import Brief, End, Provider, Text, Usage
from codesherpa.providers.models import Family, estimate_tokens, family
from codesherpa.usage import metrics


@dataclass(slots=True)
class Call:
    """One call of a model: who made it, what it took, and `fault`, the contract's code, where it failed.

    What it took is an estimate until it has ended.
    """

    purpose: str
    provider: str
    model_id: str
    family: Family
    usage: Usage = field(default_factory=Usage)
    fault: str | None = None
    at: datetime = field(default_factory=now)


class Meter:
    """All calls that are made for one reply; `aliases` as in `models.family`."""

    def __init__(self, aliases: Mapping[str, str] | None = None) -> None:
        self.aliases = aliases or {}
        self.calls: list[Call] = []

    def watch(self, provider: Provider, purpose: str) -> Metered:
        """Return the provider with its calls counted here, under the name of who makes them."""
        return Metered(provider, purpose, self)

    @property
    def usage(self) -> Usage:
        """Return the sum of all calls."""
        return sum_of(call.usage for call in self.calls)


class Metered:
    """A provider that notes each call of a model; an answer that took no model is none."""

    def __init__(self, provider: Provider, purpose: str, meter: Meter) -> None:
        self._provider, self._purpose, self._meter = provider, purpose, meter
        self.name = provider.name

    def model(self, model_id: str | None) -> str | None:
        """Return the id of the model that would answer, None where there is none."""
        return self._provider.model(model_id)

    def window(self, model_id: str | None) -> int:
        """Return how many tokens of input that model takes."""
        return self._provider.window(model_id)

    def stream(self, brief: Brief, cancellation: Cancellation) -> Iterator[Text | End]:
        """Yield what the provider does, and note the call when it ends, however it ends."""
        model_id = self.model(brief.model_id)
        if model_id is None:
            yield from self._provider.stream(brief, cancellation)
            return
        known, asked = family(model_id, self._meter.aliases), Usage(read_by(brief), estimated=True)
        call = Call(self._purpose, self.name, model_id, known, asked)
        self._meter.calls.append(call)
        yield from self._noted(call, self._provider.stream(brief, cancellation))

    def _noted(self, call: Call, pieces: Iterator[Text | End]) -> Iterator[Text | End]:
        started, written, end = time.monotonic(), 0, "abandoned"
        asked = call.usage.input_tokens
        try:
            for piece in pieces:
                if isinstance(piece, End):
                    call.usage, end = piece.usage, piece.reason
                else:
                    if not written:
                        metrics.first_token(call.provider, call.family.name).observe(time.monotonic() - started)
                    written += len(piece.text)
                    call.usage = Usage(asked, written // 3, estimated=True)
                yield piece
        except ModelFault as fault:
            call.usage, call.fault, end = fault.usage or Usage(), fault.code, fault.code
            raise
        finally:
            metrics.called(call.provider, call.family.name, call.purpose, call.usage, end, call.fault)


def read_by(brief: Brief) -> int:
    """Estimate the tokens of a brief."""
    return sum(map(estimate_tokens, (brief.system, brief.context, *(turn.text for turn in brief.turns))))


def sum_of(usages: Iterable[Usage]) -> Usage:
    """Add up what calls took; an estimate among them makes the sum one."""
    total = Usage()
    for one in usages:
        total = Usage(
            total.input_tokens + one.input_tokens,
            total.output_tokens + one.output_tokens,
            total.cache_read_tokens + one.cache_read_tokens,
            total.cache_write_tokens + one.cache_write_tokens,
            total.estimated or one.estimated,
        )
    return total
