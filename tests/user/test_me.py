"""The signed-in user's own account."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conftest import Caller


def test_only_what_is_sent_changes(ada: Caller) -> None:
    before = ada.get("/user/me").json["data"]

    after = ada.put("/user/me", json={"language": "hinglish"}).json["data"]

    assert after == before | {"language": "hinglish", "updated_at": after["updated_at"]}
    assert ada.get("/user/me").json["data"] == after


def test_an_empty_change_changes_nothing(ada: Caller) -> None:
    before = ada.get("/user/me").json["data"]

    answer = ada.put("/user/me", json={})

    assert (answer.status_code, answer.json["data"]) == (200, before)


@pytest.mark.parametrize(
    "change", [{"id": 2}, {"is_active": False}, {"created_at": "x"}, {"password": "12345678"}, {"language": "fr"}]
)
@pytest.mark.sqlite_only
def test_nothing_else_can_be_changed(ada: Caller, change: dict[str, Any]) -> None:
    answer = ada.put("/user/me", json=change)

    assert (answer.status_code, list(answer.json["data"]["errors"])) == (400, list(change))


def test_a_new_address_signs_in_and_the_old_one_is_free(ada: Caller, bob: Caller) -> None:
    assert ada.put("/user/me", json={"email": bob.email}).json["data"]["code"] == "email_taken"
    assert ada.put("/user/me", json={"email": "Lovelace@Example.com"}).status_code == 200

    ada.email = "lovelace@example.com"
    ada.login()

    assert bob.put("/user/me", json={"email": "ada@example.com"}).status_code == 200
