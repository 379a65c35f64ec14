"""The marshmallow schemas of the outside as JSON Schema, by name, for the documents that front ends build on."""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from typing import Any

from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin
from apispec.ext.marshmallow.openapi import OpenAPIConverter
from marshmallow import Schema

from codesherpa.docs.document import one_of

Described = dict[str, Any]


class Shapes:
    """JSON Schemas that refer to one another under #/components/schemas."""

    def __init__(self) -> None:
        plugin = MarshmallowPlugin()
        self._spec = APISpec("CodeSherpa", "1.0", "3.1.0", plugins=[plugin])
        self._converter: OpenAPIConverter = plugin.converter  # type: ignore[assignment]  # Set by the line before.
        self._converter.add_attribute_function(one_of)  # type: ignore[no-untyped-call]

    def refer(self, shape: type[Schema] | Schema) -> Described:
        """Return a reference to a schema, and keep it with all that it refers to."""
        found: Described = self._converter.resolve_nested_schema(shape)  # type: ignore[no-untyped-call]
        return found

    def add(self, shapes: Iterable[type[Schema]]) -> None:
        for shape in shapes:
            self.refer(shape)

    def all(self) -> dict[str, Described]:
        """Return every schema by its name, with the first line of its docstring, in the order of the names."""
        whys = {name: first_line(key[0]) for key, name in self._converter.refs.items()}
        found = self._spec.to_dict()["components"]["schemas"]
        return {name: ({"description": whys[name]} if whys[name] else {}) | found[name] for name in sorted(found)}


def first_line(shape: Any) -> str:
    kind = shape if isinstance(shape, type) else type(shape)
    # What from_dict makes inherits marshmallow's own docstring, which says nothing of ours.
    text = kind.__doc__ if kind.__module__.startswith("codesherpa") else None
    return inspect.cleandoc(text or "").split("\n")[0]
