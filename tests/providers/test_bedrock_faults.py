"""Every fault of Bedrock at three places: before the first token, in the middle, at the last."""

import itertools
import socket
import threading
import time

import pytest

from codesherpa.concurrency import Cancellation
from codesherpa.errors import InputTooLong, ModelError, ModelFault, ModelThrottled, ModelTimeout, ModelUnavailable
from codesherpa.providers.bedrock import BedrockProvider
from codesherpa.providers.interface import Brief, Text, Tool, Turn
from tests.standins import bedrock

SONNET = "global.anthropic.claude-sonnet-4-6"
BRIEF = Brief("reply", "You review code.", (Turn("user", "What is a list?"),))
TOOL = Tool("review", "Give the review.", {"type": "object", "properties": {"summary": {"type": "string"}}})
REVIEW = Brief("review", "You review code.", BRIEF.turns, tool=TOOL)

# What each is called before the first token, and after it.
BROKEN_OFF = {
    "cut": ModelUnavailable,
    "reset": ModelUnavailable,
    "end": ModelUnavailable,
    "corrupt": ModelUnavailable,
    "corrupt_prelude": ModelUnavailable,
    "truncated": ModelUnavailable,
    "bad_json": ModelUnavailable,
    "odd_json": ModelUnavailable,
    "oversized": ModelUnavailable,
    "error_event": ModelUnavailable,
    "modelStreamErrorException": ModelUnavailable,
    "internalServerException": ModelUnavailable,
    "serviceUnavailableException": ModelUnavailable,
    "validationException": InputTooLong,
}
KEPT = {
    "throttlingException": ModelThrottled,
    "silence": ModelTimeout,
    "content_filtered": ModelError,
    "guardrail_intervened": ModelError,
    "refusal": ModelError,
    "malformed_model_output": ModelError,
    "malformed_tool_use": ModelError,
}
PLACES = ("first", "middle", "last")
IN_STREAM = [
    (fault, place, kind if place == "first" else ModelError)
    for (fault, kind), place in itertools.product(BROKEN_OFF.items(), PLACES)
] + [(fault, place, kind) for (fault, kind), place in itertools.product(KEPT.items(), PLACES)]

REFUSED = {
    "AccessDeniedException": ModelError,
    "ExpiredTokenException": ModelError,
    "InvalidSignatureException": ModelError,
    "ResourceNotFoundException": ModelError,
    "UnrecognizedClientException": ModelError,
    "ValidationException": InputTooLong,
    "ThrottlingException": ModelThrottled,
    "ServiceQuotaExceededException": ModelThrottled,
    "InternalServerException": ModelUnavailable,
    "ModelErrorException": ModelUnavailable,
    "ModelNotReadyException": ModelUnavailable,
    "ServiceUnavailableException": ModelUnavailable,
    "ModelTimeoutException": ModelTimeout,
}
SECRETS = ("arn:", "aws", "bedrock", "123456789012", "exception", "botocore", "boto", "http", "{", "traceback")


@pytest.fixture(scope="module")
def server():
    with bedrock.running() as standin:
        yield standin


@pytest.fixture
def standin(server, monkeypatch):
    server.reset()
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    return server


@pytest.fixture(scope="module")
def shared(server):
    with pytest.MonkeyPatch.context() as patch:
        for name, value in server.environment.items():
            patch.setenv(name, value)
        provider = BedrockProvider("us-east-1", SONNET, read_timeout=0.2, backoff=0.002)
        provider.client()
        yield provider
        provider.close()


@pytest.fixture
def make(standin):
    """Make a provider, as a function of what is special about it."""
    made = []

    def maker(model_id=SONNET, **differences):
        made.append(BedrockProvider("us-east-1", model_id, **differences))
        return made[-1]

    yield maker
    for provider in made:
        provider.close()


