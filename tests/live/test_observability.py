"""What an operator sees of a running server: its log, its traces, its metrics."""

from __future__ import annotations

import json
import os
import shutil
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.live.conftest import PATIENCE, Browser, Server
from tests.standins import bedrock
from tests.standins.collector import Collector
from tests.standins.collector import running as collecting


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    with collecting() as running:
        yield running


@pytest.fixture(scope="module")
def seen(
    mode: str, collector: Collector, tmp_path_factory: pytest.TempPathFactory, empty_sqlite: Path
) -> Iterator[Server]:
    """A server whose log is JSON, whose traces are collected and whose model is the stand-in."""
    folder = tmp_path_factory.mktemp("seen")
    shutil.copy(empty_sqlite, folder / "seen.db")
    collector.spans.clear()
    with ExitStack() as stack:
        model = stack.enter_context(bedrock.running())
        settings = {
            "ASYNC_MODE": mode,
            "DATABASE_URL": f"sqlite:///{folder / 'seen.db'}",
            "LOG_FORMAT": "json",
            "MODEL_PROVIDER": "bedrock",
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
            "OTEL_BSP_SCHEDULE_DELAY": "100",
        }
        server = Server(folder, **(model.environment | settings))
        stack.callback(server.stop)
        yield server


def logged(server: Server, event: str, **where: Any) -> dict[str, Any]:
    """Return the log's last line of that event; who is told of an end may look before it is written."""
    found: list[dict[str, Any]] = []
    give_up = time.monotonic() + 20
    while not found:
        assert time.monotonic() < give_up, f"no {event} {where} in the log"
        lines = [json.loads(line) for line in server.log.read_text().splitlines() if line.startswith("{")]
        found = [line for line in lines if line["event"] == event and where.items() <= line.items()]
    return found[-1]


def asked(server: Server, browser: Callable[[], Browser], email: str) -> tuple[dict[str, Any], int]:
    """Ask over a socket; return the chat as it ended, and the user's id."""
    tokens = server.sign_in(email)
    tab = browser().connect(server.url, tokens["access_token"])
    tab.until("ready")
    tab.ask("message", {"message": "Thank you, good night."})
    chat: dict[str, Any] = tab.until("response")["payload"]["chat"]
    return chat, tokens["user"]["id"]


def test_a_reply_is_one_line_of_the_log_with_all_that_it_took(seen: Server, browser: Callable[[], Browser]) -> None:
    chat, user_id = asked(seen, browser, "log@example.com")

    event = logged(seen, "event", socket_event="message", user_id=user_id)
    line = logged(seen, "reply", chat_id=chat["id"])

    assert line["request_id"] == event["request_id"]
    assert (event["code"], event["duration_ms"] >= 0) == ("ok", True)
    expected = {
        "user_id": user_id,
        "status": "complete",
        "sherpa": chat["agent"],
        "provider": "bedrock",
        "model": chat["model_id"],
        "input_tokens": chat["input_tokens"],
        "output_tokens": chat["output_tokens"],
        "error": None,
    }
    assert {name: line[name] for name in expected} == expected
    assert 0 <= line["first_word_seconds"] <= line["seconds"]


def test_a_request_is_one_line_with_its_id_its_user_and_its_route(seen: Server) -> None:
    tokens = seen.sign_in("route@example.com")
    headers = {"Authorization": f"Bearer {tokens['access_token']}", "X-Request-ID": "asked-by-a-test"}

    urllib.request.urlopen(urllib.request.Request(f"{seen.url}/api/v1/user/me", headers=headers)).close()

    line = logged(seen, "request", request_id="asked-by-a-test")
    told = {name: line[name] for name in ("method", "route", "status", "user_id")}
    assert told == {"method": "GET", "route": "/api/v1/user/me", "status": 200, "user_id": tokens["user"]["id"]}
    assert line["duration_ms"] > 0


