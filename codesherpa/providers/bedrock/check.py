"""What `flask bedrock check` finds out: step by step, with one small real call, and how to mend what fails."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

from codesherpa.concurrency import Cancellation
from codesherpa.errors import ModelFault
from codesherpa.providers.bedrock.faults import Failure
from codesherpa.providers.bedrock.provider import BedrockProvider
from codesherpa.providers.bedrock.wire import credentials
from codesherpa.providers.interface import Brief, End, Text, Tool, Turn

_TOOL = Tool(
    "report",
    "Say whether you can answer.",
    {"type": "object", "properties": {"ready": {"type": "boolean"}}, "required": ["ready"]},
)
_BRIEF = Brief("reply", "Call the tool report.", (Turn("user", "Are you ready?"),), tool=_TOOL, max_tokens=200)

_KEYS = "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, AWS_PROFILE, or AWS_BEARER_TOKEN_BEDROCK."
_ACCESS = (
    "Allow bedrock:InvokeModel and bedrock:InvokeModelWithResponseStream for this model in IAM, and check "
    "Model access in the Bedrock console of this region."
)
_PROFILE = (
    "Set BEDROCK_MODEL_ID to a model or an inference profile that this region offers (Bedrock console, "
    "Cross-region inference), for example global.anthropic.claude-sonnet-4-6."
)
_NETWORK = "Check AWS_REGION, AWS_ENDPOINT_URL_BEDROCK_RUNTIME, HTTPS_PROXY and the way out to the internet."
_RENEW = "Renew the session (aws sso login), or set fresh keys and AWS_SESSION_TOKEN."
_WRONG_KEYS = "Check AWS_ACCESS_KEY_ID and, for temporary keys, AWS_SESSION_TOKEN."
_WAIT = "Try again; if it lasts, look at the AWS Health dashboard, or choose another region or profile."
_MEND = {
    "AccessDeniedException": ("model", _ACCESS),
    "Connection": ("region", _NETWORK),
    "Cut": ("region", _NETWORK),
    "ExpiredToken": ("credentials", _RENEW),
    "ExpiredTokenException": (
        "credentials",
        _RENEW,
    ),
    "InvalidSignatureException": ("credentials", "Check AWS_SECRET_ACCESS_KEY and this machine's clock."),
    "NoCredentials": ("credentials", _KEYS),
    "Quota": ("model", "Ask for a higher quota in the Service Quotas console, under Amazon Bedrock, or wait."),
    "ResourceNotFoundException": ("model", _PROFILE),
    "ServiceQuotaExceededException": ("model", "Ask for a higher quota in the Service Quotas console."),
    "Settings": ("region", "Check AWS_REGION, AWS_PROFILE and the files that they point to."),
    "Silence": ("streaming", "Raise BEDROCK_READ_TIMEOUT, or check proxies that hold answers back."),
    "ThrottlingException": ("model", "Wait, or ask for a higher quota in the Service Quotas console."),
    "UnknownModel": ("model", _PROFILE),
    "UnrecognizedClientException": (
        "credentials",
        _WRONG_KEYS,
    ),
    "ValidationException": ("model", "Check BEDROCK_MODEL_ID and BEDROCK_MAX_TOKENS against the model's page."),
}


@dataclass(frozen=True, slots=True)
class Step:
    """One finding: `name` is credentials, region, model, streaming or tool use; `mend` says what to do."""

    name: str
    ok: bool
    finding: str
    mend: str = ""


def check(provider: BedrockProvider) -> Iterator[Step]:
    """Yield what works, in order, up to the first step that does not."""
    source = credentials()
    if source:
        yield Step("credentials", True, f"Found in {source}.")
    model_id = provider.model(None)
    pieces: list[str] = []
    end: End | None = None
    try:
        for item in provider.stream(_BRIEF, Cancellation()):
            if isinstance(item, Text):
                pieces.append(item.text)
            else:
                end = item
    except ModelFault as error:
        yield from _failed(error, provider.region, source)
        return
    yield Step("region", True, f"{provider.region} answers.")
    yield Step("model", True, f"{model_id} answered.")
    tokens = f"{end.usage.input_tokens} tokens in, {end.usage.output_tokens} out" if end else "no end"
    yield Step("streaming", end is not None, f"The answer came whole: {tokens}.")
    yield _tool("".join(pieces))


def _tool(text: str) -> Step:
    try:
        ready = isinstance(json.loads(text), dict)
    except ValueError:
        ready = False
    if ready:
        return Step("tool use", True, "The model answers in the structure asked for.")
    mend = "Choose a model with tool use for reviews and explanations; replies work with this one."
    return Step("tool use", False, "The model does not answer in the structure asked for.", mend)


def _failed(error: ModelFault, region: str, source: str | None) -> Iterator[Step]:
    """Say which step failed; the steps before it have worked. No model is asked without credentials."""
    cause = error.__cause__
    code, detail = (cause.code, cause.detail) if isinstance(cause, Failure) else ("", "")
    step, mend = _MEND.get(code, ("model", _WAIT))
    step = step if source else "credentials"
    if step in ("model", "streaming"):
        yield Step("region", True, f"{region} answers.")
    if step == "streaming":
        yield Step("model", True, "The model took the question.")
    yield Step(step, False, f"{error.message} ({code}: {detail})", mend)
