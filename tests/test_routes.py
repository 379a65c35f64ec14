"""What holds for every route that there is, and for each that will come."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask

from codesherpa.api import PREFIX, ApiBlueprint
from codesherpa.database import now
from codesherpa.extensions import db
from codesherpa.integrations.github.models import Repository, Review
from codesherpa.user.models import User
from tests.conftest import Caller, settle
from tests.scripted import Scripted
from tests.statements import recorded

# What each route wants: nothing, a refresh token, or an access token. A new route must be put in its place here.
PUBLIC = {"POST /auth/register", "POST /auth/login"}
REFRESH = {"POST /auth/refresh"}
ACCESS = {
    "POST /auth/logout",
    "GET /user/me", "PUT /user/me", "DELETE /user/me", "PUT /user/me/password", "GET /user/me/export",
    "GET /user/me/sessions", "DELETE /user/me/sessions/<id:id>",
    "GET /agents", "POST /agents", "GET /agents/<id:id>", "PUT /agents/<id:id>", "DELETE /agents/<id:id>",
    "GET /projects", "POST /projects", "GET /projects/<id:id>", "PUT /projects/<id:id>", "DELETE /projects/<id:id>",
    "GET /projects/<id:id>/reviews",
    "GET /chat", "POST /chat", "GET /chat/<id:id>", "DELETE /chat/<id:id>",
    "POST /chat/<id:id>/stop", "POST /chat/<id:id>/retry",
    "GET /chat/conversations", "GET /chat/conversations/<id:id>", "PUT /chat/conversations/<id:id>",
    "DELETE /chat/conversations/<id:id>",
}  # fmt: skip
OUTSIDE = {
    "GET /", "GET /health", "GET /health/ready", "GET /metrics",
    "GET /api/v1/docs", "GET /api/v1/docs/<path:name>", "GET /api/v1/redoc", "GET /api/v1/redoc/<path:name>",
    "GET /api/v1/openapi.json", "GET /app", "GET /app/", "GET /app/<path:name>", "GET /app/packages/<name>",
    "GET /app/settings.json", "GET /api/whatsapp/webhook", "POST /api/whatsapp/webhook",
    "POST /api/github/webhook",
}  # fmt: skip
# The successful statuses of the owner, on an object of its own, for a body as in BODIES.
OWNER = {"POST /chat/<id:id>/stop": 409, "POST /agents": 201, "POST /projects": 201, "POST /chat": 201} | {
    "POST /chat/<id:id>/retry": 201
}
BODIES: dict[str, dict[str, Any]] = {
    "POST /agents": {"name": "A"},
    "POST /projects": {"name": "P"},
    "POST /chat": {"message": "Hello"},
    "PUT /user/me/password": {"current_password": "correct horse battery", "new_password": "another long one"},
    "DELETE /user/me": {"password": "correct horse battery"},
}


def routes(app: Flask) -> dict[str, Any]:
    """Every rule of the API and its method, as `METHOD /path`, and the rules outside it."""
    found: dict[str, Any] = {}
    for rule in app.url_map.iter_rules():
        inside = isinstance(app.blueprints.get(rule.endpoint.split(".")[0]), ApiBlueprint)
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}:
            found[f"{method} {rule.rule.removeprefix(PREFIX) if inside else rule.rule}"] = inside
    return found


@pytest.mark.sqlite_only
def test_every_route_is_classified(app: Flask) -> None:
    found = routes(app)

    assert {name for name, inside in found.items() if inside} == PUBLIC | REFRESH | ACCESS
    assert {name for name, inside in found.items() if not inside} == OUTSIDE


@pytest.fixture
def objects(ada: Caller, model: Scripted) -> Callable[[str], int]:
    """The id of something of Ada's for a path."""
    chat = ada.post("/chat", json={"message": "Hello"}).json["data"]
    ids = {
        "/agents": ada.post("/agents", json={"name": "A"}).json["data"]["id"],
        "/projects": ada.post("/projects", json={"name": "P", "repository": "ada/p"}).json["data"]["id"],
        "/user/me/sessions": ada.get("/user/me/sessions").json["data"]["sessions"][0]["id"],
        "/chat/conversations": chat["conversation_id"],
        "/chat": chat["id"],
    }
    return lambda path: next((id for prefix, id in sorted(ids.items(), reverse=True) if path.startswith(prefix)), 0)


