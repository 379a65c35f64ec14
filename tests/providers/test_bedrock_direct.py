"""What is sent past botocore is what botocore would send, to the byte, and botocore sends all that is unusual."""

from __future__ import annotations

import json
import socket
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import ReadOnlyCredentials
from botocore.exceptions import CredentialRetrievalError

from codesherpa.concurrency import Cancellation
from codesherpa.errors import ModelFault
from codesherpa.providers.bedrock import BedrockProvider, direct
from codesherpa.providers.bedrock.faults import Failure
from codesherpa.providers.interface import Brief, End, Tool, Turn
from tests.standins import bedrock

MODEL = "bench.nova-pro"
MODELS = (
    MODEL,
    "anthropic.claude-3-5-sonnet-20240620-v1:0",
    "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc~1",
)
SYSTEM = "You review code. नमस्ते 🙂\n" * 50
BRIEF = Brief("reply", SYSTEM, (Turn("user", 'What is "a list"?'),), context="Answer in English.", temperature=0.3)
TOOL = Tool("review", "Give the review.", {"type": "object", "properties": {"summary": {"type": "string"}}})
REFUSALS = (
    "AccessDeniedException",
    "ThrottlingException",
    "ValidationException",
    "ServiceUnavailableException",
    "html",
)


@pytest.fixture(scope="module")
def server() -> Iterator[bedrock.StandIn]:
    with bedrock.running() as standin:
        yield standin


@pytest.fixture
def standin(server: bedrock.StandIn, monkeypatch: pytest.MonkeyPatch) -> bedrock.StandIn:
    server.reset()
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    return server


@pytest.fixture
def make() -> Iterator[Callable[..., BedrockProvider]]:
    made: list[BedrockProvider] = []

    def maker(model_id: str = MODEL, **differences: Any) -> BedrockProvider:
        made.append(BedrockProvider("us-east-1", model_id, attempts=1, **differences))
        return made[-1]

    yield maker
    for provider in made:
        provider.close()


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """What is sent past botocore."""
    requests: list[bytes] = []
    send = direct.Opened.send

    def note(pool: Any, request: bytes, *args: Any) -> direct.Opened:
        requests.append(request)
        return send(pool, request, *args)

    monkeypatch.setattr(direct.Opened, "send", note)
    return requests


def answer(provider: BedrockProvider, brief: Brief = BRIEF) -> End:
    *_, end = provider.stream(brief, Cancellation())
    assert isinstance(end, End)
    return end


