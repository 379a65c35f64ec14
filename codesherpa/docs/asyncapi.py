"""The AsyncAPI 3 document of /ws, made from the table of events."""

from __future__ import annotations

from typing import Any

from codesherpa.api import VERSION
from codesherpa.chat.event_schemas import FROM_CLIENT, FROM_SERVER, ConnectRefused, Event
from codesherpa.docs.shapes import Shapes
from codesherpa.integrations.event_schemas import FROM_SERVER as REVIEWS
from codesherpa.schema import Failure, enveloped

CHANNEL = {"$ref": "#/channels/ws"}
WHAT = """\
Socket.IO 5 (socket.io-client 4), namespace /ws, the standard path /socket.io/. The handshake's `auth` carries \
`{token}`, an access token of POST /api/v1/auth/login. A refused handshake is a `connect_error` whose `data` is \
ConnectRefused. The payload of a message is the first argument of its event; an acknowledgement is the envelope. \
docs/realtime.md tells how the events belong together."""


def document() -> dict[str, Any]:
    """Return the whole document; operations are seen from the server, as AsyncAPI has it."""
    shapes = Shapes()
    shapes.add([ConnectRefused])
    messages: dict[str, Any] = {}
    operations: dict[str, Any] = {}
    for event in FROM_CLIENT:
        messages |= received(event, shapes)
        operations[f"receive_{event.name}"] = operation("receive", event) | {"reply": reply(event)}
    for event in (*FROM_SERVER, *REVIEWS):
        messages[event.name] = message(event.name, event.why, union([shapes.refer(shape) for shape in event.payloads]))
        operations[f"send_{event.name}"] = operation("send", event)
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "CodeSherpa in real time", "version": VERSION, "description": WHAT},
        "defaultContentType": "application/json",
        "servers": {"development": {"host": "localhost:8000", "pathname": "/socket.io/", "protocol": "socket.io"}},
        "channels": {
            "ws": {
                "address": "/ws",
                "description": "The namespace. A socket joins its user: every tab and device of a user sees the same.",
                "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in messages},
            }
        },
        "operations": operations,
        "components": {"messages": messages, "schemas": shapes.all()},
    }


def received(event: Event, shapes: Shapes) -> dict[str, Any]:
    """Describe an event of the client's, and its acknowledgement."""
    payload = union([shapes.refer(shape) for shape in event.payloads])
    answers = union([shapes.refer(enveloped(event.acknowledged)), shapes.refer(Failure)])
    return {
        event.name: message(event.name, event.why, payload),
        acknowledgement(event): message(event.name, f"The acknowledgement of `{event.name}`.", answers),
    }


def acknowledgement(event: Event) -> str:
    return f"{event.name}_acknowledged"


def message(name: str, why: str, payload: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "summary": why, "payload": payload}


def union(shapes: list[dict[str, Any]]) -> dict[str, Any]:
    return shapes[0] if len(shapes) == 1 else {"oneOf": shapes}


def operation(action: str, event: Event) -> dict[str, Any]:
    return {"action": action, "channel": CHANNEL, "summary": event.why, "messages": [of_channel(event.name)]}


def reply(event: Event) -> dict[str, Any]:
    return {"channel": CHANNEL, "messages": [of_channel(acknowledgement(event))]}


def of_channel(name: str) -> dict[str, str]:
    return {"$ref": f"#/channels/ws/messages/{name}"}
