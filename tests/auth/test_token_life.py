"""A token that is ours stays ours; whether it still lets anybody in is asked each time."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

import jwt
import pytest
from flask import Flask

from codesherpa.extensions import db
from codesherpa.user.models import User
from tests.conftest import Caller


def refused(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json["data"].get("code")


def test_a_token_that_was_let_in_is_refused_once_it_has_ended(ada: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    assert ada.get("/agents").status_code == 200
    later = time.time() + timedelta(minutes=31).total_seconds()

    monkeypatch.setattr(time, "time", lambda: later)

    assert refused(ada.get("/agents")) == (401, "token_expired")


def test_a_token_that_was_let_in_is_refused_once_its_session_has_ended(ada: Caller) -> None:
    assert ada.get("/agents").status_code == 200

    ada.post("/auth/logout")

    assert refused(ada.get("/agents")) == (401, "token_revoked")


def test_a_token_that_was_let_in_is_refused_once_its_account_is_deactivated(app: Flask, ada: Caller) -> None:
    assert ada.get("/agents").status_code == 200

    with app.app_context():
        db.session.get_one(User, ada.id).is_active = False
        db.session.commit()

    assert refused(ada.get("/agents")) == (403, "account_disabled")


@pytest.mark.parametrize("claim", ["exp", "sub", "type", "jti", "iss", "aud", "iat", "nbf"])
def test_a_token_without_one_of_its_claims_is_none(app: Flask, ada: Caller, claim: str) -> None:
    key = app.config["JWT_SECRET_KEY"]
    claims = jwt.decode(ada.access, key, algorithms=["HS256"], audience="codesherpa")
    del claims[claim]

    answer = ada.get("/agents", token=jwt.encode(claims, key, "HS256"))

    assert refused(answer) == (401, "unauthorized")


@pytest.mark.parametrize(("key", "algorithm"), [("another key that is good for nothing", "HS256"), ("", "none")])
def test_a_token_that_another_signed_is_none(app: Flask, ada: Caller, key: str, algorithm: str) -> None:
    own = app.config["JWT_SECRET_KEY"]
    claims = jwt.decode(ada.access, own, algorithms=["HS256"], audience="codesherpa")
    assert ada.get("/agents").status_code == 200

    answer = ada.get("/agents", token=jwt.encode(claims, key, algorithm))

    assert refused(answer) == (401, "unauthorized")


def test_a_session_of_somebody_else_does_not_let_in(app: Flask, ada: Caller, bob: Caller) -> None:
    key = app.config["JWT_SECRET_KEY"]
    claims = jwt.decode(ada.access, key, algorithms=["HS256"], audience="codesherpa")

    token = jwt.encode(claims | {"sub": str(bob.id)}, key, "HS256")

    for method in ("GET", "POST"):
        assert refused(ada.call(method, "/agents", token=token, json={"name": "A"})) == (401, "token_revoked")


def test_the_scheme_may_be_written_in_any_case(ada: Caller) -> None:
    for scheme in ("bearer", "BEARER"):
        answer = ada.client.get("/api/v1/user/me", headers={"Authorization": f"{scheme} {ada.access}"})
        assert answer.status_code == 200
    assert ada.client.get("/api/v1/user/me", headers={"Authorization": f"Basic {ada.access}"}).status_code == 401
