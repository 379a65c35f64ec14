"""A message through the whole server to Bedrock's wire format and back."""

from __future__ import annotations

import json
import shutil
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.live.conftest import PATIENCE, Browser, Server
from tests.standins import bedrock


@pytest.fixture(scope="module")
def standin() -> Iterator[bedrock.StandIn]:
    with bedrock.running() as standin:
        yield standin


@pytest.fixture(scope="module")
def bedrock_server(
    mode: str, standin: bedrock.StandIn, tmp_path_factory: pytest.TempPathFactory, empty_sqlite: Path
) -> Iterator[Server]:
    """A server whose models are the stand-in's."""
    folder = tmp_path_factory.mktemp(f"bedrock-{mode}")
    shutil.copy(empty_sqlite, folder / "live.db")
    settings = {"ASYNC_MODE": mode, "DATABASE_URL": f"sqlite:///{folder / 'live.db'}", "MODEL_PROVIDER": "bedrock"}
    patience = {"BEDROCK_READ_TIMEOUT": "1", "MAX_GENERATIONS_PER_USER": "100"}
    server = Server(folder, **settings, **patience, **standin.environment)
    yield server
    server.stop()


@pytest.mark.xdist_group("bedrock")
def test_a_reply_streams_from_bedrock_with_its_usage(
    bedrock_server: Server, standin: bedrock.StandIn, browser: Callable[[], Browser]
) -> None:
    standin.script({"tokens": 30, "tokens_per_second": 100})
    tab = browser().connect(bedrock_server.url, bedrock_server.sign_in("words@example.com")["access_token"])
    tab.until("ready")

    tab.ask("message", {"message": "@chat hello"})
    chat = tab.until("response")["payload"]["chat"]

    deltas = tab.payloads("delta")
    assert (chat["provider"], chat["status"], chat["error"]) == ("bedrock", "complete", None)
    assert "".join(delta["content"] for delta in deltas) == chat["response"]
    assert len(deltas) > 3
    assert chat["input_tokens"] > 0
    assert chat["output_tokens"] == 30


@pytest.mark.xdist_group("bedrock")
def test_a_review_comes_as_a_forced_tool_call(
    bedrock_server: Server, standin: bedrock.StandIn, browser: Callable[[], Browser]
) -> None:
    finding = {"severity": "HIGH", "file": "app.py", "line": 2, "issue": "It divides by zero.", "suggestion": "Do not."}
    review = {
        "summary": "Short.",
        "findings": [finding | {"code_fix": None}],
        "quality_score": 4,
        "security_risk": "None",
    }
    standin.script({"tool_input": review})
    token = bedrock_server.sign_in("review@example.com")["access_token"]

    message = {"message": "@review this", "code_context": "```python app.py\ndef f():\n    return 1 / 0\n```"}
    status, answer = bedrock_server.call("POST", "/api/v1/chat", message, token)

    result = answer["data"]["result"]
    assert status == 201
    assert (result["kind"], result["quality_score"], result["security_risk"]) == ("review", 4, "None")
    assert result["findings"][0].items() >= finding.items()


@pytest.mark.xdist_group("bedrock")
@pytest.mark.parametrize(
    ("reply", "status", "code", "kept"),
    [
        ({"fault": "AccessDeniedException"}, 502, "model_error", False),
        ({"fault": "ThrottlingException", "message": "Too many tokens per day"}, 503, "model_throttled", False),
        ({"fault": "cut", "at": "middle", "tokens": 20}, 502, "model_error", True),
        ({"fault": "end", "at": "middle", "tokens": 20}, 502, "model_error", True),
    ],
)
def test_a_fault_of_bedrock_is_told_with_what_was_written(
    bedrock_server: Server, standin: bedrock.StandIn, reply: dict[str, object], status: int, code: str, kept: bool
) -> None:
    standin.script(reply)
    token = bedrock_server.sign_in("fault@example.com")["access_token"]

    answered, answer = bedrock_server.call("POST", "/api/v1/chat", {"message": "@chat hello"}, token)

    assert (answered, answer["data"]["code"]) == (status, code)
    assert answer["data"]["chat"]["status"] == "failed"
    assert bool(answer["data"]["chat"]["response"]) is kept


