"""A pull request is reviewed: what is said where, once, whatever happens in between."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select, update

from codesherpa.database import now
from codesherpa.errors import ModelError, ModelThrottled
from codesherpa.extensions import db
from codesherpa.integrations import jobs
from codesherpa.integrations.github import records
from codesherpa.integrations.github.models import Repository, Review
from codesherpa.integrations.models import Job
from tests.integrations.github.conftest import GITHUB, PATIENCE, SECRET, Hook, finding, says
from tests.scripted import Scripted
from tests.standins import github as standin
from tests.standins.github import Fault, World, added

A, B, C = "a" * 40, "b" * 40, "c" * 40


def test_findings_are_said_on_their_lines_and_in_one_summary(hook: Hook, github: World, model: Scripted) -> None:
    github.pull(files={"app.py": added("import os", "os.system(x)"), "docs/a.md": added("# Hello")})
    says(model, finding(2, "`os.system(x)` runs what it is given.", severity="CRITICAL", code_fix="run([x])"))

    hook.push(action="opened")
    hook.settle()

    (line,) = github.on_lines()
    assert (line["path"], line["line"], line["side"], line["commit_id"]) == ("app.py", 2, "RIGHT", A)
    assert "**CRITICAL:** `os.system(x)` runs what it is given." in line["body"]
    assert "```python\nrun([x])\n```" in line["body"]
    (summary,) = github.said()
    assert "7/10" in summary
    assert "It adds something." in summary
    assert "**1 new, 0 known, 0 fixed.**" in summary
    assert "CRITICAL `app.py:2`" in summary
    assert "app.py" in model.briefs[0].turns[-1].text


def test_the_summary_is_updated_and_known_findings_are_not_said_twice(
    hook: Hook, github: World, model: Scripted
) -> None:
    pull = github.pull(files={"app.py": added("one()", "two()")})
    says(model, finding(1, "One is wrong."), finding(2, "Two is wrong."))
    hook.push(action="opened")
    hook.settle()

    pull.push(B, {"app.py": added("zero()", "one()", "three()")})
    says(model, finding(2, "In other words: one is wrong."), finding(3, "Three is wrong."))
    hook.push()
    hook.settle()

    first, second, third = github.on_lines()
    assert "**Fixed**" not in first["body"]
    assert "**Fixed** as of bbbbbbbbbb." in second["body"]
    assert "Two is wrong." in second["body"]
    assert (third["line"], "Three is wrong." in third["body"]) == (3, True)
    (summary,) = github.said()
    assert "**1 new, 1 known, 1 fixed.**" in summary
    assert f"Read at {B[:10]}" in summary


def test_what_the_model_does_not_say_again_is_not_called_fixed(hook: Hook, github: World, model: Scripted) -> None:
    pull = github.pull(files={"app.py": added("one()")})
    says(model, finding(1))
    hook.push()
    hook.settle()
    pull.push(B, {"app.py": added("one()", "two()")})
    says(model)
    hook.push()
    hook.settle()

    assert "**Fixed**" not in github.on_lines()[0]["body"]


def test_what_comes_back_is_open_again(hook: Hook, github: World, model: Scripted) -> None:
    pull = github.pull(files={"app.py": added("one()")})
    for head, line in ((A, "one()"), (B, "two()"), (C, "one()")):
        says(model, *([finding(1)] if line == "one()" else []))
        pull.push(head, {"app.py": added(line)})
        hook.push()
        hook.settle()

    (line,) = github.on_lines()
    assert "**Fixed**" not in line["body"]


def test_findings_beside_added_lines_are_in_the_summary_alone(hook: Hook, github: World, model: Scripted) -> None:
    patch = "@@ -1,2 +1,3 @@\n old()\n+new()\n older()"
    github.pull(files={"app.py": patch})
    says(model, finding(3, "`older()` was wrong all along."), finding(1, "It is nowhere.", file="secret.py"))

    hook.push()
    hook.settle()

    assert github.on_lines() == []
    (summary,) = github.said()
    assert "**Beside the added lines**" in summary
    assert "older()" in summary
    assert "nowhere" not in summary


def test_a_line_that_looks_like_a_header_does_not_move_findings_elsewhere(
    hook: Hook, github: World, model: Scripted
) -> None:
    """A removed `-- a/x` and an added `++ b/x` read like the header of another file."""
    tricky = "@@ -1,2 +1,2 @@\n--- a/other.py\n+++ b/other.py\n keep()\n@@ -9,0 +9,1 @@\n+evil()"
    github.pull(files={"app.py": tricky, "other.py": added("fine()")})
    says(model, finding(9, "Look.", file="other.py"), finding(1, "Look here.", file="other.py"))

    hook.push()
    hook.settle()

    assert all((one["path"], one["line"]) != ("other.py", 9) for one in github.on_lines())
    assert len(github.said()) == 1


def test_a_diff_of_many_pages_is_read_whole(hook: Hook, github: World, model: Scripted) -> None:
    github.pull(files={f"src/file{number:03}.py": added(f"call_{number}()") for number in range(250)})
    says(model, finding(1, "The last one.", file="src/file249.py"))

    hook.push()
    hook.settle()

    assert len(github.asked("GET", "/files$")) == 3
    assert github.on_lines()[0]["path"] == "src/file249.py"


def test_comments_on_later_pages_are_known(hook: Hook, github: World, model: Scripted) -> None:
    pull = github.pull(files={"app.py": added("one()")})
    for number in range(120):
        github.comment("octocat", f"chatter {number}")
    says(model, finding(1))
    hook.push()
    hook.settle()
    with hook.app.app_context():  # As if the database had been restored from long ago.
        db.session.execute(update(Review).values(comment_id=None))
        db.session.commit()
    pull.push(B)
    hook.push()
    hook.settle()

    assert (len(github.said()), len(github.on_lines())) == (1, 1)


def test_what_was_not_read_is_named(hook: Hook, github: World, model: Scripted) -> None:
    github.repo().contents["main", ".codesherpa.toml"] = '[review]\nskip_paths = ["vendor/*"]'
    files = {"app.py": added("one()"), "logo.png": None, "vendor/x/y.js": added("v()"), "big.py": added("x" * 130_000)}
    github.pull(files=files)
    says(model)

    hook.push()
    hook.settle()

    (summary,) = github.said()
    unread = summary.split("**Not read**")[1]
    for name in ("logo.png: binary", "vendor/x/y.js: skipped in .codesherpa.toml", "big.py: 1-1: too much"):
        assert f"`{name}" in unread
    assert "app.py" not in unread


def test_a_review_with_nothing_to_read_is_not_begun(hook: Hook, github: World, model: Scripted) -> None:
    github.pull(files={"logo.png": None})

    hook.push()
    (job,) = hook.settle()

    assert (job.status, job.reason) == ("dropped", "nothing in it can be read")
    assert model.briefs == []


def test_a_burst_of_pushes_reviews_the_last_one(hook: Hook, github: World, model: Scripted) -> None:
    """However the deliveries are shuffled."""
    pull = github.pull()
    says(model, finding(1))
    told = []
    for number in range(8):
        pull.push(f"{number:040x}")
        told.append(standin.pull_request(github.repo(), pull, "synchronize"))

    for payload in reversed(told):
        hook.send("pull_request", payload)
    found = hook.settle()

    assert {job.payload["head"]: job.status for job in found} == {
        f"{number:040x}": "done" if number == 7 else "dropped" for number in range(8)
    }
    assert len(model.briefs) == len(github.said()) == len(github.on_lines()) == 1
    assert f"Read at {7:010x}"[:8] in github.said()[0]


def test_a_burst_over_two_workers_reviews_the_last_one(
    github: World, make_app: Callable[..., Flask], github_world: Any
) -> None:
    model = Scripted()
    says(model, finding(1))
    workers = [make_app(GITHUB_API_URL=github_world[1], **GITHUB) for _ in range(2)]
    hooks = [Hook(app, github) for app in workers]
    for app in workers:
        app.extensions["provider"] = model

    pull = github.pull()
    for number in range(8):
        pull.push(f"{number:040x}")
        hooks[number % 2].push()
    found = hooks[0].settle()
    for app in workers:
        app.extensions["runner"].close()
        with app.app_context():
            db.engine.dispose()

    assert [job.status for job in found if job.payload["head"] == f"{7:040x}"] == ["done"]
    assert len(github.said()) == 1
    assert Counter(one["line"] for one in github.on_lines()) == {1: 1}
    assert f"Read at {pull.head[:10]}" in github.said()[0]


def test_a_push_ends_the_review_of_what_was_there_before(hook: Hook, github: World, model: Scripted) -> None:
    pull = github.pull()
    says(model, finding(1))
    text, speaks = model.pieces[0], threading.Event()
    model.pieces = [text[:5], speaks, text[5:]]
    hook.push()
    assert model.begun.acquire(timeout=PATIENCE)

    pull.push(B)
    hook.push()
    model.pieces = [text]
    speaks.set()
    first, second = hook.settle()

    assert (first.status, second.status) == ("dropped", "done")
    assert [one["commit_id"] for one in github.on_lines()] == [B]
    assert len(github.said()) == 1


def test_a_commit_that_the_api_does_not_know_yet_is_waited_for(hook: Hook, github: World, model: Scripted) -> None:
    """The webhook may be ahead of the API by some seconds."""
    says(model)
    pull = github.pull()
    payload = standin.pull_request(github.repo(), pull, "synchronize")
    payload["pull_request"]["head"]["sha"] = B
    payload["pull_request"]["updated_at"] = "2099-01-01T00:00:00Z"

    def catch_up(method: str, path: str) -> None:
        if len(github.asked("GET", "/pulls/1$")) == 2:
            pull.head = B

    github.before = catch_up
    hook.send("pull_request", payload)
    (job,) = hook.settle()

    assert (job.status, len(model.briefs)) == ("done", 1)
    assert B[:10] in github.said()[0]


@pytest.mark.parametrize(
    "fault",
    [
        Fault(502, times=2),
        Fault(500, path="/files$"),
        Fault(503, path="/comments$", headers={"Retry-After": "0"}),
        Fault(403, "You have exceeded a secondary rate limit. Please wait a few minutes.", times=2),
        Fault(
            403,
            "API rate limit exceeded for user ID 1.",
            headers={"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1"},
        ),
        Fault(429, "Too many requests", headers={"Retry-After": "0"}),
        Fault(502, method="POST", path="/reviews$", after=True),
        Fault(502, method="POST", path="/issues/1/comments$", after=True),
        Fault(502, method="PATCH", after=True),
    ],
    ids=lambda fault: f"{fault.status}{fault.method}{fault.path}{'-after' if fault.after else ''}",
)
def test_a_fault_of_github_costs_a_try_and_nothing_is_said_twice(
    hook: Hook, github: World, model: Scripted, fault: Fault
) -> None:
    """`after`: GitHub did what was asked, and failed to say so."""
    says(model, finding(1))
    github.pull()
    fault.times = fault.times if fault.times > 1 else 1
    github.faults.append(fault)

    hook.push()
    (job,) = hook.settle()

    assert (job.status, len(model.briefs)) == ("done", 1)
    assert (len(github.said()), len(github.on_lines())) == (1, 1)
    assert "**1 new, 0 known, 0 fixed.**" in github.said()[0]


def test_github_says_how_long_to_wait(hook: Hook, github: World, model: Scripted) -> None:
    says(model)
    github.pull()
    github.faults.append(Fault(503, headers={"Retry-After": "600"}))

    hook.push()
    with hook.app.app_context():
        job = db.session.scalars(select(Job)).one()
        while job.tries == 0 or job.status == "running":
            threading.Event().wait(0.01)
            db.session.refresh(job)
            db.session.commit()
        assert (job.status, job.reason) == ("waiting", "GitHub answered 503")
        assert (job.run_at - now()).total_seconds() > 500


@pytest.mark.parametrize(
    ("fault", "reason"),
    [(Fault(401, "Bad credentials"), "401"), (Fault(404, "Not Found"), "404"), (Fault(403, "Forbidden"), "403")],
)
def test_what_github_refuses_for_good_is_not_tried_again(
    hook: Hook, github: World, model: Scripted, fault: Fault, reason: str
) -> None:
    github.pull()
    github.faults.append(fault)
    fault.times = 1

    hook.push()
    (job,) = hook.settle()

    assert (job.status, job.tries) == ("failed", 1)
    assert reason in (job.reason or "")


def test_a_model_that_is_busy_is_asked_again_and_one_that_refuses_is_not(
    hook: Hook, github: World, model: Scripted
) -> None:
    says(model)
    good = model.pieces
    github.pull()
    github.pull(2, head=B)
    model.pieces = [ModelThrottled()]

    hook.push()
    assert model.begun.acquire(timeout=PATIENCE)
    model.pieces = good
    hook.settle()
    model.pieces = [ModelError("no access")]
    hook.push(2)
    first, second = hook.settle()

    assert (first.status, second.status, second.reason) == ("done", "failed", "no access")
    assert (len(github.said(1)), github.said(2)) == (1, [])


def test_an_answer_that_was_paid_for_is_kept_when_a_try_fails(hook: Hook, github: World, model: Scripted) -> None:
    says(model, finding(1))
    github.pull()
    github.faults.append(Fault(500, method="POST", times=3))

    hook.push()
    (job,) = hook.settle()

    assert (job.status, job.tries, len(model.briefs)) == ("done", 4, 1)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("answered", [False, True], ids=["before", "after"])
def test_a_worker_that_dies_at_any_request_leaves_nothing_twice(
    github: World, make_app: Callable[..., Flask], github_world: Any, answered: bool
) -> None:
    """It dies before, or just after, its n-th request to GitHub was carried out; a second one takes over."""
    model = Scripted()
    says(model, finding(1))
    for count in range(1, 13):
        github.pull(count, head=f"{count:040x}")
        dying, alive = (make_app(GITHUB_API_URL=github_world[1], **GITHUB) for _ in range(2))
        dying.extensions["provider"] = alive.extensions["provider"] = model
        dead = die_at(github, dying, count, answered)
        Hook(dying, github).push(count)
        if dead.wait(2 if count > 9 else PATIENCE):
            with alive.app_context():
                alive.extensions["runner"].start()
        *_, job = Hook(alive, github).settle()
        for app in (dying, alive):
            app.extensions["runner"].close()
            with app.app_context():
                db.engine.dispose()

        assert job.status == "done", (count, job.reason)
        assert (len(github.said(count)), len(github.on_lines(count))) == (1, 1), f"dead at request {count}"


def die_at(github: World, app: Flask, count: int, answered: bool) -> threading.Event:
    """Have a worker be dead from its n-th request on: it writes nothing more, here or there."""
    dead = threading.Event()
    requests = iter(range(1, 10**6))

    def die(method: str, path: str) -> None:
        if next(requests) == count:
            github.before = github.after = lambda method, path: None
            with app.app_context():
                long_ago = now() - jobs.LEASE
                db.session.execute(
                    update(Job).where(Job.status == "running").values(lease_owner="dead", lease_expires_at=long_ago)
                )
                db.session.commit()
            dead.set()
            if not answered:
                raise standin.Answer(500, "Nobody is there to read this.")

    if answered:
        github.after = die
    else:
        github.before = die
    return dead


def test_a_stranger_who_writes_our_marks_changes_nothing(hook: Hook, github: World, model: Scripted) -> None:
    says(model, finding(1))
    github.pull()
    github.comment("mallory", "<!-- codesherpa:summary -->\nI am the sherpa.")

    hook.push()
    hook.settle()
    mark = github.on_lines()[0]["body"].split("\n")[0]
    github.line_comments.clear()
    github.line_comments[1] = {
        "id": 1, "body": f"{mark}\nNothing to see.", "path": "app.py", "user": standin.user("mallory"),
        "pull_request_url": "/repos/acme/site/pulls/1", "original_commit_id": A,
    }  # fmt: skip
    github.pull().push(B)
    hook.push()
    hook.settle()

    assert len(github.said()) == 1
    assert [one["user"]["login"] for one in github.on_lines()] == ["mallory", standin.US]


def test_line_comments_that_github_refuses_do_not_cost_the_review(hook: Hook, github: World, model: Scripted) -> None:
    says(model, finding(1, "Here."))
    github.pull()
    github.faults.append(Fault(422, "Unprocessable Entity", method="POST", path="/reviews$"))

    hook.push()
    (job,) = hook.settle()

    assert (job.status, github.on_lines()) == ("done", [])
    assert "Here." in github.said()[0]


def test_a_comment_that_asks_gets_an_explanation_once(hook: Hook, github: World, model: Scripted) -> None:
    github.repo().permissions["ada"] = "write"
    github.pull()
    says(model)
    model.pieces = [
        '{"explanation": "It prints.\\n\\n```python\\nprint(1)\\n```", "learning_steps": ["Read it."],'
        ' "key_concepts": [{"term": "print", "definition": "shows"}], "analogy": "A bell."}'
    ]
    github.faults.append(Fault(502, method="POST", path="/issues/1/comments$", after=True))

    made = hook.comment("ada", "@codesherpa explain what it prints")
    hook.settle()

    (said,) = github.said()
    assert "It prints." in said
    assert "```python\nprint(1)\n```" in said
    assert "1. Read it." in said
    assert "what it prints" in model.briefs[0].turns[-1].text
    assert (made["id"], standin.US, "eyes") in github.reactions


def test_the_reviews_of_a_repository_are_counted_one_by_one(
    hook: Hook, github: World, model: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two that count at once would both find room for the last review of the day."""
    says(model)
    github.pull()
    hook.push()
    hook.settle()
    counting, together = threading.Semaphore(1), threading.Event()
    today = records.today

    def count(repository: Repository) -> int:
        if not counting.acquire(blocking=False):
            together.set()
        together.wait(0.2)
        counting.release()
        return today(repository)

    monkeypatch.setattr(records, "today", count)
    for number in range(2, 5):
        github.pull(number, head=f"{number:040x}")
        hook.push(number)
    hook.settle()

    assert len(model.briefs) == 4
    assert not together.is_set()


