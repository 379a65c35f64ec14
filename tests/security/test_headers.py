"""What every answer carries, whoever gives it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask import Flask
from flask.testing import FlaskClient

from codesherpa.edge import HEADERS
from tests.conftest import Caller

PATHS = ["/", "/health", "/health/ready", "/metrics", "/nowhere", "/api/v1/user/me", "/api/v1/openapi.json"]
PAGES = ["/api/v1/docs", "/api/v1/redoc"]
POLLS = ["/socket.io/?EIO=4&transport=polling", "/socket.io/?EIO=3", "/socket.io/?EIO=4&transport=carrier-pigeon"]


@pytest.mark.parametrize("path", PATHS + POLLS)
def test_every_answer_carries_the_security_headers(client: FlaskClient, path: str) -> None:
    answer = client.get(path)

    assert {name: answer.headers.getlist(name) for name in HEADERS} == {name: [HEADERS[name]] for name in HEADERS}


@pytest.mark.parametrize("path", PAGES)
def test_a_page_has_a_strict_policy_of_its_own(client: FlaskClient, path: str) -> None:
    with client.get(path) as answer:
        answer.get_data()

    policy = dict(part.strip().split(" ", 1) for part in answer.headers["Content-Security-Policy"].split(";"))
    assert (policy["default-src"], policy["script-src"]) == ("'none'", "'self'")
    assert (policy["base-uri"], policy["form-action"], policy["frame-ancestors"]) == ("'none'", "'none'", "'none'")
    assert (answer.headers["X-Frame-Options"], answer.headers["X-Content-Type-Options"]) == ("DENY", "nosniff")


@pytest.mark.parametrize("path", ["/user/me", "/user/me/export", "/user/me/sessions", "/chat", "/agents"])
def test_no_cache_keeps_what_is_a_users_own(ada: Caller, path: str) -> None:
    assert ada.get(path).headers["Cache-Control"] == "no-store"
    assert ada.client.post("/api/v1/auth/login", json={}).headers["Cache-Control"] == "no-store"


def test_https_alone_is_asked_for_in_production_where_https_is(make_app: Callable[..., Flask]) -> None:
    production = {"APP_ENV": "production", "BCRYPT_ROUNDS": "10"}
    settings = {"production": production, "behind": {**production, "TRUSTED_PROXIES": "1"}, "development": {}}
    clients = {name: make_app(**changed).test_client() for name, changed in settings.items()}

    def asked(name: str, url: str, **headers: str) -> bool:
        told = clients[name].get("/health", base_url=url, headers={"X-Forwarded-Proto": "https", **headers})
        return "Strict-Transport-Security" in told.headers

    assert asked("production", "https://sherpa.example.com")
    assert asked("behind", "http://sherpa.example.com")
    assert not asked("production", "http://sherpa.example.com")
    assert not asked("development", "https://sherpa.example.com")