def signed_by_botocore(request: bytes, keys: ReadOnlyCredentials, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the signature that botocore gives a request which is signed already."""
    head, _, body = request.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines)
    at = datetime.strptime(headers["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    monkeypatch.setattr("botocore.auth.get_current_datetime", lambda *_: at)
    kept = {name: headers[name] for name in ("Content-Type", "User-Agent")}
    again = AWSRequest("POST", f"http://{headers['Host']}{first.split(' ')[1]}", kept, body)
    SigV4Auth(keys, "bedrock", "us-east-1").add_auth(again)
    return str(again.headers["Authorization"])


@pytest.mark.parametrize("token", [None, "a session's token"])
@pytest.mark.parametrize("model_id", MODELS)
def test_a_signature_is_botocore_s_to_the_byte(
    make: Callable[..., BedrockProvider],
    standin: bedrock.StandIn,
    sent: list[bytes],
    monkeypatch: pytest.MonkeyPatch,
    model_id: str,
    token: str | None,
) -> None:
    if token:
        monkeypatch.setenv("AWS_SESSION_TOKEN", token)
    provider = make(model_id)

    for number in range(3):
        answer(provider, Brief("reply", SYSTEM, (Turn("user", "क" * number + "?"),)))

    assert len(sent) == 2  # The first is botocore's.
    for request in sent:
        expected = signed_by_botocore(request, ReadOnlyCredentials("standin", "standin", token), monkeypatch)
        assert f"\r\nAuthorization: {expected}\r\n".encode() in request


def test_a_request_is_botocore_s_but_for_its_time_and_its_id(
    make: Callable[..., BedrockProvider], standin: bedrock.StandIn, sent: list[bytes]
) -> None:
    provider = make()
    answer(provider)
    answer(provider)

    theirs, ours = standin.requests()
    assert len(sent) == 1
    assert ours["body"] == theirs["body"]
    differ = {
        name for name in theirs["headers"] | ours["headers"] if theirs["headers"].get(name) != ours["headers"].get(name)
    }
    # What botocore writes as \\u escapes is UTF-8 here, so the length may differ.
    assert differ <= {"x-amz-date", "amz-sdk-invocation-id", "authorization", "content-length"}
    assert list(ours["headers"]) == list(theirs["headers"])
    assert ours["connection"] == theirs["connection"]


def test_every_kind_of_question_is_seen_once_before_it_is_sent_past_botocore(
    make: Callable[..., BedrockProvider], standin: bedrock.StandIn, sent: list[bytes]
) -> None:
    provider = make()
    for brief in (BRIEF, BRIEF, Brief("review", SYSTEM, BRIEF.turns, tool=TOOL), BRIEF):
        answer(provider, brief)

    assert len(sent) == 2
    assert len(standin.requests()) == 4


def test_keys_that_change_are_used_as_soon_as_botocore_has_them(
    make: Callable[..., BedrockProvider],
    standin: bedrock.StandIn,
    sent: list[bytes],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """A process gives keys that are about to expire, so that botocore asks it again for each request."""
    program = tmp_path / "keys.py"
    program.write_text(
        textwrap.dedent("""
            import json, pathlib, datetime
            count = pathlib.Path(__file__).with_suffix(".count")
            number = len(count.read_text()) if count.exists() else 0
            count.write_text("x" * (number + 1))
            soon = datetime.datetime.now(datetime.UTC) + datetime.timedelta(minutes=8)
            print(json.dumps({"Version": 1, "AccessKeyId": f"KEY{number}", "SecretAccessKey": "secret",
                              "SessionToken": "token", "Expiration": soon.isoformat()}))
        """)
    )
    config = tmp_path / "config"
    config.write_text(f"[default]\ncredential_process = {sys.executable} {program}\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    provider = make()
    client = provider.client()
    for _ in range(3):
        answer(provider)
        if not provider._direct._known:  # Its keys changed between the request and the look at them.
            client._request_signer._credentials._advisory_refresh_timeout = 0
            answer(provider)
            client._request_signer._credentials._advisory_refresh_timeout = 900
    before = client._request_signer._credentials.access_key

    answer(provider)

    used = standin.requests()[-1]["headers"]["authorization"]
    assert sent
    assert f"Credential={before}/" not in used
    assert "Credential=KEY" in used


def test_a_bearer_token_is_sent_as_botocore_sends_it(
    make: Callable[..., BedrockProvider], monkeypatch: pytest.MonkeyPatch, sent: list[bytes], tmp_path: Path
) -> None:
    certificate = bedrock.certificate(tmp_path) or pytest.skip("no openssl to make a certificate with")
    with bedrock.running(certificate) as secure:
        for name, value in secure.environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", "key")
        provider = make()
        answer(provider)
        answer(provider)
        requests = secure.requests()

    assert [request["headers"]["authorization"] for request in requests] == ["Bearer key"] * 2
    assert len(sent) == 1


def test_an_endpoint_of_a_profile_is_kept(
    make: Callable[..., BedrockProvider],
    standin: bedrock.StandIn,
    sent: list[bytes],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    config = tmp_path / "config"
    config.write_text(
        f"[profile here]\nregion = us-east-1\nservices = local\n"
        f"[services local]\nbedrock_runtime =\n  endpoint_url = {standin.url}\n"
    )
    monkeypatch.delenv("AWS_ENDPOINT_URL_BEDROCK_RUNTIME")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    monkeypatch.setenv("AWS_PROFILE", "here")
    provider = make()

    answer(provider)
    answer(provider)

    assert len(sent) == 1
    assert len(standin.requests()) == 2


def test_what_goes_through_a_proxy_is_botocore_s(
    make: Callable[..., BedrockProvider], standin: bedrock.StandIn, sent: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", "http://bedrock.invalid")
    monkeypatch.setenv("HTTP_PROXY", standin.url)
    monkeypatch.setenv("NO_PROXY", "")
    provider = make()

    answer(provider)
    answer(provider)

    assert sent == []
    assert len(standin.requests()) == 2


def test_a_tunnel_through_a_proxy_is_botocore_s(
    make: Callable[..., BedrockProvider], standin: bedrock.StandIn, sent: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    learn = direct.Direct.learn
    tunnel = SimpleNamespace(proxy="https://proxy.example")
    monkeypatch.setattr(direct.Direct, "learn", lambda self, arguments, call, _: learn(self, arguments, call, tunnel))
    provider = make()

    answer(provider)
    answer(provider)

    assert sent == []


def test_a_head_is_kept_only_where_its_signature_comes_out_the_same() -> None:
    identity = direct.Identity("key", "secret")
    same = {"host": "bedrock.example", "content-type": "application/json"}
    names = ("Host", "Content-Type", "X-Amz-Date", "Authorization", "Content-Length")
    head = direct.Head("/model/m", names, same, "eu-west-1", "bedrock", ("content-type", "host", "x-amz-date"))
    sent = head.write(b"{}", "20260101T000000Z", "", identity)

    assert direct.head_of(sent, b"{}", identity) == head
    assert direct.head_of(sent, b"{} ", identity) is None
    assert direct.head_of(sent, b"{}", direct.Identity("key", "another secret")) is None
    assert direct.head_of(sent.replace(b"Host", b"X-Host"), b"{}", identity) is None
    assert direct.head_of(sent.replace(b"POST", b"PUT"), b"{}", identity) is None
    assert direct.head_of(sent.replace(b"/model/m", b"/model/m?a=b"), b"{}", identity) is None


def test_a_header_that_is_not_known_is_botocore_s_to_write(
    make: Callable[..., BedrockProvider], standin: bedrock.StandIn, sent: list[bytes]
) -> None:
    provider = make()
    numbers = iter("12")

    def add(request: Any, **_: Any) -> None:
        request.headers["X-Number"] = next(numbers)

    provider.client().meta.events.register("before-sign.bedrock-runtime.ConverseStream", add)
    answer(provider)
    answer(provider)

    assert sent == []
    assert [request["headers"]["x-number"] for request in standin.requests()] == ["1", "2"]


def test_plugins_leave_all_to_botocore(
    make: Callable[..., BedrockProvider], standin: bedrock.StandIn, sent: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    provider = make()
    monkeypatch.setenv("BOTOCORE_EXPERIMENTAL__PLUGINS", "json=json")
    monkeypatch.setattr("botocore.plugin.load_client_plugins", lambda *_: None)
    answer(provider)
    answer(provider)

    assert sent == []


@pytest.mark.parametrize("refusal", REFUSALS)
def test_a_refusal_is_what_botocore_makes_of_it(
    make: Callable[..., BedrockProvider], standin: bedrock.StandIn, sent: list[bytes], refusal: str
) -> None:
    provider = make()
    told = []
    for is_direct in (False, True):
        if is_direct:
            standin.script({})
            answer(provider)
        standin.script({"fault": refusal})
        with pytest.raises(ModelFault) as caught:
            answer(provider)
        told.append((type(caught.value), caught.value.message, str(caught.value.__cause__)))
    standin.script({})
    answer(provider)

    assert told[0] == told[1]
    assert len(sent) == 2


def test_a_connection_that_closed_while_it_waited_is_not_used(
    make: Callable[..., BedrockProvider], standin: bedrock.StandIn, sent: list[bytes]
) -> None:
    provider = make()
    before = standin.connections()["total"]
    answer(provider)
    ((_, pool),) = provider._direct._known.values()
    connection = pool._get_conn()
    connection.sock.shutdown(socket.SHUT_RDWR)
    pool._put_conn(connection)

    answer(provider)

    assert len(sent) == 1
    assert standin.connections()["total"] == before + 2


def test_a_provider_that_was_closed_asks_again(
    make: Callable[..., BedrockProvider], standin: bedrock.StandIn, sent: list[bytes]
) -> None:
    provider = make()
    for _ in range(2):
        answer(provider)
        answer(provider)
        provider.close()

    assert len(sent) == 2


def test_half_a_surrogate_is_sent_by_botocore(
    make: Callable[..., BedrockProvider], standin: bedrock.StandIn, sent: list[bytes]
) -> None:
    provider = make()
    answer(provider)

    answer(provider, Brief("reply", SYSTEM, (Turn("user", "half: \ud83d"),), context="x", temperature=0.3))

    assert sent == []
    assert "half" in json.dumps(standin.requests()[-1]["body"])


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"HTTP/1.1 200 OK\r\nA: b\r\n\r\nrest", 200),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 429 x\r\nA: b\r\n\r\nrest", 429),
    ],
)
def test_the_head_of_an_answer_is_read_however_it_is_cut(data: bytes, status: int) -> None:
    for size in (1, 7, 1000):
        pieces = iter([data[at : at + size] for at in range(0, len(data), size)])
        code, headers, rest = direct.read_head(lambda _: next(pieces), direct.Call(60))  # noqa: B023 (called at once)

        assert (code, headers) == (status, {"a": "b"})
        assert rest + b"".join(pieces) == b"rest"


@pytest.mark.parametrize("data", [b"", b"HTTP/1.1 200", b"SSH-2.0\r\n\r\n", b"HTTP/1.1 x\r\n\r\n", b"a" * 100_000])
def test_what_is_no_answer_is_a_lost_connection(data: bytes) -> None:
    pieces = iter([data[at : at + 16_384] for at in range(0, len(data), 16_384)])

    with pytest.raises(direct.ConnectionClosedError):
        direct.read_head(lambda _: next(pieces, b""), direct.Call(60))


@pytest.mark.parametrize("chunked", [True, False])
def test_the_deadline_ends_a_refusal_that_comes_byte_by_byte(chunked: bool) -> None:
    call, closed = direct.Call(60), list[bool]()
    reads = iter([b"1\r\n{\r\n" if chunked else b"{"] * 5)

    def receive(size: int) -> bytes:
        data = next(reads)
        call._ends = time.monotonic()  # The deadline passes while this is read.
        return data

    carrier = SimpleNamespace(recv=receive, gettimeout=lambda: None, settimeout=lambda _: None)
    connection = SimpleNamespace(sock=carrier, close=lambda: closed.append(True))
    pool = SimpleNamespace(_put_conn=lambda _: None)
    headers = {"transfer-encoding": "chunked"} if chunked else {"content-length": "1000"}
    opened = direct.Opened(pool, connection, 500, headers, b"")

    with pytest.raises(Failure) as caught:
        opened.whole(call, 60)

    assert caught.value.code == "Deadline"
    assert len(list(reads)) == 4
    assert closed == [True]


def test_an_answer_is_closed_where_no_credentials_are_to_be_had_after_it(
    make: Callable[..., BedrockProvider], standin: bedrock.StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise CredentialRetrievalError(provider="a process", error_msg="it is gone")

    monkeypatch.setattr(direct.Direct, "_identity", fail)
    standin.script({"tokens": 100, "tokens_per_second": 20})

    with pytest.raises(ModelFault):
        answer(make())

    (request,) = standin.wait(lambda requests: requests and requests[0]["outcome"] and requests)
    assert request["outcome"] == "closed by client"