def call(caller: Caller, route: str, id: int, token: str | None) -> Any:
    method, path = route.split()
    headers = {"Authorization": f"Bearer {token}"} if token is not None else {}
    path = PREFIX + path.replace("<id:id>", str(id))
    return caller.client.open(path, method=method, headers=headers, json=BODIES.get(route, {}))


def broken(token: str) -> str:
    head, body, seal = token.split(".")
    return f"{head}.{body}.{'A' if seal[0] != 'A' else 'B'}{seal[1:]}"


def expired(app: Flask, caller: Caller, kind: str = "access") -> str:
    setting = f"JWT_{kind.upper()}_TOKEN_EXPIRES"
    life = app.config[setting]
    app.config[setting] = timedelta(seconds=-5)
    token: str = getattr(Caller(caller.client, caller.email), kind)
    app.config[setting] = life
    return token


def deactivate(app: Flask, caller: Caller) -> None:
    with app.app_context():
        db.session.get_one(User, caller.id).is_active = False
        db.session.commit()


@pytest.mark.parametrize("route", sorted(ACCESS))
@pytest.mark.sqlite_only
def test_whoever_may_not_is_refused_the_same_way_everywhere(
    app: Flask, ada: Caller, bob: Caller, objects: Callable[[str], int], route: str
) -> None:
    gone = Caller(ada.client, ada.email)
    gone.post("/auth/logout")
    tokens = {
        "unauthorized": [None, "", "nonsense", broken(ada.access), ada.refresh],
        "token_expired": [expired(app, ada)],
        "token_revoked": [gone.access],
    }

    for id in (objects(route.split()[1]), 10**6):
        for code, refused in tokens.items():
            for token in refused:
                answer = call(ada, route, id, token)
                assert (answer.status_code, answer.json["data"]["code"]) == (401, code)
    deactivate(app, bob)
    answer = call(bob, route, objects(route.split()[1]), bob.access)
    assert (answer.status_code, answer.json["data"]["code"]) == (403, "account_disabled")


@pytest.mark.parametrize("route", sorted(REFRESH))
@pytest.mark.sqlite_only
def test_whoever_has_no_refresh_token_that_is_good_is_refused(app: Flask, ada: Caller, bob: Caller, route: str) -> None:
    gone = Caller(ada.client, ada.email)
    gone.post("/auth/logout")
    tokens = {
        "unauthorized": [None, "", "nonsense", broken(ada.refresh), ada.access],
        "token_expired": [expired(app, ada, "refresh")],
        "token_revoked": [gone.refresh],
    }
    deactivate(app, bob)

    for code, refused in tokens.items():
        for token in refused:
            answer = call(ada, route, 0, token)
            assert (answer.status_code, answer.json["data"]["code"]) == (401, code)
    answer = call(bob, route, 0, bob.refresh)
    assert (answer.status_code, answer.json["data"]["code"]) == (403, "account_disabled")


@pytest.mark.parametrize("route", sorted(PUBLIC))
@pytest.mark.sqlite_only
def test_what_wants_no_token_looks_at_none(ada: Caller, route: str) -> None:
    plain = call(ada, route, 0, None)

    for token in ("nonsense", broken(ada.access), ada.refresh):
        answer = call(ada, route, 0, token)
        assert (answer.status_code, answer.json["data"]["code"]) == (plain.status_code, plain.json["data"]["code"])


@pytest.mark.parametrize("route", sorted(route for route in ACCESS if "<id:id>" in route))
def test_another_users_object_and_a_missing_one_cannot_be_told_apart(
    ada: Caller, bob: Caller, objects: Callable[[str], int], route: str
) -> None:
    id = objects(route.split()[1])

    others, missing = (call(bob, route, one, bob.access) for one in (id, 10**6))

    shown = []
    for answer in (others, missing):
        answer.json["data"]["request_id"] = ""
        headers = {name: value for name, value in answer.headers.items() if name not in ("X-Request-ID", "Date")}
        shown.append((answer.status_code, answer.json["data"].get("code"), answer.json["message"], headers))
    assert shown[0] == shown[1]
    assert shown[0][:2] == (404, "not_found")


