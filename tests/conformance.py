"""Whether what a socket was sent is what docs/asyncapi.yaml promises."""

from __future__ import annotations

from functools import cache
from typing import Any

import jsonschema_rs

from codesherpa.docs import asyncapi


@cache
def document() -> dict[str, Any]:
    return asyncapi.document()


@cache
def validator(name: str) -> Any:
    """Return what judges the payloads of a message, or the values of a schema, of the document."""
    components = document()["components"]
    shape = components["messages"][name]["payload"] if name in components["messages"] else components["schemas"][name]
    return jsonschema_rs.Draft7Validator(shape | {"components": components}, validate_formats=True)


def faults(name: str, value: Any) -> list[str]:
    """Return what is wrong with a payload; nothing is what it should be."""
    if name not in document()["components"]["messages"] and name not in document()["components"]["schemas"]:
        return [f"there is no event {name}"]
    return [f"{name}: {error.message} at {list(error.instance_path)}" for error in validator(name).iter_errors(value)]
