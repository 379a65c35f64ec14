"""Who may cause work, and what is passed over."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask

from tests.integrations.github.conftest import GITHUB, Hook, says
from tests.scripted import Scripted
from tests.standins.github import US, World, pull_request

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
FILE = ("main", ".codesherpa.toml")


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        ({"fork": True}, "from a fork"),
        ({"draft": True}, "a draft"),
        ({"is_bot": True}, "by a bot"),
        ({"state": "closed"}, "no longer open"),
        ({"labels": ["wip", "no-review"]}, "labelled no-review"),
    ],
)
def test_some_pull_requests_are_passed_over(
    hook: Hook, github: World, model: Scripted, state: dict[str, Any], reason: str
) -> None:
    github.repo().contents[FILE] = '[review]\nskip_labels = ["no-review"]'
    github.pull(**state)

    hook.push()
    (job,) = hook.settle()

    assert job.status == "dropped"
    assert reason in (job.reason or "")
    assert (model.briefs, github.said()) == ([], [])


def test_a_draft_is_reviewed_when_it_is_ready(hook: Hook, github: World, model: Scripted) -> None:
    says(model)
    pull = github.pull(draft=True)
    hook.push(action="opened")
    hook.settle()

    pull.draft = False
    hook.push(action="ready_for_review")
    hook.settle()

    assert len(github.said()) == 1


@pytest.mark.parametrize(
    ("login", "permission", "fork", "may"),
    [
        ("ada", "write", False, True),
        ("ada", "admin", True, True),
        ("ada", "maintain", True, True),
        ("ada", "triage", False, False),
        ("ada", "read", True, False),
        ("octocat", "read", False, True),  # The author, from within the repository.
        ("octocat", "read", True, False),  # The author, from a fork.
    ],
)
def test_a_comment_causes_work_where_its_author_may(
    hook: Hook, github: World, model: Scripted, login: str, permission: str, fork: bool, may: bool
) -> None:
    says(model)
    github.repo().permissions[login] = permission
    github.pull(author="octocat", fork=fork)

    made = hook.comment(login, "@codesherpa review")
    hook.settle()

    assert len(github.said()) == len(model.briefs) == int(may)
    assert ((made["id"], US, "eyes") in github.reactions) is may


def test_a_fork_is_read_once_for_each_time_that_a_maintainer_asks(hook: Hook, github: World, model: Scripted) -> None:
    says(model)
    github.repo().permissions["ada"] = "write"
    pull = github.pull(fork=True)
    hook.comment("ada", "@codesherpa review")
    hook.settle()
    pull.push("b" * 40)
    hook.push()
    hook.settle()

    assert len(model.briefs) == 1


def test_the_settings_of_the_head_are_never_read(hook: Hook, github: World, model: Scripted) -> None:
    says(model)
    github.repo().contents["topic", ".codesherpa.toml"] = "[review]\nenabled = false"
    github.pull()

    hook.push()
    hook.settle()

    assert len(github.said()) == 1


def test_a_repository_can_switch_it_off(hook: Hook, github: World, model: Scripted) -> None:
    github.repo().permissions["ada"] = "admin"
    github.repo().contents[FILE] = "[review]\nenabled = false"
    github.pull()

    hook.push()
    hook.comment("ada", "@codesherpa review")
    found = hook.settle()

    assert {job.reason for job in found} == {"switched off in .codesherpa.toml"}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("not toml at all [", "is not TOML"),
        ('review = "yes"', "has no table"),
        ('[review]\ndrafts = "yes"\ntypo = 1\nlanguage = "fr"', "without drafts, typo, language"),
    ],
)
def test_settings_that_cannot_be_used_are_told_and_passed_over(
    hook: Hook, github: World, model: Scripted, text: str, told: str
) -> None:
    says(model)
    github.repo().contents[FILE] = text
    github.pull()

    hook.push()
    hook.settle()

    assert told in github.said()[0]


def test_instructions_and_language_of_the_base_branch_reach_the_model(
    hook: Hook, github: World, model: Scripted
) -> None:
    says(model)
    github.repo().contents[FILE] = '[review]\ninstructions = "Mind the tests."\nlanguage = "hinglish"'
    github.pull()

    hook.push()
    hook.settle()

    assert "Mind the tests." in model.briefs[0].context
    assert model.briefs[0].language == "hinglish"


def test_the_day_of_a_repository_ends_and_whoever_asked_is_told(
    make_app: Callable[..., Flask], github: World, github_world: Any
) -> None:
    app = make_app(GITHUB_API_URL=github_world[1], GITHUB_REVIEWS_PER_DAY="3", **GITHUB)
    model = app.extensions["provider"] = Scripted()
    says(model)
    hook = Hook(app, github)
    payloads = [pull_request(github.repo(), github.pull(number, head=f"{number:040x}")) for number in range(1, 9)]
    github.repo("acme/other").permissions["ada"] = "admin"
    github.pull(1, "acme/other")
    github.repo().permissions["ada"] = "admin"

    def send(payload: dict[str, Any]) -> None:
        Hook(app, github).send("pull_request", payload, delivery=str(payload["number"]))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(send, payloads))
    hook.settle()
    made = hook.comment("ada", "@codesherpa review")
    hook.push(1, repository="acme/other")
    hook.settle()

    assert len(model.briefs) == 4
    assert len(github.said(1, "acme/other")) == 1
    assert (made["id"], US, "confused") in github.reactions
