"""What goes wrong at Bedrock, by its name there, and what it is called here and to the user."""

from __future__ import annotations

import re
from dataclasses import dataclass

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionError,
    CredentialRetrievalError,
    HTTPClientError,
    NoCredentialsError,
    PartialCredentialsError,
    ReadTimeoutError,
    SSOError,
    TokenRetrievalError,
)

from codesherpa.errors import InputTooLong, ModelError, ModelFault, ModelThrottled, ModelTimeout, ModelUnavailable
from codesherpa.providers.bedrock.frames import Corrupt


@dataclass(frozen=True, slots=True)
class Fault:
    """What a fault is called here; `again` where another try before the first token may succeed."""

    kind: type[ModelFault]
    sentence: str | None = None
    again: bool = False
    retry_after: int | None = None

    def error(self) -> ModelFault:
        data = {"retry_after": self.retry_after} if self.retry_after else {}
        return self.kind(self.sentence, **data)


class Failure(Exception):
    """A fault as Bedrock named it: `code` and `detail` are for the log and the check, not for users."""

    def __init__(self, code: str, detail: str = "") -> None:
        self.code, self.detail = code, detail
        super().__init__(f"{code}: {detail}")


_ACCESS = Fault(ModelError, "The server has no access to the model that is set.")
_CREDENTIALS = Fault(ModelError, "The server's credentials for the model are not valid.")
_MISSING = Fault(ModelError, "The server has no credentials for the model.")
_UNKNOWN = Fault(ModelError, "The model that is set does not exist, or cannot be called under this name.")
_THROTTLED = Fault(ModelThrottled, again=True, retry_after=30)
_QUOTA = Fault(ModelThrottled, "The quota of the model is used up for now. Try again later.", retry_after=3600)
_UNAVAILABLE = Fault(ModelUnavailable, again=True, retry_after=10)
_UNREACHABLE = Fault(ModelUnavailable, "The model could not be reached. Try again shortly.", again=True, retry_after=10)
_REFUSED = Fault(ModelError, "The model refused this request.")
_BROKEN = Fault(ModelError, "The model's answer broke off.")
_UNREADABLE = Fault(ModelError, "The model's answer could not be read.")
_SETTINGS = Fault(ModelError, "The server's settings for the model are not right.")

FAULTS = {
    "AccessDeniedException": _ACCESS,
    "UnauthorizedException": _ACCESS,
    "ExpiredToken": Fault(ModelError, "The server's credentials for the model have expired."),
    "ExpiredTokenException": Fault(ModelError, "The server's credentials for the model have expired."),
    "IncompleteSignature": _CREDENTIALS,
    "InvalidSignatureException": _CREDENTIALS,
    "MissingAuthenticationTokenException": _CREDENTIALS,
    "UnrecognizedClientException": _CREDENTIALS,
    "NoCredentials": _MISSING,
    "ResourceNotFoundException": _UNKNOWN,
    "UnknownModel": _UNKNOWN,
    "ValidationException": _REFUSED,
    "InputTooLong": Fault(InputTooLong),
    "ThrottlingException": _THROTTLED,
    "TooManyRequestsException": _THROTTLED,
    "Quota": _QUOTA,
    "ServiceQuotaExceededException": _QUOTA,
    "InternalServerException": _UNAVAILABLE,
    "ModelErrorException": _UNAVAILABLE,
    "ModelNotReadyException": _UNAVAILABLE,
    "ModelStreamErrorException": _UNAVAILABLE,
    "ServiceUnavailableException": _UNAVAILABLE,
    "ModelTimeoutException": Fault(ModelTimeout),
    "Silence": Fault(ModelTimeout),
    "Deadline": Fault(ModelTimeout),
    "Connection": _UNREACHABLE,
    "Cut": _UNREACHABLE,
    "Corrupt": _UNREACHABLE,
    "NoEnd": _UNREACHABLE,
    "Settings": _SETTINGS,
    "content_filtered": Fault(ModelError, "The model's content filter stopped this answer."),
    "guardrail_intervened": Fault(ModelError, "A guardrail stopped this answer."),
    "malformed_model_output": _UNREADABLE,
    "malformed_tool_use": _UNREADABLE,
    "model_context_window_exceeded": Fault(InputTooLong),
    "refusal": Fault(ModelError, "The model declined to answer this."),
}
# What keeps its name after the first token; whatever else happens then is an answer that broke off.
_STAY = (ModelThrottled, ModelTimeout)
_STOPPED = {"content_filtered", "guardrail_intervened", "malformed_model_output", "malformed_tool_use", "refusal"}

