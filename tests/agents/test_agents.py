"""Agents: made, listed, changed and deleted."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conftest import Caller

FIELDS = {
    "id", "name", "description", "status", "kind", "system_prompt", "model_id", "temperature", "max_tokens",
    "user_id", "created_at", "updated_at",
}  # fmt: skip


def test_a_name_is_enough_for_an_agent(ada: Caller) -> None:
    answer = ada.post("/agents", json={"name": "Reviewer"})

    assert answer.status_code == 201
    assert set(answer.json["data"]) == FIELDS
    assert (answer.json["data"]["status"], answer.json["data"]["kind"]) == ("active", "general")
    assert ada.get(f"/agents/{answer.json['data']['id']}").json["data"] == answer.json["data"]


def test_null_clears_what_may_be_empty_and_is_an_error_elsewhere(ada: Caller) -> None:
    values = {
        "name": "R",
        "description": "d",
        "system_prompt": "s",
        "model_id": "m",
        "temperature": 0.5,
        "max_tokens": 9,
    }
    id = ada.post("/agents", json=values).json["data"]["id"]
    clearable = {name: None for name in values if name != "name"}

    cleared = ada.put(f"/agents/{id}", json=clearable)
    refused = ada.put(f"/agents/{id}", json={"name": None, "status": None, "kind": None})

    assert cleared.json["data"].items() >= clearable.items()
    assert set(refused.json["data"]["errors"]) == {"name", "status", "kind"}


@pytest.mark.parametrize(
    "change",
    [
        {"name": " "},
        {"status": "processing"},
        {"kind": "other"},
        {"temperature": "0.5"},
        {"temperature": 1.1},
        {"temperature": True},
        {"max_tokens": 0},
        {"max_tokens": 1.5},
        {"user_id": 2},
        {"created_at": "2020-01-01T00:00:00Z"},
    ],
)
def test_what_is_not_right_is_refused_and_nothing_changes(ada: Caller, change: dict[str, Any]) -> None:
    before = ada.post("/agents", json={"name": "R"}).json["data"]

    answer = ada.put(f"/agents/{before['id']}", json={"description": "new"} | change)

    assert list(answer.json["data"]["errors"]) == list(change)
    assert ada.get(f"/agents/{before['id']}").json["data"] == before


def test_a_list_has_pages_newest_first_and_a_total(ada: Caller) -> None:
    for number in range(5):
        ada.post("/agents", json={"name": f"Agent {number}"})

    page = ada.get("/agents?page=2&page_size=2").json["data"]
    beyond = ada.get("/agents?page=9&page_size=2").json["data"]

    assert [agent["name"] for agent in page["agents"]] == ["Agent 2", "Agent 1"]
    assert {name: page[name] for name in ("count", "total", "page", "page_size")} == {
        "count": 2, "total": 5, "page": 2, "page_size": 2,
    }  # fmt: skip
    assert (beyond["agents"], beyond["count"], beyond["total"]) == ([], 0, 5)


@pytest.mark.parametrize(
    ("q", "found"),
    [("CODE", ["Code 100%"]), ("100%", ["Code 100%"]), ("0%", ["Code 100%"]), ("_", ["a_b"]), ("élan", ["ÉLAN"])],
)
def test_a_search_ignores_case_and_takes_signs_as_letters(ada: Caller, q: str, found: list[str]) -> None:
    for name in ("Code 100%", "a_b", "axb", "ÉLAN"):
        ada.post("/agents", json={"name": name})

    agents = ada.get("/agents", query_string={"q": q}).json["data"]["agents"]

    assert [agent["name"] for agent in agents] == found


@pytest.mark.parametrize("query", ["page=0", "page=x", "page=-1", "page_size=101", "page_size=0", "page=1.0", "q=%00"])
def test_a_query_out_of_range_is_an_error_and_an_unknown_name_is_ignored(ada: Caller, query: str) -> None:
    assert ada.get(f"/agents?{query}").json["data"]["code"] == "validation_error"
    assert ada.get("/agents?colour=red").status_code == 200


def test_somebody_elses_agent_cannot_be_told_from_none(ada: Caller, bob: Caller) -> None:
    id = ada.post("/agents", json={"name": "R"}).json["data"]["id"]

    for method, body in (("GET", None), ("PUT", {"name": "B"}), ("DELETE", None)):
        others, missing = (bob.call(method, f"/agents/{one}", json=body) for one in (id, 10**6))
        for answer in (others, missing):
            answer.json["data"].pop("request_id", None)
        assert others.status_code == missing.status_code == 404
        assert others.json["message"] == missing.json["message"]
    assert bob.get("/agents").json["data"]["total"] == 0
    assert ada.get(f"/agents/{id}").status_code == 200


@pytest.mark.parametrize("id", ["x", "0", "-1", "1.5", str(2**63), "9" * 40])
@pytest.mark.sqlite_only
def test_an_id_that_is_none_is_not_found(ada: Caller, id: str) -> None:
    assert ada.get(f"/agents/{id}").json["data"]["code"] == "not_found"


@pytest.mark.parametrize("zero", ["0", "\u0660", "+", "%20"])
def test_an_id_is_written_in_one_way(ada: Caller, zero: str) -> None:
    id = ada.post("/agents", json={"name": "R"}).json["data"]["id"]
    arabic = "".join(chr(0x660 + int(digit)) for digit in str(id))

    assert ada.get(f"/agents/{id}").status_code == 200
    assert [ada.get(f"/agents/{other}").status_code for other in (f"{zero}{id}", arabic)] == [404, 404]


def test_a_deleted_agent_is_gone(ada: Caller) -> None:
    id = ada.post("/agents", json={"name": "R"}).json["data"]["id"]

    assert ada.delete(f"/agents/{id}").json["data"] is None
    assert ada.delete(f"/agents/{id}").status_code == 404
