"""What gunicorn says where it cannot read a request, or an answer fell apart: our envelope, not a page of its own."""

from __future__ import annotations

import json

from codesherpa.api import refusal
from codesherpa.edge import HEADERS
from codesherpa.errors import AppError, BadRequest


def answer(status: int) -> bytes:
    """Return the whole answer in the place of one of gunicorn's, which quotes the request and its own settings."""
    kind = AppError() if status >= 500 else BadRequest("The request cannot be read.")
    told = refusal(kind.code, kind.message)
    body = json.dumps(told).encode()
    headers = {
        "Connection": "close",
        "Content-Type": "application/json",
        "Content-Length": str(len(body)),
        "X-Request-ID": told["data"]["request_id"],
        **HEADERS,
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    reason = {400: "Bad Request", 500: "Internal Server Error"}[kind.status]
    return f"HTTP/1.1 {kind.status} {reason}\r\n{head}\r\n".encode() + body
