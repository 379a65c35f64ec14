"""Clients that mean no good cost little, and nobody else notices."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.live.conftest import Browser, Server
from tests.live.raw import BINARY, TEXT, Raw

MIB = 1024 * 1024
FLOOD = 150 * MIB


@pytest.fixture
def raw(server: Server) -> Iterator[Callable[..., Raw]]:
    """Open connections, closed at the end."""
    opened: list[Raw] = []

    def open_one(**options: int) -> Raw:
        opened.append(Raw(server.port, **options))
        return opened[-1]

    yield open_one
    for one in opened:
        one.close()


def poll(server: Server) -> tuple[http.client.HTTPConnection, str]:
    """Begin a connection by long polling."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    connection.request("GET", "/socket.io/?EIO=4&transport=polling")
    return connection, json.loads(connection.getresponse().read()[1:])["sid"]


def worker(server: Server) -> int:
    pid = server.process.pid
    return int(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0])


def status(pid: int, name: str) -> int:
    (line,) = [line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith(f"{name}:")]
    return int(line.split()[1])


def test_whoever_joins_nothing_is_closed_after_ten_seconds(server: Server, raw: Callable[..., Raw]) -> None:
    refused, silent = raw().join("no token"), raw()
    elsewhere = raw()
    elsewhere.send("40")
    token = server.sign_in("joined@example.com")["access_token"]
    joined = raw().join(token)
    joined.until('42/ws,["ready"')
    polling, sid = poll(server)

    assert json.loads(refused.until("44/ws,").removeprefix("44/ws,"))["data"]["code"] == "unauthorized"
    for one in (refused, silent, elsewhere):
        one.wait_for_the_end()

    joined.emit(7, "message", {"message": "still here"})
    assert joined.answer(7)["success"]
    polling.request("GET", f"/socket.io/?EIO=4&transport=polling&sid={sid}")
    answer = polling.getresponse()
    assert answer.status == 400 or answer.read().endswith(b"1")
    polling.close()


@pytest.mark.parametrize(
    "sent",
    [
        b"NONSENSE\r\n\r\n",
        b"GET /api/v1/agents?q=%s HTTP/1.1\r\nHost: x\r\n\r\n" % (b"x" * 9000),
        b"GET /api/v1/agents HTTP/1.1\r\nHost: x\r\nNo Header\r\n\r\n",
        b"GET /api/v1/agents HTTP/1.1\r\nHost: x\r\nCookie: %s\r\n\r\n" % (b"x" * 9000),
        b"POST /api/v1/agents HTTP/1.1\r\nHost: x\r\nContent-Length: many\r\n\r\n",
    ],
)
def test_a_request_that_cannot_be_read_is_refused_in_the_envelope(server: Server, sent: bytes) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as connection:
        connection.sendall(sent)
        answer = http.client.HTTPResponse(connection)
        answer.begin()
        told = json.load(answer)

    assert (answer.status, set(told), told["success"]) == (400, {"success", "data", "message"}, False)
    assert told["data"] == {"code": "bad_request", "request_id": answer.headers["X-Request-ID"]}
    assert "x" * 10 not in told["message"]


ORIGIN = "Origin: http://localhost:5173\r\n"


@pytest.mark.parametrize(
    "asks",
    [
        ORIGIN,
        f"{ORIGIN}Sec-WebSocket-Key1: 1 1\r\nSec-WebSocket-Key2: 1 1\r\n",
        "",
        "Sec-WebSocket-Version: 13\r\n",
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: x\r\n",
        "Sec-WebSocket-Version: 8\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n",
    ],
    ids=["draft 75", "draft 76", "no version", "no key", "a key that is none", "an old version"],
)
def test_no_websocket_but_the_standards_is_opened(server: Server, asks: str) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as one:
        one.sendall(
            "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\n"
            f"Upgrade: websocket\r\n{asks}\r\n12345678".encode()
        )

        assert one.recv(4096).startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize("header", ["PATH_INFO: /metrics", "SCRIPT_NAME: /health", "X-Forwarded-Proto: https"])
