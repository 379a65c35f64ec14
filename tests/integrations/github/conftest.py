"""An application that reviews pull requests of a stand-in for GitHub."""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from codesherpa.database import now, reading
from codesherpa.extensions import db
from codesherpa.integrations import backoff, runner
from codesherpa.integrations.github import client as github_client
from codesherpa.integrations.github import events, reviewing
from codesherpa.integrations.models import Job
from codesherpa.integrations.signatures import HEADER, sign
from tests.scripted import Scripted
from tests.standins import github as standin
from tests.standins.github import World

SECRET = "a secret that GitHub and we know"
PATIENCE = 30
GITHUB = {"GITHUB_WEBHOOK_SECRET": SECRET, "GITHUB_TOKEN": standin.TOKEN}


@pytest.fixture(scope="session")
def github_world() -> Iterator[tuple[World, str]]:
    world = World()
    with standin.running(world) as url:
        yield world, url


@pytest.fixture
def github(github_world: tuple[World, str], monkeypatch: pytest.MonkeyPatch) -> World:
    """GitHub, with one repository and nothing else; nobody waits longer than needed."""
    for module, name in ((events, "SETTLE"), (github_client, "WRITE_PAUSE"), (reviewing, "LOOK")):
        monkeypatch.setattr(module, name, 0.0)
    monkeypatch.setattr(backoff, "FIRST", 0.02)
    monkeypatch.setattr(github_client, "SECONDARY", 0.02)
    monkeypatch.setattr(reviewing, "LAG", 0.02)
    monkeypatch.setattr(runner, "LOOK", 0.02)
    world, _ = github_world
    world.reset()
    world.repo()
    return world


@pytest.fixture
def app(make_app: Callable[..., Flask], github: World, github_world: tuple[World, str]) -> Flask:
    return make_app(GITHUB_API_URL=github_world[1], **GITHUB)


@pytest.fixture
def model(app: Flask) -> Scripted:
    scripted = Scripted()
    app.extensions["provider"] = scripted
    return scripted


class Hook:
    """GitHub's end of the webhook."""

    def __init__(self, app: Flask, world: World) -> None:
        self.app, self.world, self.client = app, world, app.test_client()

    def send(self, event: str, payload: Any, *, delivery: str = "", secret: str = SECRET, **headers: str) -> Any:
        """Deliver something, signed."""
        body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        told = {"X-GitHub-Event": event, "X-GitHub-Delivery": delivery or str(uuid.uuid4())}
        told |= {HEADER: sign(secret, body), "Content-Type": "application/json"} | headers
        return self.client.post("/api/github/webhook", data=body, headers=told)

    def push(self, number: int = 1, action: str = "synchronize", repository: str = "acme/site", **more: Any) -> Any:
        """Tell that a pull request is as it is now."""
        repo = self.world.repo(repository)
        return self.send("pull_request", standin.pull_request(repo, repo.pulls[number], action, **more))

    def comment(self, login: str, body: str, number: int = 1, repository: str = "acme/site") -> dict[str, Any]:
        """Have somebody comment, and tell it."""
        made = self.world.comment(login, body, number, repository)
        self.send("issue_comment", standin.issue_comment(self.world.repo(repository), number, made))
        return made

    def settle(self) -> list[Job]:
        """Wait until every job has ended, and return them."""
        give_up = now() + timedelta(seconds=PATIENCE)
        with self.app.app_context(), reading():
            while now() < give_up:
                again = {"populate_existing": True}
                found = list(db.session.scalars(select(Job).order_by(Job.id), execution_options=again))
                db.session.commit()
                if all(job.status not in ("waiting", "running") for job in found):
                    return found
                threading.Event().wait(0.01)
        raise AssertionError(f"jobs go on: {[(job.key, job.status, job.reason) for job in found]}")


@pytest.fixture
def hook(app: Flask, github: World) -> Hook:
    return Hook(app, github)


def finding(line: int, issue: str = "This is wrong.", **more: Any) -> dict[str, Any]:
    told = {"severity": "HIGH", "file": "app.py", "line": line, "issue": issue}
    return told | {"suggestion": "Do it otherwise.", "code_fix": None} | more


def says(model: Scripted, *findings: dict[str, Any], summary: str = "It adds something.", score: int = 7) -> None:
    """Have the model review so."""
    told = {"summary": summary, "findings": list(findings), "quality_score": score, "security_risk": "Low"}
    model.pieces = [json.dumps(told)]
