"""Who answers. A new sherpa is one file and one line in the table."""

from __future__ import annotations

from codesherpa.sherpas.codebase_sherpa import CodebaseSherpa
from codesherpa.sherpas.general import GeneralChat
from codesherpa.sherpas.interface import Sherpa
from codesherpa.sherpas.review_monk import ReviewMonk

SHERPAS: dict[str, Sherpa] = {
    "general_chat": GeneralChat(),
    "review_monk": ReviewMonk(),
    "codebase_sherpa": CodebaseSherpa(),
}
# Who answers for an agent of that kind.
KINDS = {"general": "general_chat", "review": "review_monk", "explain": "codebase_sherpa"}


def for_kind(kind: str) -> Sherpa:
    """Return the sherpa of an agent's kind."""
    return SHERPAS[KINDS[kind]]
