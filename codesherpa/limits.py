"""How often who may call: by user, by address and by account."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from functools import cache, partial, wraps
from typing import Any

import structlog
from flask import Flask, current_app, g, request
from limits import RateLimitItem, parse
from limits.errors import StorageError
from limits.storage import MemoryStorage, storage_from_string
from limits.strategies import FixedWindowRateLimiter
from redis.backoff import NoBackoff
from redis.retry import Retry
from werkzeug.exceptions import BadRequest

from codesherpa import edge, emails
from codesherpa.api import View, answering, loads
from codesherpa.errors import RateLimited
from codesherpa.observability import metrics

log = structlog.get_logger(__name__)
parsed: Callable[[str], RateLimitItem] = cache(parse)
PAUSE = 5.0  # Seconds after which a store that was away is asked again.


class Counter:
    """Counts in the store that every worker shares; while that is away, in this process at half the rate.

    Stricter, never open: two workers that each count for themselves let through no more than one store would.
    """

    def __init__(self, redis_url: str | None) -> None:
        self.alone = FixedWindowRateLimiter(MemoryStorage())
        self.shared = FixedWindowRateLimiter(store(redis_url)) if redis_url else None
        self.away_until = -math.inf

    def hit(self, rate: RateLimitItem, *who: str) -> int:
        """Count one; return 0 where it is free, else in how many seconds the next one is."""
        if self.shared is None:
            return counted(self.alone, rate, *who)
        now = time.monotonic()
        if now >= self.away_until:
            if self.away_until > -math.inf:
                self.away_until = now + PAUSE  # One asks whether it is back; nobody else waits for the answer.
            try:
                wait = counted(self.shared, rate, *who)
            except StorageError:
                self.away_until = time.monotonic() + PAUSE
                metrics.REDIS_AWAY.set(1)
                log.warning("the store of the rate limits does not answer", exc_info=True)
            else:
                if self.away_until > -math.inf:
                    self.away_until = -math.inf
                    metrics.REDIS_AWAY.set(0)
                return wait
        return counted(self.alone, half(rate), *who)


def store(redis_url: str) -> Any:
    """Return the store at a Redis; one that hangs holds a request up for half a second, and is not asked again."""
    url = redis_url.replace("unix://", "redis+unix://", 1) if redis_url.startswith("unix://") else redis_url
    return storage_from_string(
        url,
        wrap_exceptions=True,
        key_prefix="codesherpa",
        socket_connect_timeout=0.5,
        socket_timeout=0.5,
        retry=Retry(NoBackoff(), 0),  # type: ignore[arg-type]  # redis-py would try thrice more, seconds apart.
    )


def counted(strategy: FixedWindowRateLimiter, rate: RateLimitItem, *who: str) -> int:
    if strategy.hit(rate, *who):
        return 0
    return max(1, math.ceil(strategy.get_window_stats(rate, *who).reset_time - time.time()))


@cache
def half(rate: RateLimitItem) -> RateLimitItem:
    return type(rate)(max(1, rate.amount // 2), rate.multiples, rate.namespace)


def init_app(app: Flask) -> None:
    """Count in Redis where there is one, so that all workers count together, else in this process."""
    app.extensions["counter"] = Counter(app.config["REDIS_URL"])
    app.before_request(count_request)


def count(setting: str, *who: str) -> None:
    """Count one against the rate of a setting. Raises RateLimited."""
    rate = current_app.config[setting]
    if rate is None:
        return
    if wait := current_app.extensions["counter"].hit(parsed(rate), setting, *who):
        raise RateLimited(retry_after=wait)


def count_request() -> None:
    """Count a request against its user, or the address of nobody in particular, unless its view counts for itself."""
    view = None if current_app.config["RATE_LIMIT_DEFAULT"] is None else answering()
    if view is None or getattr(view, "counted", False):
        return
    session = g.get("auth_session")
    count("RATE_LIMIT_DEFAULT", f"user:{session.user_id}" if session else f"address:{address()}")


def count_message(user_id: int) -> None:
    """Count a socket's message against its user. Raises RateLimited."""
    count("RATE_LIMIT_MESSAGES", f"user:{user_id}")


def address() -> str:
    return edge.network() or "nowhere"


def account(knows: Callable[[str, str], bool]) -> str:
    """Name the account that a sign-in is for; where it knows the network, apart from what strangers do."""
    try:
        email = loads(request.get_data()).get("email")
    except BadRequest:  # The view says so.
        email = None
    if not isinstance(email, str):  # What no account can be called is refused a little later.
        return f"address:{address()}"
    key = emails.key(email)[: emails.LONGEST_KEY]
    return f"account:{key} at:{address()}" if knows(key, address()) else f"account:{key}"


def by_address(setting: str) -> Callable[[View], View]:
    """Limit a view by address, at the rate of a setting."""
    return limited(setting, address)


def by_account(setting: str, knows: Callable[[str, str], bool]) -> Callable[[View], View]:
    """Limit a view by the account that it names, at the rate of a setting.

    `knows` tells whether the account has been signed in to from a network before: its owner is not locked out
    by what strangers try elsewhere, and strangers share one rate however many they are.
    """
    return limited(setting, partial(account, knows))


def by_user(setting: str) -> Callable[[View], View]:
    """Limit a view by who is signed in, at the rate of a setting: a token that was stolen is no leave to guess."""
    return limited(setting, lambda: f"user:{g.auth_session.user_id}")


def limited(setting: str, who: Callable[[], str]) -> Callable[[View], View]:
    def decorate(view: View) -> View:
        @wraps(view)
        def answer(*args: Any, **kwargs: Any) -> Any:
            count(setting, request.endpoint or "", who())
            return view(*args, **kwargs)

        return unlimited(answer)

    return decorate


def unlimited(view: View) -> View:
    """Let a view be called however often, or count by itself."""
    view.counted = True  # type: ignore[attr-defined]
    return view
