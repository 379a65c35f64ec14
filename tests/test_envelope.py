"""Every status of the contract's table, in the envelope and with nothing else."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import orjson
import pytest
from flask import Flask
from orjson import Fragment

from codesherpa import errors
from codesherpa.api import TooMuch, loads
from codesherpa.extensions import db, socketio
from codesherpa.integrations import signatures
from codesherpa.json import Packets, written
from codesherpa.user.models import User
from tests.conftest import Caller
from tests.scripted import Scripted

JSON = {"content_type": "application/json"}


def disabled(app: Flask, ada: Caller) -> Any:
    with app.app_context():
        db.session.get_one(User, ada.id).is_active = False
        db.session.commit()
    return ada.get("/user/me")


def expired(app: Flask, ada: Caller) -> Any:
    app.config["JWT_ACCESS_TOKEN_EXPIRES"] = timedelta(seconds=-5)
    ada.login()
    return ada.get("/user/me")


def revoked(app: Flask, ada: Caller) -> Any:
    ada.post("/auth/logout")
    return ada.get("/user/me")


def conflict(app: Flask, ada: Caller) -> Any:
    id = ada.post("/chat", json={"message": "hello"}).json["data"]["id"]
    return ada.post(f"/chat/{id}/stop")


def limited(app: Flask, ada: Caller) -> Any:
    app.config["RATE_LIMIT_DEFAULT"] = "1/minute"
    ada.get("/agents")
    return ada.get("/agents")


def spent(app: Flask, ada: Caller) -> Any:
    app.config["DAILY_TOKEN_BUDGET"] = 1
    ada.post("/chat", json={"message": "hello"})
    return ada.post("/chat", json={"message": "hello"})


def crashed(app: Flask, ada: Caller) -> Any:
    app.view_functions["health.health"] = lambda: 1 / 0
    return ada.client.get("/health")


def fault(kind: type[errors.ModelFault]) -> Callable[[Flask, Caller], Any]:
    def ask(app: Flask, ada: Caller) -> Any:
        app.extensions["provider"].pieces = [kind()]
        return ada.post("/chat", json={"message": "hello"})

    return ask


WAYS: dict[tuple[int, str], Callable[[Flask, Caller], Any]] = {
    (400, "bad_request"): lambda app, ada: ada.post("/agents", data="[]", **JSON),
    (400, "validation_error"): lambda app, ada: ada.post("/agents", json={"nam": "x"}),
    (401, "unauthorized"): lambda app, ada: ada.get("/agents", token="x"),
    (401, "token_expired"): expired,
    (401, "token_revoked"): revoked,
    (401, "invalid_credentials"): lambda app, ada: ada.client.post(
        "/api/v1/auth/login", json={"email": ada.email, "password": "x"}
    ),
    (403, "account_disabled"): disabled,
    (404, "not_found"): lambda app, ada: ada.get("/agents/1"),
    (405, "method_not_allowed"): lambda app, ada: ada.call("PATCH", "/agents"),
    (413, "payload_too_large"): lambda app, ada: ada.post("/agents", data=json.dumps({"name": "x" * 2**20}), **JSON),
    (415, "unsupported_media_type"): lambda app, ada: ada.post("/agents", data="<x/>", content_type="text/xml"),
    (409, "email_taken"): lambda app, ada: ada.client.post(
        "/api/v1/auth/register", json={"name": "A", "email": ada.email, "password": "x" * 9}
    ),
    (409, "conflict"): conflict,
    (429, "rate_limited"): limited,
    (429, "budget_exceeded"): spent,
    (500, "internal_error"): crashed,
    (502, "model_error"): fault(errors.ModelError),
    (503, "model_unavailable"): fault(errors.ModelUnavailable),
    (503, "model_throttled"): fault(errors.ModelThrottled),
    (504, "model_timeout"): fault(errors.ModelTimeout),
}


# No route under /api/v1 answers these: a socket's `authenticate`, a webhook that is not set up, and what gunicorn
# cannot read.
ELSEWHERE = {(403, "forbidden"), (503, "not_configured"), (501, "bad_request")}


def test_there_is_a_way_to_every_kind_of_error(app: Flask) -> None:
    def kinds(kind: type[errors.AppError]) -> list[type[errors.AppError]]:
        return [kind] + [below for one in kind.__subclasses__() for below in kinds(one)]

    named = {(kind.status, kind.code) for kind in kinds(errors.AppError)}

    # A part that is away has no word of its own.
    assert named - {(503, "internal_error")} == WAYS.keys() | ELSEWHERE


@pytest.mark.parametrize(("status", "code"), list(WAYS))
def test_every_error_wears_the_envelope(
    app: Flask, ada: Caller, model: Scripted, status: int, code: str, caplog: pytest.LogCaptureFixture
) -> None:
    app.config["PROPAGATE_EXCEPTIONS"] = False

    answer = WAYS[status, code](app, ada)

    told = answer.json
    assert answer.status_code == status
    assert set(told) == {"success", "data", "message"}
    assert (told["success"], told["data"]["code"]) == (False, code)
    assert told["message"].endswith(".")
    assert told["data"]["request_id"] == answer.headers["X-Request-ID"]
    assert ("retry_after" in told["data"]) == ("Retry-After" in answer.headers) == (status in (429, 503))
    assert ("errors" in told["data"]) == (code == "validation_error")
    assert ("chat" in told["data"]) == (status in (502, 503, 504))
    for secret in ("Traceback", "ZeroDivision", "SELECT", "sqlite", "/site-packages/"):
        assert secret not in answer.text


@pytest.mark.parametrize("path", ["/", "/health", "/health/ready"])
@pytest.mark.sqlite_only
def test_what_stands_outside_the_api_wears_it_too(app: Flask, path: str) -> None:
    answer = app.test_client().get(path)

    assert (answer.status_code, list(answer.json)) == (200, ["success", "data", "message"])


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1//agents",
        "/api//v1/agents",
        "/api/v1/agents//1",
        "/api/v1/agents//",
        "/api/v1/agents/",
        "/api/v1/docs//swagger-ui.css",
        "/health//ready",
        "//health",
        "//",
        "/app//",
        "/app//main.js",
        "/app/texts//en.js",
        "",
    ],
)
@pytest.mark.sqlite_only
def test_a_slash_too_many_or_too_few_is_not_found(ada: Caller, path: str) -> None:
    # The client would take a host for what follows two slashes.
    answer = ada.get("", environ_overrides={"PATH_INFO": path})

    assert (answer.status_code, answer.json["data"]["code"]) == (404, "not_found")


@pytest.mark.parametrize(
    ("sent", "taken"),
    [("abc-1.2_3", True), ("x" * 64, True), ("x" * 65, False), ("a b", False), ("é", False), ("", False)],
)
@pytest.mark.sqlite_only
def test_a_sane_request_id_is_kept(app: Flask, sent: str, taken: bool) -> None:
    answer = app.test_client().get("/health", headers={"X-Request-ID": sent})

    assert (answer.headers["X-Request-ID"] == sent) is taken
    assert len(answer.headers["X-Request-ID"]) > 0


@pytest.mark.parametrize(("sent", "taken"), [("abc-1.2_3", True), ("a b", False), ("", False)])
@pytest.mark.parametrize("engine", [4, 3])
@pytest.mark.sqlite_only
def test_what_the_sockets_answer_over_http_has_an_id_too(app: Flask, engine: int, sent: str, taken: bool) -> None:
    path = f"/socket.io/?EIO={engine}&transport=polling"

    answer = app.test_client().get(path, headers={"X-Request-ID": sent})

    assert answer.status_code == {4: 200, 3: 400}[engine]
    assert (answer.headers["X-Request-ID"] == sent) is taken
    assert len(answer.headers.getlist("X-Request-ID")) == 1


def test_half_a_surrogate_in_the_name_of_a_field_is_told_so_that_every_reader_takes_it(ada: Caller) -> None:
    answer = ada.post("/agents", data=rb'{"name": "A", "a\ud800b": 1}', **JSON)

    told = orjson.loads(answer.data)  # Which refuses what a strict reader does.
    assert (answer.status_code, told["data"]["errors"]) == (400, {"a\ufffdb": ["Unknown field."]})


def test_a_socket_is_told_it_so_too(app: Flask, ada: Caller) -> None:
    browser = socketio.test_client(app, namespace="/ws", auth={"token": ada.access})

    told = browser.emit("message", {"message": "Hi", "a\ud800b": 1}, namespace="/ws", callback=True)
    browser.disconnect("/ws")

    assert told["data"]["errors"] == {"a\ufffdb": ["Unknown field."]}


def test_what_only_json_can_escape_may_stand_beside_json_that_is_stored() -> None:
    assert json.loads(written({"a": "\ud800", "b": Fragment(b'{"c": 1}')})) == {"a": "\ud800", "b": {"c": 1}}


@pytest.mark.parametrize("beside", ["\ud800", 2**70])
def test_letters_are_not_escaped_beside_what_orjson_does_not_write(beside: Any) -> None:
    answer = [{"text": "\u0928\U0001f600", "beside": beside}]

    assert json.loads(Packets.dumps(answer)) == answer
    assert "\u0928\U0001f600" in Packets.dumps(answer)


def test_other_letters_than_ascii_are_written_as_they_are(ada: Caller) -> None:
    answer = ada.post("/agents", json={"name": "नमस्ते"})

    assert "नमस्ते".encode() in answer.data
    assert answer.content_type == "application/json"


DEEP, LONG = b'{"a":' * 5000 + b"1" + b"}" * 5000, b'{"a": -' + b"9" * 5000 + b"}"
IS_NONE, IS_TOO_MUCH = (
    "The body must be a JSON object.",
    "The body must be a JSON object, not nested so deep, with no number so long and with fewer values.",
)


@pytest.mark.parametrize("path", ["/auth/login", "/auth/register", "/agents"])
@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"[" * 100_000, IS_TOO_MUCH),
        (b'{"email":' * 100_000, IS_TOO_MUCH),
        (DEEP, IS_TOO_MUCH),
        (LONG, IS_TOO_MUCH),
        (b'{"email": NaN}', IS_NONE),
        (b"\xff\xfe{}", IS_NONE),
        (b"{" * 2000, IS_NONE),
        (b"[]", IS_NONE),
        (b"", IS_NONE),
    ],
    ids=["array", "object", "deep", "long", "NaN", "UTF-16", "braces", "list", "nothing"],
)
@pytest.mark.sqlite_only
def test_a_body_that_is_no_json_object_is_a_bad_request_however_deep(
    ada: Caller, path: str, body: bytes, message: str
) -> None:
    answer = ada.post(path, data=body, **JSON)

    assert (answer.status_code, answer.json["data"]["code"]) == (400, "bad_request")
    assert answer.json["message"] == message


MANY = {
    "fields": "{" + ",".join(f'"{number}":1' for number in range(5_000)) + "}",
    "lists": '{"name": [' + "[]," * 10_000 + "[]]}",
    "objects": '{"name": [' + '{"a":1},' * 5_000 + "{}]}",
    "strings": '{"name": [' + '"a",' * 10_000 + '"a"]}',
}


@pytest.mark.parametrize("body", MANY.values(), ids=MANY)
def test_a_body_of_too_many_values_is_refused_before_it_is_read(
    ada: Caller, body: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    unused = SimpleNamespace(loads=lambda *_args, **_settings: pytest.fail("it was read"))
    monkeypatch.setattr(sys.modules["codesherpa.api"], "json", unused)

    answer = ada.post("/agents", data=body, **JSON)

    assert (answer.status_code, answer.json["data"]["code"]) == (400, "bad_request")
    assert answer.json["message"] == IS_TOO_MUCH


@pytest.mark.parametrize(
    "code", ["x = [1, {2}]\n" * 10_000, "say(\"a\", 'b')\\" * 10_000, '\\"' * 40_000, "\\" * 40_001, '"' * 90_000]
)
def test_signs_in_a_text_are_no_values(code: str) -> None:
    body = json.dumps({"message": "Look at [this], please", "code_context": code}).encode()

    assert loads(body)["code_context"] == code


def test_a_delivery_may_have_more_values_than_a_client_sends() -> None:
    body = json.dumps({"commits": [[number] for number in range(20_000)]}).encode()

    with pytest.raises(TooMuch):
        loads(body)
    assert len(loads(body, signatures.MOST_VALUES)["commits"]) == 20_000