@pytest.fixture
def app_settings(tmp_path: Any) -> dict[str, str]:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    pem = key.private_bytes(encoding, form, serialization.NoEncryption())
    (tmp_path / "app.pem").write_bytes(pem)
    key_path = str(tmp_path / "app.pem")
    return {
        "GITHUB_APP_ID": str(standin.APP_ID),
        "GITHUB_APP_PRIVATE_KEY": key_path,
        "GITHUB_WEBHOOK_SECRET": SECRET,
    }


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_an_app_writes_a_check_with_the_score(
    make_app: Callable[..., Flask], github: World, github_world: Any, app_settings: dict[str, str]
) -> None:
    app = make_app(GITHUB_API_URL=github_world[1], **app_settings)
    model = app.extensions["provider"] = Scripted()
    says(model, finding(1, severity="CRITICAL"))
    github.repo().contents["main", ".codesherpa.toml"] = '[review]\nfail_on = "critical"'
    pull = github.pull()
    github.faults.append(Fault(502, method="POST", path="/check-runs$", after=True))
    hook = Hook(app, github)

    hook.push(installation={"id": standin.INSTALLATION})
    hook.settle()
    pull.push(B)
    github.may_check = False
    hook.push(installation={"id": standin.INSTALLATION})
    hook.settle()

    (check,) = github.checks.values()
    assert (check["name"], check["head_sha"], check["conclusion"]) == ("CodeSherpa", A, "failure")
    assert check["output"]["title"] == "7/10, security risk Low"
    assert [one["user"]["login"] for one in github.comments.values()] == [f"{standin.SLUG}[bot]"]
    assert len(github.asked("POST", "/access_tokens$")) == 1
    assert [job.status for job in hook.settle()] == ["done", "done"]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_without_credentials_the_job_says_what_is_missing(
    make_app: Callable[..., Flask], github: World, github_world: Any
) -> None:
    github.pull()
    hook = Hook(make_app(GITHUB_API_URL=github_world[1], GITHUB_WEBHOOK_SECRET=SECRET), github)

    hook.push()
    (job,) = hook.settle()

    assert (job.status, job.reason) == ("failed", "Neither GITHUB_TOKEN nor a GitHub App is set.")


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_offline_the_same_review_is_made_with_ruff(hook: Hook, github: World) -> None:
    lines = ("import subprocess", "", "", "def run(command):", "    subprocess.run(command, shell=True)")
    github.pull(files={"app.py": added(*lines)})

    hook.push()
    hook.settle()

    assert [(one["path"], one["line"]) for one in github.on_lines()] == [("app.py", 5)]
    assert "shell" in github.said()[0]
