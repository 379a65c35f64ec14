"""A message through the whole server to Bedrock's wire format and back."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.live.conftest import Browser, Server
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
    server = Server(folder, **settings, **standin.environment)
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
