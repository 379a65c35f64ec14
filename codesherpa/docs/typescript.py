"""TypeScript types of the outside, made from the same schemas as the documents."""

from __future__ import annotations

import json
from typing import Any

from codesherpa.agents import schemas as agents
from codesherpa.auth import schemas as auth
from codesherpa.chat import schemas as chat
from codesherpa.chat.event_schemas import FROM_CLIENT, FROM_SERVER, ConnectRefused, Event
from codesherpa.docs.shapes import Described, Shapes
from codesherpa.integrations.event_schemas import FROM_SERVER as REVIEWS
from codesherpa.projects import schemas as projects
from codesherpa.schema import Failure, enveloped
from codesherpa.user import schemas as user

HEAD = """\
// The types of CodeSherpa's API and events. Made by `make types` from the server's own schemas: do not edit.
// docs/realtime.md shows how to use them.
"""
ENVELOPE = (
    "/** Every answer of the API, and every acknowledgement. */\nexport type Envelope<T> = Success<T> | Failure;\n"
)
REST = (
    *(
        auth.Registration,
        auth.Credentials,
        auth.SignIn,
        auth.Rotation,
        auth.PasswordChange,
        auth.Session,
        auth.Sessions,
    ),
    *(user.User, user.Profile, user.Password, user.AuditEvent, user.Export),
    *(agents.Agent, agents.NewAgent, agents.AgentChanges, agents.AgentPage),
    *(projects.Project, projects.NewProject, projects.ProjectChanges, projects.ProjectPage),
    *(chat.Chat, chat.NewChat, chat.History, chat.Conversation, chat.ConversationPage, chat.ConversationChanges),
    *(Failure, ConnectRefused),
)
WORDS = {"string": "string", "integer": "number", "number": "number", "boolean": "boolean", "null": "null"}


def declarations() -> str:
    """Return the whole file of types."""
    shapes = Shapes()
    shapes.add(REST)
    for event in (*FROM_CLIENT, *FROM_SERVER, *REVIEWS):
        shapes.add([*event.payloads, *([event.acknowledged] if event.acknowledged else [])])
    parts = [declare(name, shape) for name, shape in shapes.all().items()]
    return "\n".join([HEAD, success(), ENVELOPE, *parts, from_server(), from_client()])


def success() -> str:
    """Declare the envelope of what went well, for data of any type."""
    shapes = Shapes()
    shapes.refer(enveloped(None))
    (shape,) = shapes.all().values()
    told = {"description": "The envelope of what went well."} | shape
    told["properties"] = shape["properties"] | {"data": {"$ref": "T"}}
    return declare("Success<T>", told)


def declare(name: str, shape: Described) -> str:
    """Declare one schema: an interface, whose members that need not be there are marked so."""
    required = set(shape.get("required", ()))
    members = shape.get("properties", {})
    if not members:
        return f"{comment(shape)}export type {name} = Record<string, never>;\n"
    lines = [member(key, inner, key in required) for key, inner in members.items()]
    return f"{comment(shape)}export interface {name} {{\n{''.join(lines)}}}\n"


def member(name: str, shape: Described, required: bool) -> str:
    return f"{comment(shape, '  ')}  {name}{'' if required else '?'}: {written(shape)};\n"


def comment(shape: Described, indent: str = "") -> str:
    text = str(shape.get("description", "")).replace("*/", "* /")
    return f"{indent}/** {text} */\n" if text else ""


def written(shape: Described) -> str:
    """Write a JSON Schema as a type."""
    if "$ref" in shape:
        return str(shape["$ref"]).rpartition("/")[2]
    for combined in ("anyOf", "oneOf", "allOf"):
        if combined in shape:
            return " | ".join(written(inner) for inner in shape[combined])
    if "enum" in shape:
        values = [*shape["enum"], *([None] if "null" in types(shape) and None not in shape["enum"] else [])]
        return " | ".join(json.dumps(value) for value in values)
    return " | ".join(plain(kind, shape) for kind in types(shape)) or "unknown"


def types(shape: Described) -> list[str]:
    found = shape.get("type", [])
    return [found] if isinstance(found, str) else list(found)


def plain(kind: str, shape: Described) -> str:
    if kind == "array":
        return f"Array<{written(shape['items'])}>"
    if kind == "object":
        inner: Any = shape.get("additionalProperties")
        return f"Record<string, {written(inner) if inner else 'unknown'}>"
    return WORDS[kind]


def from_server() -> str:
    events = (*FROM_SERVER, *REVIEWS)
    lines = [f"  /** {event.why} */\n  {event.name}: (payload: {payload(event)}) => void;\n" for event in events]
    told = "/** For `Socket<ServerToClientEvents, ClientToServerEvents>` of socket.io-client. */\n"
    return f"{told}export interface ServerToClientEvents {{\n{''.join(lines)}}}\n"


def from_client() -> str:
    lines = [f"  /** {event.why} */\n  {event.name}: {handler(event)};\n" for event in FROM_CLIENT]
    return f"export interface ClientToServerEvents {{\n{''.join(lines)}}}\n"


def handler(event: Event) -> str:
    data = event.acknowledged.__name__ if event.acknowledged else "null"
    return f"(payload: {payload(event)}, acknowledge: (answer: Envelope<{data}>) => void) => void"


def payload(event: Event) -> str:
    return " | ".join(shape.__name__ for shape in event.payloads)
