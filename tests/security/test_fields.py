"""Which fields go in and out: these and no others, whatever a model or a schema gains."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from codesherpa.chat.event_schemas import FROM_CLIENT, FROM_SERVER
from codesherpa.extensions import db, socketio
from codesherpa.integrations.event_schemas import FROM_SERVER as REVIEWS
from tests.conftest import Caller

PROFILE = {"name", "email", "language"}
AGENT = {"name", "description", "status", "kind", "system_prompt", "model_id", "temperature", "max_tokens"}
PROJECT = {"name", "description", "instructions", "repository"}
DATED = {"id", "created_at", "updated_at"}
# What each body may hold. A new route must be put in its place here.
TAKEN = {
    "POST /auth/register": {"name", "email", "password"},
    "POST /auth/login": {"email", "password"},
    "PUT /user/me": PROFILE | {"whatsapp_number", "current_password"},
    "DELETE /user/me": {"password"},
    "PUT /user/me/password": {"current_password", "new_password"},
    "POST /agents": AGENT,
    "PUT /agents/{id}": AGENT,
    "POST /projects": PROJECT,
    "PUT /projects/{id}": PROJECT,
    "POST /chat": {"message", "code_context", "conversation_id", "agent_id", "project_id", "client_message_id"},
    "PUT /chat/conversations/{id}": {"title"},
}
CHAT = {
    "id", "user_id", "conversation_id", "agent_id", "project_id", "message", "code_context", "response", "result",
    "status", "agent", "routing", "provider", "model_id", "input_tokens", "output_tokens", "error",
    "client_message_id", "created_at", "completed_at",
}  # fmt: skip
# The same of each event that a socket may send.
TAKEN_BY_SOCKET = {
    "message": TAKEN["POST /chat"] | {"session_id"},
    "stop": {"chat_id"},
    "resume": {"chat_id", "after_seq"},
    "authenticate": {"token"},
}
# What each event and acknowledgement tells.
TOLD = {
    "ready": {"user", "active", "expires_in"},
    "status": {"type", "chat_id", "conversation_id", "content", "agent", "routing", "left_out"},
    "delta": {"type", "chat_id", "seq", "content"},
    "response": {"type", "chat_id", "content", "chat"},
    "error": {"type", "chat_id", "code", "content", "retryable", "chat", "errors", "retry_after"},
    "session_expiring": {"expires_in"},
    "session_expired": set(),
    "review": {"type", "project_id", "review"},
    "message acknowledged": {"chat"},
    "stop acknowledged": {"chat"},
    "resume acknowledged": {"chat", "seq", "content"},
    "authenticate acknowledged": {"expires_in"},
}
# What each thing shows of itself, as the contract lists it.
SHOWN = {
    "User": PROFILE | DATED | {"is_active"},
    "Agent": AGENT | DATED | {"user_id"},
    "Project": PROJECT | DATED | {"user_id"},
    "Conversation": DATED | {"title", "agent_id", "project_id", "chat_count"},
    "Chat": CHAT,
    "Session": {"id", "created_at", "last_used_at", "user_agent", "ip", "current"},
    "Review": {
        "id", "repository", "number", "title", "url", "author", "head_sha", "status", "summary", "findings",
        "quality_score", "security_risk", "unread", "created_at", "completed_at",
    },
    "AuditEvent": {"id", "action", "ip", "request_id", "created_at"},
}  # fmt: skip


@pytest.fixture
def document(client: FlaskClient) -> Any:
    return client.get("/api/v1/openapi.json").json


def resolved(document: Any, schema: Any) -> Any:
    reference = schema.get("$ref")
    return document["components"]["schemas"][reference.rsplit("/", 1)[1]] if reference else schema


def bodies(document: Any) -> dict[str, Any]:
    """Every body that is taken, as `METHOD /path`."""
    found = {}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            if isinstance(operation, dict) and "requestBody" in operation:
                schema = operation["requestBody"]["content"]["application/json"]["schema"]
                name = f"{method.upper()} {path.removeprefix('/api/v1')}"
                found[name] = set(resolved(document, schema)["properties"])
    return found


def test_every_body_takes_what_is_listed_and_no_more(document: Any) -> None:
    assert bodies(document) == TAKEN


@pytest.mark.parametrize("name", SHOWN)
def test_everything_shows_what_is_listed_and_no_more(document: Any, name: str) -> None:
    assert set(document["components"]["schemas"][name]["properties"]) == SHOWN[name]


def test_every_event_takes_and_tells_what_is_listed_and_no_more() -> None:
    taken = {event.name: fields_of(event.payloads) for event in FROM_CLIENT}
    told = {event.name: fields_of(event.payloads) for event in (*FROM_SERVER, *REVIEWS)}
    told |= {f"{event.name} acknowledged": fields_of([event.acknowledged]) for event in FROM_CLIENT}

    assert taken == TAKEN_BY_SOCKET
    assert told == TOLD


def fields_of(shapes: Iterable[Any]) -> set[str]:
    return {name for shape in shapes for name in shape().fields}


@pytest.mark.parametrize("event", TAKEN_BY_SOCKET)
@pytest.mark.sqlite_only
def test_no_event_writes_a_column_that_is_not_its_own(app: Flask, ada: Caller, bob: Caller, event: str) -> None:
    columns = {column.name for table in db.metadata.tables.values() for column in table.columns}
    browser = socketio.test_client(app, namespace="/ws", auth={"token": ada.access})

    for column in sorted(columns - TAKEN_BY_SOCKET[event]):
        answer = browser.emit(event, {"message": "Hi", column: bob.id}, namespace="/ws", callback=True)
        assert (answer["success"], answer["data"]["code"]) == (False, "validation_error"), column
        assert column in answer["data"]["errors"]
    assert ada.get("/chat").json["data"]["chats"] == []
    browser.disconnect("/ws")


@pytest.mark.parametrize("route", sorted(TAKEN))
@pytest.mark.sqlite_only
def test_no_body_writes_a_column_that_is_not_its_own(app: Flask, ada: Caller, bob: Caller, route: str) -> None:
    columns = {column.name for table in db.metadata.tables.values() for column in table.columns}
    method, path = route.split()
    made = {
        "/agents/{id}": ada.post("/agents", json={"name": "A"}).json["data"]["id"],
        "/projects/{id}": ada.post("/projects", json={"name": "P"}).json["data"]["id"],
        "/chat/conversations/{id}": ada.post("/chat", json={"message": "Hi"}).json["data"]["conversation_id"],
    }

    for column in sorted(columns - TAKEN[route]):
        answer = ada.call(method, path.replace("{id}", str(made.get(path, 0))), json={column: bob.id})
        assert (answer.status_code, answer.json["data"]["code"]) == (400, "validation_error"), column
        assert column in answer.json["data"]["errors"]


def keys(value: Any) -> set[str]:
    if isinstance(value, dict):
        return set(value) | {name for inner in value.values() for name in keys(inner)}
    return {name for inner in value for name in keys(inner)} if isinstance(value, list) else set()


def test_no_answer_holds_a_column_that_nobody_is_shown(ada: Caller) -> None:
    ada.post("/agents", json={"name": "A"})
    ada.post("/projects", json={"name": "P"})
    ada.post("/chat", json={"message": "Hi"})
    hidden = {column.name for table in db.metadata.tables.values() for column in table.columns}
    hidden -= set().union(*SHOWN.values())

    shown = {name for path in ("/user/me/export", "/user/me", "/chat", "/agents") for name in keys(ada.get(path).json)}

    assert shown & hidden == set()
    assert {"password_hash", "email_key", "refresh_jti"} <= hidden