def test_what_a_socket_is_refused_is_counted_and_logged_under_the_id_that_it_was_told(
    seen: Server, browser: Callable[[], Browser]
) -> None:
    turned_away = browser().connect(seen.url, "no token").until("connect_error")["data"]
    tab = browser().connect(seen.url, seen.sign_in("refused@example.com")["access_token"])
    tab.until("ready")
    invalid = tab.ask("stop", {})["data"]
    tab.emit("unheard-of", {}, silent=True)
    tab.until("error")

    for event, told in (("connect", turned_away), ("stop", invalid)):
        line = logged(seen, "event", socket_event=event, request_id=told["request_id"])
        assert line["code"] == told["code"]
        assert seen.counted(f'codesherpa_event_seconds_count{{code="{told["code"]}",event="{event}"}}')
    assert seen.counted('codesherpa_event_seconds_count{code="ok",event="connect"}')
    assert seen.counted('codesherpa_event_seconds_count{code="not_found",event="unknown"}')


def test_work_that_computes_is_counted_apart(seen: Server) -> None:
    before = seen.counted("codesherpa_native_seconds_count")

    seen.sign_in("native@example.com")

    assert seen.counted("codesherpa_native_seconds_count") >= before + 2  # A hash, and its check.
    assert seen.counted("codesherpa_native_under_way") == 0


def test_one_trace_leads_from_the_sockets_event_over_the_queries_to_the_model(
    seen: Server, collector: Collector, browser: Callable[[], Browser]
) -> None:
    chat, _ = asked(seen, browser, "trace@example.com")

    reply = collector.until("reply", **{"codesherpa.chat_id": chat["id"]})
    root = collector.until("ws message", trace=reply.trace)
    model = collector.until("converse_stream", trace=reply.trace)

    assert (root.parent, reply.parent, model.parent) == ("", root.id, reply.id)
    assert {"INSERT", "UPDATE", "SELECT"} <= {span.name for span in collector.spans if span.trace == reply.trace}
    assert model.attributes["gen_ai.request.model"] == chat["model_id"]
    assert collector.services == {"codesherpa"}
    assert logged(seen, "reply", chat_id=chat["id"])["trace_id"] == root.trace


def test_a_request_goes_on_in_the_callers_own_trace(seen: Server, collector: Collector) -> None:
    trace, parent = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
    headers = {"traceparent": f"00-{trace}-{parent}-01"}

    urllib.request.urlopen(urllib.request.Request(f"{seen.url}/health/ready", headers=headers)).close()

    root = collector.until("GET /health/ready", trace=trace)
    assert root.parent == parent
    assert root.attributes["http.response.status_code"] == 200


class TwoWorkers(Server):
    command = ("gunicorn", "-c", "gunicorn.conf.py", "--workers", "2", "wsgi:app")


def test_workers_of_one_port_count_together(tmp_path: Path, empty_sqlite: Path) -> None:
    shutil.copy(empty_sqlite, tmp_path / "two.db")
    server = TwoWorkers(tmp_path, DATABASE_URL=f"sqlite:///{tmp_path / 'two.db'}")
    try:
        for _ in range(20):
            assert server.call("GET", "/")[0] == 200
        told = {scraped(server) for _ in range(5)}
        give_up = time.monotonic() + PATIENCE
        while (memory := server.counted("codesherpa_memory_bytes")) < 0.8 * resident(server):
            assert time.monotonic() < give_up, memory
            time.sleep(0.1)
    finally:
        server.stop()

    assert told == {20.0}


def resident(server: Server) -> int:
    """Return the memory of all workers in bytes, as the system tells it."""
    workers = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text().split()
    pages = (int(Path(f"/proc/{worker}/statm").read_text().split()[1]) for worker in workers)
    return sum(pages) * os.sysconf("SC_PAGE_SIZE")


def scraped(server: Server) -> float:
    with urllib.request.urlopen(f"{server.url}/metrics", timeout=10) as answer:
        lines = answer.read().decode().splitlines()
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines if 'seconds_count{method="GET",route="/",' in line)
