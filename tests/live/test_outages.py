"""Parts go and come back, workers leave and die: whoever was told that a message is stored sees its reply."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator

import pytest

from tests.conftest import migrate
from tests.live.conftest import MODES, Browser, Server
from tests.live.workers import Workers, assert_whole, deltas, open_tab, running, slowly
from tests.services import PostgresServer

pytestmark = pytest.mark.xdist_group("outages")


@pytest.fixture(scope="module", params=MODES[:1])
def mode(request: pytest.FixtureRequest) -> str:
    """One way of waiting is enough for what takes long; ASYNC_MODE=threading chooses the other."""
    mode: str = request.param
    return mode


@pytest.fixture(scope="module")
def database() -> Iterator[PostgresServer]:
    server = PostgresServer()
    migrate(server.url)
    yield server
    server.remove()


@pytest.fixture(scope="module")
def workers(mode: str, database: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workers]:
    with running(tmp_path_factory.mktemp("outages"), mode, database.url) as workers:
        yield workers


@pytest.fixture
def token(workers: Workers) -> str:
    return str(workers.one.sign_in(f"{time.monotonic_ns()}@example.com")["access_token"])


def until_ready(server: Server, status: int) -> dict[str, object]:
    give_up = time.monotonic() + 20
    while time.monotonic() < give_up:
        answered, answer = server.call("GET", "/health/ready")
        if answered == status:
            return answer["data"]  # type: ignore[no-any-return]
        time.sleep(0.1)
    raise AssertionError(f"/health/ready is not {status} but {answered}: {answer}")


def until_counted(server: Server, series: str, value: float) -> None:
    give_up = time.monotonic() + 20
    while (counted := server.counted(series)) != value:
        assert time.monotonic() < give_up, f"{series} is {counted}"
        time.sleep(0.1)


@pytest.mark.parametrize(("go", "come"), [("stop", "start"), ("pause", "go_on")])
def test_redis_may_be_away_while_replies_are_written(
    workers: Workers, token: str, browser: Callable[[], Browser], go: str, come: str
) -> None:
    here, there = (open_tab(server, browser, token) for server in workers.both)
    id = here.ask("message", {"message": slowly(300)})["data"]["chat"]["id"]
    there.told("delta", chat_id=id)

    getattr(workers.redis, go)()
    seen = len(deltas(here, id))
    here.told("delta", chat_id=id, seq=seen + 40)  # Who is where it is written misses nothing.
    shown = [until_ready(server, 503)["redis"] for server in workers.both]
    for server in workers.both:
        until_counted(server, "codesherpa_redis_away", 1)
    other = there.ask("message", {"message": slowly(3)})["data"]["chat"]["id"]
    there.told("response", chat_id=other)
    stored = workers.two.call("POST", "/api/v1/chat", {"message": slowly(2)}, token)
    getattr(workers.redis, come)()

    assert shown == ["does not answer", "does not answer"]
    assert stored[0] == 201
    for tab in (here, there):
        assert_whole(tab, tab.told("response", chat_id=id)["chat"])
    for chat_id in (other, stored[1]["data"]["id"]):  # Written and ended where the first tab is not.
        assert_whole(here, here.told("response", chat_id=chat_id)["chat"])
    for server in workers.both:
        until_ready(server, 200)
        until_counted(server, "codesherpa_redis_away", 0)


def test_a_reply_is_stopped_and_resumed_elsewhere_while_redis_is_away(
    workers: Workers, token: str, browser: Callable[[], Browser]
) -> None:
    here = open_tab(workers.one, browser, token)
    id = here.ask("message", {"message": slowly(2000)})["data"]["chat"]["id"]
    here.told("delta", chat_id=id)
    workers.redis.stop()
    try:
        here.told("delta", chat_id=id, seq=60)  # So much has been saved that the other worker knows of it.
        there = browser().connect(workers.two.url, token)
        assert [one["chat_id"] for one in there.told("ready")["active"]] == [id]
        missed = there.ask("resume", {"chat_id": id, "after_seq": 0})["data"]
        stopped = there.ask("stop", {"chat_id": id})["data"]["chat"]
    finally:
        workers.redis.start()

    assert stopped["status"] == "stopped"
    assert missed["content"]
    assert stopped["response"].startswith(missed["content"])
    assert_whole(here, here.told("response", chat_id=id)["chat"])
    assert_whole(there, there.told("response", chat_id=id)["chat"], missed["seq"], missed["content"])


def test_postgresql_may_be_restarted_while_replies_are_written(
    workers: Workers, token: str, database: PostgresServer, browser: Callable[[], Browser]
) -> None:
    here, there = (open_tab(server, browser, token) for server in workers.both)
    id = here.ask("message", {"message": slowly(150)})["data"]["chat"]["id"]
    there.told("delta", chat_id=id)

    database.stop()
    status, answer = workers.two.call("POST", "/api/v1/chat", {"message": slowly(2)}, token)
    refused = there.ask("message", {"message": slowly(2)})
    ready = workers.one.call("GET", "/health/ready")
    late = browser().connect(workers.two.url, token, reconnection=True)
    late.until("connect_error")
    database.start()

    assert (status, answer["data"]["code"]) == (503, "internal_error")
    assert answer["data"]["retry_after"] >= 1
    assert (refused["success"], refused["data"]["code"]) == (False, "internal_error")
    assert (ready[0], ready[1]["data"]["database"]) == (503, "does not answer")
    for tab in (here, there):
        assert_whole(tab, tab.told("response", chat_id=id)["chat"])
    for server in workers.both:
        until_ready(server, 200)
    late.until("ready")
    assert there.ask("message", {"message": slowly(2)})["success"]


@pytest.mark.parametrize(("tokens", "status"), [(100, "complete"), (5000, "interrupted")])
def test_a_worker_that_is_told_to_leave_lets_replies_end_and_interrupts_the_rest(
    workers: Workers, token: str, browser: Callable[[], Browser], tokens: int, status: str
) -> None:
    tab = open_tab(workers.one, browser, token)
    idle = open_tab(workers.one, browser, str(workers.one.sign_in("idle@example.com")["access_token"]))
    witness = open_tab(workers.two, browser, token)
    id = tab.ask("message", {"message": slowly(tokens)})["data"]["chat"]["id"]
    tab.told("delta", chat_id=id)

    workers.one.process.send_signal(signal.SIGTERM)
    idle.until("disconnect")
    assert witness.ask("message", {"message": slowly(2)})["success"]
    ends = [one.told("response" if status == "complete" else "error", chat_id=id)["chat"] for one in (tab, witness)]
    gone = tab.until("disconnect")
    code = workers.one.process.wait(15)
    workers.one.start()

    assert (ends[0]["status"], gone["reason"], code) == (status, "transport close", 0)
    for one, end in zip((tab, witness), ends, strict=True):
        assert_whole(one, end)


def test_what_a_killed_worker_was_writing_is_interrupted_with_its_text(
    workers: Workers, token: str, browser: Callable[[], Browser]
) -> None:
    tab, witness = (open_tab(server, browser, token) for server in workers.both)
    id = tab.ask("message", {"message": slowly(5000), "session_id": "one"})["data"]["chat"]["id"]
    waiting = tab.ask("message", {"message": slowly(2), "session_id": "one"})["data"]["chat"]["id"]
    shown = tab.told("delta", chat_id=id, seq=30)

    pid = workers.one.process.pid
    with open(f"/proc/{pid}/task/{pid}/children") as children:
        served = [int(child) for child in children.read().split()]
    workers.one.process.kill()
    for child in served:
        os.kill(child, signal.SIGKILL)
    workers.one.process.wait()
    ended = witness.told("error", chat_id=id)

    assert shown["seq"] == 30
    assert (ended["chat"]["status"], ended["code"], ended["retryable"]) == ("interrupted", "interrupted", True)
    assert_whole(witness, ended["chat"])
    assert_whole(witness, witness.told("response", chat_id=waiting)["chat"])
    workers.one.start()
