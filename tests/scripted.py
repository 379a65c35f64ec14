"""A provider that says what a test tells it to, when the test tells it to."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

from codesherpa.concurrency import Cancellation
from codesherpa.errors import ModelFault
from codesherpa.extensions import db
from codesherpa.providers.interface import Brief, End, Text, Usage


class Scripted:
    """Says `pieces`; a threading.Event among them is waited for, a ModelFault is raised.

    Asked who is to answer, it says `routes`, whatever comes before, and keeps the briefs for that apart.
    """

    name = "scripted"

    def __init__(self) -> None:
        self.pieces: list[Any] = ["Hello ", "there."]
        self.end: Any = End("end", Usage(10, 2))
        self.briefs: list[Brief] = []
        self.routes: list[Any] = []
        self.routing_briefs: list[Brief] = []
        self.begun = threading.Semaphore(0)

    def model(self, model_id: str | None) -> str | None:
        return model_id or "scripted-1"

    def window(self, model_id: str | None) -> int:
        return 10_000

    def stream(self, brief: Brief, cancellation: Cancellation) -> Iterator[Text | End]:
        assert not db.session().in_transaction(), "a transaction is open while the model speaks"
        if brief.tool and brief.tool.name == "route":
            self.routing_briefs.append(brief)
            yield from self._say(self.routes, End("end", Usage(7, 3)), cancellation)
            return
        self.briefs.append(brief)
        self.begun.release()
        yield from self._say(self.pieces, self.end, cancellation)

    def _say(self, pieces: list[Any], end: Any, cancellation: Cancellation) -> Iterator[Text | End]:
        woken = threading.Event()
        cancellation.on_cancel(woken.set)
        for piece in list(pieces):
            if isinstance(piece, threading.Event):
                while not piece.wait(0.01) and not woken.is_set():
                    pass
            elif isinstance(piece, ModelFault):
                raise piece
            elif not woken.is_set():
                yield Text(piece)
            if woken.is_set():
                yield End("cancelled", Usage(10, 1, estimated=True))
                return
        yield end
