"""Two workers, PostgreSQL and Redis: whichever of them a tab reaches, it is told the same, whole and once."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import pytest

from tests.conftest import administer, emptied
from tests.live.conftest import Browser
from tests.live.workers import Workers, assert_whole, deltas, open_tab, running, slowly

pytestmark = pytest.mark.xdist_group("workers")


@pytest.fixture(scope="module")
def workers(mode: str, postgres: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workers]:
    folder = tmp_path_factory.mktemp("workers")
    with emptied(postgres), running(folder, mode, postgres, MAX_GENERATIONS_PER_USER="2") as workers:
        yield workers


@pytest.fixture
def token(workers: Workers, request: pytest.FixtureRequest) -> str:
    email = f"{request.node.name.split('[')[0][-50:]}-{time.monotonic_ns()}@example.com"
    return str(workers.one.sign_in(email)["access_token"])


def test_a_reply_reaches_the_tabs_of_every_worker(workers: Workers, token: str, browser: Callable[[], Browser]) -> None:
    here, there = (open_tab(server, browser, token) for server in workers.both)

    here.ask("message", {"message": slowly(40)})
    ends = [tab.until("response")["payload"] for tab in (here, there)]

    assert ends[0] == ends[1]
    for tab in (here, there):
        assert_whole(tab, ends[0]["chat"])
        assert [one["content"] for one in tab.payloads("status")] == ["thinking", "streaming"]


def test_a_reply_that_is_written_elsewhere_is_resumed_without_a_gap(
    workers: Workers, token: str, browser: Callable[[], Browser]
) -> None:
    first = open_tab(workers.one, browser, token)
    id = first.ask("message", {"message": slowly(100)})["data"]["chat"]["id"]
    first.told("delta", lambda delta: delta["seq"] >= 5)
    first.close()

    later = browser().connect(workers.two.url, token)
    (active,) = later.until("ready")["payload"]["active"]
    had = 2
    missed = later.ask("resume", {"chat_id": id, "after_seq": had})["data"]
    chat = later.until("response")["payload"]["chat"]

    assert active["chat_id"] == id
    assert 5 <= active["seq"] <= missed["seq"]
    begun = "".join(content for seq, content in deltas(first, id) if seq <= had)
    assert_whole(later, chat, missed["seq"], begun + missed["content"])


@pytest.mark.parametrize("way", ["socket", "rest"])
def test_a_reply_is_stopped_from_any_worker(
    workers: Workers, token: str, browser: Callable[[], Browser], way: str
) -> None:
    here, there = (open_tab(server, browser, token) for server in workers.both)
    id = here.ask("message", {"message": slowly(1000)})["data"]["chat"]["id"]
    there.until("delta")

    if way == "socket":
        answer = there.ask("stop", {"chat_id": id})["data"]["chat"]
    else:
        answer = workers.two.call("POST", f"/api/v1/chat/{id}/stop", token=token)[1]["data"]

    assert answer["status"] == "stopped"
    for tab in (here, there):
        assert_whole(tab, tab.until("response")["payload"]["chat"])
    assert workers.model.wait(lambda asked: asked[-1]["outcome"])[-1]["outcome"] == "closed by client"


def test_a_caller_waits_for_a_reply_that_another_worker_writes(workers: Workers, token: str) -> None:
    message = {"message": slowly(20), "client_message_id": "same"}
    answers: list[tuple[int, dict[str, dict[str, object]]]] = []

    def ask(server: object) -> None:
        answers.append(server.call("POST", "/api/v1/chat", message, token))  # type: ignore[attr-defined]

    asking = [threading.Thread(target=ask, args=(server,)) for server in workers.both for _ in range(3)]
    for one in asking:
        one.start()
    for one in asking:
        one.join()

    assert sorted(status for status, _ in answers) == [200] * 5 + [201]
    assert len({str(answer["data"]) for _, answer in answers}) == 1
    assert workers.one.call("GET", "/api/v1/chat", token=token)[1]["data"]["count"] == 1


def test_a_message_that_two_workers_get_at_once_is_one_message(
    workers: Workers, token: str, browser: Callable[[], Browser]
) -> None:
    here, there = (open_tab(server, browser, token) for server in workers.both)

    for number in range(5):
        message = {"message": slowly(3), "client_message_id": f"m{number}"}
        asked = [tab.emit("message", message) for tab in (here, there)]
        chats = [
            tab.until("acknowledged", id=id)["answer"]["data"]["chat"]["id"]
            for tab, id in zip((here, there), asked, strict=True)
        ]
        assert len(set(chats)) == 1
        for tab in (here, there):
            assert_whole(tab, tab.told("response", chat_id=chats[0])["chat"])

    assert workers.two.call("GET", "/api/v1/chat", token=token)[1]["data"]["count"] == 5


def test_the_client_may_try_again_by_itself(workers: Workers, token: str, browser: Callable[[], Browser]) -> None:
    workers.model.reset()
    tab = open_tab(workers.one, browser, token, retries=5, ackTimeout=5, transports=["websocket"])

    tab.emit("message", {"message": slowly(3), "client_message_id": "again"}, silent=True)
    first = tab.told("response")["chat"]
    tab.emit("message", {"message": slowly(3), "client_message_id": "and again"}, silent=True)
    second = tab.told("response", lambda response: response["chat_id"] != first["id"])["chat"]

    assert second["client_message_id"] == "and again"
    assert workers.one.call("GET", "/api/v1/chat", token=token)[1]["data"]["count"] == 2
    assert len(workers.model.requests()) == 2


def test_no_more_are_written_at_once_than_a_user_may_and_a_conversation_keeps_its_order(
    workers: Workers, token: str, browser: Callable[[], Browser]
) -> None:
    tabs = [open_tab(server, browser, token) for server in workers.both]

    workers.model.reset()

    ids = []
    for number in range(8):
        message = {"message": slowly(20), "session_id": f"conversation {number % 4}"}
        ids.append(tabs[number % 2].ask("message", message)["data"]["chat"]["id"])
    for tab in tabs:
        for id in ids:
            tab.told("response", chat_id=id)

    chats = [workers.one.call("GET", f"/api/v1/chat/{id}", token=token)[1]["data"] for id in ids]
    calls = [(one["at"], one["ended_at"]) for one in workers.model.requests()]
    at_once = [sum(begun <= moment < ended for begun, ended in calls) for moment, _ in calls]
    assert len(calls) == 8
    assert max(at_once) <= 2
    for place in range(4):
        conversation = [chat["completed_at"] for chat in chats[place::4]]
        assert conversation == sorted(conversation)


def test_a_session_ends_on_every_worker(workers: Workers, token: str, browser: Callable[[], Browser]) -> None:
    tabs = [open_tab(server, browser, token) for server in workers.both]

    workers.one.call("POST", "/api/v1/auth/logout", token=token)

    for tab in tabs:
        tab.until("session_expired")
        tab.until("disconnect")


def test_a_socket_is_carried_over_on_one_worker_when_its_first_token_ends_on_another(
    workers: Workers, browser: Callable[[], Browser]
) -> None:
    email = f"carried-{time.monotonic_ns()}@example.com"
    first, second = (workers.one.sign_in(email)["access_token"] for _ in range(2))
    tab = open_tab(workers.two, browser, first)

    assert tab.ask("authenticate", {"token": second})["success"]
    workers.one.call("POST", "/api/v1/auth/logout", token=first)
    witness = open_tab(workers.two, browser, second)

    assert witness.ask("message", {"message": slowly(3)})["success"]
    assert tab.until("response")["payload"]["chat"]["status"] == "complete"


def test_an_account_that_is_deactivated_is_closed_out_everywhere(
    workers: Workers, postgres: str, browser: Callable[[], Browser]
) -> None:
    email = f"deactivated-{time.monotonic_ns()}@example.com"
    tabs = [open_tab(server, browser, workers.one.sign_in(email)["access_token"]) for server in workers.both]

    administer(f"UPDATE users SET is_active = false WHERE email = '{email}'", postgres)

    for tab in tabs:
        tab.until("disconnect")
