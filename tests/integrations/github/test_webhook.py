"""The webhook: what is signed is read, what is wanted becomes a job once, and nobody is kept waiting."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select

from codesherpa.extensions import db
from codesherpa.integrations.models import Delivery, Job
from tests.integrations.github.conftest import SECRET, Hook, says
from tests.scripted import Scripted
from tests.standins.github import World, issue_comment, pull_request, user

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def jobs(app: Flask) -> list[str]:
    with app.app_context():
        return list(db.session.scalars(select(Job.key).order_by(Job.id)))


def code(answer: Any) -> tuple[int, str]:
    assert list(answer.json) == ["success", "data", "message"]
    return answer.status_code, answer.json["data"].get("code")


def test_without_a_secret_the_webhook_is_closed(make_app: Callable[..., Flask], github: World) -> None:
    app = make_app()
    github.pull()

    answer = Hook(app, github).push()

    assert code(answer) == (503, "not_configured")
    assert jobs(app) == []


@pytest.mark.parametrize("secret", ["", "another", SECRET.upper(), SECRET + " "])
def test_what_is_signed_with_anything_else_is_refused(app: Flask, hook: Hook, github: World, secret: str) -> None:
    github.pull()

    answer = hook.send("pull_request", pull_request(github.repo(), github.pull()), secret=secret)

    assert code(answer) == (401, "unauthorized")
    assert jobs(app) == []


def test_the_signature_comes_before_everything_else(hook: Hook) -> None:
    for body in (b"", b"{", b"\xff" * 100, b"[]"):
        assert code(hook.send("pull_request", body, secret="wrong")) == (401, "unauthorized")
        assert code(hook.send("pull_request", body)) == (400, "bad_request")


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"Content-Type": "application/x-www-form-urlencoded"}, (415, "unsupported_media_type")),
        ({"X-GitHub-Delivery": ""}, (400, "bad_request")),
        ({"X-GitHub-Delivery": "x" * 101}, (400, "bad_request")),
        ({"X-GitHub-Delivery": "<script>"}, (400, "bad_request")),
        ({"X-GitHub-Event": ""}, (400, "bad_request")),
    ],
)
def test_what_does_not_say_what_it_is_is_refused(
    hook: Hook, headers: dict[str, str], expected: tuple[int, str]
) -> None:
    assert code(hook.send("pull_request", {}, **headers)) == expected


def test_a_body_that_is_too_large_is_refused(hook: Hook) -> None:
    assert code(hook.send("pull_request", b"{" + b" " * 2**20 + b"}")) == (413, "payload_too_large")


def test_a_ping_is_answered(hook: Hook) -> None:
    answer = hook.send("ping", {"zen": "Design for failure.", "hook_id": 1})

    assert (answer.status_code, answer.json["success"], answer.json["data"]) == (200, True, {"taken": False})


@pytest.mark.parametrize("action", ["opened", "synchronize", "reopened", "ready_for_review"])
def test_a_pull_request_is_taken(app: Flask, hook: Hook, github: World, model: Scripted, action: str) -> None:
    says(model)
    github.pull(7)

    answer = hook.push(7, action)

    assert (answer.status_code, answer.json["data"]) == (202, {"taken": True})
    assert jobs(app) == [f"acme/site#7@{'a' * 40}"]


def ignored(github: World) -> list[tuple[str, Any]]:
    repo, pull = github.repo(), github.pull()
    hello = github.comment("octocat", "hello")
    asks = github.comment("octocat", "@codesherpa review")
    opened = pull_request(repo, pull)
    return [
        ("push", {"ref": "refs/heads/main"}),
        ("star", {}),
        *(("pull_request", pull_request(repo, pull, action)) for action in ("closed", "edited", "labeled", "assigned")),
        ("pull_request", {}),
        ("pull_request", {"action": "opened", "pull_request": None}),
        ("pull_request", opened | {"repository": {"full_name": "../../etc"}}),
        ("pull_request", opened | {"repository": {"full_name": "a/b\nc"}}),
        ("pull_request", opened | {"installation": {"id": "1; DROP"}}),
        ("pull_request", opened | {"pull_request": opened["pull_request"] | {"head": {"sha": "../main"}}}),
        ("pull_request", opened | {"pull_request": opened["pull_request"] | {"number": 10**30}}),
        ("issue_comment", issue_comment(repo, 1, hello)),
        ("issue_comment", issue_comment(repo, 1, asks, "edited")),
        ("issue_comment", issue_comment(repo, 1, asks, "deleted")),
        ("issue_comment", issue_comment(repo, 1, asks) | {"issue": {"number": 1}}),
        ("issue_comment", issue_comment(repo, 1, asks | {"user": user("other[bot]")})),
        ("issue_comment", issue_comment(repo, 1, asks | {"body": None})),
        ("issue_comment", issue_comment(repo, 1, asks | {"body": "> @codesherpa review"})),
        ("issue_comment", issue_comment(repo, 1, asks | {"body": "write @codesherpa review to ask"})),
        ("issue_comment", issue_comment(repo, 1, asks | {"body": "```\n@codesherpa review\n```"})),
        ("issue_comment", issue_comment(repo, 1, asks | {"body": "@codesherpa reviewer"})),
    ]


def test_everything_else_is_acknowledged_and_dropped(app: Flask, hook: Hook, github: World) -> None:
    for event, payload in ignored(github):
        answer = hook.send(event, payload)
        assert (answer.status_code, answer.json["data"]) == (200, {"taken": False}), (event, payload)

    assert jobs(app) == []


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ("@codesherpa review", "github.review"),
        ("Hello,\r\n@CodeSherpa   Review please\r\n", "github.review"),
        ("@codesherpa explain why the loop is gone", "github.explain"),
        ("```\ncode\n```\n@codesherpa explain", "github.explain"),
        ("~~~~\n~~~\n~~~~\n@codesherpa review", "github.review"),
        ("- ```\n  code\n  ```\n\n@codesherpa review", "github.review"),
        ("<!-- hidden -->\n@codesherpa review", "github.review"),
        ("See `<!--` and ``a ` b``.\n@codesherpa review\n`-->`", "github.review"),
        ("A lone ` here.\n\n@codesherpa review\n\nAnd ` there.", "github.review"),
        ("> @codesherpa explain\n\n@codesherpa review", "github.review"),
        ("> quoted\n# Well\n@codesherpa review", "github.review"),
        ("5 < 6 and <!-- is no end\n@codesherpa review", "github.review"),
        ("<pre>\nx\n</pre>\n@codesherpa review", "github.review"),
    ],
)
def test_a_comment_that_calls_us_is_taken(app: Flask, hook: Hook, github: World, body: str, kind: str) -> None:
    github.pull()
    made = hook.comment("stranger", body)

    with app.app_context():
        job = db.session.scalars(select(Job)).one()
    assert (job.kind, job.key) == (kind, f"acme/site#1!{made['id']}")


def test_a_delivery_that_comes_again_is_known(app: Flask, hook: Hook, github: World, model: Scripted) -> None:
    says(model)
    payload = pull_request(github.repo(), github.pull())

    answers = [hook.send("pull_request", payload, delivery="same") for _ in range(3)]
    hook.settle()

    assert [answer.json["data"]["taken"] for answer in answers] == [True, False, False]
    assert [answer.status_code for answer in answers] == [202, 200, 200]
    with app.app_context():
        assert db.session.scalar(select(func.count(Delivery.id))) == 1
    assert len(model.briefs) == 1


def test_one_commit_is_reviewed_once_whatever_tells_of_it(hook: Hook, github: World, model: Scripted) -> None:
    says(model)
    github.pull()

    for action in ("opened", "ready_for_review", "reopened", "synchronize"):
        hook.push(action=action)
        hook.settle()

    assert len(model.briefs) == 1
    assert len(github.said()) == 1


def test_the_answer_does_not_wait_for_the_work(hook: Hook, github: World, model: Scripted) -> None:
    says(model)
    github.pull()
    speaks = threading.Event()
    model.pieces = [speaks, *model.pieces]

    answer = hook.push()

    assert answer.status_code == 202
    assert github.said() == []
    speaks.set()
    hook.settle()
    assert len(github.said()) == 1