def listen(provider, brief=BRIEF, pause=0):
    """Return the text, the ends and the faults of one answer, and check that nothing comes after its end."""
    text, ends, faults = "", [], []
    stream = provider.stream(brief, Cancellation())
    try:
        for item in stream:
            if isinstance(item, Text):
                text += item.text
                time.sleep(pause)
            else:
                ends.append(item)
    except ModelFault as fault:
        faults.append(fault)
    assert list(stream) == []
    assert len(ends) + len(faults) == 1
    return text, ends, faults


def idle(provider):
    """Count the connections that wait in the pool."""
    manager = provider.client()._endpoint.http_session._manager
    pools = [manager.pools[key] for key in manager.pools.keys()]  # noqa: SIM118 - urllib3's container is no dict
    return sum(1 for pool in pools for one in list(pool.pool.queue) if one is not None and one.sock is not None)


def nothing_is_left(provider, standin):
    """The stand-in has no connection open but those that wait in the pool for the next call."""
    end = time.monotonic() + 2
    while standin.connections()["open"] != idle(provider):
        assert time.monotonic() < end, f"{standin.connections()} but {idle(provider)} in the pool"
        time.sleep(0.005)


@pytest.mark.parametrize("brief", [BRIEF, REVIEW], ids=["reply", "tool"])
@pytest.mark.parametrize(("fault", "place", "kind"), IN_STREAM, ids=lambda value: getattr(value, "__name__", value))
def test_a_fault_in_the_stream_is_one_typed_error_and_leaves_nothing_open(shared, standin, brief, fault, place, kind):
    reply = {"text": "Hello from the stand-in, word by word.", "tool_input": {"summary": "word by word " * 3}}
    standin.script(reply | {"fault": fault, "at": place})

    text, ends, faults = listen(shared, brief)

    assert ends == []
    assert type(faults[0]) is kind
    assert bool(text) is (place != "first")
    if text:
        assert faults[0].usage.output_tokens > 0
    assert_told_to_a_person(faults[0])
    nothing_is_left(shared, standin)


@pytest.mark.parametrize(("fault", "kind"), REFUSED.items(), ids=lambda value: getattr(value, "__name__", value))
@pytest.mark.parametrize("brief", [BRIEF, REVIEW], ids=["reply", "tool"])
def test_a_refusal_is_one_typed_error_and_leaves_nothing_open(shared, standin, brief, fault, kind):
    standin.script({"fault": fault})

    text, ends, faults = listen(shared, brief)

    assert (text, ends) == ("", [])
    assert type(faults[0]) is kind
    assert faults[0].usage is None
    assert_told_to_a_person(faults[0])
    nothing_is_left(shared, standin)


def assert_told_to_a_person(fault):
    assert fault.message.endswith(".")
    assert not [word for word in SECRETS if word in fault.message.lower()]
    assert (fault.data.get("retry_after", 0) > 0) is (fault.status == 503)


@pytest.mark.parametrize("fault", ["cut", "reset", "silence"])
def test_a_fault_before_the_first_byte_is_one_typed_error(shared, standin, fault):
    standin.script({"fault": fault, "at": "headers"})

    _, _, faults = listen(shared)

    assert type(faults[0]) is (ModelTimeout if fault == "silence" else ModelUnavailable)
    nothing_is_left(shared, standin)


@pytest.mark.parametrize("fault", ["cut", "reset", "corrupt", "end", "throttlingException"])
def test_after_the_end_of_the_message_only_the_count_can_be_lost(shared, standin, fault):
    standin.script({"text": "All of it.", "fault": fault, "at": "metadata"})

    text, ends, _ = listen(shared)

    assert text == "All of it."
    assert ends[0].reason == "end"
    assert ends[0].usage.estimated
    nothing_is_left(shared, standin)


def test_the_count_is_not_waited_for_as_long_as_a_token(make, standin, monkeypatch):
    monkeypatch.setattr("codesherpa.providers.bedrock.stream.AFTER_THE_END", 0.1)
    standin.script({"fault": "silence", "at": "metadata"})
    provider = make(read_timeout=60)
    provider.client()
    began = time.monotonic()

    _, ends, _ = listen(provider)

    assert time.monotonic() - began < 0.5
    assert ends[0].reason == "end"


