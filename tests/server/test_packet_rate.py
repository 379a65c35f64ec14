"""How long the reader of a connection waits when packets come too fast."""

from __future__ import annotations

import pytest

from codesherpa.server import packet_rate
from codesherpa.server.packet_rate import PacketRate


class Clock:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(packet_rate, "time", clock)
    return clock


def read(rate: PacketRate, packets: int) -> None:
    for _ in range(packets):
        rate.wait()


def test_a_burst_is_read_at_once(clock: Clock) -> None:
    read(PacketRate(5, burst=20), 20)

    assert clock.now == 100


def test_what_comes_after_the_burst_is_read_at_the_rate(clock: Clock) -> None:
    read(PacketRate(5, burst=20), 20 + 50)

    assert clock.now == pytest.approx(110, abs=0.01)


def test_a_pause_gives_the_burst_back(clock: Clock) -> None:
    rate = PacketRate(5, burst=20)
    read(rate, 20)
    clock.now += 60
    read(rate, 20)

    assert clock.now == pytest.approx(160)


def test_another_rate_counts_from_then_on(clock: Clock) -> None:
    rate = PacketRate(5, burst=20)
    read(rate, 20)
    rate.allow(200, burst=1000)
    read(rate, 1000 + 200)

    assert clock.now == pytest.approx(101)
