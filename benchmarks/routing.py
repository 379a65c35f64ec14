"""Routing without a model: how often it is right, how often it would ask, how long it takes.

Run from the project's folder with `python -m benchmarks.routing`. What the rules leave open counts as the fallback
decides it.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable

from benchmarks.record import bars
from codesherpa.sherpas import router
from tests.sherpas.routing.labelled import Labelled, load

REPEAT = 5


def right(row: Labelled) -> bool:
    """Tell whether a message goes where its label says."""
    return router.fallback(row.message, row.code_context, row.previous).target_agent == row.target_agent


def undecided(row: Labelled) -> bool:
    """Tell whether a model would be asked."""
    return router.route(row.message, row.code_context, row.previous) is None


def microseconds(row: Labelled) -> float:
    """Return the shortest of some runs: what the work takes, not what else the machine does."""
    taken = []
    for _ in range(REPEAT):
        start = time.perf_counter()
        router.route(row.message, row.code_context, row.previous)
        taken.append(time.perf_counter() - start)
    return min(taken) * 1e6


def shares(rows: Iterable[Labelled], key: Callable[[Labelled], str]) -> str:
    """Return the share that is right, group by group."""
    rows = list(rows)
    whole = Counter(map(key, rows))
    good = Counter(key(row) for row in rows if right(row))
    return ", ".join(f"{name} {good[name] / whole[name]:.1%} of {whole[name]}" for name in sorted(whole))


def main() -> None:
    """Print the scores of each set."""
    told = {}
    for name in ("tuned", "practice", "held_out"):
        rows = load(name)
        times = sorted(map(microseconds, rows))
        p50, p99 = (times[int(len(times) * share)] for share in (0.5, 0.99))
        good, open_ones = sum(map(right, rows)), sum(map(undecided, rows))
        told[name.replace("_", " ")] = 100 * good / len(rows)
        print(f"{name}: {good / len(rows):.1%} of {len(rows)} right, {open_ones / len(rows):.1%} left open")  # noqa: T201
        print(f"  by language: {shares(rows, lambda row: row.language)}")  # noqa: T201
        print(f"  by label:    {shares(rows, lambda row: row.target_agent)}")  # noqa: T201
        print(f"  microseconds per message: p50 {p50:.0f}, p99 {p99:.0f}")  # noqa: T201
    bars("routing", "Messages that go to the right sherpa without a model", "percent, by set of labels", told)


if __name__ == "__main__":
    main()
