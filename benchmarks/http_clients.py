"""HTTP clients that measure latency, in processes of their own so that they do not slow down what measures beside them.

`start` starts one of WORK in a new process. It imports the standard library alone, so that it starts in a moment and
`closed_loop` and `probe` spend their time on sockets. The process reads its task as a line of JSON, prints "ready",
begins at the next line, ends after `seconds` or at the line after that, and prints the seconds that each answer took,
and the turns that it waited (see `closed_loop`).
"""
# ruff: noqa: T201  # It tells its parent.

from __future__ import annotations

import contextlib
import json
import re
import selectors
import socket
import subprocess
import sys
import threading
import time
from typing import Any

LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
SUCCESS = ("20",)
EVERY = 0.01  # Seconds from one probe to the next.
PATIENCE = 30.0  # Seconds that a probe may take; one that takes longer is counted as that long.
LONGEST = 120.0  # Seconds that a closed loop may be without an answer.


def request(method: str, path: str, bearer: str = "", body: bytes = b"") -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost", "Accept: */*"]
    if bearer:
        lines.append(f"Authorization: Bearer {bearer}")
    if body:
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, "", ""]).encode() + body


def connect(port: int, timeout: float = PATIENCE) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", port), timeout=timeout)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def receive(connection: socket.socket, statuses: tuple[str, ...] = SUCCESS) -> None:
    """Read one whole answer. Raises ConnectionError if the server hangs up; any other status ends the measurement."""
    answer = connection.recv(262_144)
    while b"\r\n\r\n" not in answer:
        answer += connection.recv(262_144) or hung_up()
    head = answer.index(b"\r\n\r\n")
    length = LENGTH.search(answer, 0, head + 2)
    if not answer.startswith(tuple(f"HTTP/1.1 {status}".encode() for status in statuses)) or not length:
        sys.exit(f"not one of {', '.join(statuses)}: {answer[:500]!r}")
    missing = head + 4 + int(length[1]) - len(answer)
    while missing > 0:
        missing -= len(connection.recv(262_144) or hung_up())


def hung_up() -> bytes:
    raise ConnectionError("a server hung up")


class End:
    """When the work ends; the earliest time that anyone names counts."""

    def __init__(self) -> None:
        self.at = float("inf")

    def within(self, seconds: float) -> None:
        self.at = min(self.at, time.perf_counter() + seconds)


def closed_loop(
    connections: list[socket.socket],
    requests: list[bytes],
    seconds: float,
    statuses: tuple[str, ...] = SUCCESS,
    end: End | None = None,
    turns: list[float] | None = None,
) -> list[float]:
    """Keep each connection busy with one request after another; return how long each answer took.

    The requests are dealt out to the connections in turn. With 0 seconds each connection asks once. `turns` gets, for
    each answer, how many answers all connections had meanwhile, its own included, per connection: 1 where they are
    answered in turn, however busy the machine is.
    """
    waiting = selectors.DefaultSelector()
    end, latencies = end or End(), []
    turns = [] if turns is None else turns
    end.within(seconds)
    for number, connection in enumerate(connections):
        sent = requests[number % len(requests)]
        waiting.register(connection, selectors.EVENT_READ, [sent, time.perf_counter(), 0])
        connection.sendall(sent)
    while waiting.get_map():
        for key, _ in waiting.select(LONGEST) or sys.exit("a server does not answer"):
            connection = key.fileobj  # type: ignore[assignment]
            receive(connection, statuses)
            ended = time.perf_counter()
            latencies.append(ended - key.data[1])
            turns.append((len(latencies) - key.data[2]) / len(connections))
            if ended < end.at:
                key.data[1:] = ended, len(latencies)
                connection.sendall(key.data[0])
            else:
                waiting.unregister(connection)
    waiting.close()
    return latencies


def probe(port: int, sent: bytes, seconds: float, end: End) -> list[float]:
    """Ask at fixed times; return how long each answer took from the time at which it was due.

    A probe that is due while an earlier one still waits has waited since then too. Otherwise a server that stops for
    five seconds would show one slow answer among hundreds of fast ones. A connection that breaks is opened again.
    """
    latencies: list[float] = []
    connection: socket.socket | None = None
    started = time.perf_counter()
    end.within(seconds)
    while (due := started + EVERY * len(latencies)) < end.at:
        time.sleep(max(0.0, due - time.perf_counter()))
        connection = answered(port, sent, connection, due + PATIENCE)
        latencies.append(min(PATIENCE, time.perf_counter() - due))
    if connection:
        connection.close()
    return latencies


def answered(port: int, sent: bytes, connection: socket.socket | None, give_up: float) -> socket.socket | None:
    """Ask until there is an answer or it is time to give up; return the connection to ask over next."""
    while time.perf_counter() < give_up:
        try:
            connection = connection or connect(port)
            connection.settimeout(max(0.01, give_up - time.perf_counter()))
            connection.sendall(sent)
            receive(connection)
        except OSError:
            if connection:
                connection.close()
            connection = None
            time.sleep(EVERY)
        else:
            return connection
    return None


class Client:
    """A client process that has connected and waits for the word to begin."""

    def __init__(self, **task: Any) -> None:
        command = [sys.executable, __file__]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)  # noqa: S603
        assert self._process.stdin  # noqa: S101
        assert self._process.stdout  # noqa: S101
        self._in, self._out = self._process.stdin, self._process.stdout
        self.turns: list[float] = []  # Of a closed loop, when it has been found.
        self._say(json.dumps(task))
        if self._out.readline() != "ready\n":
            sys.exit("a client did not connect")

    def begin(self) -> Client:
        self._say("go")
        return self

    def stop(self) -> list[float]:
        """Have it end before its time, and return what it found."""
        with contextlib.suppress(BrokenPipeError):
            self._say("stop")
        return self.found()

    def found(self) -> list[float]:
        """Wait for its end, and return the seconds that each answer took."""
        told = self._out.readline()
        self._in.close()
        self._out.close()
        if self._process.wait(PATIENCE) or not told:
            sys.exit("a client failed")
        latencies: list[float]
        latencies, self.turns = json.loads(told)
        return latencies

    def _say(self, line: str) -> None:
        self._in.write(f"{line}\n")
        self._in.flush()


def looping(
    port: int, *requests: bytes, connections: int, seconds: float, statuses: tuple[str, ...] = SUCCESS
) -> Client:
    """Return a client that keeps so many connections busy."""
    texts = [sent.decode("latin-1") for sent in requests]
    task = {"port": port, "requests": texts, "seconds": seconds, "connections": connections, "statuses": statuses}
    return Client(**task)


def probing(port: int, sent: bytes, seconds: float = 3600.0) -> Client:
    """Return a client that asks every 10 ms over one connection."""
    return Client(port=port, requests=[sent.decode("latin-1")], seconds=seconds, connections=0)


def work() -> None:
    """Do what the parent asks for."""
    task = json.loads(sys.stdin.readline())
    requests = [text.encode("latin-1") for text in task["requests"]]
    connections = [connect(task["port"]) for _ in range(task["connections"])]
    print("ready", flush=True)
    sys.stdin.readline()
    end = End()
    threading.Thread(target=lambda: sys.stdin.readline() and end.within(0), daemon=True).start()
    turns: list[float] = []
    if connections:
        latencies = closed_loop(connections, requests, task["seconds"], tuple(task["statuses"]), end, turns)
    else:
        latencies = probe(task["port"], requests[0], task["seconds"], end)
    print(json.dumps([latencies, turns]), flush=True)


if __name__ == "__main__":
    work()
