"""How long to wait before the next try."""

from __future__ import annotations

import random
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

from codesherpa.database import now

FIRST, LONGEST = 5.0, 900.0  # Seconds.


def delay(tries: int) -> float:
    """Return the seconds to wait after so many tries: twice as long each time, and never all at once."""
    return min(LONGEST, FIRST * 2.0 ** (tries - 1)) * random.uniform(0.5, 1.0)  # noqa: S311 (no secret)


def asked_for(headers: Mapping[str, str]) -> float | None:
    """Return the seconds that an answer asks to wait for, by Retry-After or by a spent rate limit; None for neither.

    `headers` have lower-case names. Retry-After may be seconds or a date (RFC 9110, 10.2.3).
    """
    if (after := headers.get("retry-after", "").strip()).isdecimal():
        return float(after[:9])
    if after:
        try:
            return max(0.0, (parsedate_to_datetime(after) - now()).total_seconds())
        except (ValueError, TypeError):  # No date, or one without a zone.
            return None
    if headers.get("x-ratelimit-remaining") == "0" and (reset := headers.get("x-ratelimit-reset", "")).isdecimal():
        return max(1.0, int(reset[:12]) - now().timestamp())
    return None
