"""Who sent a delivery: an HMAC-SHA256 over the raw bytes, checked before anything of them is parsed.

GitHub and Meta sign the same way, in the same header.
"""

from __future__ import annotations

import hashlib
import hmac

from flask import request

from codesherpa.errors import NotConfigured, Unauthorized
from codesherpa.limits import count_refused

HEADER = "X-Hub-Signature-256"
MOST_VALUES = 100_000  # In the JSON of a delivery: a push may have thousands of files.


def signed_body(secret: str | None) -> bytes:
    """Return the raw body of this request when it is signed with `secret`.

    Raises NotConfigured without a secret, before the body is read; Unauthorized for any signature but the one, and
    RateLimited for more of them from an address than RATE_LIMIT_DEFAULT. What is signed well is never refused so.
    """
    if not secret:
        raise NotConfigured("This webhook is closed: the secret that would check its deliveries is not set.")
    sent = request.headers.get(HEADER, "")
    body = request.get_data(cache=True) if sent else b""
    if not sent or not matches(secret, body, sent):
        count_refused()
        raise Unauthorized("The signature does not fit what was sent.")
    return body


def matches(secret: str, body: bytes, sent: str) -> bool:
    """Tell in constant time whether `sent` is the signature of these bytes."""
    # Headers are Latin-1; compare_digest takes text only when it is ASCII.
    return hmac.compare_digest(sign(secret, body).encode(), sent.encode("latin-1", "replace"))


def sign(secret: str, body: bytes) -> str:
    """Return the header's value for these bytes."""
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
