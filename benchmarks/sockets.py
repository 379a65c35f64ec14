"""Sockets: how many connect a second, what each costs in memory, and what they cost while nothing happens.

Each signs in with its token and waits for `ready`, over WebSocket. Beside it, in the same run, a bare Socket.IO
namespace under the same server, which lets everybody in.
"""
# ruff: noqa: T201  # A measurement prints.

from __future__ import annotations

import json
import os
import resource
import socket
import struct
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from flask_migrate import upgrade

import config
from benchmarks.record import bars, headline, quick, written
from benchmarks.rest import SETTINGS, Server, serving, sign_in
from codesherpa import create_app
from codesherpa.extensions import db

SOCKETS = 100 if quick() else 2000
USERS = 50
AT_ONCE = 16
IDLE = 2 if quick() else 20  # Seconds.
UPGRADE = (
    b"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\n"
    b"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: bm90IGEgc2VjcmV0ISEhIQ==\r\n\r\n"
)


@dataclass
class Found:
    """What so many sockets cost: connected a second, KiB each, percent of a core while idle."""

    rate: float
    memory: float
    idle: float


@contextmanager
def users() -> Iterator[tuple[dict[str, str], list[str]]]:
    """Give the settings of a fresh database, and the tokens of USERS who are signed in there."""
    with tempfile.TemporaryDirectory() as folder:
        environ = SETTINGS | {"DATABASE_URL": f"sqlite:///{folder}/bench.db"}
        app = create_app(config.load(environ))
        with app.app_context():
            upgrade()
            bearers = [sign_in(f"user{number}") for number in range(USERS)]
            db.engine.dispose()
        yield environ, bearers


def main() -> None:
    allow_many_files()
    with users() as (environ, bearers):
        with serving("benchmarks.bare_namespace:app", "benchmarks/bare.conf.py", environ) as bare:
            reference = measure(bare, bearers, b"connected")
        with serving("wsgi:app", "gunicorn.conf.py", environ) as real:
            found = measure(real, bearers, b'"ready"')
    print(f"{SOCKETS} sockets of {USERS} users, {AT_ONCE} connecting at a time")
    print(f"{'':12}{'connects/s':>12}{'KiB each':>10}{'idle, % of a core':>19}")
    for name, one in (("codesherpa", found), ("bare", reference)):
        print(f"{name:12}{one.rate:12.0f}{one.memory:10.1f}{one.idle:19.2f}")
    print(f"{'x bare':12}{reference.rate / found.rate:12.2f}{found.memory / reference.memory:10.2f}", end="")
    print(f"{found.idle / reference.idle:19.2f}" if reference.idle else "")
    tell(found, reference)


def tell(found: Found, reference: Found) -> None:
    """Give what was found to the report."""
    bare = "a bare namespace"
    told = (
        ("Sockets that connect", "a second", "rate", ""),
        ("Memory of a socket", "KiB", "memory", " KiB"),
        (f"CPU of {SOCKETS:,} sockets while nothing happens", "percent of a core", "idle", " %"),
    )
    for title, unit, field, short in told:
        ours, theirs = getattr(found, field), getattr(reference, field)
        bars("sockets", title, unit, {"": {"codesherpa": ours, bare: theirs}})
        ratio = f"{ours / theirs:.2f}" if theirs else "-"
        numbers = (f"{written(ours)}{short}", f"{bare}: {written(theirs)}{short}")
        headline(f"{title}{', a second' * (not short)}", *numbers, ratio)


def measure(server: Server, bearers: list[str], welcome: bytes) -> Found:
    warm = [connect(server, bearers[0], welcome) for _ in range(20)]
    before = memory(server)
    started = time.perf_counter()
    opened = open_all(SOCKETS, lambda number: connect(server, bearers[number % USERS], welcome))
    rate = len(opened) / (time.perf_counter() - started)
    time.sleep(1)
    each = (memory(server) - before) / SOCKETS
    cpu = server.cpu()
    time.sleep(IDLE)
    idle = 100 * (server.cpu() - cpu) / IDLE
    for one in opened + warm:
        one.close()
    return Found(rate, each, idle)


def allow_many_files() -> None:
    """Let this process, and the servers that it starts, open as many files as the system lets it."""
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))


def open_all(count: int, open_one: Callable[[int], socket.socket]) -> list[socket.socket]:
    """Open so many sockets, some at a time, and return them in their order. Raises what one of them does."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(open_one, range(count)))


def connect(server: Server, bearer: str, welcome: bytes) -> socket.socket:
    """Open a WebSocket, join the namespace, and wait to be welcomed."""
    connection = stranger(server.port)
    connection.sendall(frame(f"40/ws,{json.dumps({'token': bearer})}".encode()))
    seen = b""
    while welcome not in seen:
        seen += connection.recv(65536) or hung_up(seen)
    return connection


def stranger(port: int) -> socket.socket:
    """Open a WebSocket that has joined nothing. Raises ConnectionError if the server closes it."""
    connection = socket.create_connection(("127.0.0.1", port), timeout=60)
    connection.sendall(UPGRADE)
    seen = b""
    while b"\r\n\r\n" not in seen or b'"sid"' not in seen:
        seen += connection.recv(65536) or hung_up(seen)
    return connection


def hung_up(seen: bytes) -> bytes:
    raise ConnectionError(f"a server hung up after {seen[:300]!r}")


def frame(payload: bytes, head: int = 0x81) -> bytes:
    """Return a masked frame, a whole text unless `head` says otherwise; the mask of zeros changes nothing."""
    size = len(payload)
    if size < 126:
        length = bytes([0x80 | size])
    else:
        length = b"\xfe" + struct.pack("!H", size) if size < 65536 else b"\xff" + struct.pack("!Q", size)
    return bytes([head]) + length + bytes(4) + payload


def memory(server: Server) -> float:
    """Return the worker's memory in KiB."""
    worker = Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text().split()[0]
    return int(Path(f"/proc/{worker}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1024


if __name__ == "__main__":
    main()