def test_a_neighbour_is_believed_no_more_than_anybody_else(server: Server, header: str) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    name, _, value = header.partition(": ")
    connection.request(
        "GET", "/socket.io/?EIO=4&transport=polling", headers={name: value, "Origin": "https://x", "Host": "x"}
    )
    polled = connection.getresponse()
    polled.read()
    connection.request("GET", "/health", headers={name: value})
    answer = json.loads(connection.getresponse().read())
    connection.close()

    assert polled.status == 400  # Not the server's own page, as it would be over HTTPS.
    assert answer["data"] == {"status": "ok"}


def test_others_are_answered_while_a_password_is_checked(tmp_path: Path, empty_sqlite: Path) -> None:
    shutil.copy(empty_sqlite, tmp_path / "live.db")
    url = f"sqlite:///{tmp_path / 'live.db'}"
    server = Server(tmp_path, ASYNC_MODE="eventlet", DATABASE_URL=url, BCRYPT_ROUNDS="15")  # Seconds for one.
    signed_in = threading.Event()

    def sign_in() -> None:
        server.call("POST", "/api/v1/auth/login", {"email": "nobody@example.com", "password": "x"})
        signed_in.set()

    try:
        signing_in = threading.Thread(target=sign_in)
        signing_in.start()
        time.sleep(0.3)  # It is being checked, or about to be.
        answers = [server.call("GET", "/health")[0] for _ in range(5)]
        was_first = not signed_in.is_set()
        signing_in.join()
    finally:
        server.stop()

    assert (answers, was_first) == ([200] * 5, True)


