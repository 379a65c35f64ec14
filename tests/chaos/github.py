"""The drill: GitHub delivers everything three times, shuffled, while workers are killed; every effect is there once.

`python -m tests.chaos.github --deliveries 10000 --kills 20`, or `make deliveries`. It needs
PostgreSQL, starts workers of its own and ends by itself.
"""

from __future__ import annotations

import argparse
import http.client
import json
import random
import statistics
import sys
import tempfile
import threading
import time
import uuid
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

import psycopg2
from sqlalchemy.engine import make_url

from codesherpa.integrations.github import comments
from codesherpa.integrations.signatures import HEADER, sign
from tests.conftest import POSTGRES, administer, migrate
from tests.live.conftest import Server
from tests.standins import github as standin
from tests.standins.github import World, added

SECRET = "the secret of the drill"
PATH = "/api/github/webhook"
EACH = 10  # Deliveries of one pull request.
FAULTY = added("def collect(item, items=[]):", "    items.append(item)", "    return items")
PLAIN = added("const answer = 42;")
SENDERS = 6
SAID = (("ada", "@codesherpa explain"), ("mallory", "@codesherpa review"), ("bob", "Nice."), ("eve", "+1"))


class Worker(Server):
    command = ("gunicorn", "-c", "gunicorn.conf.py", "tests.chaos.github_wsgi:app")


@dataclass
class Result:
    """What came of a drill."""

    sent: int = 0
    kills: int = 0
    acknowledged: list[float] = field(default_factory=list)  # Seconds.
    jobs: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def percentile(self, share: float) -> float:
        """Milliseconds within which that share of the deliveries was acknowledged."""
        return sorted(self.acknowledged)[min(len(self.acknowledged) - 1, int(share * len(self.acknowledged)))] * 1000

    def __str__(self) -> str:
        times = {name: f"{self.percentile(share):.0f} ms" for name, share in (("p50", 0.5), ("p99", 0.99), ("max", 1))}
        mean = f"{statistics.mean(self.acknowledged) * 1000:.0f} ms"
        told = f"{self.sent} sent in {self.seconds:.0f} s, {self.kills} kills, acknowledged in {times}, mean {mean}"
        return "\n".join([told, f"jobs: {dict(self.jobs)}", f"faults: {self.faults or 'none'}"])


def deliveries(world: World, pulls: int) -> list[tuple[str, str, bytes]]:
    """Have things happen to so many pull requests, and return what is told of it: (event, id, body)."""
    world.repo().permissions["ada"] = "write"
    told: list[tuple[str, Any]] = []
    for number in range(1, pulls + 1):
        files: dict[str, str | None] = {"app.py": FAULTY} if number % 5 == 0 else {"app.js": PLAIN}
        pull = world.pull(number, head=f"{number:038x}00", files=files)
        for push in range(4):
            pull.head = f"{number:038x}{push:02x}"
            told.append(("pull_request", standin.pull_request(world.repo(), pull, "synchronize" if push else "opened")))
        told.append(("pull_request", standin.pull_request(world.repo(), pull, "ready_for_review")))
        told.append(("pull_request", standin.pull_request(world.repo(), pull, "labeled")))
        for login, body in SAID:
            made = world.comment(login, body, number)
            told.append(("issue_comment", standin.issue_comment(world.repo(), number, made)))
    return [(event, str(uuid.uuid4()), json.dumps(payload).encode()) for event, payload in told]


def send(waiting: SimpleQueue[tuple[str, str, bytes]], ports: list[int], result: Result, seed: int) -> None:
    """Hand deliveries over until there are none; one that finds nobody is handed to the next worker."""
    chance, turn = random.Random(seed), seed
    lines: dict[int, http.client.HTTPConnection] = {}
    while True:
        try:
            event, id, body = waiting.get_nowait()
        except Empty:
            for line in lines.values():
                line.close()
            return
        headers = {"X-GitHub-Event": event, "X-GitHub-Delivery": id, HEADER: sign(SECRET, body)}
        headers["Content-Type"] = "application/json"
        while True:
            port = ports[(turn := turn + 1) % len(ports)]
            started = time.monotonic()
            try:
                line = lines.setdefault(port, http.client.HTTPConnection("127.0.0.1", port, timeout=10))
                line.request("POST", PATH, body, headers)
                answer = line.getresponse()
                answer.read()
            except (OSError, http.client.HTTPException):
                lines.pop(port).close()
                time.sleep(chance.uniform(0.01, 0.1))
                continue
            result.acknowledged.append(time.monotonic() - started)
            if answer.status not in (200, 202):
                result.faults.append(f"a delivery was answered {answer.status}")
            break