# What each fault is called before the first token, in the middle and at the last, where it is told from there.
ANYWHERE = {
    "cut": ("model_unavailable", "model_error"),
    "end": ("model_unavailable", "model_error"),
    "corrupt": ("model_unavailable", "model_error"),
    "modelStreamErrorException": ("model_unavailable", "model_error"),
    "internalServerException": ("model_unavailable", "model_error"),
    "serviceUnavailableException": ("model_unavailable", "model_error"),
    "validationException": ("model_error", "model_error"),
    "throttlingException": ("model_throttled", "model_throttled"),
    "silence": ("model_timeout", "model_timeout"),
    "guardrail_intervened": ("model_error", "model_error"),
    "content_filtered": ("model_error", "model_error"),
}
AT_ONCE = {
    "AccessDeniedException": "model_error",
    "ExpiredTokenException": "model_error",
    "UnrecognizedClientException": "model_error",
    "ResourceNotFoundException": "model_error",
    "ValidationException": "model_error",
    "ThrottlingException": "model_throttled",
    "ServiceQuotaExceededException": "model_throttled",
    "ModelNotReadyException": "model_unavailable",
    "InternalServerException": "model_unavailable",
    "ServiceUnavailableException": "model_unavailable",
    "ModelTimeoutException": "model_timeout",
}


def faults() -> Iterator[tuple[str, str]]:
    """Yield a message for each fault in each place, and the code that it is to end with."""
    for fault, code in AT_ONCE.items():
        yield f"@chat {fault} <<standin {json.dumps({'fault': fault})}>>", code
    for fault, (before, after) in ANYWHERE.items():
        for place in ("first", "middle", "last"):
            script = {"fault": fault, "at": place, "tokens": 20}
            yield f"@chat {fault} {place} <<standin {json.dumps(script)}>>", before if place == "first" else after


def writing(server: Server) -> float:
    """Return how many replies the server says it writes."""
    with urllib.request.urlopen(f"{server.url}/metrics", timeout=10) as answer:
        lines = answer.read().decode().splitlines()
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith("codesherpa_replies_writing"))


def when_ended(server: Server, id: int, token: str) -> Any:
    """Return a chat as soon as its reply has ended."""
    give_up = time.monotonic() + PATIENCE
    while not (chat := server.call("GET", f"/api/v1/chat/{id}", token=token)[1]["data"])["completed_at"]:
        assert time.monotonic() < give_up, f"{chat['message']} has not ended"
        time.sleep(0.05)
    return chat


@pytest.mark.xdist_group("bedrock")
@pytest.mark.parametrize("closes", [False, True], ids=["open", "closed"])
def test_every_fault_in_every_place_ends_in_one_last_event(
    bedrock_server: Server, standin: bedrock.StandIn, browser: Callable[[], Browser], closes: bool
) -> None:
    standin.reset()
    token = bedrock_server.sign_in(f"faults-{closes}@example.com")["access_token"]
    tab = browser().connect(bedrock_server.url, token)
    tab.until("ready")
    expected = {}
    for message, code in faults():
        expected[tab.ask("message", {"message": message})["data"]["chat"]["id"]] = (message, code)
    if closes:
        tab.close()

    ended = {id: when_ended(bedrock_server, id, token) for id in expected}

    assert {id: (chat["message"], chat["error"]["code"]) for id, chat in ended.items()} == expected
    assert {chat["status"] for chat in ended.values()} == {"failed"}
    whole = " ".join(f"word{number}" for number in range(20))
    assert [chat["response"] for chat in ended.values() if not whole.startswith(chat["response"].strip())] == []
    if not closes:
        for _ in range(100):  # Each acknowledgement brings what was told before it.
            tab.ask("resume", {"chat_id": next(iter(expected)), "after_seq": 0})
            if len(tab.payloads("error")) >= len(expected):
                break
        assert sorted(event["chat_id"] for event in tab.payloads("error")) == sorted(expected)
        assert tab.payloads("response") == []
    standin.wait(lambda requests: all(request["outcome"] for request in requests))
    assert writing(bedrock_server) == 0


@pytest.mark.xdist_group("bedrock")
def test_a_server_without_credentials_starts_says_so_and_answers_with_an_error(
    mode: str, tmp_path: Path, empty_sqlite: Path
) -> None:
    shutil.copy(empty_sqlite, tmp_path / "live.db")
    nowhere = {
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": "/nowhere",
        "AWS_SHARED_CREDENTIALS_FILE": "/nowhere",
    }
    settings = {"ASYNC_MODE": mode, "DATABASE_URL": f"sqlite:///{tmp_path / 'live.db'}", "MODEL_PROVIDER": "bedrock"}
    server = Server(tmp_path, **settings, **nowhere)
    try:
        give_up = time.monotonic() + PATIENCE
        while "there are no AWS credentials" not in server.log.read_text() and time.monotonic() < give_up:
            time.sleep(0.05)
        warned = server.log.read_text()
        token = server.sign_in("nobody@example.com")["access_token"]
        status, told = server.call("POST", "/api/v1/chat", {"message": "hello"}, token)
    finally:
        server.stop()

    assert warned.count("there are no AWS credentials") == 1
    assert (status, told["data"]["code"], told["data"]["chat"]["status"]) == (502, "model_error", "failed")
    assert server.log.read_text().count("there are no AWS credentials") == 1
