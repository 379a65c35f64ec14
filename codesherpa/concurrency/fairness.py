"""A fair share of what computes: who work is done for, and a queue that gives every user a place in turn."""

from __future__ import annotations

import threading
import time
from collections import Counter as Counts
from collections import deque
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING

from prometheus_client import Counter, Gauge, Histogram

if TYPE_CHECKING:
    from codesherpa.concurrency import Cancellation

WAITS = (0.001, 0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)
WAITING = Gauge("codesherpa_native_waiting", "Work that waits for a place.", ["place"], multiprocess_mode="livesum")
WAITED = Histogram("codesherpa_native_wait_seconds", "Time that work waited for a place.", ["place"], buckets=WAITS)
REFUSED = Counter("codesherpa_native_refused", "Work that waited for a place in vain.", ["place"])


class Cancelled(Exception):
    """The reply that the work was for was cancelled."""


class Full(Exception):
    """No place became free in time."""


@dataclass(frozen=True, slots=True)
class Task:
    """Who work is done for, None for the server itself, and what cancels it."""

    owner: Hashable | None = None
    cancellation: Cancellation | None = None


NOBODY = Task()
TASK: ContextVar[Task] = ContextVar("task", default=NOBODY)


@contextmanager
def working_for(owner: Hashable, cancellation: Cancellation) -> Iterator[None]:
    """Count what this thread computes as the work of one user, and end it when the reply is cancelled."""
    token = TASK.set(Task(owner, cancellation))
    try:
        yield
    finally:
        TASK.reset(token)


class _Ticket(threading.Event):
    """A request for a place; `granted` tells a place from a cancellation."""

    granted = False


class FairQueue:
    """A few places for the work of many users.

    A user has at most `share` places at once. Users who wait take turns, a place for each; among the work of one user
    what came first goes first.
    """

    def __init__(self, name: str, places: int, share: int, patience: float) -> None:
        """`patience` is how many seconds work waits for a place."""
        self._name, self._share, self._patience = name, share, patience
        self._free = places
        self._lock = threading.Lock()
        self._held: Counts[Hashable] = Counts()
        self._waiting: dict[Hashable, deque[_Ticket]] = {}  # In the order in which users have their turn.

    @contextmanager
    def place(self, task: Task) -> Iterator[None]:
        """Hold a place, after a wait where there is none. Raises Full and Cancelled."""
        started = time.monotonic()
        try:
            self._take(task)
        finally:
            WAITED.labels(self._name).observe(time.monotonic() - started)
        try:
            yield
        finally:
            with self._lock:
                self._release(task.owner)

    def waiting(self) -> int:
        """Return how much work waits for a place."""
        with self._lock:
            return sum(map(len, self._waiting.values()))

    def _take(self, task: Task) -> None:
        if task.cancellation and task.cancellation.cancelled:
            raise Cancelled
        with self._lock:
            if self._free and self._held[task.owner] < self._share:
                self._hold(task.owner)
                return
            ticket = _Ticket()
            self._waiting.setdefault(task.owner, deque()).append(ticket)
        if task.cancellation:
            task.cancellation.on_cancel(ticket.set)
        with WAITING.labels(self._name).track_inprogress():
            ticket.wait(self._patience)
        if not self._leave(task.owner, ticket):
            if task.cancellation and task.cancellation.cancelled:
                raise Cancelled
            REFUSED.labels(self._name).inc()
            raise Full

    def _leave(self, owner: Hashable, ticket: _Ticket) -> bool:
        """Stop waiting; return whether the ticket has been given a place."""
        with self._lock:
            if not ticket.granted:
                self._waiting[owner].remove(ticket)
                if not self._waiting[owner]:
                    del self._waiting[owner]
            return ticket.granted

    def _hold(self, owner: Hashable) -> None:
        self._free -= 1
        self._held[owner] += 1

    def _release(self, owner: Hashable) -> None:
        """Give a place back, and to the next user who may have it."""
        self._free += 1
        self._held[owner] -= 1
        if not self._held[owner]:
            del self._held[owner]
        for user in self._waiting:
            if self._held[user] < self._share:
                self._grant(user)
                return

    def _grant(self, owner: Hashable) -> None:
        tickets = self._waiting.pop(owner)
        ticket = tickets.popleft()
        if tickets:
            self._waiting[owner] = tickets  # At the end: the others have their turn first.
        self._hold(owner)
        ticket.granted = True
        ticket.set()
