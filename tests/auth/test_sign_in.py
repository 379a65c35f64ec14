"""Register, sign in, stay signed in, sign out."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from codesherpa.auth import service
from codesherpa.auth.models import AuthSession
from codesherpa.database import now
from codesherpa.extensions import db
from tests.conftest import Caller
from tests.user.test_me import move

NEW = {"name": "Ada", "email": "ada@example.com", "password": "correct horse battery"}


def register(client: FlaskClient, **changes: Any) -> Any:
    return client.post("/api/v1/auth/register", data=json.dumps(NEW | changes), content_type="application/json")


def login(client: FlaskClient, email: str, password: str) -> Any:
    return client.post("/api/v1/auth/login", json={"email": email, "password": password})


def test_a_new_account_is_shown_without_its_password(client: FlaskClient) -> None:
    answer = register(client)

    assert answer.status_code == 201
    assert set(answer.json["data"]) == {"id", "name", "email", "is_active", "language", "created_at", "updated_at"}
    assert answer.json["data"]["created_at"].endswith("Z")


def test_an_address_has_one_account_however_it_is_written(client: FlaskClient) -> None:
    register(client)

    answer = register(client, email="ADA@Example.COM")

    assert (answer.status_code, answer.json["data"]["code"]) == (409, "email_taken")


# The same three times over: in letters, decomposed, and as it goes over the wire.
SPELLINGS = ["Zo\u00eb@b\u00fccher.example", "zoe\u0308@bu\u0308cher.example", " ZO\u00cb@XN--BCHER-KVA.example "]


@pytest.mark.parametrize("written", SPELLINGS)
def test_an_account_is_found_however_its_address_is_written(app: Flask, client: FlaskClient, written: str) -> None:
    made = register(client, email=written)

    assert made.json["data"]["email"].casefold() == SPELLINGS[0].casefold()
    assert [login(client, other, NEW["password"]).status_code for other in SPELLINGS] == [200] * 3
    assert [register(client, email=other).json["data"]["code"] for other in SPELLINGS] == ["email_taken"] * 3
    for other in SPELLINGS:
        shown = app.test_cli_runner().invoke(args=["user", "show", other, "--json"])
        assert json.loads(shown.output)["user"]["id"] == made.json["data"]["id"]


def test_an_address_that_is_changed_to_is_found_however_it_is_written(ada: Caller, bob: Caller) -> None:
    assert move(ada, SPELLINGS[1]).status_code == 200

    assert login(ada.client, SPELLINGS[2], ada.password).status_code == 200
    assert move(bob, SPELLINGS[2]).json["data"]["code"] == "email_taken"


@pytest.mark.parametrize(
    ("email", "status"),
    [
        ("ada@xn--999999999999", 401),
        ("@", 401),
        ("\u00eb" * 1000, 401),
        ("ada@" + "\u00fc." * 480 + "org", 401),
        ("ada@example.com\0", 400),
        ("\ud800@example.com", 400),
    ],
)
def test_what_is_no_address_signs_nobody_in(make_app: Any, email: str, status: int) -> None:
    client = make_app(RATE_LIMIT_LOGIN="9/minute").test_client()
    register(client)

    body = json.dumps({"email": email, "password": NEW["password"]})
    answer = client.post("/api/v1/auth/login", data=body, content_type="application/json")

    assert answer.status_code == status


def test_an_address_that_grows_too_long_where_its_case_is_folded_is_refused(client: FlaskClient) -> None:
    answer = register(client, email="\u0390" * 64 + "@" + ".".join(["\u0390" * 20] * 3) + ".de")

    assert (answer.status_code, list(answer.json["data"]["errors"])) == (400, ["email"])


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""),
        ("name", "   "),
        ("name", "x" * 121),
        ("name", "a\0b"),
        ("name", "\ud800"),
        ("name", 7),
        ("name", None),
        ("email", "ada"),
        ("email", "ada@"),
        ("email", "ada@host"),
        ("password", "1234567"),
        ("password", "x" * 73),
        ("password", "é" * 37),
        ("is_active", True),
    ],
)
def test_a_registration_that_is_not_right_names_the_field(client: FlaskClient, field: str, value: Any) -> None:
    answer = register(client, **{field: value})

    assert (answer.status_code, answer.json["data"]["code"]) == (400, "validation_error")
    assert list(answer.json["data"]["errors"]) == [field]


def test_a_password_may_have_72_bytes_and_counts_to_the_last(client: FlaskClient) -> None:
    password = "x" * 71 + "y"
    register(client, password=password)

    assert login(client, NEW["email"], password).status_code == 200
    assert login(client, NEW["email"], "x" * 71 + "z").status_code == 401
    assert login(client, NEW["email"], password + "y").status_code == 401


def test_signing_in_gives_tokens_and_the_user(client: FlaskClient) -> None:
    register(client)

    data = login(client, "Ada@Example.com", NEW["password"]).json["data"]

    assert set(data) == {"access_token", "refresh_token", "token_type", "expires_in", "user"}
    assert (data["token_type"], data["expires_in"], data["user"]["name"]) == ("bearer", 1800, "Ada")


def test_a_wrong_password_an_unknown_address_and_a_deactivated_account_look_the_same(
    app: Flask, client: FlaskClient, ada: Caller
) -> None:
    wrong = login(client, ada.email, "not her password")
    unknown = login(client, "nobody@example.com", ada.password)
    deactivate(app, ada)
    deactivated = login(client, ada.email, ada.password)

    shown = [
        (answer.status_code, answer.json["message"], answer.json["data"]["code"])
        for answer in (wrong, unknown, deactivated)
    ]
    assert shown == [(401, "Email or password is wrong.", "invalid_credentials")] * 3


def deactivate(app: Flask, caller: Caller) -> None:
    from codesherpa.user.models import User

    with app.app_context():
        db.session.get_one(User, caller.id).is_active = False
        db.session.commit()


def test_a_token_of_a_deactivated_account_is_told_so(app: Flask, ada: Caller) -> None:
    deactivate(app, ada)

    answer = ada.get("/user/me")

    assert (answer.status_code, answer.json["data"]["code"]) == (403, "account_disabled")


def test_refreshing_spends_the_token_for_a_successor(ada: Caller) -> None:
    answer = ada.post("/auth/refresh", token=ada.refresh)

    assert answer.status_code == 200
    assert set(answer.json["data"]) == {"access_token", "refresh_token", "token_type", "expires_in"}
    assert answer.json["data"]["refresh_token"] != ada.refresh
    assert ada.get("/user/me", token=answer.json["data"]["access_token"]).status_code == 200


def test_a_spent_token_gives_the_same_successor_within_the_grace(ada: Caller) -> None:
    first = ada.post("/auth/refresh", token=ada.refresh).json["data"]

    again = ada.post("/auth/refresh", token=ada.refresh).json["data"]

    assert again["refresh_token"] == first["refresh_token"]


def test_a_spent_token_ends_the_session_once_its_successor_is_spent_too(ada: Caller) -> None:
    first = ada.post("/auth/refresh", token=ada.refresh).json["data"]
    second = ada.post("/auth/refresh", token=first["refresh_token"]).json["data"]

    answer = ada.post("/auth/refresh", token=ada.refresh)

    assert (answer.status_code, answer.json["data"]["code"]) == (401, "token_revoked")
    assert ada.get("/user/me", token=second["access_token"]).json["data"]["code"] == "token_revoked"
    assert ada.post("/auth/refresh", token=second["refresh_token"]).json["data"]["code"] == "token_revoked"


def test_a_spent_token_ends_the_session_after_the_grace(app: Flask, ada: Caller) -> None:
    first = ada.post("/auth/refresh", token=ada.refresh).json["data"]
    with app.app_context():
        session = db.session.scalars(db.select(AuthSession)).one()
        session.rotated_at = now() - service.GRACE - timedelta(seconds=1)
        db.session.commit()

    answer = ada.post("/auth/refresh", token=ada.refresh)

    assert answer.json["data"]["code"] == "token_revoked"
    assert ada.get("/user/me", token=first["access_token"]).json["data"]["code"] == "token_revoked"


def test_signing_out_ends_this_session_and_no_other(client: FlaskClient, ada: Caller) -> None:
    here, there = ada.access, login(client, ada.email, ada.password).json["data"]["access_token"]

    answer = ada.post("/auth/logout")

    assert (answer.status_code, answer.json["data"]) == (200, None)
    assert ada.get("/user/me", token=here).json["data"]["code"] == "token_revoked"
    assert ada.post("/auth/refresh", token=ada.refresh).json["data"]["code"] == "token_revoked"
    assert ada.get("/user/me", token=there).status_code == 200


def test_a_token_is_good_for_its_own_purpose_alone(ada: Caller) -> None:
    assert ada.get("/user/me", token=ada.refresh).json["data"]["code"] == "unauthorized"
    assert ada.post("/auth/refresh", token=ada.access).json["data"]["code"] == "unauthorized"


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer ", "Bearer x", "Bearer a.b.c", "Basic YTpi", "\u00e9"])
def test_what_is_no_token_is_unauthorized(client: FlaskClient, header: str | None) -> None:
    answer = client.get("/api/v1/user/me", headers={"Authorization": header} if header is not None else {})

    assert (answer.status_code, answer.json["data"]["code"]) == (401, "unauthorized")
    assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_an_expired_token_is_told_so(make_app: Any) -> None:
    app = make_app(ACCESS_TOKEN_EXPIRE_MINUTES="1")
    app.config["JWT_ACCESS_TOKEN_EXPIRES"] = timedelta(seconds=-1)
    ada = Caller(app.test_client(), "ada@example.com")

    answer = ada.get("/user/me")

    assert (answer.status_code, answer.json["data"]["code"]) == (401, "token_expired")


def test_a_missing_token_is_refused_before_the_body_and_a_wrong_method_before_the_token(client: FlaskClient) -> None:
    assert client.post("/api/v1/agents", data="{").status_code == 401
    assert client.patch("/api/v1/agents").status_code == 405
