"""How an idle process hears at once that there is work; whoever does not hear it looks by itself soon."""

from __future__ import annotations

import threading

import structlog
from redis import Redis, RedisError

from codesherpa.chat.bus import connect
from codesherpa.concurrency import spawn

CHANNEL = "codesherpa:jobs"
PATIENCE = 5.0  # Seconds before a Redis that went away is tried again.

log = structlog.get_logger(__name__)


class WakeUp:
    """Wakes this process's runner and, over Redis where there is one, the others'."""

    def __init__(self, redis_url: str | None) -> None:
        self._redis = connect(redis_url) if redis_url else None
        self._event = threading.Event()
        self._closed = threading.Event()

    def ring(self) -> None:
        """Wake the runner of this process."""
        self._event.set()

    def ring_others(self) -> None:
        """Wake the runners of the other processes; not being able to costs them a few seconds, no more."""
        if self._redis is None:
            return
        try:
            self._redis.publish(CHANNEL, "work")
        except RedisError:
            log.warning("other workers not woken", exc_info=True)

    def wait(self, seconds: float) -> None:
        """Wait until somebody rings, but at most so long."""
        self._event.wait(seconds)
        self._event.clear()

    def listen(self) -> threading.Thread | None:
        """Pass on what other processes ring, until closed."""
        return spawn(self._listen, self._redis) if self._redis else None

    def close(self) -> None:
        self._closed.set()
        self._event.set()

    def _listen(self, redis: Redis) -> None:
        while not self._closed.is_set():
            try:
                self._hear(redis)
            except RedisError:
                self._closed.wait(PATIENCE)

    def _hear(self, redis: Redis) -> None:
        with redis.pubsub() as channel:  # type: ignore[no-untyped-call]
            channel.subscribe(CHANNEL)
            while not self._closed.is_set():
                if channel.get_message(ignore_subscribe_messages=True, timeout=1.0):
                    self.ring()
