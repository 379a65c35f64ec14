"""Runs workers, has clients talk to them, kills at random, and holds what came of it against the ledger.

Everything listens on loopback; a run ends by itself within `seconds` and a minute or two.
"""

from __future__ import annotations

import contextlib
import json
import queue
import random
import re
import subprocess
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from tests.chaos import services
from tests.chaos.client import compiled
from tests.chaos.ledger import Ledger, by_kind
from tests.chaos.relay import Relay
from tests.conftest import migrate
from tests.live.conftest import started_at_once
from tests.services import PostgresServer, RedisServer
from tests.standins import bedrock

HERE = Path(__file__).parent
AHEAD = 100  # Messages by which the clients may be ahead of what is to be done: a kill takes seconds.
WAYS = ("kill", "kill", "child", "term")
MARK = re.compile(r"m=(u\d+-\d+);")


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do: `messages` of `users` with two tabs each, with `kills` of workers spread over them.

    All connections are cut `cuts` times. `redis_away` and `postgresql_away` are outages, in seconds each.
    `rolls` is how often all workers are told to leave and started anew, one after the other, as an upgrade does.
    `front` is what stands before the workers: relay or nginx. After `seconds` no more is sent.
    """

    database: str = "sqlite"
    messages: int = 60
    kills: int = 3
    users: int = 6
    seed: int = 1
    seconds: float = 600
    cuts: int = 1
    redis_away: tuple[float, ...] = ()
    postgresql_away: tuple[float, ...] = ()
    rolls: int = 0
    front: str = "relay"

    @property
    def workers(self) -> int:
        return 1 if self.database == "sqlite" else 2


@dataclass(slots=True)
class Report:
    """What was done, and what was found."""

    plan: Plan
    violations: list[str]
    count: dict[str, Any]
    kills: Counter[str]
    statuses: Counter[str]
    seconds: float
    terminations: list[float] = field(default_factory=list)

    def __str__(self) -> str:
        lines = [
            f"{self.plan.database}, seed {self.plan.seed}, {self.seconds:.0f} s",
            "  "
            + ", ".join(f"{self.count.get(name, 0)} {name}" for name in ("acknowledged", "stops", "reloads", "posts")),
            "  killed: " + ", ".join(f"{way} {count}" for way, count in sorted(self.kills.items())),
            "  stored: " + ", ".join(f"{status} {count}" for status, count in sorted(self.statuses.items())),
        ]
        if self.terminations:
            lines.append(f"  SIGTERM to exit: at most {max(self.terminations):.1f} s")
        found = by_kind(self.violations)
        lines.append("  violations: " + (", ".join(f"{kind} {count}" for kind, count in found.items()) or "none"))
        return "\n".join([*lines, *(f"    {violation}" for violation in self.violations[:40])])


class Run:
    """One run: its services, its clients, its ledger."""

    def __init__(self, plan: Plan, folder: Path) -> None:
        self.plan, self.folder, self.dice = plan, folder, random.Random(plan.seed)
        self.seen, self.done = folder / "clients.jsonl", folder / "driver.jsonl"
        self.kills: Counter[str] = Counter()
        self.terminations: list[float] = []
        self.database: PostgresServer | None = None

    def go(self) -> Report:
        """Run the plan and report. Raises what keeps it from starting."""
        started = time.monotonic()
        with contextlib.ExitStack() as stack:
            url = self._database(stack)
            standin = stack.enter_context(bedrock.running())
            self.redis = self._redis(stack)
            self.workers = self._workers(stack, url, standin)
            self.front = self._front(stack)
            count = self._clients(stack)
            calls = calls_of_the_model(standin)
            chats = services.stored(url)
        ledger = Ledger.read(self.seen, self.done)
        violations = ledger.check(chats, calls)
        (self.folder / "stored.json").write_text(json.dumps([asdict(chat) for chat in chats]))
        (self.folder / "violations.txt").write_text("".join(f"{violation}\n" for violation in violations))
        statuses = Counter(chat.status for chat in chats)
        seconds = time.monotonic() - started
        return Report(self.plan, violations, count, self.kills, statuses, seconds, self.terminations)

    def note(self, kind: str, **more: Any) -> None:
        with self.done.open("a") as file:
            file.write(json.dumps({"kind": kind, "at": time.time()} | more) + "\n")

    def _database(self, stack: contextlib.ExitStack) -> str:
        """Return the URL of a migrated database, in a PostgreSQL of this run's own where it is to go away."""
        if self.plan.workers == 1 or not self.plan.postgresql_away:
            return stack.enter_context(services.own_database(self.plan.database, self.folder))
        self.database = PostgresServer()
        stack.callback(self.database.remove)
        migrate(self.database.url)
        return self.database.url

    def _redis(self, stack: contextlib.ExitStack) -> RedisServer | None:
        if self.plan.workers == 1:
            return None
        redis = RedisServer(self.folder)
        stack.callback(redis.stop)
        return redis

    def _workers(self, stack: contextlib.ExitStack, url: str, standin: bedrock.StandIn) -> list[services.Worker]:
        settings = {"DATABASE_URL": url, "MODEL_PROVIDER": "bedrock", "MAX_GENERATIONS_PER_USER": "100"}
        settings |= {"REDIS_URL": self.redis.url} if self.redis else {}
        start = partial(services.Worker, self.folder, ASYNC_MODE="eventlet", **settings, **standin.environment)
        workers = started_at_once(*[start] * self.plan.workers)
        for worker in workers:
            stack.callback(worker.stop)
        return workers

    def _front(self, stack: contextlib.ExitStack) -> Any:
        ports = [worker.port for worker in self.workers]
        front = services.Nginx(self.folder, *ports) if self.plan.front == "nginx" else Relay(*ports)
        stack.callback(front.close)
        return front

    def _clients(self, stack: contextlib.ExitStack) -> dict[str, Any]:
        """Have the clients do their part, and kill while they do; return what they counted."""
        (self.folder / "client").mkdir()
        node = subprocess.Popen(
            ["node", str(HERE / "clients.mjs")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        stack.callback(end, node)
        deeds = sorted(self._deeds())
        say(node, self._orders() | {"allowed": self._allowed(deeds)})
        last: dict[str, Any] = {}
        for last in told(node, self.plan.seconds + 300):
            while deeds and last["acknowledged"] >= deeds[0][0] and "at" not in last:
                _, deed = deeds.pop(0)
                if deed.startswith(("redis", "postgresql")):  # While one is away, messages go on.
                    say(node, self.plan.messages)
                time.sleep(self.dice.random() * 0.3)
                self._do(deed)
                say(node, self._allowed(deeds))
            if last.get("at") == "done":
                break
        return last

    def _allowed(self, deeds: list[tuple[int, str]]) -> int:
        """Return how many messages may have been sent before the next of these deeds is done."""
        return deeds[0][0] + AHEAD if deeds else self.plan.messages

    def _orders(self) -> dict[str, Any]:
        users = [
            {"name": f"u{number}", "tabs": [self._sign_in(number) for _ in range(2)]}
            for number in range(self.plan.users)
        ]
        return {
            "url": self.front.url,
            "ledger": str(self.seen),
            "client": str(compiled(self.folder / "client")),
            "users": users,
            "messages": self.plan.messages // self.plan.users,
            "seed": self.plan.seed,
            "seconds": self.plan.seconds,
            "patience": 60,
            "words": [5, 90],
            "rate": 30,
            "stops": 0.1,
            "reloads": 0.05,
            "posts": 0.1,
        }

    def _sign_in(self, number: int) -> dict[str, Any]:
        return self.workers[number % len(self.workers)].sign_in(f"u{number}@example.com")

    def _deeds(self) -> Iterator[tuple[int, str]]:
        """Yield after how many acknowledged messages what is to be done."""
        for number in range(self.plan.kills):
            yield int((number + 0.5) * self.plan.messages / self.plan.kills), f"kill {number}"
        for number in range(self.plan.rolls):
            yield int((number + 0.2) * self.plan.messages / self.plan.rolls), f"roll {number}"
        for number in range(self.plan.cuts if self.plan.front == "relay" else 0):
            yield int((number + 0.7) * self.plan.messages / self.plan.cuts), f"cut {number}"
        for number, seconds in enumerate(self.plan.redis_away):
            yield int((number + 0.3) * self.plan.messages / len(self.plan.redis_away)), f"redis {seconds}"
        for number, seconds in enumerate(self.plan.postgresql_away):
            yield int((number + 0.6) * self.plan.messages / len(self.plan.postgresql_away)), f"postgresql {seconds}"

    def _do(self, deed: str) -> None:
        what, _, detail = deed.partition(" ")
        if what == "kill":
            self._kill(self.dice.randrange(len(self.workers)), self.dice.choice(WAYS))
        elif what == "roll":
            for number in range(len(self.workers)):
                self._kill(number, "term")
        elif what == "cut":
            self.front.cut()
        elif what == "redis" and self.redis:
            self._without("redis", self.redis.stop, self.redis.start, float(detail))
        elif what == "postgresql" and self.database:
            self._without("postgresql", self.database.stop, self.database.start, float(detail))

    def _kill(self, number: int, way: str) -> None:
        """End a worker in a way, and have it serve again."""
        worker = self.workers[number]
        self.kills[way] += 1
        at = time.time()
        if way == "term":
            self.terminations.append(worker.terminate())
            at = time.time()  # Until it has ended it may go on.
        elif way == "kill":
            worker.kill()
        else:
            worker.kill_child()
        if way != "child":
            worker.start(wait=False)
        worker.await_health()
        self.note("killed", worker=number, how=way, at=at, until=time.time(), alone=self.plan.workers == 1)

    def _without(self, what: str, leave: Callable[[], None], come_back: Callable[[], None], seconds: float) -> None:
        gone = time.time()
        leave()
        time.sleep(seconds)  # An outage has its length.
        come_back()
        self.note("away", what=what, until=time.time(), at=gone)


def calls_of_the_model(standin: bedrock.StandIn) -> Counter[str]:
    """Count the calls of the model by the message that the last turn of each is about."""
    with urllib.request.urlopen(f"{standin.url}/_requests", timeout=300) as answer:  # After a long run there are many.
        asked = [json.dumps(request["body"]["messages"][-1]) for request in json.load(answer)]
    return Counter(mark[1] for text in asked if (mark := MARK.search(text)))


def say(node: subprocess.Popen[str], words: object) -> None:
    """Tell the clients something, who may have ended."""
    assert node.stdin
    with contextlib.suppress(BrokenPipeError):
        node.stdin.write(json.dumps(words) + "\n")
        node.stdin.flush()


def told(node: subprocess.Popen[str], seconds: float) -> Iterator[dict[str, Any]]:
    """Yield what the clients say, the newest where several lines wait. Raises TimeoutError after so many seconds."""
    lines: queue.Queue[str | None] = queue.Queue()
    assert node.stdout
    threading.Thread(target=listen, args=(node.stdout, lines), daemon=True).start()
    give_up = time.monotonic() + seconds
    while (left := give_up - time.monotonic()) > 0:
        with contextlib.suppress(queue.Empty):
            line = lines.get(timeout=left)
            if line is None:
                raise AssertionError("the clients ended before they were done")
            yield json.loads(line)
    raise TimeoutError("the clients are not done")


def listen(pipe: Any, lines: queue.Queue[str | None]) -> None:
    for line in pipe:
        lines.put(line)
    lines.put(None)


def end(node: subprocess.Popen[str]) -> None:
    node.kill()
    with contextlib.suppress(BrokenPipeError):
        node.communicate()


def run(plan: Plan, folder: Path) -> Report:
    return Run(plan, folder).go()
