"""How often who may call: by user, by address and by account."""

from __future__ import annotations

from collections.abc import Callable

from flask import Flask, current_app, g, request
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address
from limits import parse
from limits.errors import StorageError

from codesherpa.api import View
from codesherpa.errors import RateLimited


def caller() -> str:
    """Name who calls: the signed-in user, else the address."""
    session = g.get("auth_session")
    return f"user:{session.user_id}" if session else f"address:{get_remote_address()}"


def account() -> str:
    """Name the account that a sign-in is for."""
    body = request.get_json(silent=True)
    email = body.get("email") if isinstance(body, dict) else None
    return f"account:{email.strip().casefold()[:300]}" if isinstance(email, str) else f"address:{get_remote_address()}"


def half() -> str:
    """The default rate while Redis is away and each process counts for itself: stricter, never open."""
    count, _, unit = current_app.config["RATE_LIMIT_DEFAULT"].partition("/")
    return f"{max(1, int(count) // 2)}/{unit}"


def off(setting: str) -> Callable[[], bool]:
    return lambda: current_app.config[setting] is None


# The rates are read at each request, since every application has its own.
limiter = Limiter(
    caller,
    default_limits=[lambda: current_app.config["RATE_LIMIT_DEFAULT"]],
    default_limits_exempt_when=off("RATE_LIMIT_DEFAULT"),
    in_memory_fallback=[half],  # type: ignore[list-item]  # It may be callable, as the others are.
)


def init_app(app: Flask) -> None:
    """Count in Redis where there is one, so that all workers count together, else in this process."""
    app.config["RATELIMIT_STORAGE_URI"] = app.config["REDIS_URL"] or "memory://"
    app.config["RATELIMIT_KEY_PREFIX"] = "codesherpa"
    limiter.init_app(app)


def by_address(setting: str) -> Callable[[View], View]:
    """Limit a view by address, at the rate of a setting."""
    return limiter.limit(lambda: current_app.config[setting], key_func=get_remote_address, exempt_when=off(setting))


def by_account(setting: str) -> Callable[[View], View]:
    """Limit a view by the account that it names, at the rate of a setting."""
    return limiter.limit(lambda: current_app.config[setting], key_func=account, exempt_when=off(setting))


def count_message(user_id: int) -> None:
    """Count a socket's message against its user. Raises RateLimited."""
    rate = current_app.config["RATE_LIMIT_MESSAGES"]
    if rate is None:
        return
    try:
        free = limiter.limiter.hit(parse(rate), "messages", str(user_id))
    except StorageError:
        free = True  # The store is away; the user's replies are limited all the same, by the database.
    if not free:
        raise RateLimited(retry_after=1)
