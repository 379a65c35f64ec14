"""Passwords: hashed and checked with bcrypt, away from the hub."""

from __future__ import annotations

import unicodedata

import bcrypt
from flask import current_app

from codesherpa.concurrency import offload

# Checked where there is no account, so that a login costs the same for every address.
NOBODY: dict[int, bytes] = {}


def hash(password: str) -> str:
    """Hash a password of at most 72 bytes with a salt of its own."""
    return offload(bcrypt.hashpw, password.encode(), bcrypt.gensalt(current_app.config["BCRYPT_ROUNDS"])).decode()


def matches(password: str, hashed: str | None) -> bool:
    """Tell whether a password is the one that was hashed; one bcrypt whatever happens, False for None."""
    plain = unicodedata.normalize("NFC", password).encode()
    fits = offload(bcrypt.checkpw, plain[:72], hashed.encode() if hashed else nobody())
    return fits and hashed is not None and len(plain) <= 72


def nobody() -> bytes:
    rounds = current_app.config["BCRYPT_ROUNDS"]
    if rounds not in NOBODY:
        NOBODY[rounds] = offload(bcrypt.hashpw, b"nobody", bcrypt.gensalt(rounds))
    return NOBODY[rounds]
