"""Clients that mean no good cost little, and nobody else notices."""

from __future__ import annotations

import contextlib
import http.client
import json
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
