"""The OpenAPI document tells the truth about the routes, and both pages over it need no other host."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import jsonschema_rs
import pytest
import schemathesis
from flask import Flask
from flask.testing import FlaskClient

from codesherpa import errors
from codesherpa.api import ApiBlueprint, VersionedApi
from codesherpa.docs.document import ERRORS
from codesherpa.extensions import api
from tests.conftest import Caller

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

ALWAYS = {"429", "default"}
GUARDED = {"401", "403"}
BODY = {"400", "413", "415"}
REPLY = {"404", "409", "500", "502", "503", "504"}


@pytest.fixture
def document(client: FlaskClient) -> dict[str, Any]:
    found: dict[str, Any] = client.get("/api/v1/openapi.json").json
    return found


def operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method in methods.keys() - {"parameters"}:
            yield f"{method.upper()} {path.removeprefix('/api/v1')}", methods[method]


def test_the_document_is_valid_openapi(document: dict[str, Any]) -> None:
    schemathesis.openapi.from_dict(document).validate()


@pytest.fixture
def builds(monkeypatch: pytest.MonkeyPatch) -> list[VersionedApi]:
    """Each build of the document from here on."""
    begun: list[VersionedApi] = []
    build = VersionedApi._build

    def counted(self: VersionedApi) -> None:
        begun.append(self)
        build(self)

    monkeypatch.setattr(VersionedApi, "_build", counted)
    return begun


def test_the_document_is_built_once_when_several_threads_ask_for_it_first(
    builds: list[VersionedApi], make_app: Callable[..., Flask]
) -> None:
    app = make_app()
    assert builds == []  # No start pays for it.
    together = Barrier(8)

    def ask(_: int) -> bytes:
        together.wait()
        return app.test_client().get("/api/v1/openapi.json").data

    with ThreadPoolExecutor(8) as threads:
        documents = set(threads.map(ask, range(8)))

    assert len(documents) == 1
    assert builds == [api]


def test_each_application_builds_a_document_of_its_own(
    builds: list[VersionedApi], make_app: Callable[..., Flask]
) -> None:
    first, second = (make_app().test_client().get("/api/v1/openapi.json").data for _ in range(2))

    assert first == second
    assert builds == [api, api]


def test_a_build_that_fails_leaves_no_half_of_a_document(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(ApiBlueprint, "register_views_in_doc", lambda *args, **kwargs: 1 / 0)
        for _ in range(2):
            with pytest.raises(ZeroDivisionError):
                api.spec  # noqa: B018 (reading it builds it)

    assert api.spec.to_dict()["paths"]


def test_every_route_of_the_api_is_in_the_document(app: Flask, document: dict[str, Any]) -> None:
    written = {(method, path) for method, path in (name.split() for name, _ in operations(document))}
    served = {
        (method, re.sub(r"<id:id>", "{id}", rule.rule).removeprefix("/api/v1"))
        for rule in app.url_map.iter_rules()
        if rule.rule.startswith("/api/v1") and not re.search("docs|redoc|openapi", rule.rule)
        for method in rule.methods - {"HEAD", "OPTIONS"}
    }

    assert written == served


def test_operation_ids_are_unique(document: dict[str, Any]) -> None:
    names = [operation["operationId"] for _, operation in operations(document)]

    assert len(set(names)) == len(names)


@pytest.mark.parametrize(
    ("name", "statuses"),
    [
        ("POST /auth/register", {"201", "409"} | BODY),
        ("POST /auth/login", {"200", "401"} | BODY),
        ("POST /auth/refresh", {"200"} | GUARDED),
        ("GET /user/me", {"200"} | GUARDED),
        ("PUT /user/me", {"200", "409"} | GUARDED | BODY),
        ("GET /agents", {"200", "400"} | GUARDED),
        ("POST /agents", {"201"} | GUARDED | BODY),
        ("PUT /agents/{id}", {"200", "404"} | GUARDED | BODY),
        ("DELETE /projects/{id}", {"200", "404"} | GUARDED),
        ("POST /chat", {"200", "201"} | GUARDED | BODY | REPLY),
        ("POST /chat/{id}/stop", {"200", "404", "409", "504"} | GUARDED),
        ("POST /chat/{id}/retry", {"201"} | GUARDED | REPLY),
    ],
)
def test_an_operation_lists_its_answers(document: dict[str, Any], name: str, statuses: set[str]) -> None:
    assert dict(operations(document))[name]["responses"].keys() == statuses | ALWAYS


def test_every_error_wears_the_envelope(document: dict[str, Any]) -> None:
    for _, operation in operations(document):
        for status, answer in operation["responses"].items():
            if not status.startswith("2"):
                component = document["components"]["responses"][answer["$ref"].rpartition("/")[2]]
                assert component["content"]["application/json"]["schema"] == {"$ref": "#/components/schemas/Failure"}


def test_every_kind_of_error_is_described_under_its_status(database_url: str) -> None:
    kinds = {kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.AppError)}

    # A listed operation takes its method, and gunicorn answers what it cannot read.
    for kind in kinds - {errors.MethodNotAllowed, errors.NotSupported, errors.ServiceUnavailable}:
        if kind.status != 405:
            assert f"`{kind.code}`" in ERRORS[kind.status][1]


def test_security_is_that_of_the_guard(document: dict[str, Any]) -> None:
    of = {name: operation.get("security", document["security"]) for name, operation in operations(document)}

    assert of.pop("POST /auth/register") == of.pop("POST /auth/login") == []
    assert of.pop("POST /auth/refresh") == [{"refreshToken": []}]
    assert all(security == [{"accessToken": []}] for security in of.values())


def test_every_body_has_an_example_that_is_accepted(document: dict[str, Any], client: FlaskClient) -> None:
    """As a reader of the page sends them, from the first to the last."""
    shapes = document["components"]["schemas"]
    bodies = {
        operation["operationId"]: (name, shapes[body["$ref"].rpartition("/")[2]]["example"])
        for name, operation in operations(document)
        if "requestBody" in operation and (body := operation["requestBody"]["content"]["application/json"]["schema"])
    }
    first = ["register", "login", "postAgents", "postProjects", "postChats"]
    last = ["changePassword"]
    token = ""

    assert bodies.pop("deleteMe")[1]["password"] == bodies["login"][1]["password"]
    for called in [*first, *(bodies.keys() - {*first, *last}), *last]:
        name, body = bodies[called]
        method, path = name.replace("{id}", "1").split()
        headers = {"Authorization": f"Bearer {token}"}
        answer = client.open(f"/api/v1{path}", method=method, json=body, headers=headers)
        assert answer.status_code in (200, 201), (called, answer.json)
        token = answer.json["data"].get("access_token", token) if answer.json["data"] else token


def test_an_error_may_carry_the_chat(document: dict[str, Any]) -> None:
    chat = document["components"]["schemas"]["ErrorData"]["properties"]["chat"]

    assert "#/components/schemas/Chat" in str(chat)
    assert {"id", "response", "status", "error"} <= document["components"]["schemas"]["Chat"]["properties"].keys()


REVIEW = {"kind": "review", "summary": "", "findings": [], "quality_score": 10, "security_risk": "None"}


@pytest.mark.parametrize(
    ("field", "accepted", "refused"),
    [
        ("result", [None, {"kind": "reply", "reply": ""}, REVIEW], [{}, {"kind": "poem"}, REVIEW | {"findings": [{}]}]),
        ("routing", [None, {"target_agent": "a", "confidence": 1.0, "reasoning": ""}], [{}, {"confidence": 1.0}]),
        ("error", [None, {"code": "max_tokens", "message": ""}], [{}, {"code": 1, "message": ""}]),
    ],
)
def test_what_a_chat_holds_is_described_to_the_bottom(
    document: dict[str, Any], field: str, accepted: list[Any], refused: list[Any]
) -> None:
    def allows(value: Any) -> bool:
        described = {"$ref": f"#/components/schemas/Chat/properties/{field}", "components": document["components"]}
        if value is None:  # OpenAPI 3.0 says null in words that JSON Schema lacks.
            return "'nullable': True" in str(document["components"]["schemas"]["Chat"]["properties"][field])
        return jsonschema_rs.is_valid(described, value)

    assert all(map(allows, accepted))
    assert not any(map(allows, refused))


@pytest.mark.parametrize(
    ("shape", "field", "accepted", "refused"),
    [
        ("NewAgent", "name", [" a\n", "é", "\ufeff"], ["", " \t\n", "\x1c\x85\u2003", "a\0", "a" * 121]),
        ("NewAgent", "description", ["", " "], ["\0"]),
        ("NewProject", "repository", ["a/b", "pallets/flask.js"], ["a", "a/b\n", "-a/b"]),
    ],
)
def test_the_patterns_of_texts_are_those_of_the_code(
    document: dict[str, Any], ada: Caller, shape: str, field: str, accepted: list[str], refused: list[str]
) -> None:
    documented = document["components"]["schemas"][shape]["properties"][field]
    path = "/agents" if shape == "NewAgent" else "/projects"

    for text in accepted + refused:
        allowed = jsonschema_rs.is_valid(documented, text)
        status = ada.post(path, json={"name": "A name"} | {field: text}).status_code
        assert (allowed, status) == ((True, 201) if text in accepted else (False, 400)), repr(text)


def text_of(client: FlaskClient, address: str) -> str:
    with client.get(address) as answer:
        assert answer.status_code == 200
        return answer.text


@pytest.mark.parametrize("page", ["docs", "redoc"])
def test_a_page_refers_to_no_other_host(client: FlaskClient, page: str) -> None:
    referred = re.findall(r'(?:src|href)="([^"]+)"', text_of(client, f"/api/v1/{page}"))

    assert referred
    for address in referred:
        assert address.startswith("/api/v1/")
        with client.get(address) as asset:
            assert asset.status_code == 200


@pytest.mark.parametrize("page", ["docs", "redoc"])
def test_a_page_may_load_and_run_nothing_but_our_own(client: FlaskClient, page: str) -> None:
    with client.get(f"/api/v1/{page}") as answer:
        rules = answer.headers["Content-Security-Policy"].split(";")
    policy = dict(rule.strip().split(" ", 1) for rule in rules)

    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["connect-src"] == "'self'"
    assert policy["frame-ancestors"] == "'none'"
    assert not any("http" in sources or "*" in sources for sources in policy.values())


def test_redoc_is_loaded_as_the_module_that_it_is(client: FlaskClient) -> None:
    starter = text_of(client, "/api/v1/docs/redoc.js")
    module = re.search(r'import \{ init \} from "([^"]+)"', starter)

    assert module
    assert "export{" in text_of(client, module[1])[-100:]
