"""What the server took or made is delivered, however large: no client that reads is cut, whatever it reads with."""

from __future__ import annotations

import http.client
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.live.conftest import PATIENCE, Browser, Server
from tests.live.raw import Raw
from tests.standins import bedrock

TRANSPORTS = ["websocket", "polling"]
REPLIES = {
    "hindi": "\u0928\u092e\u0938\u094d\u0924\u0947 " * 15_000,  # 90,000 letters and 15,000 spaces.
    "ascii": "forty-two " * 36_000,
    "emoji": "\U0001f600" * 60_000,
}


@pytest.fixture(scope="module")
def talkative(mode: str, tmp_path_factory: pytest.TempPathFactory, empty_sqlite: Path) -> Iterator[Server]:
    """A server whose model says what a word of the message stands for in REPLIES."""
    folder = tmp_path_factory.mktemp("talkative")
    shutil.copy(empty_sqlite, folder / "live.db")
    with bedrock.running() as standin:
        for word, text in REPLIES.items():
            standin.script({"text": text}, contains=word)
        settings = standin.environment | {"MODEL_PROVIDER": "bedrock", "ASYNC_MODE": mode}
        server = Server(folder, DATABASE_URL=f"sqlite:///{folder / 'live.db'}", **settings)
        yield server
        server.stop()


def connected(browser: Callable[[], Browser], server: Server, token: str, transport: str = "websocket") -> Browser:
    one = browser().connect(server.url, token, transports=[transport])
    one.until("ready")
    return one


def tells_the_end(one: Browser, id: int) -> dict[str, Any]:
    told: dict[str, Any] = one.told("response", chat_id=id)["chat"]
    return told


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("letter", ["\u0436", "\U0001f600"], ids=["cyrillic", "emoji"])
def test_as_much_code_as_the_contract_takes_is_taken_and_given_back(
    server: Server, browser: Callable[[], Browser], transport: str, letter: str
) -> None:
    token = server.sign_in("letters@example.com")["access_token"]
    one = connected(browser, server, token, transport)
    code = letter * 200_000

    chat = one.ask("message", {"message": "hello", "code_context": code})["data"]["chat"]
    ended = tells_the_end(one, chat["id"])
    again = one.ask("resume", {"chat_id": chat["id"], "after_seq": 0})["data"]

    assert chat["code_context"] == ended["code_context"] == again["chat"]["code_context"] == code
    assert "disconnect" not in [seen["event"] for seen in one.seen]


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_long_replies_are_shown_and_resumed_all_at_once(
    talkative: Server, browser: Callable[[], Browser], transport: str
) -> None:
    token = talkative.sign_in("replies@example.com")["access_token"]
    one = connected(browser, talkative, token, transport)

    ids = [one.ask("message", {"message": f"@chat {word}"})["data"]["chat"]["id"] for word in REPLIES]
    ends = [tells_the_end(one, id) for id in ids]
    asked = [one.emit("resume", {"chat_id": id, "after_seq": 0}) for id in ids]
    answers = [one.until("acknowledged", id=number)["answer"]["data"] for number in asked]

    assert [end["response"] for end in ends] == [answer["content"] for answer in answers] == list(REPLIES.values())
    for id, text in zip(ids, REPLIES.values(), strict=True):
        assert "".join(delta["content"] for delta in one.payloads("delta") if delta["chat_id"] == id) == text
    assert "disconnect" not in [seen["event"] for seen in one.seen]


def test_acknowledgements_are_not_escaped(server: Server) -> None:
    one = Raw(server.port).join(server.sign_in("plain@example.com")["access_token"])
    code = "\u0928\U0001f600" * 1000
    one.emit(1, "message", {"message": "hello", "code_context": code})
    frame = one.until("43/ws,1[")
    one.close()

    assert json.loads(frame.removeprefix("43/ws,1"))[0]["data"]["chat"]["code_context"] == code
    assert len(frame.encode()) < len(code.encode()) + 1500
    assert code in frame


def test_many_chats_that_are_resumed_at_once_do_not_cut_a_client_that_reads(
    server: Server, browser: Callable[[], Browser]
) -> None:
    one = connected(browser, server, server.sign_in("resumes@example.com")["access_token"])
    code = "\U0001f600" * 190_000
    id = one.ask("message", {"message": "@chat hello", "code_context": code})["data"]["chat"]["id"]
    tells_the_end(one, id)

    asked = [one.emit("resume", {"chat_id": id, "after_seq": 0}) for _ in range(12)]  # 9 MB at once.

    for number in asked:
        assert one.until("acknowledged", id=number)["answer"]["data"]["chat"]["code_context"] == code
    assert "disconnect" not in [seen["event"] for seen in one.seen]


def test_answers_to_long_polling_are_not_compressed(server: Server) -> None:
    one = http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE)
    place, headers = "/socket.io/?EIO=4&transport=polling", {"Accept-Encoding": "gzip"}
    one.request("GET", place)
    sid = json.loads(one.getresponse().read()[1:])["sid"]
    token = server.sign_in("polls@example.com")["access_token"]
    message = {"message": "hello", "code_context": "x" * 2000}

    for sent in ("40/ws," + json.dumps({"token": token}), "42/ws,1" + json.dumps(["message", message])):
        one.request("POST", f"{place}&sid={sid}", sent)
        one.getresponse().read()
    one.request("GET", f"{place}&sid={sid}", headers=headers)
    answer = one.getresponse()

    assert "x" * 2000 in answer.read().decode()
    assert answer.headers["Content-Encoding"] is None
    one.close()
