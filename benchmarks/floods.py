"""Flood drills: what one client that means no good does to the /health of all others.

Every drill has a worker of its own and /health is asked every 10 ms over one connection, first while nothing else
happens and then beside the flood; an answer's time counts from when it was due. The goal is a p99 of at most 50 ms over
idle. A stranger is a WebSocket that has sent no token; closed by the server, it comes again until its time is over.
Every flood is bounded in count and in time.

The explanations have to leave the worker's memory within 1.3 times of what it was. The drill with file descriptors runs
the worker with 1,024 of them and no way to get more; a new connection has to be answered when the clients have gone.
"""
# ruff: noqa: T201  # A measurement prints.

from __future__ import annotations

import http.client
import json
import selectors
import socket
import time
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass
from typing import Any

from benchmarks.fairness import HEALTH, asking, percentile
from benchmarks.http_clients import closed_loop, connect, looping, request
from benchmarks.record import bars, headline, quick
from benchmarks.rest import Server, serving
from benchmarks.sockets import allow_many_files, frame, memory, stranger, users
from tests.standins import bedrock

SECONDS = 1.0 if quick() else 5.0  # Of tiny frames, and of messages.
IDLE = 1.0 if quick() else 3.0
AFTERWARDS = 0.5  # Seconds that /health is still asked: what was sent may wait in the kernel.
GOAL = 50.0  # Milliseconds over idle.
FRAMES = 10_000 if quick() else 100_000
LARGE, MIB = (5 if quick() else 205), 1024 * 1024
LINES = 9_000 if quick() else 99_000
FILES = 1024
COMING = FILES + 100
PATIENCE = 10.0  # Seconds that a new connection may wait for /health after the descriptors have run out.
SETTLED = 2.0  # Seconds after which memory is looked at, and without an answer after which none is expected.
ALLOWED = ("20", "429")  # What a client at the default limits gets.
DEFAULTS = {"RATE_LIMIT_DEFAULT": "600/minute", "RATE_LIMIT_MESSAGES": "10/second"}

Flood = Callable[[Server, str], str]


@dataclass
class Drill:
    """A flood, what it needs of the server, and what it is called."""

    name: str
    flood: Flood
    settings: dict[str, str]
    files: int | None = None
    prepare: Callable[[Server, str], Any] = lambda server, bearer: None


def main() -> None:
    allow_many_files()
    with users() as (environ, bearers), bedrock.running() as standin:
        model = {"MODEL_PROVIDER": "bedrock", "BEDROCK_MODEL_ID": "bench.nova-pro", **standin.environment}
        standin.script({"text": unclosed_fence(), "tokens_per_second": 0}, contains="fence")
        print(f"{'':44}{'idle p99 ms':>12}{'p99 ms':>10}{'longest':>10}{'over idle':>11}{'ratio':>8}")
        found = {}
        for drill in drills(model):
            with serving("wsgi:app", "gunicorn.conf.py", environ | drill.settings, files=drill.files) as server:
                found[drill.name] = run(drill, server, bearers[0])
    shown = {name: {"codesherpa": during, "idle": idle} for name, (idle, during) in found.items()}
    bars("floods", "99th percentile of /health beside a flood", "milliseconds", shown)
    for name, (idle, during) in found.items():
        over = f"{during / idle:.1f} ({during - idle:+.0f} ms)"
        headline(f"/health beside {name}, p99", f"{during:.1f} ms", f"idle: {idle:.1f} ms", over)