def test_a_guardrail_after_the_end_is_not_taken_for_a_whole_answer(shared, standin):
    standin.script({"fault": "guardrail_intervened", "at": "last"})

    _, _, faults = listen(shared)

    assert faults[0].message == "A guardrail stopped this answer."
    assert faults[0].usage.output_tokens
    assert not faults[0].usage.estimated


@pytest.mark.parametrize(
    ("reply", "kind", "part"),
    [
        ({"fault": "ThrottlingException", "message": "Too many tokens per day, please wait."}, ModelThrottled, "quota"),
        (
            {"fault": "ValidationException", "message": "Invocation of model ID x with on-demand throughput isn't ..."},
            ModelError,
            "does not exist",
        ),
        (
            {"fault": "ValidationException", "message": "The provided model identifier is invalid."},
            ModelError,
            "does not exist",
        ),
        ({"fault": "ValidationException", "message": "Malformed input request."}, ModelError, "refused"),
        ({"fault": "ExpiredTokenException"}, ModelError, "expired"),
        ({"fault": "AccessDeniedException"}, ModelError, "no access"),
        ({"fault": "html", "status": 502}, ModelUnavailable, "not available"),
        ({"fault": "html", "status": 429}, ModelThrottled, "too many"),
        ({"fault": "html", "status": 403}, ModelError, "no access"),
        ({"fault": "html", "status": 200}, ModelUnavailable, "reached"),
    ],
)
def test_a_fault_says_what_happened(shared, standin, reply, kind, part):
    standin.script(reply)

    _, _, faults = listen(shared)

    assert type(faults[0]) is kind
    assert part in faults[0].message


def test_a_bare_model_id_that_needs_a_profile_is_told_so(shared, standin):
    _, _, faults = listen(shared, Brief("reply", "", BRIEF.turns, model_id="anthropic.claude-sonnet-4-6"))

    assert type(faults[0]) is ModelError
    assert faults[0].__cause__.code == "UnknownModel"


@pytest.mark.parametrize(
    "fault",
    [
        {"fault": "ThrottlingException"},
        {"fault": "ServiceUnavailableException"},
        {"fault": "InternalServerException"},
        {"fault": "ModelNotReadyException"},
        {"fault": "throttlingException"},
        {"fault": "modelStreamErrorException"},
        {"fault": "cut"},
        {"fault": "cut", "at": "headers"},
        {"fault": "end"},
        {"fault": "corrupt"},
    ],
    ids=str,
)
@pytest.mark.parametrize("brief", [BRIEF, REVIEW], ids=["reply", "tool"])
def test_two_failures_before_the_first_token_are_survived(shared, standin, brief, fault):
    standin.script(fault, fault, {"text": "At last.", "tool_input": {"summary": "At last."}})

    text, ends, _ = listen(shared, brief)

    assert "At last." in text
    assert ends[0].reason == "end"
    assert len(standin.requests()) == 3


@pytest.mark.parametrize("fault", ["ThrottlingException", "cut"])
def test_the_third_failure_is_the_last(shared, standin, fault):
    standin.script({"fault": fault})

    listen(shared)

    assert len(standin.requests()) == 3


@pytest.mark.parametrize(
    ("fault", "place"),
    [("throttlingException", "middle"), ("cut", "last"), ("corrupt", 1), ("silence", "first"), ("refusal", "first")]
    + [(name, "first") for name in ("AccessDeniedException", "ValidationException", "ServiceQuotaExceededException")],
)
def test_nothing_is_tried_again_after_the_first_token_or_without_hope(shared, standin, fault, place):
    standin.script({"fault": fault, "at": place}, {"text": "Again?"})

    text, _, faults = listen(shared)

    assert faults
    assert "Again?" not in text
    assert len(standin.requests()) == 1


