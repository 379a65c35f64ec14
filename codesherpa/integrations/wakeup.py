"""How an idle process hears at once that there is work; whoever does not hear it looks by itself soon."""

from __future__ import annotations

import threading

import structlog
from redis import RedisError

from codesherpa.chat.bus import connect
from codesherpa.concurrency import spawn

CHANNEL = "codesherpa:jobs"
PATIENCE = 5.0  # Seconds before a Redis that went away is tried again.

log = structlog.get_logger(__name__)


class WakeUp:
    """Wakes this process's runner and, over Redis where there is one, the others'."""

    def __init__(self, redis_url: str | None) -> None:
        self._url = redis_url
        self._event = threading.Event()
        self._closed = threading.Event()

    def ring(self) -> None:
        """Wake the runner of this process."""
        self._event.set()

    def ring_others(self) -> None:
        """Wake the runners of the other processes; not being able to costs them a few seconds, no more."""
        if not self._url:
            return
        try:
            with connect(self._url) as client:
                client.publish(CHANNEL, "work")
        except RedisError:
            log.warning("other workers not woken", exc_info=True)

    def wait(self, seconds: float) -> None:
        """Wait until somebody rings, but at most so long."""
        self._event.wait(seconds)
        self._event.clear()

    def listen(self) -> threading.Thread | None:
        """Pass on what other processes ring, until closed."""
        return spawn(self._listen) if self._url else None

    def close(self) -> None:
        self._closed.set()
        self._event.set()

    def _listen(self) -> None:
        while not self._closed.is_set():
            try:
                self._hear()
            except RedisError:
                self._closed.wait(PATIENCE)

    def _hear(self) -> None:
        with connect(self._url or "") as client, client.pubsub() as channel:
            channel.subscribe(CHANNEL)
            while not self._closed.is_set():
                if channel.get_message(ignore_subscribe_messages=True, timeout=1.0):
                    self.ring()
