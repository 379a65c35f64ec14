"""The deltas that a reply was shown in, cut from its text by where each of them ended."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import count

Part = tuple[int, str]  # A delta: its seq, and its content.


def cut(response: str, ends: str, after: int) -> list[Part]:
    """Cut a stored reply into its deltas, from the one after `after` on."""
    places = [0, *(int(end) for end in ends.split(",") if end)]
    return [(seq, response[places[seq - 1] : places[seq]]) for seq in range(after + 1, len(places))]


def joined(after: int, parts: Iterable[Part]) -> list[Part]:
    """Return the parts that follow `after`, up to the first gap."""
    return [part for part, seq in zip(parts, count(after + 1), strict=False) if part[0] == seq]
