"""A bound on how many packets a second are read from one connection."""

from __future__ import annotations

import time

SHORTEST = 0.001  # Seconds; a shorter wait is left to the next packet.


class PacketRate:
    """Delays the reader of a connection whose client sends faster than it may.

    Nothing is refused or lost: what is not read waits in the client's TCP window. The first `burst` packets are free.
    """

    def __init__(self, per_second: float, burst: int) -> None:
        self.allow(per_second, burst)

    def allow(self, per_second: float, burst: int) -> None:
        """Set another rate, from now on."""
        self._interval, self._burst = 1 / per_second, burst
        self._next = time.monotonic()  # When the next packet would be due if all came at an even pace.

    def wait(self) -> None:
        """Count one packet, and wait if it came too early."""
        now = time.monotonic()
        self._next = max(self._next, now) + self._interval
        early = self._next - now - self._burst * self._interval
        if early > SHORTEST:
            time.sleep(early)
