"""flask github: jobs, retry and reconcile."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask.testing import FlaskCliRunner
from sqlalchemy import select

from codesherpa.errors import ModelError
from codesherpa.extensions import db
from codesherpa.integrations.models import Job
from tests.integrations.github.conftest import Hook, says
from tests.scripted import Scripted
from tests.standins.github import Fault, World, pull_request, stamp

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def test_jobs_are_listed_with_their_reasons(runner: FlaskCliRunner, hook: Hook, github: World, model: Scripted) -> None:
    assert runner.invoke(args=["github", "jobs"]).output == "No jobs.\n"
    says(model)
    github.pull()
    github.pull(2, draft=True, head="b" * 40)
    hook.push()
    hook.push(2)
    hook.settle()

    every = runner.invoke(args=["github", "jobs"]).output
    dropped = runner.invoke(args=["github", "jobs", "--status", "dropped"]).output
    as_data = json.loads(runner.invoke(args=["github", "jobs", "--json"]).stdout)

    assert "acme/site#1@" in every
    assert "done" in every
    assert "acme/site#1@" not in dropped
    assert "a draft" in dropped
    assert as_data["count"] == len(as_data["jobs"]) == 2
    assert {job["status"] for job in as_data["jobs"]} == {"done", "dropped"}


def test_what_failed_begins_again(runner: FlaskCliRunner, hook: Hook, github: World, model: Scripted) -> None:
    github.pull()
    model.pieces = [ModelError("no access")]
    hook.push()
    hook.settle()

    says(model)
    shown = runner.invoke(args=["github", "retry"])
    hook.settle()
    again = runner.invoke(args=["github", "retry", "1", "99"])

    assert (shown.exit_code, shown.output) == (0, "1 begins again\n")
    assert len(github.said()) == 1
    assert again.exit_code == 1
    assert "1, 99" in again.output


def failed(github: World, id: int, payload: Any, hours: float = 1, status: int = 502, **more: Any) -> dict[str, Any]:
    """A delivery as GitHub keeps it."""
    told = {"id": id, "guid": f"guid-{id}", "delivered_at": stamp(datetime.now(UTC) - timedelta(hours=hours))}
    told |= {"redelivery": False, "duration": 0.2, "status": "Bad Gateway", "status_code": status}
    told |= {"event": "pull_request", "action": "opened", "installation_id": None, "repository_id": 1}
    return told | {"request": {"headers": {}, "payload": payload}} | more


def test_what_github_could_not_hand_over_is_fetched(
    runner: FlaskCliRunner, hook: Hook, github: World, model: Scripted
) -> None:
    says(model)
    github.repo().hooks = [
        {"id": 1, "type": "Repository", "name": "web", "config": {"url": "https://ci.example/hook"}},
        {"id": 2, "type": "Repository", "name": "web", "config": {"url": "https://sherpa.example/api/github/webhook"}},
    ]
    payloads = [pull_request(github.repo(), github.pull(number, head=f"{number:040x}")) for number in range(1, 5)]
    hook.send("pull_request", payloads[0], delivery="guid-1")
    hook.settle()
    github.deliveries = [
        failed(github, 1, payloads[0]),  # It came through at the second try.
        failed(github, 2, payloads[1]),
        failed(github, 3, payloads[2], status=200),
        failed(github, 4, payloads[3], hours=80),
        failed(github, 5, {}, event="star"),
        *(failed(github, 100 + n, {}, hours=2, status=200) for n in range(150)),
        failed(github, 300, payloads[1], hours=3),
    ]

    shown = runner.invoke(args=["github", "reconcile"])
    again = runner.invoke(args=["github", "reconcile"])

    assert shown.exit_code == 0, shown.output
    assert shown.output.count("pull_request: taken") == 2
    assert "star: causes nothing" in shown.output
    assert "3 deliveries" in shown.output
    assert "taken" not in again.output
    with hook.app.app_context():
        assert sorted(db.session.scalars(select(Job.payload)), key=lambda one: one["number"])[-1]["number"] == 2


def test_what_github_refuses_is_one_line(runner: FlaskCliRunner, hook: Hook, github: World) -> None:
    github.faults.append(Fault(401, "Bad credentials", times=5))

    shown = runner.invoke(args=["github", "reconcile", "--repository", "acme/site"])

    assert shown.exit_code == 1
    assert shown.output.startswith("Error: GitHub answered 401")
