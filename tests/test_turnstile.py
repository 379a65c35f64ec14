"""Of many who come at once a few go on in each turn, in the order in which they came."""

from __future__ import annotations

import threading
import time
from types import SimpleNamespace

import pytest

from codesherpa import concurrency
from codesherpa.concurrency import Turnstile, spawn


@pytest.fixture
def turns(monkeypatch: pytest.MonkeyPatch) -> threading.Semaphore:
    """Turns that come when a test says so."""
    next_turn = threading.Semaphore(0)
    only = SimpleNamespace(sleep=lambda seconds: next_turn.acquire(timeout=10))
    monkeypatch.setattr(concurrency, "time", only)
    return next_turn


def enter(turnstile: Turnstile, name: str, passed: list[str]) -> None:
    turnstile.enter()
    passed.append(name)


def wait_for(condition: object) -> None:
    give_up = time.monotonic() + 10
    while not condition() and time.monotonic() < give_up:  # type: ignore[operator]
        threading.Event().wait(0.005)


def test_a_few_pass_in_each_turn_the_first_first(turns: threading.Semaphore) -> None:
    turnstile, passed = Turnstile(2), []
    for count, name in enumerate("abcde", 1):
        spawn(enter, turnstile, name, passed)
        wait_for(lambda count=count: len(passed) + len(turnstile._waiting) == count)

    seen = ["".join(passed)]
    for due in (4, 5):
        turns.release()
        wait_for(lambda due=due: len(passed) == due)
        seen.append("".join(sorted(passed[:2]) + sorted(passed[2:4]) + passed[4:]))

    assert seen == ["ab", "abcd", "abcde"]


def test_who_comes_alone_does_not_wait_and_the_next_finds_all_as_it_was(turns: threading.Semaphore) -> None:
    turnstile, passed = Turnstile(1), []

    for name in "ab":
        enter(turnstile, name, passed)
        turns.release()
        wait_for(lambda: not turnstile._turning)

    assert passed == ["a", "b"]
    assert not turnstile._turning


def test_whoever_takes_the_last_room_of_a_turn_leaves_the_rest_to_the_next(turns: threading.Semaphore) -> None:
    turnstile, passed = Turnstile(2), []
    for name in "abc":
        spawn(enter, turnstile, name, passed)
    wait_for(lambda: len(passed) + len(turnstile._waiting) == 3)
    turns.release()
    wait_for(lambda: len(passed) == 3)

    spawn(enter, turnstile, "d", passed)
    wait_for(lambda: len(passed) == 4)
    spawn(enter, turnstile, "e", passed)
    wait_for(lambda: len(turnstile._waiting) == 1)

    assert (sorted(passed), turnstile.is_crowded()) == (["a", "b", "c", "d"], True)
    turns.release()
    wait_for(lambda: len(passed) == 5)
    assert (passed[4], turnstile.is_crowded()) == ("e", False)