def kill_at_random(workers: list[Worker], kills: int, ended: threading.Event, result: Result, pause: float) -> None:
    chance = random.Random(1)
    while result.kills < kills and not ended.wait(chance.uniform(0.5, 1.5) * pause):
        worker = chance.choice(workers)
        worker.process.kill()
        worker.process.wait()
        result.kills += 1
        worker.start()


def wait_for_jobs(url: str, patience: float, result: Result) -> None:
    """Wait until every job has ended."""
    connection = psycopg2.connect(url)
    connection.autocommit = True
    cursor = connection.cursor()
    give_up = time.monotonic() + patience
    while time.monotonic() < give_up:
        cursor.execute("SELECT status, count(*) FROM jobs GROUP BY status")
        result.jobs = Counter(dict(cursor.fetchall()))
        if not result.jobs["waiting"] and not result.jobs["running"]:
            break
        time.sleep(0.5)
    else:
        result.faults.append("jobs go on")
    cursor.execute("SELECT DISTINCT reason FROM jobs WHERE status = 'failed'")
    result.faults += [f"a job failed: {reason}" for (reason,) in cursor.fetchall()]
    connection.close()


def check(world: World, pulls: int, result: Result) -> None:
    """Hold what is on GitHub against what should be there, once."""
    ours: dict[str, list[str]] = {}
    for one in world.comments.values():
        if one["user"]["login"] == standin.US:
            ours.setdefault(one["issue_url"].rsplit("/", 1)[1], []).append(one["body"])
    lines = Counter((one["pull_request_url"].rsplit("/", 1)[1], one["line"]) for one in world.line_comments.values())
    for number in range(1, pulls + 1):
        said = ours.get(str(number), [])
        summaries = [body for body in said if body.startswith(comments.SUMMARY)]
        answers = [body for body in said if body.startswith("<!-- codesherpa:answer")]
        if (len(summaries), len(answers), len(said)) != (1, 1, 2):
            result.faults.append(f"#{number}: {len(summaries)} summaries, {len(answers)} answers, {len(said)} comments")
        if lines[str(number), 1] != (number % 5 == 0):
            result.faults.append(f"#{number}: {lines[str(number), 1]} comments on line 1")
    result.faults += [f"#{place}: said {count} times" for place, count in lines.items() if count > 1]
    refused = [one for one in world.reactions if one[2] != "eyes"]
    result.faults += [f"refused: {refused}"] if refused else []


def drill(count: int, kills: int, folder: Path, pause: float = 8.0, **settings: str) -> Result:
    """Deliver about so many, each three times, and return what came of it."""
    result, world, pulls = Result(), World(), max(1, count // EACH)
    told = deliveries(world, pulls) * 3
    random.Random(9).shuffle(told)
    waiting: SimpleQueue[tuple[str, str, bytes]] = SimpleQueue()
    for one in told:
        waiting.put(one)
    result.sent = len(told)
    name = f"codesherpa_drill_{uuid.uuid4().hex[:12]}"
    administer(f'CREATE DATABASE "{name}"')
    url = make_url(POSTGRES).set(database=name).render_as_string(hide_password=False)
    migrate(url)
    given = {"DATABASE_URL": url, "GITHUB_WEBHOOK_SECRET": SECRET, "GITHUB_TOKEN": standin.TOKEN, "LOG_LEVEL": "ERROR"}
    workers: list[Worker] = []
    ended, started = threading.Event(), time.monotonic()
    try:
        with standin.running(world) as address:
            given |= {"GITHUB_API_URL": address, "GITHUB_REVIEWS_PER_DAY": "1000000"} | settings
            workers += [Worker(folder, **given) for _ in range(2)]
            killer = threading.Thread(target=kill_at_random, args=(workers, kills, ended, result, pause))
            ports = [worker.port for worker in workers]
            senders = [threading.Thread(target=send, args=(waiting, ports, result, n)) for n in range(SENDERS)]
            for thread in (killer, *senders):
                thread.start()
            for thread in senders:
                thread.join()
            wait_for_jobs(url, 60 + pulls * 2, result)
            ended.set()
            killer.join()
            result.seconds = time.monotonic() - started
    finally:
        ended.set()
        for worker in workers:
            worker.stop()
        administer(f'DROP DATABASE "{name}" WITH (FORCE)')
    check(world, pulls, result)
    return result


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--deliveries", type=int, default=10_000)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--pause", type=float, default=8.0, help="seconds between two kills")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = drill(given.deliveries, given.kills, Path(folder), given.pause)
    print(found)  # noqa: T201 (it is what the drill is for)
    sys.exit(1 if found.faults else 0)
