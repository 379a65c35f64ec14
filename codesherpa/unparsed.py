"""What gunicorn says where it cannot read a request, or an answer fell apart: our envelope, not a page of its own."""

from __future__ import annotations

import json
from http import HTTPStatus

from codesherpa.api import refusal
from codesherpa.edge import HEADERS
from codesherpa.errors import AppError, BadRequest, NotSupported


def answer(status: int) -> bytes:
    """Return the whole answer in the place of one of gunicorn's, which quotes the request and its own settings."""
    kind = kind_of(status)
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
    return f"HTTP/1.1 {kind.status} {HTTPStatus(kind.status).phrase}\r\n{head}\r\n".encode() + body


def kind_of(status: int) -> AppError:
    """Return the error of the contract for a status of gunicorn's: a 501 is a transfer encoding that it cannot read."""
    if status == HTTPStatus.NOT_IMPLEMENTED:
        return NotSupported()
    return AppError() if status >= 500 else BadRequest("The request cannot be read.")
