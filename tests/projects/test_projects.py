"""Projects: made, listed, changed and deleted."""

from __future__ import annotations

import pytest

from tests.conftest import Caller


def test_a_project_keeps_what_it_was_made_with(ada: Caller) -> None:
    values = {"name": "Sherpa", "description": "d", "instructions": "Be kind.", "repository": "ada/engine.py"}

    made = ada.post("/projects", json=values).json["data"]

    assert made.items() >= values.items()
    assert ada.get("/projects").json["data"]["projects"] == [made]
    assert ada.put(f"/projects/{made['id']}", json={"repository": None}).json["data"]["repository"] is None
    assert ada.delete(f"/projects/{made['id']}").status_code == 200
    assert ada.get("/projects").json["data"]["projects"] == []


@pytest.mark.parametrize(
    "repository", ["", "ada", "ada/", "/x", "a/b/c", "-a/b", "a b/c", "a/b\n", "https://x/y", "a/.", "a/..", "./b"]
)
def test_a_repository_is_written_as_owner_and_name(ada: Caller, repository: str) -> None:
    answer = ada.post("/projects", json={"name": "x", "repository": repository})

    assert list(answer.json["data"]["errors"]) == ["repository"]


@pytest.mark.parametrize("repository", ["a/...", "a/.github", "a/b.", "a/..b", "a/-"])
def test_a_name_may_hold_dots(ada: Caller, repository: str) -> None:
    assert ada.post("/projects", json={"name": "x", "repository": repository}).json["data"]["repository"] == repository


def test_somebody_elses_project_is_not_found(ada: Caller, bob: Caller) -> None:
    id = ada.post("/projects", json={"name": "x"}).json["data"]["id"]

    assert [bob.call(method, f"/projects/{id}", json={}).status_code for method in ("GET", "PUT", "DELETE")] == [
        404
    ] * 3
