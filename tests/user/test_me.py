"""The signed-in user's own account."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import update

from codesherpa.extensions import db
from codesherpa.user import passwords
from codesherpa.user.models import User
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


def move(caller: Caller, email: str, **beside: Any) -> Any:
    """Give an account another address, with its password unless it is named."""
    return caller.put("/user/me", json={"email": email, "current_password": caller.password} | beside)


def test_a_new_address_signs_in_and_the_old_one_is_free(ada: Caller, bob: Caller) -> None:
    assert move(ada, bob.email).json["data"]["code"] == "email_taken"
    assert move(ada, "Lovelace@Example.com").status_code == 200

    ada.email = "lovelace@example.com"
    ada.login()

    assert move(bob, "ada@example.com").status_code == 200


@pytest.mark.parametrize("password", [{}, {"current_password": "a guess"}, {"current_password": ""}])
@pytest.mark.parametrize("email", ["lovelace@example.com", "bob@example.com", "ma\u00df@example.com"])
def test_another_address_needs_the_password_and_nothing_is_changed_without_it(
    app: Flask, client: FlaskClient, password: dict[str, str], email: str
) -> None:
    """A wrong password gets the same answer whether the address is taken or not."""
    ada = Caller(client, "mass@example.com")
    Caller(client, "bob@example.com")
    before = ada.get("/user/me").json["data"]

    answer = ada.put("/user/me", json={"name": "Eve", "email": email} | password)

    assert (answer.status_code, answer.json["data"]["code"]) == (400, "validation_error")
    assert list(answer.json["data"]["errors"]) == ["current_password"]
    assert ada.get("/user/me").json["data"] == before


@pytest.mark.parametrize("beside", [{}, {"current_password": "a guess"}])
def test_the_same_address_in_any_case_needs_no_password(ada: Caller, beside: dict[str, str]) -> None:
    for email in (ada.email, " ADA@Example.com "):
        answer = ada.put("/user/me", json={"name": "Ada L.", "email": email} | beside)

        assert (answer.status_code, answer.json["data"]["name"]) == (200, "Ada L.")


def test_a_password_that_is_changed_while_it_is_checked_changes_no_address(
    app: Flask, ada: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    matches = passwords.matches

    def change_meanwhile(*args: Any) -> bool:
        monkeypatch.setattr(passwords, "matches", matches)
        with app.app_context(), db.engine.begin() as other:
            other.execute(update(User).values(password_hash="another"))
        return matches(*args)

    monkeypatch.setattr(passwords, "matches", change_meanwhile)

    answer = move(ada, "lovelace@example.com")

    assert list(answer.json["data"]["errors"]) == ["current_password"]
    assert ada.get("/user/me").json["data"]["email"] == ada.email
