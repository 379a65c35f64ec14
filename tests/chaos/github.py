"""The drill of GitHub's deliveries: `python -m tests.chaos.github --database sqlite`, or `make deliveries`."""

from __future__ import annotations

import json
import random
import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from codesherpa.integrations.github import comments
from codesherpa.integrations.signatures import HEADER, sign
from tests.chaos import deliveries, services
from tests.chaos.deliveries import TIMES, Drill
from tests.chaos.senders import Delivery
from tests.standins import github as standin
from tests.standins.github import World, added

SECRET = "the secret of the drill"
EACH = 10  # Deliveries of one pull request.
FAULTY = added("def collect(item, items=[]):", "    items.append(item)", "    return items")
PLAIN = added("const answer = 42;")
SAID = (("ada", "@codesherpa explain"), ("mallory", "@codesherpa review"), ("bob", "Nice."), ("eve", "+1"))
OURS = (comments.SUMMARY, "<!-- codesherpa:answer")


class Worker(services.Worker):
    command = ("gunicorn", "-c", "gunicorn.conf.py", "tests.chaos.github_wsgi:app")


class GitHub(Drill):
    """Pull requests that are opened, pushed to and talked about; each is reviewed once, and explained once."""

    worker, path = Worker, "/api/github/webhook"

    def __init__(self, count: int) -> None:
        self.world, self.pulls = World(), max(1, count // EACH)
        self.told = list(self._happenings())

    @contextmanager
    def serving(self) -> Iterator[dict[str, str]]:
        given = {"GITHUB_WEBHOOK_SECRET": SECRET, "GITHUB_TOKEN": standin.TOKEN, "GITHUB_REVIEWS_PER_DAY": "1000000"}
        with standin.running(self.world) as address:
            yield given | {"GITHUB_API_URL": address}

    def prepare(self, workers: Sequence[services.Worker]) -> None:
        pass

    def deliveries(self, chance: random.Random) -> list[Delivery]:
        told = self.told * TIMES
        chance.shuffle(told)
        return told

    def _happenings(self) -> Iterator[Delivery]:
        """Have things happen to the pull requests, and give what is told of it."""
        repo = self.world.repo()
        repo.permissions["ada"] = "write"
        for number in range(1, self.pulls + 1):
            files: dict[str, str | None] = {"app.py": FAULTY} if number % 5 == 0 else {"app.js": PLAIN}
            pull = self.world.pull(number, files=files)
            for push in range(4):
                pull.head = f"{push:02x}{number:038x}"
                yield told("pull_request", standin.pull_request(repo, pull, "synchronize" if push else "opened"))
            for action in ("ready_for_review", "labeled"):
                yield told("pull_request", standin.pull_request(repo, pull, action))
            for login, body in SAID:
                made = self.world.comment(login, body, number)
                yield told("issue_comment", standin.issue_comment(repo, number, made))

    def left(self, url: str) -> Counter[str]:
        found = "SELECT status, count(*) FROM jobs WHERE status IN ('waiting', 'running') GROUP BY status"
        return Counter(dict(services.rows(url, found)))

    def faults(self, url: str) -> list[str]:
        failed = services.rows(url, "SELECT DISTINCT reason FROM jobs WHERE status = 'failed'")
        found = [f"a job failed: {reason}" for (reason,) in failed]
        made = dict(services.rows(url, "SELECT kind, count(*) FROM github_reviews GROUP BY kind"))
        found += [f"made: {made}"] if made != {"review": self.pulls, "explain": self.pulls} else []
        refused = [one for one in self.world.reactions if one[2] != "eyes"]
        return [*found, *self._said_wrongly(), *([f"refused: {refused}"] if refused else [])]

    def _said_wrongly(self) -> Iterator[str]:
        ours: dict[str, list[str]] = {}
        for one in self.world.comments.values():
            if one["user"]["login"] == standin.US:
                ours.setdefault(one["issue_url"].rsplit("/", 1)[1], []).append(one["body"])
        on_lines = Counter(
            (one["pull_request_url"].rsplit("/", 1)[1], one["line"]) for one in self.world.line_comments.values()
        )
        for number in range(1, self.pulls + 1):
            said = ours.get(str(number), [])
            kinds = [sum(body.startswith(begins) for body in said) for begins in OURS]
            if (*kinds, len(said)) != (1, 1, 2):
                yield f"#{number}: {kinds[0]} summaries, {kinds[1]} answers, {len(said)} comments"
            if on_lines[str(number), 1] != (number % 5 == 0):
                yield f"#{number}: {on_lines[str(number), 1]} comments on line 1"
        yield from (f"{place}: said {count} times" for place, count in on_lines.items() if count > 1)


def told(event: str, payload: Any) -> Delivery:
    body = json.dumps(payload).encode()
    headers = {"X-GitHub-Event": event, "X-GitHub-Delivery": str(uuid.uuid4()), HEADER: sign(SECRET, body)}
    return Delivery(headers | {"Content-Type": "application/json"}, body)


if __name__ == "__main__":
    deliveries.main(GitHub)
