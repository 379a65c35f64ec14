"""What every operation of the OpenAPI document says beside its arguments and its answer: errors, names, links."""

from __future__ import annotations

import re
from typing import Any

from apispec import APISpec, BasePlugin
from apispec.ext.marshmallow import MarshmallowPlugin
from apispec.ext.marshmallow.openapi import OpenAPIConverter
from marshmallow import Schema, fields
from werkzeug.routing import Rule

from codesherpa.docs.examples import EXAMPLES
from codesherpa.schema import OneOf

# The component of each error, and the codes that it may carry.
ERRORS = {
    400: ("BadRequest", "`bad_request` or `validation_error`, the latter with `errors`"),
    401: ("Unauthorized", "`unauthorized`, `token_expired`, `token_revoked` or `invalid_credentials`"),
    403: ("Forbidden", "`forbidden` or `account_disabled`"),
    404: ("NotFound", "`not_found`: it is missing, or somebody else's"),
    409: ("Conflict", "`conflict` or `email_taken`"),
    413: ("PayloadTooLarge", "`payload_too_large`: over 1 MiB"),
    415: ("UnsupportedMediaType", "`unsupported_media_type`: not JSON"),
    429: ("TooManyRequests", "`rate_limited` or `budget_exceeded`, with `retry_after`"),
    500: ("InternalError", "`internal_error`, or `interrupted` with the `chat`"),
    502: ("ModelError", "`model_error`, with the `chat`"),
    503: (
        "Unavailable",
        "`model_unavailable` or `model_throttled` with the `chat`; `not_configured`; or a part of ours is away",
    ),
    504: ("ModelTimeout", "`model_timeout`, with the `chat`"),
}
OTHERWISE = "Failure"
NULL = {"type": "object", "nullable": True, "enum": [None]}  # OpenAPI 3.0 has no type of its own for it.
WAITING = (429, 503)  # They carry Retry-After.
REPLYING = (404, 409, 500, 502, 503, 504)

# What follows from neither the path, the arguments nor the guard.
BEYOND = {
    "register": (409,),
    "login": (401,),
    "putMe": (409,),
    "postChats": REPLYING,
    "retry": REPLYING,
    "stop": (409, 504),
}


def register_errors(spec: APISpec, failure: type[Schema]) -> None:
    """Add a response for each error to the components, and one for whatever has no line of its own."""
    seconds = {"description": "Whole seconds to wait", "schema": {"type": "integer", "minimum": 1}}
    for status, (name, description) in ERRORS.items():
        headers = {"headers": {"Retry-After": seconds}} if status in WAITING else {}
        spec.components.response(name, {"description": description, **content(failure), **headers})
    spec.components.response(OTHERWISE, {"description": "Any other error", **content(failure)})


def content(shape: type[Schema]) -> dict[str, Any]:
    return {"content": {"application/json": {"schema": shape}}}


def one_of(converter: OpenAPIConverter, field: fields.Field[Any], ret: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
    """Describe a OneOf by its shapes; apispec calls this for every field."""
    if not isinstance(field, OneOf):
        return {}
    null = {"type": "null"} if converter.openapi_version.major == 3 and converter.openapi_version.minor else NULL
    for name in ("type", "nullable", "additionalProperties"):
        ret.pop(name, None)
    shapes = [converter.resolve_nested_schema(shape) for shape in field.shapes]  # type: ignore[no-untyped-call]
    return {"anyOf": [*shapes, null] if field.allow_none else shapes}


def one_or_null(
    converter: OpenAPIConverter, field: fields.Field[Any], ret: dict[str, Any], **kwargs: Any
) -> dict[str, Any]:
    """Describe an object that may be null so that no other object passes for it, as apispec's own words let any."""
    any_object = {"type": "object", "nullable": True}
    if isinstance(field, fields.Nested) and any_object in ret.get("anyOf", ()):
        ret["anyOf"] = [NULL if shape == any_object else shape for shape in ret["anyOf"]]
    return {}


class Shapes(MarshmallowPlugin):
    """Describes marshmallow's fields, and ours, from the first schema on."""

    def init_spec(self, spec: APISpec) -> None:
        super().init_spec(spec)
        assert self.converter is not None  # noqa: S101 (made by the line above)
        for describe in (one_of, one_or_null):
            self.converter.add_attribute_function(describe)  # type: ignore[no-untyped-call]

    def schema_helper(  # type: ignore[override]  # The two above it differ in the names.
        self, name: str, definition: Any, schema: Any = None, **kwargs: Any
    ) -> dict[str, Any]:
        described: dict[str, Any] = super().schema_helper(name, definition, schema, **kwargs)  # type: ignore[no-untyped-call]
        if name in EXAMPLES:
            described["example"] = EXAMPLES[name]
        return described


class Operations(BasePlugin):
    """Gives each operation its id, its errors, and links from what it makes to what can be done with that."""

    def __init__(self) -> None:
        self.creators: dict[str, dict[str, Any]] = {}

    def operation_helper(
        self, path: str | None = None, operations: dict[str, Any] | None = None, **kwargs: Any
    ) -> None:
        rule: Rule = kwargs["rule"]
        for method, operation in (operations or {}).items():
            operation["operationId"] = name_of(rule.endpoint, method)
            answers = {str(status): answer for status, answer in operation["responses"].items()}
            errors = {str(status): ERRORS[status][0] for status in sorted(errors_of(operation, rule))}
            operation["responses"] = answers | errors
            if method == "post":
                self.creators[rule.rule] = operation
            self.link(rule, operation)

    def link(self, rule: Rule, operation: dict[str, Any]) -> None:
        """Lead from the operation that makes a thing to this one, which takes the thing's id."""
        creator = self.creators.get(rule.rule.partition("/<id:")[0])
        if creator is None or creator is operation:
            return
        link = {"operationId": operation["operationId"], "parameters": {"id": "$response.body#/data/id"}}
        creator["responses"]["201"].setdefault("links", {})[operation["operationId"]] = link


def name_of(endpoint: str, method: str) -> str:
    """Name an operation after its view: `agents.Agents` answers `getAgents`, `user.end_session` `endSession`."""
    name = endpoint.rpartition(".")[2]
    if name[0].isupper():
        return method + name
    return re.sub(r"_(\w)", lambda letter: letter[1].upper(), name)


def errors_of(operation: dict[str, Any], rule: Rule) -> set[int]:
    """Tell which errors an operation may answer."""
    found = {429, *BEYOND.get(operation["operationId"], ())}
    if operation.get("security") != []:
        found |= {401, 403}
    if "id" in rule.arguments:
        found.add(404)
    if "requestBody" in operation:
        found |= {400, 413, 415}
    if any(parameter["in"] == "query" for parameter in operation.get("parameters", ())):
        found.add(400)
    return found
