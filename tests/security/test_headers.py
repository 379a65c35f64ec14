"""What every answer carries, whoever gives it."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.conftest import Caller

NOTHING = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
# What every answer says, written out once more: a header that is dropped from the code is missed here.
WANTED = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
UNLESS_SAID_OTHERWISE = {"Content-Security-Policy": NOTHING, "Cache-Control": "no-store"}
PATHS = ["/", "/health", "/health/ready", "/metrics", "/nowhere", "/api/v1/user/me", "/api/v1/openapi.json"]
PAGES = ["/api/v1/docs", "/api/v1/redoc", "/app/"]
ASSETS = ["/app/main.js", "/app/settings.json", "/api/v1/docs/swagger.js", "/api/v1/docs/swagger-ui.css"]
POLLS = ["/socket.io/?EIO=4&transport=polling", "/socket.io/?EIO=3", "/socket.io/?EIO=4&transport=carrier-pigeon"]


@pytest.mark.parametrize("path", PATHS + POLLS)
@pytest.mark.sqlite_only
def test_every_answer_carries_the_security_headers(client: FlaskClient, path: str) -> None:
    answer = client.get(path)

    assert said(answer, WANTED | UNLESS_SAID_OTHERWISE) == WANTED | UNLESS_SAID_OTHERWISE


def said(answer: TestResponse, names: Iterable[str]) -> dict[str, str]:
    """Return what an answer says under each name, once or it shows."""
    return {name: ", ".join(answer.headers.getlist(name)) for name in names}


# What is refused before any view is asked, and what breaks in one.
ERRORS: dict[str, Callable[[FlaskClient], TestResponse]] = {
    "a crash": lambda client: client.get("/health"),
    "a method": lambda client: client.patch("/api/v1/agents"),
    "a body that is too large": lambda client: client.post("/api/v1/auth/login", data=b"x" * (2**20 + 1)),
    "another kind of body": lambda client: client.post("/api/v1/auth/login", data="<x/>", content_type="text/xml"),
    "a preflight": lambda client: client.options("/api/v1/agents", headers={"Origin": "https://evil.org"}),
    "a file that is none": lambda client: client.get("/app/nowhere.js"),
    "a path out of the page": lambda client: client.get("/app/../../etc/passwd"),
    "a redirect": lambda client: client.get("/", headers={"Accept": "text/html"}),
    "a webhook that is closed": lambda client: client.post("/api/github/webhook", json={}),
}


@pytest.mark.parametrize("what", ERRORS)
def test_what_is_refused_or_breaks_carries_them_too(app: Flask, what: str) -> None:
    app.config["PROPAGATE_EXCEPTIONS"] = False
    app.view_functions["health.health"] = lambda: 1 / 0

    answer = ERRORS[what](app.test_client())

    assert said(answer, WANTED | UNLESS_SAID_OTHERWISE) == WANTED | UNLESS_SAID_OTHERWISE


@pytest.mark.parametrize("path", PAGES + ASSETS)
@pytest.mark.sqlite_only
def test_a_page_and_its_files_carry_what_is_not_their_own_to_say(client: FlaskClient, path: str) -> None:
    with client.get(path) as answer:
        assert answer.status_code == 200
        assert said(answer, WANTED) == WANTED


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.sqlite_only
def test_a_page_has_a_strict_policy_of_its_own(client: FlaskClient, path: str) -> None:
    with client.get(path) as answer:
        answer.get_data()

    policy = dict(part.strip().split(" ", 1) for part in answer.headers["Content-Security-Policy"].split(";"))
    assert (policy["default-src"], policy["script-src"]) == ("'none'", "'self'")
    assert (policy["base-uri"], policy["form-action"], policy["frame-ancestors"]) == ("'none'", "'none'", "'none'")
    assert policy["connect-src"] == "'self'"


@pytest.mark.sqlite_only
def test_the_page_that_shows_replies_runs_and_writes_nothing_but_its_own(client: FlaskClient) -> None:
    with client.get("/app/") as answer:
        answer.get_data()

    policy = answer.headers["Content-Security-Policy"]
    assert "unsafe" not in policy
    assert "data:" not in policy
    assert "require-trusted-types-for 'script'; trusted-types dompurify" in policy


@pytest.mark.parametrize("path", ["/user/me", "/user/me/export", "/user/me/sessions", "/chat", "/agents"])
@pytest.mark.sqlite_only
def test_no_cache_keeps_what_is_a_users_own(ada: Caller, path: str) -> None:
    assert ada.get(path).headers["Cache-Control"] == "no-store"
    assert ada.client.post("/api/v1/auth/login", json={}).headers["Cache-Control"] == "no-store"


@pytest.mark.sqlite_only
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