_TOO_LONG = re.compile(
    r"too long|too many input tokens|input tokens exceed|number of input tokens|maximum length"
    r"|context (length|limit|window)|maximum context|reduce the length",
    re.IGNORECASE,
)
_NO_SUCH_MODEL = re.compile(r"on-demand throughput|model identifier is invalid|end of its life", re.IGNORECASE)
_DAILY = re.compile(r"per day|daily", re.IGNORECASE)
_PARAMETERS = {
    "cache": re.compile(r"cache_?point|prompt caching", re.IGNORECASE),
    "streamed_tools": re.compile(r"tool use in streaming", re.IGNORECASE),
    "forced_tool": re.compile(r"tool_?choice", re.IGNORECASE),
    "tools": re.compile(r"support tool use|toolConfig", re.IGNORECASE),
    "temperature": re.compile(r"temperature", re.IGNORECASE),
    "system": re.compile(r"system (prompt|message)|SystemContentBlock", re.IGNORECASE),
}


def failure(error: Exception) -> Failure:
    """Give whatever a call raised its name; let through what is no fault of the model's."""
    if isinstance(error, Failure):
        return error
    if isinstance(error, ClientError):
        told, meta = error.response.get("Error", {}), error.response.get("ResponseMetadata", {})
        return named(str(told.get("Code", "")), str(told.get("Message", "")), int(meta.get("HTTPStatusCode", 0)))
    for kinds, code in _RAISED:
        if isinstance(error, kinds):
            return Failure(code, f"{type(error).__name__}: {error}")
    raise error


_RAISED: tuple[tuple[tuple[type[Exception], ...], str], ...] = (
    (
        (NoCredentialsError, PartialCredentialsError, CredentialRetrievalError, SSOError, TokenRetrievalError),
        "NoCredentials",
    ),
    ((ReadTimeoutError, TimeoutError), "Silence"),
    ((ConnectionError, HTTPClientError), "Connection"),
    ((Corrupt,), "Corrupt"),
    ((EOFError, OSError), "Cut"),
    ((BotoCoreError,), "Settings"),
)


def named(code: str, detail: str, status: int = 400) -> Failure:
    """Name a fault that Bedrock told, more exactly than its code where its sentence allows."""
    code = code[:1].upper() + code[1:]
    if code in ("ValidationException", "ModelStreamErrorException", "ModelErrorException"):
        if _TOO_LONG.search(detail):
            return Failure("InputTooLong", detail)
        if _NO_SUCH_MODEL.search(detail):
            return Failure("UnknownModel", detail)
    if code == "ThrottlingException" and _DAILY.search(detail):
        return Failure("Quota", detail)
    if code not in FAULTS:
        by_status = {401: "UnrecognizedClientException", 403: "AccessDeniedException", 404: "ResourceNotFoundException"}
        by_status |= {408: "ModelTimeoutException", 429: "ThrottlingException"}
        code = by_status.get(status, "ServiceUnavailableException" if status >= 500 else "ValidationException")
    return Failure(code, detail)


def refused_parameter(fault: Failure) -> str | None:
    """Return which optional parameter the model would not take."""
    if fault.code not in ("ValidationException", "AccessDeniedException"):
        return None
    return next((name for name, pattern in _PARAMETERS.items() if pattern.search(fault.detail)), None)


def fault(failed: Failure, begun: bool) -> Fault:
    """Return what a failure is called, `begun` when some of the answer was given already."""
    found = FAULTS.get(failed.code, _REFUSED)
    stays = failed.code in _STOPPED or issubclass(found.kind, _STAY)
    return found if stays or not begun else _BROKEN
