"""The drill of deliveries: everything comes three times, shuffled, while workers are killed; each effect is there once.

It starts what it needs on loopback and ends by itself. What is delivered, and what should come of it, is for a Drill
to say: github.py and whatsapp.py beside this. `make deliveries` runs both, on both databases.
"""

from __future__ import annotations

import argparse
import contextlib
import random
import statistics
import sys
import tempfile
import threading
import time
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from tests.chaos import senders, services
from tests.chaos.senders import Acknowledged, Delivery
from tests.chaos.services import Worker
from tests.live.conftest import started_at_once
from tests.services import RedisServer

TIMES = 3
PATIENCE, LOOK = 60.0, 0.5
WAYS = ("kill", "kill", "child", "term")


@dataclass(frozen=True)
class Plan:
    """What to do. PostgreSQL has two workers and a Redis, SQLite one worker alone."""

    database: str = "postgresql"
    count: int = 10_000
    kills: int = 20
    pause: float = 8.0  # Seconds between two kills, about.
    senders: int = 6
    seed: int = 9

    @property
    def workers(self) -> int:
        return 1 if self.database == "sqlite" else 2


class Drill(ABC):
    """One service's deliveries, and what should come of them."""

    worker: type[Worker]
    path: str

    @abstractmethod
    def __init__(self, count: int) -> None:
        """`count` is how many deliveries, or messages in them, there are to be, about."""

    @abstractmethod
    def serving(self) -> AbstractContextManager[dict[str, str]]:
        """Serve the stand-in, and give the settings that lead to it."""

    @abstractmethod
    def prepare(self, workers: Sequence[Worker]) -> None:
        """Do what must be there before the first delivery."""

    @abstractmethod
    def deliveries(self, chance: random.Random) -> list[Delivery]:
        """Return everything that is sent, in the order in which it is."""

    @abstractmethod
    def left(self, url: str) -> Counter[str]:
        """Return how much is still to be done, by what it waits for: empty when all is done."""

    @abstractmethod
    def faults(self, url: str) -> list[str]:
        """Hold what came of it against what should have."""


@dataclass
class Result:
    """What came of a drill."""

    acknowledged: Acknowledged = field(default_factory=Acknowledged)
    kills: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    sending: float = 0.0
    seconds: float = 0.0

    @property
    def sent(self) -> int:
        return len(self.acknowledged.seconds)

    def percentile(self, share: float) -> float:
        """Milliseconds within which that share of the deliveries was acknowledged."""
        found = sorted(self.acknowledged.seconds)
        return found[min(len(found) - 1, int(share * len(found)))] * 1000

    def __str__(self) -> str:
        shares = (("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("max", 1))
        times = ", ".join(f"{name} {self.percentile(share):.0f} ms" for name, share in shares)
        mean = statistics.mean(self.acknowledged.seconds) * 1000
        rows = [
            f"{self.sent} sent in {self.sending:.0f} s, all done in {self.seconds:.0f} s",
            f"acknowledged: {times}, mean {mean:.0f} ms, not within {senders.TIMEOUT:.0f} s: {self.acknowledged.late}",
            f"killed: {', '.join(f'{way} {count}' for way, count in sorted(self.kills.items())) or 'none'}",
            f"faults: {len(self.faults) or 'none'}",
        ]
        return "\n".join([*rows, *(f"  {fault}" for fault in self.faults[:40])])


class Killer:
    """Kills one of the workers now and then, and starts it again."""

    def __init__(self, plan: Plan, workers: Sequence[Worker], kills: Counter[str]) -> None:
        self.plan, self.workers, self.kills = plan, workers, kills
        self.chance = random.Random(plan.seed)
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self.run)

    def run(self) -> None:
        for _ in range(self.plan.kills):
            if self.ended.wait(self.chance.uniform(0.5, 1.5) * self.plan.pause):
                return
            self.kill(self.chance.choice(self.workers), self.chance.choice(WAYS))

    def kill(self, worker: Worker, way: str) -> None:
        self.kills[way] += 1
        if way == "child":
            worker.kill_child()
            return
        if way == "term":
            worker.terminate()
        else:
            worker.kill()
        worker.start()

    def stop(self) -> None:
        """End after the kill that is under way, so that every worker serves again."""
        self.ended.set()
        if self.thread.ident:
            self.thread.join()


def run(drill: Drill, plan: Plan, folder: Path) -> Result:
    """Deliver everything while workers die, wait until all is done, and return what came of it."""
    result = Result()
    with contextlib.ExitStack() as stack:
        url = stack.enter_context(services.own_database(plan.database, folder))
        settings = stack.enter_context(drill.serving()) | {"DATABASE_URL": url, "LOG_LEVEL": "ERROR"}
        if plan.workers > 1:
            redis = RedisServer(folder)
            stack.callback(redis.stop)
            settings |= {"REDIS_URL": redis.url}
        workers = started_at_once(*[partial(drill.worker, folder, **settings)] * plan.workers)
        for worker in workers:
            stack.callback(worker.stop)
        drill.prepare(workers)
        killer = Killer(plan, workers, result.kills)
        pool = stack.enter_context(senders.process())
        stack.callback(killer.stop)
        ports = [worker.port for worker in workers]
        began = time.monotonic()
        sending = pool.submit(
            senders.hand_over, drill.deliveries(random.Random(plan.seed)), drill.path, ports, plan.senders
        )
        killer.thread.start()
        result.acknowledged = sending.result()
        result.sending = time.monotonic() - began
        result.faults += result.acknowledged.faults + wait(drill, url, PATIENCE + plan.count * 0.1)
        result.seconds = time.monotonic() - began
        killer.stop()
        result.faults += drill.faults(url)
    return result


def wait(drill: Drill, url: str, patience: float) -> list[str]:
    """Wait until nothing is left to be done; return what is, after all."""
    give_up = time.monotonic() + patience
    while (left := drill.left(url)) and time.monotonic() < give_up:
        time.sleep(LOOK)
    return [f"not done: {dict(left)}"] if left else []


def main(kind: type[Drill]) -> None:
    """Run a drill as the command line says, on both databases unless it names one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database", choices=("sqlite", "postgresql"), help="both without it")
    parser.add_argument("--count", type=int, default=Plan.count, help="deliveries, or messages in them")
    parser.add_argument("--kills", type=int, default=Plan.kills)
    parser.add_argument("--pause", type=float, default=Plan.pause, help="seconds between two kills")
    parser.add_argument("--senders", type=int, default=Plan.senders)
    given = parser.parse_args()
    failed = False
    for database in [given.database] if given.database else ("sqlite", "postgresql"):
        plan = Plan(database, given.count, given.kills, given.pause, given.senders)
        with tempfile.TemporaryDirectory() as folder:
            result = run(kind(given.count), plan, Path(folder))
        print(f"{kind.__name__}, {database}: {result}", flush=True)  # noqa: T201 (it is what the drill is for)
        failed |= bool(result.faults)
    sys.exit(failed)
