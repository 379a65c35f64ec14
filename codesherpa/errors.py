"""The error kinds, by their names in the contract, and the only handlers, HTTP and sockets alike."""

from __future__ import annotations

import re
from typing import Any

import structlog
from flask import Flask, Response
from flask_jwt_extended.exceptions import JWTExtendedException, RevokedTokenError
from jwt.exceptions import ExpiredSignatureError, PyJWTError
from marshmallow import ValidationError as SchemaError
from sqlalchemy.exc import IntegrityError, InterfaceError, OperationalError, TimeoutError
from sqlalchemy.orm.exc import StaleDataError
from werkzeug.exceptions import HTTPException

from codesherpa.api import TooMuch, failure
from codesherpa.schema import SURROGATES

log = structlog.get_logger(__name__)


class AppError(Exception):
    """Base of everything that is told to a caller.

    `status` is the HTTP status, `code` the machine word, `message` the sentence for a person; `data` joins
    the envelope's data (`errors`, `retry_after` in whole seconds, `chat`).
    """

    status = 500
    code = "internal_error"
    message = "Something went wrong on our side. It has been noted."

    def __init__(self, message: str | None = None, **data: Any) -> None:
        self.message = message or self.message
        self.data = data
        super().__init__(self.message)


class BadRequest(AppError):
    status, code = 400, "bad_request"
    message = "The body must be a JSON object."


class NotSupported(AppError):
    """A method or a transfer encoding that the server does not know; the contract has no word for it of its own."""

    status, code = 501, "bad_request"
    message = "The method or the transfer encoding is not supported."


class ValidationError(AppError):
    """What was sent has the wrong shape; `errors` maps each field to its sentences."""

    status, code = 400, "validation_error"
    message = "Some of what was sent is not right."

    def __init__(self, errors: dict[str, list[str]]) -> None:
        super().__init__(errors=errors)


class Unauthorized(AppError):
    status, code = 401, "unauthorized"
    message = "Sign in to do this."


class TokenExpired(Unauthorized):
    code, message = "token_expired", "The token has expired."


class TokenRevoked(Unauthorized):
    code, message = "token_revoked", "This session has ended. Sign in again."


class InvalidCredentials(Unauthorized):
    # One message for all, so that addresses cannot be guessed.
    code, message = "invalid_credentials", "Email or password is wrong."


class Forbidden(AppError):
    status, code = 403, "forbidden"
    message = "This is not allowed."


class AccountDisabled(Forbidden):
    code, message = "account_disabled", "This account is deactivated."


class NotFound(AppError):
    status, code = 404, "not_found"
    message = "There is nothing here."


class MethodNotAllowed(AppError):
    status, code = 405, "method_not_allowed"
    message = "This path does not take that method."


class PayloadTooLarge(AppError):
    status, code = 413, "payload_too_large"
    message = "What was sent is larger than 1 MiB."


class UnsupportedMediaType(AppError):
    status, code = 415, "unsupported_media_type"
    message = "Send JSON, with the content type application/json."


class Conflict(AppError):
    status, code = 409, "conflict"
    message = "This cannot be done in the present state."


class EmailTaken(Conflict):
    code, message = "email_taken", "This email address has an account already."


class RateLimited(AppError):
    status, code = 429, "rate_limited"
    message = "Too many requests. Try again shortly."


class BudgetExceeded(AppError):
    """What may be spent in a day is spent; `retry_after` counts to the next one."""

    status, code = 429, "budget_exceeded"
    message = "Today's token budget is used up. It opens again at 00:00 UTC."


class ServiceUnavailable(AppError):
    """A part that we need is away; the contract has no word of its own for it, so it is an internal error."""

    status = 503
    message = "The service is short of a part that it needs. Try again shortly."


class NotConfigured(ServiceUnavailable):
    """A part that whoever runs the service has not switched on."""

    code = "not_configured"
    message = "This is not switched on here."


class ModelFault(AppError):
    """The model did not answer as it should. `usage` is what the try cost, None where nothing was spent."""

    retryable = False
    usage: Any = None  # A Usage of codesherpa.providers.interface.