def test_pauses_between_tries_grow(make, standin, monkeypatch):
    pauses = []
    monkeypatch.setattr("codesherpa.providers.bedrock.wire.Call.pause", lambda call, seconds: pauses.append(seconds))
    monkeypatch.setattr("random.random", lambda: 1.0)
    standin.script({"fault": "ThrottlingException"})

    listen(make(attempts=4, backoff=0.5))

    assert pauses == [0.5, 1.0, 2.0]


def test_no_try_begins_after_the_deadline(make, standin, monkeypatch):
    monkeypatch.setattr("random.random", lambda: 1.0)
    standin.script({"fault": "ThrottlingException"})
    provider = make(deadline=0.5, backoff=10)
    provider.client()
    began = time.monotonic()

    _, _, faults = listen(provider)

    assert time.monotonic() - began < 0.4
    assert type(faults[0]) is ModelThrottled
    assert len(standin.requests()) == 1


@pytest.mark.parametrize(
    "reply",
    [
        {"tokens": 100, "tokens_per_second": 20},
        {"fault": "silence", "at": "headers"},
        {"fault": "silence", "at": "first"},
        {"tokens": 8, "tokens_per_second": 10, "fault": "silence", "at": "middle"},
    ],
    ids=["slow", "no headers", "no token", "no more"],
)
def test_the_deadline_ends_an_answer(make, standin, reply):
    standin.script(reply)
    provider = make(deadline=0.4, read_timeout=60)
    provider.client()
    began = time.monotonic()

    text, _, faults = listen(provider)

    assert 0.35 < time.monotonic() - began < 2
    assert type(faults[0]) is ModelTimeout
    assert (faults[0].usage is not None) is bool(text)
    (request,) = standin.wait(lambda requests: requests[0]["outcome"])
    assert request["outcome"] == "closed by client"


def test_the_deadline_ends_an_answer_that_never_pauses(make, standin):
    standin.script({"tokens": 6000})
    provider = make(deadline=0.3)
    provider.client()

    text, _, faults = listen(provider, pause=0.1)

    assert type(faults[0]) is ModelTimeout
    assert text


def test_silence_costs_one_read_timeout(make, standin):
    standin.script({"fault": "silence", "at": "headers"})
    provider = make(read_timeout=0.2)
    provider.client()
    began = time.monotonic()

    listen(provider)

    assert time.monotonic() - began < 0.5


def test_no_credentials_is_an_error_that_says_so(make, standin, monkeypatch):
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")

    _, _, faults = listen(make())

    assert type(faults[0]) is ModelError
    assert faults[0].message == "The server has no credentials for the model."
    assert standin.requests() == []


def test_settings_that_boto3_cannot_use_are_an_error(make, standin, monkeypatch):
    monkeypatch.setenv("AWS_PROFILE", "nobody")

    _, _, faults = listen(make())

    assert type(faults[0]) is ModelError
    assert "settings" in faults[0].message


def test_an_endpoint_that_is_not_there_is_unavailable(make, standin, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    monkeypatch.setenv("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", f"http://127.0.0.1:{port}")

    _, _, faults = listen(make(backoff=0.001))

    assert type(faults[0]) is ModelUnavailable


def test_no_thread_is_left_behind(shared, standin):
    before = threading.active_count()

    for reply in ({}, {"fault": "cut", "at": "middle"}, {"fault": "ThrottlingException"}):
        standin.script(reply)
        listen(shared)

    assert threading.active_count() == before


def test_a_fault_of_ours_is_not_hidden(shared, standin, monkeypatch):
    def broken(*_):
        raise ZeroDivisionError

    monkeypatch.setattr("codesherpa.providers.bedrock.stream.Decoder", broken)  # What reads closes the connection.

    with pytest.raises(ZeroDivisionError):
        list(shared.stream(BRIEF, Cancellation()))
