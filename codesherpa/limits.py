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
MOST_SPENT = 10_000  # Rates that are remembered as used up, at most.


class Spent:
    """The rates that are used up, each until its window ends: whoever goes on calling is refused without a count.

    A window that is used up stays so until it ends, so a refusal needs neither Redis nor a database.
    """

    def __init__(self) -> None:
        self._until: dict[tuple[Any, ...], float] = {}

    def wait(self, *key: Any) -> int:
        """Return in how many seconds a rate is free again, 0 if it is not known to be used up."""
        if not self._until or (until := self._until.get(key)) is None:
            return 0
        left = until - time.monotonic()
        if left <= 0:
            self._until.pop(key, None)
            return 0
        return math.ceil(left)

    def note(self, wait: int, *key: Any) -> None:
        """Remember a rate as used up for so many seconds."""
        if len(self._until) >= MOST_SPENT:
            self.clear()  # To forget costs a count for each, and lets nobody through.
        self._until[key] = time.monotonic() + wait

    def clear(self) -> None:
        self._until.clear()


class Counter:
    """Counts in the store that every worker shares; while that is away, in this process at half the rate.

    Stricter, never open: two workers that each count for themselves let through no more than one store would.
    """

    def __init__(self, redis_url: str | None) -> None:
        self.alone = FixedWindowRateLimiter(MemoryStorage())
        self.shared = FixedWindowRateLimiter(store(redis_url)) if redis_url else None
        self.away_until = -math.inf
        self.spent = Spent()

    def hit(self, rate: RateLimitItem, *who: str) -> int:
        """Count one; return 0 where it is free, else in how many seconds the next one is."""
        if wait := self.spent.wait(rate, *who):
            return wait
        if wait := self.count(rate, *who):
            self.spent.note(wait, rate, *who)
        return wait

    def count(self, rate: RateLimitItem, *who: str) -> int:
        """As `hit`, but count also what is known to be used up."""
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
                    self.spent.clear()  # The rates were half as large.
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
    """Count a request against its user, or the address of nobody in particular, unless its view counts for itself.

    A path or a method that does not exist counts against the address, whoever asks: no token is looked at.
    """
    if current_app.config["RATE_LIMIT_DEFAULT"] is None or getattr(answering(), "counted", False):
        return
    session = g.get("auth_session")
    # A browser's question before a request carries no token. It does not share a rate with refused tokens.
    stranger = "preflight" if request.method == "OPTIONS" else "address"
    count("RATE_LIMIT_DEFAULT", f"user:{session.user_id}" if session else f"{stranger}:{address()}")


def refuse_spent(*who: str) -> None:
    """Refuse whoever is known to have used up RATE_LIMIT_DEFAULT, before it is counted or anything is read.

    Raises RateLimited.
    """
    rate = current_app.config["RATE_LIMIT_DEFAULT"]
    if rate is None:
        return
    spent = current_app.extensions["counter"].spent
    if wait := max(spent.wait(parsed(rate), "RATE_LIMIT_DEFAULT", one) for one in who):
        raise RateLimited(retry_after=wait)


def count_refused(session: str | None = None) -> None:
    """Count a token or a signature that was refused against its address.

    `session` is the key of the session that a refused token belongs to. It has ended for good: while the address is
    over its rate, the token is refused without a look at the database. Raises RateLimited.
    """
    try:
        count("RATE_LIMIT_DEFAULT", f"address:{address()}")
    except RateLimited as fault:
        if session:
            rate = parsed(current_app.config["RATE_LIMIT_DEFAULT"])
            current_app.extensions["counter"].spent.note(fault.data["retry_after"], rate, "RATE_LIMIT_DEFAULT", session)
        raise


def count_event(event: str, user_id: int | None) -> None:
    """Count a socket's event against its user, or its address where it has none, before anything of it is read.

    Messages have a rate of their own; all other events count together with requests. Raises RateLimited.
    """
    who = f"user:{user_id}" if user_id else f"address:{address()}"
    count("RATE_LIMIT_MESSAGES" if event == "message" else "RATE_LIMIT_DEFAULT", who)


def count_message(user_id: int) -> None:
    """Count a message that came in otherwise than over a socket against its user. Raises RateLimited."""
    count("RATE_LIMIT_MESSAGES", f"user:{user_id}")


def address() -> str:
    return edge.network() or "nowhere"


def account(knows: Callable[[str, str], bool]) -> str:
    """Name the account that a sign-in is for; where it knows the network, apart from what strangers do."""
    email = sent("email")
    if not isinstance(email, str):  # What no account can be called is refused a little later.
        return f"address:{address()}"
    key = emails.key(email)[: emails.LONGEST_KEY]
    return f"account:{key} at:{address()}" if knows(key, address()) else f"account:{key}"


def sent(field: str) -> Any:
    """Return what a request's body holds for a field, unchecked; None where it is no object: the view says so."""
    try:
        return loads(request.get_data()).get(field)
    except BadRequest:
        return None


def by_address(setting: str, where: Callable[[], bool] | None = None) -> Callable[[View], View]:
    """Limit a view by address, at the rate of a setting; of the requests that `where` is true of, if it is given."""
    return limited(setting, address, where)


def by_account(setting: str, knows: Callable[[str, str], bool]) -> Callable[[View], View]:
    """Limit a view by the account that it names, at the rate of a setting.

    `knows` tells whether the account has been signed in to from a network before: its owner is not locked out
    by what strangers try elsewhere, and strangers share one rate however many they are.
    """
    return limited(setting, partial(account, knows))


def by_user(setting: str, where: Callable[[], bool] | None = None) -> Callable[[View], View]:
    """Limit a view by who is signed in, at the rate of a setting: a token that was stolen is no leave to guess.

    If `where` is given, the requests that it is true of are limited so.
    """
    return limited(setting, lambda: f"user:{g.auth_session.user_id}", where)


def limited(setting: str, who: Callable[[], str], where: Callable[[], bool] | None = None) -> Callable[[View], View]:
    """Limit a view. One that is limited for some of its requests alone counts against RATE_LIMIT_DEFAULT as well."""

    def decorate(view: View) -> View:
        @wraps(view)
        def answer(*args: Any, **kwargs: Any) -> Any:
            if where is None or where():
                count(setting, request.endpoint or "", who())
            return view(*args, **kwargs)

        return answer if where else unlimited(answer)

    return decorate


def unlimited(view: View) -> View:
    """Let a view be called however often, or count by itself."""
    view.counted = True  # type: ignore[attr-defined]
    return view