def drills(model: dict[str, str]) -> list[Drill]:
    tiny = {
        "3": frame(b"3"),
        '42/ws,1["message",{}]': frame(b'42/ws,1["message",{}]'),
        "43/ws,1[]": frame(b"43/ws,1[]"),
        "pongs of WebSocket": frame(b"", 0x8A),
    }
    found = [Drill(f"a stranger's {name}", pouring(one), {}) for name, one in tiny.items()]
    crumbs = frame(b"", 0x01), frame(b"", 0x00)  # A text that begins, and goes on for ever without a letter.
    return [
        *found,
        Drill("a stranger's empty fragments", pouring(crumbs[1], crumbs[0]), {}),
        Drill(f"{LARGE} events of 1 MiB from a stranger", pour_large, {}),
        Drill("lines that nearly are code", lambda *who: ask(*who, [{"message": NEARLY_CODE}]), DEFAULTS),
        Drill("a name of 9,990 letters", ask_about_code, DEFAULTS),
        Drill("replies of 256 KB of code", lambda *who: ask(*who, [{"message": "@chat a fence"}]), DEFAULTS | model),
        Drill(f"4 explanations of {LINES:,} lines", explain, DEFAULTS, prepare=explain_a_little),
        Drill(f"{COMING:,} clients of {FILES:,} descriptors", come_and_go, {}, FILES),
    ]


NEARLY_CODE = "\n".join([(", def f(" * 37)[:296] + ")" * 4650] * 2)


def unclosed_fence() -> str:
    return "```python\n" + "x=1\n" * (1_000 if quick() else 64_000)


def run(drill: Drill, server: Server, bearer: str) -> tuple[float, float]:
    """Ask for /health before and beside a flood; return the 99th percentiles in milliseconds."""
    with connect(server.port, 60) as warm:  # The worker listens before it has loaded the application.
        closed_loop([warm], [HEALTH], 0)
    drill.prepare(server, bearer)
    with asking(server) as idle:
        time.sleep(IDLE)
    with asking(server) as during:
        told = drill.flood(server, bearer)
        time.sleep(AFTERWARDS)
    before, beside = percentile(idle, 99), percentile(during, 99)
    print(
        f"{drill.name:44}{before:12.1f}{beside:10.1f}{1000 * max(during):10.0f}{beside - before:+11.1f}"
        f"{beside / before:8.1f}  {told}",
        flush=True,
    )
    return before, beside


def pouring(one: bytes, first: bytes = b"") -> Flood:
    """Return a flood of one frame."""

    def flood(server: Server, bearer: str) -> str:
        sent, opened = pour(server, one * 1000, first, SECONDS, most=FRAMES // 1000)
        return f"{sent // len(one):,} frames, {opened} connections"

    return flood


def pour_large(server: Server, bearer: str) -> str:
    """Send events whose payload takes long to parse."""
    head, tail = b'42/ws,1["message",{"message":[', b"[]]}]"
    event = head + b"[]," * ((MIB - len(head) - len(tail)) // 3) + tail
    one = frame(event)
    sent, opened = pour(server, one, b"", 4 * SECONDS, most=LARGE)
    return f"{sent / len(one):.1f} events, {opened} connections"


def pour(server: Server, chunk: bytes, first: bytes, seconds: float, most: int) -> tuple[int, int]:
    """Send a chunk over and over, over a new connection when the server closes one.

    Return how many bytes were sent and how many connections it took.
    """
    end, sent, opened = time.perf_counter() + seconds, 0, 0
    while sent < most * len(chunk) and time.perf_counter() < end:
        with suppress(OSError), stranger(server.port) as connection:  # The server may be quicker.
            opened += 1
            connection.sendall(first)
            connection.setblocking(False)
            sent += pour_into(connection, chunk, end, most * len(chunk) - sent)
        time.sleep(0.02)
    return sent, opened


def pour_into(connection: socket.socket, chunk: bytes, end: float, most: int) -> int:
    """Send and read until the server closes the connection or the time or the count is over; return bytes."""
    sent = 0
    with selectors.DefaultSelector() as waiting:
        waiting.register(connection, selectors.EVENT_READ | selectors.EVENT_WRITE)
        while sent < most and (rest := end - time.perf_counter()) > 0:
            for _, event in waiting.select(rest):
                try:
                    if event & selectors.EVENT_READ and not connection.recv(65536):
                        return sent
                    if event & selectors.EVENT_WRITE:
                        sent += connection.send(memoryview(chunk)[sent % len(chunk) :])
                except ConnectionError:
                    return sent
    return sent


def ask(server: Server, bearer: str, bodies: list[dict[str, Any]], seconds: float = SECONDS, at_once: int = 4) -> str:
    """Have one account send messages, so many at once, each as soon as the one before is answered."""
    sent = [request("POST", "/api/v1/chat", bearer, json.dumps(body).encode()) for body in bodies]
    answers = looping(server.port, *sent, connections=at_once, seconds=seconds, statuses=ALLOWED).begin().found()
    return f"{len(answers)} answers, the longest after {max(answers):.1f} s"


def ask_about_code(server: Server, bearer: str) -> str:
    """Ask with a long name in conversations that hold code."""
    conversations = [begun(server, bearer, "@review\n```python\nvalue = 1\n```") for _ in range(4)]
    return ask(server, bearer, [{"message": f"@review {'a' * 9_990}", "conversation_id": id} for id in conversations])


def begun(server: Server, bearer: str, message: str) -> int:
    """Return the conversation that a message begins."""
    with closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)) as connection:
        headers = {"Authorization": f"Bearer {bearer}", "Content-Type": "application/json"}
        connection.request("POST", "/api/v1/chat", json.dumps({"message": message}), headers)
        id: int = json.load(connection.getresponse())["data"]["conversation_id"]
    return id


