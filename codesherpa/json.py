"""JSON, written fast: a list of fifty chats in a tenth of the time that the standard library takes."""

from __future__ import annotations

import json
from typing import Any

import orjson
from flask import Response
from flask.json.provider import DefaultJSONProvider


class Provider(DefaultJSONProvider):
    """Writes every answer over HTTP in one line of UTF-8, keys in the order that they were made in."""

    sort_keys = False
    ensure_ascii = False

    def response(self, *args: Any, **kwargs: Any) -> Response:
        return Response(written(self._prepare_response_obj(args, kwargs)), mimetype=self.mimetype)


def written(value: Any) -> bytes:
    try:
        return orjson.dumps(value, option=orjson.OPT_APPEND_NEWLINE)
    except TypeError:  # Half a surrogate, say, which JSON can only escape.
        return json.dumps(value, separators=(",", ":"), default=contents).encode() + b"\n"


def contents(value: Any) -> Any:
    """Return what JSON that was written already holds. Raises TypeError for what is no JSON."""
    if isinstance(value, orjson.Fragment):
        return json.loads(orjson.dumps(value))  # It lets nobody else look into it.
    raise TypeError(f"{type(value).__name__} is not JSON")