class ModelError(ModelFault):
    status, code = 502, "model_error"
    message = "The model could not answer."


class ModelThrottled(ModelFault):
    status, code, retryable = 503, "model_throttled", True
    message = "The model is handling too many requests. Try again shortly."


class ModelUnavailable(ModelFault):
    status, code, retryable = 503, "model_unavailable", True
    message = "The model is not available right now. Try again shortly."


class ModelTimeout(ModelFault):
    status, code, retryable = 504, "model_timeout", True
    message = "The model took too long to answer."


class InputTooLong(ModelError):
    """The model takes less than it was given; a shorter try may succeed."""

    message = "This is longer than the model can read."


BY_CODE: dict[str, type[ModelFault]] = {
    kind.code: kind for kind in (ModelError, ModelThrottled, ModelUnavailable, ModelTimeout)
}
BY_STATUS: dict[int, type[AppError]] = {
    kind.status: kind
    for kind in (
        BadRequest,
        Unauthorized,
        Forbidden,
        NotFound,
        MethodNotAllowed,
        PayloadTooLarge,
        UnsupportedMediaType,
        RateLimited,
    )
}
# What was to belong to an account that has gone. SQLite does not say whose key it is; chats look after their others.
ORPHANED = re.compile("_user_id_users|FOREIGN KEY constraint failed")


def kind_of(fault: Exception) -> AppError:
    """Name any exception as the contract does; what has no name there is logged and is our fault."""
    match fault:
        case AppError():
            return fault
        case SchemaError():
            return ValidationError(sentences(fault.messages))
        case ExpiredSignatureError():
            return TokenExpired()
        case RevokedTokenError():
            return TokenRevoked()
        case IntegrityError() if ORPHANED.search(str(fault.orig)):
            return TokenRevoked()  # The account was deleted between the look at the token and our change.
        case StaleDataError():  # Somebody deleted it between our look and our change.
            return NotFound()
        case JWTExtendedException() | PyJWTError():
            return Unauthorized()
        case TooMuch():
            return BadRequest(
                "The body must be a JSON object, not nested so deep, with no number so long and with fewer values."
            )
        case HTTPException() if fault.code in BY_STATUS:
            return BY_STATUS[fault.code]()
        case HTTPException() if fault.code is not None and fault.code < 500:
            return BadRequest("The request cannot be understood.")
        case OperationalError() | InterfaceError() | TimeoutError():
            log.error("database away", exc_info=fault)
            return ServiceUnavailable(retry_after=2)
    log.error("unexpected error", exc_info=fault)
    return AppError()


def sentences(messages: Any, path: str = "") -> dict[str, list[str]]:
    """Flatten marshmallow's nested messages: {"items": {0: {"name": [..]}}} gives {"items.0.name": [..]}."""
    if isinstance(messages, dict):
        flat: dict[str, list[str]] = {}
        for name, inner in messages.items():
            flat |= sentences(inner, f"{path}.{told(name)}" if path else told(name))
        return flat
    return {path: messages if isinstance(messages, list) else [str(messages)]}


def told(name: object) -> str:
    """Return the name of a field as every reader takes it: what a caller made up may hold half a surrogate."""
    return SURROGATES.sub("\ufffd", str(name))


def register(app: Flask) -> None:
    """Have every exception that leaves a view answered in the envelope."""
    app.register_error_handler(Exception, answer)


def answer(fault: Exception) -> Response:
    """Answer an exception in the envelope, with the headers that belong to its status."""
    kind = kind_of(fault)
    response = failure(kind.status, kind.code, kind.message, kind.data)
    if "retry_after" in kind.data:
        response.headers["Retry-After"] = str(kind.data["retry_after"])
    if kind.status == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    if isinstance(fault, HTTPException) and getattr(fault, "valid_methods", None):
        response.headers["Allow"] = ", ".join(sorted(fault.valid_methods))  # type: ignore[attr-defined]
    return response