def explain_a_little(server: Server, bearer: str) -> None:
    ask(server, bearer, [{"message": "@explain", "code_context": "x = 1\n"}], seconds=0, at_once=4)


def explain(server: Server, bearer: str) -> str:
    """Have four long texts explained at once, and look at the worker's memory."""
    before = memory(server) / 1024
    told = ask(server, bearer, [{"message": "@explain", "code_context": "x\n" * LINES}], seconds=0)
    time.sleep(SETTLED)
    after = memory(server) / 1024
    headline(
        f"Memory after 4 explanations of {LINES:,} lines",
        f"{after:.0f} MiB",
        f"before: {before:.0f} MiB",
        f"{after / before:.2f}",
    )
    return f"{told}; memory {before:.0f} MiB before, {after:.0f} MiB after ({after / before:.2f} times)"


def come_and_go(server: Server, bearer: str) -> str:
    """Open more connections than there are descriptors, close them, and see whether a new one is answered."""
    opened = []
    for _ in range(COMING):
        connection = socket.socket()
        connection.setblocking(False)
        connection.connect_ex(("127.0.0.1", server.port))
        opened.append(connection)
    answers = ask_all(opened)
    for connection in opened:
        connection.close()
    told = first_answer(server)
    headline(
        f"A new connection after {COMING:,} clients of {FILES:,} descriptors", told, "an idle worker: at once", "-"
    )
    return f"{answers:,} were answered before they went; a new connection: {told}"


def ask_all(connections: list[socket.socket]) -> int:
    """Ask over each connection as soon as it is open, and count the answers until no more come."""
    answers, end = 0, time.perf_counter() + 3 * PATIENCE
    with selectors.DefaultSelector() as waiting:
        for connection in connections:
            waiting.register(connection, selectors.EVENT_WRITE)
        while time.perf_counter() < end and (ready := waiting.select(SETTLED)):
            for key, event in ready:
                with suppress(OSError):
                    if event & selectors.EVENT_WRITE:
                        key.fileobj.send(HEALTH)  # type: ignore[union-attr]
                        waiting.modify(key.fileobj, selectors.EVENT_READ)
                        continue
                    answers += bool(key.fileobj.recv(65536))  # type: ignore[union-attr]
                waiting.unregister(key.fileobj)
    return answers


def first_answer(server: Server) -> str:
    """Say how soon a new connection gets an answer."""
    began = time.perf_counter()
    try:
        with connect(server.port, PATIENCE) as connection:
            closed_loop([connection], [HEALTH], 0)
    except (OSError, SystemExit):
        return f"no answer within {PATIENCE:.0f} s"
    return f"answered after {1000 * (time.perf_counter() - began):.0f} ms"


if __name__ == "__main__":
    main()
