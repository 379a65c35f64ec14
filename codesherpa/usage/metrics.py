"""What the models do, as Prometheus counts it.

Models are told by their family: agents name models as they please, and a label's values must be few.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from prometheus_client import Counter, Gauge, Histogram

from codesherpa.providers.interface import Usage

SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2, 4, 8, 15, 30, 60, 120, 300)
MODEL = ["provider", "model"]

CALLS = Counter("codesherpa_model_calls", "Calls of a model, by who asked and their end.", [*MODEL, "purpose", "end"])
TOKENS = Counter("codesherpa_model_tokens", "Tokens that models read and wrote.", [*MODEL, "kind"])
FAULTS = Counter("codesherpa_model_faults", "Calls of a model that failed.", [*MODEL, "code"])
FIRST_TOKEN = Histogram("codesherpa_model_first_token_seconds", "Time to a model's first word.", MODEL, buckets=SECONDS)
REPLY = Histogram("codesherpa_reply_seconds", "Time to write a reply.", ["agent", "status"], buckets=SECONDS)
WRITING = Gauge("codesherpa_replies_writing", "Replies that are being written.", multiprocess_mode="livesum")
REFUSED = Counter("codesherpa_budget_refusals", "Messages refused because the day's budget was spent.")


# To look up a series takes longer than to count in it; there are as many as families, purposes and ends.
calls: Callable[..., Counter] = cache(CALLS.labels)
tokens_of: Callable[..., Counter] = cache(TOKENS.labels)
first_token: Callable[..., Histogram] = cache(FIRST_TOKEN.labels)
reply: Callable[..., Histogram] = cache(REPLY.labels)


def called(provider: str, model: str, purpose: str, usage: Usage, end: str, fault: str | None) -> None:
    """Count a call that ended; `model` is its family's name."""
    calls(provider, model, purpose, end).inc()
    for kind in ("input", "output", "cache_read", "cache_write"):
        if tokens := getattr(usage, f"{kind}_tokens"):
            tokens_of(provider, model, kind).inc(tokens)
    if fault:
        FAULTS.labels(provider, model, fault).inc()