@pytest.mark.parametrize("route", sorted(ACCESS))
def test_the_owner_is_served_in_the_envelope(ada: Caller, objects: Callable[[str], int], route: str) -> None:
    answer = call(ada, route, objects(route.split()[1]), ada.access)

    assert answer.status_code == OWNER.get(route, 200)
    assert list(answer.json) == ["success", "data", "message"]
    assert answer.json["success"] is (answer.status_code < 400)
    assert answer.headers["X-Request-ID"]


@pytest.mark.parametrize("route", sorted(ACCESS | PUBLIC | REFRESH))
@pytest.mark.sqlite_only
def test_a_method_that_a_path_lacks_is_refused_before_the_token(app: Flask, ada: Caller, route: str) -> None:
    path = route.split()[1]
    has = {name.split()[0] for name in ACCESS | PUBLIC | REFRESH if name.split()[1] == path}

    for method in {"GET", "POST", "PUT", "PATCH", "DELETE"} - has:
        answer = call(ada, f"{method} {path}", 1, None)
        assert (answer.status_code, answer.json["data"]["code"]) == (405, "method_not_allowed")
        assert set(answer.headers["Allow"].split(", ")) - {"HEAD", "OPTIONS"} == has


def review(app: Flask, name: str, times: int) -> None:
    """Store reviews of a public repository, which a project of Ada's names."""
    with app.app_context():
        repository = Repository(github_id=1, name=name, name_key=name, private=False)
        texts = dict.fromkeys(("title", "url", "author", "head_sha"), "x")
        for number in range(times):
            told = {"key": f"{number}", "repository": repository, "number": number, "kind": "review", **texts}
            db.session.add(Review(created_at=now(), **told))
        db.session.commit()


@pytest.mark.parametrize("route", sorted(route for route in ACCESS if route.startswith("PUT")))
@pytest.mark.parametrize("field", ["id", "user_id", "created_at", "updated_at", "is_active", "no_such_field"])
@pytest.mark.sqlite_only
def test_a_change_of_what_is_not_the_callers_to_change_is_refused(
    ada: Caller, bob: Caller, objects: Callable[[str], int], route: str, field: str
) -> None:
    method, path = route.replace("<id:id>", str(objects(route.split()[1]))).split()
    before = ada.get(path).json["data"].get("updated_at")

    answer = ada.call(method, path, json=BODIES.get(route, {}) | {field: bob.id})

    assert (answer.status_code, list(answer.json["data"]["errors"])) == (400, [field])
    assert ada.get(path).json["data"].get("updated_at") == before


# More than these means a query a row; less is welcome. One is the token's. An export reads a few rows of each list,
# then as many as a piece of it has room for. SQLite deletes four chats at a time.
QUERIES = {
    "GET /user/me/export": 13,
    "POST /chat": 30,
    "POST /chat/<id:id>/retry": 30,
    "DELETE /user/me": 19,
    "DELETE /chat/conversations/<id:id>": 10,
    "PUT /user/me/password": 10,
}


@pytest.mark.parametrize("route", sorted(ACCESS))
def test_no_route_costs_a_query_a_row(app: Flask, ada: Caller, objects: Callable[[str], int], route: str) -> None:
    for number in range(12):
        ada.post("/agents", json={"name": f"A{number}"})
        ada.post("/projects", json={"name": f"P{number}"})
        ada.post("/chat", json={"message": f"Hello {number}"})
        ada.login()
    review(app, "ada/p", 12)
    id = objects(route.split()[1])

    with recorded(app) as sent:
        call(ada, route, id, ada.access)

    assert len(sent) <= QUERIES.get(route, 7), sent


@pytest.mark.parametrize("route", sorted(route for route in ACCESS if route.startswith("GET")))
def test_what_only_reads_changes_nothing(app: Flask, ada: Caller, objects: Callable[[str], int], route: str) -> None:
    """It has no transaction on SQLite, so what it wrote could not be taken back."""
    id = objects(route.split()[1])
    settle(app)

    with recorded(app) as sent:
        call(ada, route, id, ada.access)

    assert {statement.split()[0] for statement, _ in sent} == {"SELECT"}
