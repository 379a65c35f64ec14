"""What the processes of one service tell each other over Redis, and the log of the deltas they are writing.

Both are hints and help: the database is the truth. While Redis is away nothing waits for it; what would have
been said is dropped, and on its return everybody is told to look at the database.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import structlog
from redis import Redis, RedisError
from redis.backoff import NoBackoff
from redis.retry import Retry

from codesherpa.chat.deltas import Part
from codesherpa.concurrency import spawn
from codesherpa.observability import metrics

PATIENCE = 1.0  # Seconds that Redis has to answer.
RETRY = 0.5  # Seconds between two tries while it is away.
GATHER = 0.005  # Seconds in which what is said together goes together.
QUIET = 4.0  # Seconds of silence after which a listener asks whether anybody is there.
LOG_TTL = 3600  # Seconds that the log of a reply outlives its last beginning.
ENDED_TTL = 60  # Seconds that it outlives the reply's end.

Hint = list[Any]  # A word, and what belongs to it: ["delta", user_id, chat_id, seq, content].
log = structlog.get_logger(__name__)


def connect(url: str) -> Redis:
    """Return a client that fails soon and says so, rather than try again while somebody waits."""
    return Redis.from_url(
        url, socket_connect_timeout=PATIENCE, socket_timeout=PATIENCE, retry=Retry(NoBackoff(), 0), protocol=2
    )


class Bus:
    """Tells the other processes, and hears them. Without a `url` there are none, and every call does nothing.

    `hear` is called with the hints of another process, in their order; `catch_up` gives the parts of live
    replies that the database lacks, for a log that missed some; `heal` is called when hints may have been lost.
    """

    def __init__(self, url: str | None, owner: str) -> None:
        self.shared = bool(url)
        self.away = False
        self.heard_at = time.time()  # When somebody answered last.
        self.hear: Callable[[list[Hint]], None] = lambda hints: None
        self.heal: Callable[[float], None] = lambda since: None
        self.catch_up: Callable[[], list[Hint]] = list
        self._redis = connect(url) if url else None
        # Redis keeps keys apart by database, but not channels.
        number = self._redis.connection_pool.connection_kwargs.get("db", 0) if self._redis else 0
        self._channel, self._owner = f"codesherpa:{number}:hints", owner
        self._outbox: list[Hint] = []
        self._something = threading.Event()
        self._closed = threading.Event()
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Have two threads speak and listen from now on; the second call does nothing."""
        with self._lock:
            if self._redis is not None and not self._threads and not self._closed.is_set():
                self._threads = [spawn(self._speak, self._redis), spawn(self._listen, self._redis)]

    def close(self, patience: float = 2.0) -> None:
        """Say what is left, and stop."""
        self._closed.set()
        self._something.set()
        for thread in self._threads[:1]:
            thread.join(patience)

    def tell(self, *hint: Any) -> None:
        """Tell the other processes, soon; nothing waits."""
        if self._redis is None:
            return
        self.start()
        self._outbox.append(list(hint))
        self._something.set()

    def log(self, chat_id: int, after: int) -> list[Part]:
        """Return the deltas of a reply that were logged after a seq, none while Redis is away."""
        return [part for part in self.logs([chat_id])[chat_id] if part[0] > after]

    def logs(self, chat_ids: Sequence[int]) -> dict[int, list[Part]]:
        """Return for each of these replies the deltas that were logged, in one round trip."""
        kept: list[Any] = [{} for _ in chat_ids]
        if self._redis is not None and not self.away:
            pipe = self._redis.pipeline(transaction=False)
            for chat_id in chat_ids:
                pipe.hgetall(key(chat_id))
            with suppress(RedisError):
                kept = pipe.execute()
        parts = [sorted((int(seq), content.decode()) for seq, content in log.items()) for log in kept]
        return dict(zip(chat_ids, parts, strict=True))

    def _speak(self, redis: Redis) -> None:
        silent_since = time.time()
        while not self._closed.is_set() or self._outbox:
            self._something.wait(RETRY if self.away else None)
            self._something.clear()
            self._closed.wait(GATHER)
            hints, self._outbox = self._outbox, []
            try:
                if self.away:
                    hints = [*self.catch_up(), ["heal", silent_since]]
                self._send(redis, hints)
            except Exception as error:
                if not isinstance(error, RedisError):  # Nobody else speaks when this thread has ended.
                    log.exception("hints not told")
                self._note(True, error)
                if self._closed.wait(RETRY):
                    return
            else:
                self._note(False)
                silent_since = time.time()

    def _send(self, redis: Redis, hints: Sequence[Hint]) -> None:
        """Log the deltas and tell everything, in one round trip."""
        if not hints:
            return
        pipe = redis.pipeline(transaction=False)
        for word, *rest in hints:
            if word == "delta":
                _, chat_id, seq, content = rest
                pipe.hset(key(chat_id), str(seq), content)
                if seq % 100 == 1:
                    pipe.expire(key(chat_id), LOG_TTL)
            elif word == "end":
                pipe.expire(key(rest[1]), ENDED_TTL)
        pipe.publish(self._channel, json.dumps([self._owner, hints], separators=(",", ":")))
        pipe.execute()

    def _listen(self, redis: Redis) -> None:
        while not self._closed.is_set():
            try:
                with redis.pubsub() as heard:  # type: ignore[no-untyped-call]
                    heard.subscribe(self._channel)
                    self._follow(heard)
            except (RedisError, OSError, ValueError) as error:
                self._note(True, error)
            self._closed.wait(RETRY)

    def _follow(self, heard: Any) -> None:
        """Hear until the connection fails. Raises RedisError when it does, or when nobody answers."""
        spoke = time.monotonic()
        asked = False
        while not self._closed.is_set():
            message = heard.get_message(timeout=1.0)
            if message is not None:
                spoke, asked = time.monotonic(), False
                self._take(message)
            elif not asked and time.monotonic() - spoke > QUIET / 2:
                heard.ping()
                asked = True
            elif time.monotonic() - spoke > QUIET:
                raise RedisError("nobody answers")

    def _take(self, message: dict[str, Any]) -> None:
        try:
            if message["type"] == "subscribe":
                self.heal(self.heard_at)  # Whatever was said before this, nobody here has heard.
            elif message["type"] == "message":
                owner, hints = json.loads(message["data"])
                if owner != self._owner:
                    self.hear(hints)
        except Exception:  # The database may be away; the next look finds what this one missed.
            log.exception("hint not followed")
        self.heard_at = time.time()

    def _note(self, away: bool, error: Exception | None = None) -> None:
        if away != self.away:
            self.away = away
            metrics.REDIS_AWAY.set(away)
            log.warning("redis is away" if away else "redis is back", error=str(error) if error else None)
            self._something.set()


def key(chat_id: int) -> str:
    return f"codesherpa:log:{chat_id}"
