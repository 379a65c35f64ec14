"""Passwords: hashed and checked with bcrypt, away from the hub, and no more at once than there are cores."""

from __future__ import annotations

import os
import threading
import unicodedata
from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from runpy import run_path
from typing import ParamSpec, TypeVar

import bcrypt
from flask import current_app

from codesherpa.concurrency import offload
from codesherpa.errors import RateLimited

P = ParamSpec("P")
T = TypeVar("T")

LEAST, MOST = 8, 72  # Bytes of UTF-8; bcrypt reads no more.
PATIENCE = 2.0  # Seconds that a password waits for a core before its caller is asked to come back.
turns = threading.BoundedSemaphore(os.cpu_count() or 1)


def hash(password: str) -> str:
    """Hash a password of at most 72 bytes with a salt of its own. Raises RateLimited."""
    salt = bcrypt.gensalt(current_app.config["BCRYPT_ROUNDS"])
    return in_turn(bcrypt.hashpw, password.encode(), salt).decode()


def matches(password: str, hashed: str | None) -> bool:
    """Tell whether a password is the one that was hashed; one bcrypt whatever happens, False for None.

    Raises RateLimited.
    """
    plain = unicodedata.normalize("NFC", password).encode()
    fits = in_turn(bcrypt.checkpw, plain[:MOST], (hashed or nobody()).encode())
    return fits and hashed is not None and len(plain) <= MOST


def nobody() -> str:
    """Return what is checked where there is no account: a hash of today's cost that no password has."""
    return f"$2b${current_app.config['BCRYPT_ROUNDS']:02}${'.' * 53}"


def in_turn(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Compute when there is a core for it. Raises RateLimited when that would take too long.

    A crowd that signs in must not keep everybody else waiting.
    """
    if not turns.acquire(timeout=PATIENCE):
        raise RateLimited(retry_after=int(PATIENCE))
    try:
        return offload(work, *args, **kwargs)
    finally:
        turns.release()


def is_common(password: str) -> bool:
    """Tell whether a password is one of those that are tried first, whatever its case."""
    return password.casefold() in common()


@cache
def common() -> frozenset[str]:
    """Return the common passwords that are long enough to be asked for, case-folded: some 11,000 of zxcvbn's 30,000.

    Its lists alone are read: they are all that is wanted of it.
    """
    spec = find_spec("zxcvbn")
    if spec is None or spec.origin is None:
        raise LookupError("zxcvbn is not installed")
    lists = run_path(str(Path(spec.origin).with_name("frequency_lists.py")))["FREQUENCY_LISTS"]
    return frozenset(word.casefold() for word in lists["passwords"] if len(word.encode()) >= LEAST)
