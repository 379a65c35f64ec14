"""Users see the reviews of the repository that a project of theirs names, when they may."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask

from codesherpa.chat import rooms
from tests.conformance import faults
from tests.conftest import Caller
from tests.integrations.github.conftest import Hook, finding, says
from tests.scripted import Scripted
from tests.standins.github import World

FILE = ("main", ".codesherpa.toml")


@pytest.fixture
def events(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, Any]]:
    """What sockets of which user were sent."""
    sent: list[tuple[int, Any]] = []
    monkeypatch.setattr(rooms, "tell", lambda user_id, event, payload: sent.append((user_id, event, payload)))
    return sent


def project(user: Caller, repository: str | None) -> int:
    id: int = user.post("/projects", json={"name": "P", "repository": repository}).json["data"]["id"]
    return id


def seen(user: Caller, id: int) -> list[Any]:
    answer = user.get(f"/projects/{id}/reviews")
    assert answer.status_code == 200
    found: list[Any] = answer.json["data"]["reviews"]
    return found


def test_a_review_is_listed_and_told_live(
    hook: Hook, github: World, model: Scripted, ada: Caller, bob: Caller, events: list[Any]
) -> None:
    says(model, finding(1, "Look."))
    pull = github.pull(title="Add a cart")
    mine, other = project(ada, "Acme/SITE"), project(bob, "acme/other")
    hook.push()
    hook.settle()
    pull.push("b" * 40)
    hook.push()
    hook.settle()

    answer = ada.get(f"/projects/{mine}/reviews?page_size=1").json["data"]

    (review,) = answer["reviews"]
    assert (answer["count"], answer["total"], answer["page"]) == (1, 2, 1)
    assert (review["repository"], review["number"], review["title"]) == ("acme/site", 1, "Add a cart")
    assert (review["status"], review["quality_score"], review["head_sha"]) == ("complete", 7, "b" * 40)
    assert review["findings"][0]["issue"] == "Look."
    assert seen(bob, other) == []
    assert [(user, name, one["project_id"], one["review"]["status"]) for user, name, one in events] == [
        (ada.id, "review", mine, status) for status in ("running", "complete") * 2
    ]
    assert [fault for _, name, payload in events for fault in faults(name, payload)] == []
    assert events[-1][2]["review"] == review


def test_reviews_of_a_private_repository_need_a_proof(
    hook: Hook, github: World, model: Scripted, ada: Caller, bob: Caller, events: list[Any]
) -> None:
    says(model)
    repo = github.repo()
    repo.private = True
    pull = github.pull()
    hers, his, nobodys = project(ada, "acme/site"), project(bob, "acme/site"), project(bob, "acme/nowhere")
    code = ada.get(f"/projects/{hers}/reviews").json["data"]["viewer"]
    hook.push()
    hook.settle()

    assert seen(ada, hers) == seen(bob, his) == []
    shown, missing = (bob.get(f"/projects/{id}/reviews").json["data"] for id in (his, nobodys))
    assert {**shown, "viewer": ""} == {**missing, "viewer": ""}
    assert events == []

    repo.contents[FILE] = f'[review]\nviewers = ["{code}"]'
    pull.push("b" * 40)
    hook.push()
    hook.settle()

    assert len(seen(ada, hers)) == 2
    assert seen(bob, his) == []
    assert {user for user, _, _ in events} == {ada.id}

    repo.contents[FILE] = "[review]"
    pull.push("c" * 40)
    hook.push()
    hook.settle()
    assert seen(ada, hers) == []


def test_another_branch_lets_nobody_in(hook: Hook, github: World, model: Scripted, ada: Caller) -> None:
    says(model)
    github.repo().private = True
    id = project(ada, "acme/site")
    code = ada.get(f"/projects/{id}/reviews").json["data"]["viewer"]
    github.repo().contents["topic", ".codesherpa.toml"] = f'[review]\nviewers = ["{code}"]'
    github.pull(base="topic")

    hook.push()
    hook.settle()

    assert seen(ada, id) == []


def test_a_repository_that_takes_a_name_over_does_not_take_the_reviews(
    hook: Hook, github: World, model: Scripted, ada: Caller
) -> None:
    says(model)
    id = project(ada, "acme/site")
    github.repo().private = True
    code = ada.get(f"/projects/{id}/reviews").json["data"]["viewer"]
    github.pull()
    hook.push()
    hook.settle()

    github.repos.clear()
    github.repo("acme/other")
    github.repo("acme/site").contents[FILE] = f'[review]\nviewers = ["{code}"]'
    github.pull(5, head="d" * 40)
    hook.push(5)
    hook.settle()

    assert [review["number"] for review in seen(ada, id)] == [5]


def test_a_project_without_a_repository_has_no_reviews(app: Flask, ada: Caller, bob: Caller) -> None:
    id = project(ada, None)

    answer = ada.get(f"/projects/{id}/reviews").json["data"]

    assert (answer["reviews"], answer["viewer"], answer["total"]) == ([], None, 0)
    assert bob.get(f"/projects/{id}/reviews").status_code == 404
    assert ada.get(f"/projects/{id}/reviews?page=0").status_code == 400