def flood_whole(one: Raw) -> None:
    one.frame(b"4" + bytes(MIB - 1), length=FLOOD)
    for _ in range(FLOOD // MIB - 1):
        one.socket.sendall(bytes(MIB))


def flood_in_fragments(one: Raw) -> None:
    piece = b"4" * (64 * 1024)
    one.frame(piece, TEXT, final=False)
    for _ in range(FLOOD // len(piece)):
        one.frame(piece, 0, final=False)


def flood_in_crumbs(one: Raw) -> None:
    one.frame(b"4", BINARY, final=False)
    for _ in range(3 * MIB // 1000):
        one.frame(b"x" * 1000, 0, final=False)


@pytest.mark.parametrize("flood", [flood_whole, flood_in_fragments, flood_in_crumbs])
def test_a_stranger_cannot_fill_the_memory(
    server: Server, raw: Callable[..., Raw], flood: Callable[[Raw], None]
) -> None:
    if "COVERAGE_PROCESS_CONFIG" in os.environ:
        pytest.skip("what coverage notes of a server takes memory too")
    warm = raw()
    with contextlib.suppress(OSError):
        flood_in_crumbs(warm)
    pid = worker(server)
    Path(f"/proc/{pid}/clear_refs").write_text("5")  # Forget the highest so far.
    before = status(pid, "VmRSS")

    one = raw()
    assert b"permessage-deflate" not in one.head
    with contextlib.suppress(OSError):
        flood(one)
    one.wait_for_the_end()

    # A native thread brings its own stacks and arenas, which the next one uses again.
    assert status(pid, "VmHWM") - before <= (2 if server.environ["ASYNC_MODE"] == "eventlet" else 4) * 1024


def test_a_body_that_is_too_large_is_refused_and_not_kept(server: Server) -> None:
    pid = worker(server)
    polling, sid = poll(server)
    Path(f"/proc/{pid}/clear_refs").write_text("5")
    before = status(pid, "VmRSS")

    with contextlib.suppress(OSError):
        polling.putrequest("POST", f"/socket.io/?EIO=4&transport=polling&sid={sid}")
        polling.putheader("Content-Length", str(FLOOD))
        polling.endheaders()
        for _ in range(FLOOD // MIB):
            polling.send(bytes(MIB))
    assert polling.getresponse().status == 400
    polling.close()

    assert status(pid, "VmHWM") - before <= 2 * 1024


def test_a_client_that_does_not_read_is_cut_off(
    server: Server, raw: Callable[..., Raw], browser: Callable[[], Browser]
) -> None:
    token = server.sign_in("deaf@example.com")["access_token"]
    other = browser().connect(server.url, token)
    other.until("ready")
    code = "x = 1\n" * 33_000
    id = other.ask("message", {"message": "@chat hello", "code_context": code})["data"]["chat"]["id"]
    other.until("response")
    deaf = raw(receive_buffer=4096).join(token)
    deaf.until('42/ws,["ready"')

    with contextlib.suppress(OSError):
        for number in range(200):  # 40 MB of acknowledgements.
            deaf.emit(number, "resume", {"chat_id": id, "after_seq": 0})
            time.sleep(0.001)

    answered = sum(1 for message in deaf.messages() if message.startswith("43/ws,"))
    assert answered < 60  # What the kernel took, and a MiB.
    assert other.ask("message", {"message": "still here"})["success"]


def test_many_events_of_one_socket_are_handled_one_by_one_and_in_order(
    server: Server, raw: Callable[..., Raw], browser: Callable[[], Browser]
) -> None:
    token = server.sign_in("many@example.com")["access_token"]
    one = raw().join(token)
    one.until('42/ws,["ready"')
    pid, count = worker(server), 2000
    threads = status(pid, "Threads")

    for number in range(count):
        one.emit(number, "stop", {"chat_id": 1})
    other = browser().connect(server.url, server.sign_in("patient@example.com")["access_token"])
    other.until("ready")
    assert status(pid, "Threads") <= threads + 20

    answers = [one.until("43/ws,") for _ in range(count)]
    assert [int(answer.removeprefix("43/ws,").partition("[")[0]) for answer in answers] == list(range(count))


def test_a_client_that_asks_twice_to_be_let_in_is_in_once(server: Server, raw: Callable[..., Raw]) -> None:
    token = server.sign_in("twice@example.com")["access_token"]
    one = raw().join(token).join(token)
    one.emit(1, "message", {"message": "hello"})
    seen = one.all_until('42/ws,["response"')

    assert [message[:6] for message in seen if message.startswith(("40/ws,", "44/ws,"))] == ["40/ws,"]
    assert sum(message.startswith('42/ws,["ready"') for message in seen) == 1


def test_a_client_that_joins_another_namespace_too_is_welcomed_in_this_one_once(
    server: Server, raw: Callable[..., Raw]
) -> None:
    one = raw().join(server.sign_in("elsewhere@example.com")["access_token"])
    one.until('42/ws,["ready"')
    one.send("40")
    one.emit(1, "message", {"message": "hello"})
    seen = one.all_until('42/ws,["response"')

    assert any(message.startswith("40{") for message in seen)
    assert not any(message.startswith('42/ws,["ready"') for message in seen)


def test_binary_payloads_are_refused_and_the_socket_lives_on(server: Server, raw: Callable[..., Raw]) -> None:
    one = raw().join(server.sign_in("binary@example.com")["access_token"])
    one.until('42/ws,["ready"')

    one.send('451-/ws,1["message",{"message":{"_placeholder":true,"num":0}}]')
    one.frame(b"hello", BINARY)
    answer = one.answer(1)
    one.emit(2, "message", {"message": "hello"})

    assert (answer["success"], answer["data"]["code"]) == (False, "validation_error")
    assert one.answer(2)["success"]


@pytest.mark.parametrize("event", ["connect", "disconnect", "unknown", "trigger_event", "error"])
def test_an_event_that_there_is_not_is_refused(server: Server, raw: Callable[..., Raw], event: str) -> None:
    one = raw().join(server.sign_in("unknown@example.com")["access_token"])
    one.until('42/ws,["ready"')

    one.emit(1, event, {"token": "x"})
    answer = one.answer(1)
    one.emit(2, "message", {"message": "hello"})

    assert (answer["success"], answer["data"]["code"]) == (False, "not_found")
    assert one.answer(2)["success"]


@pytest.mark.parametrize(
    "packet", ["4", "4x", "42/ws,", "42/ws,{}", "42/ws,[]", "42/ws,[1]", "42/ws," + "[" * 300_000, "4" + "9" * 5000]
)
def test_what_is_no_packet_closes_the_connection(server: Server, raw: Callable[..., Raw], packet: str) -> None:
    one = raw().join(server.sign_in("nonsense@example.com")["access_token"])
    one.until('42/ws,["ready"')

    one.send(packet)

    one.wait_for_the_end()
