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
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from flask_migrate import upgrade

import config
from benchmarks.record import bars, quick
from benchmarks.rest import SETTINGS, Server, serving, sign_in
from codesherpa import create_app
from codesherpa.extensions import db

SOCKETS = 100 if quick() else 2000
USERS = 50
AT_ONCE = 16
IDLE = 2 if quick() else 20  # Seconds.
UPGRADE = (
    b"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\n"
    b"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: bm90IGEgc2VjcmV0IGF0IGFsbA==\r\n\r\n"
)


@dataclass
class Found:
    """What so many sockets cost: connected a second, KiB each, percent of a core while idle."""

    rate: float
    memory: float
    idle: float


def main() -> None:
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    with tempfile.TemporaryDirectory() as folder:
        environ = SETTINGS | {"DATABASE_URL": f"sqlite:///{folder}/bench.db"}
        app = create_app(config.load(environ))
        with app.app_context():
            upgrade()
            bearers = [sign_in(f"user{number}") for number in range(USERS)]
            db.engine.dispose()
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
    bars("sockets", "Memory of a socket", "KiB", {"codesherpa": found.memory, "bare": reference.memory})


def measure(server: Server, bearers: list[str], welcome: bytes) -> Found:
    warm = [connect(server, bearers[0], welcome) for _ in range(20)]
    before = memory(server)
    opened: list[socket.socket] = []
    started = time.perf_counter()
    todo = iter(range(SOCKETS))
    lock = threading.Lock()

    def go() -> None:
        while True:
            with lock:
                number = next(todo, None)
            if number is None:
                return
            opened.append(connect(server, bearers[number % USERS], welcome))

    running = [threading.Thread(target=go) for _ in range(AT_ONCE)]
    for one in running:
        one.start()
    for one in running:
        one.join()
    rate = len(opened) / (time.perf_counter() - started)
    time.sleep(1)
    each = (memory(server) - before) / SOCKETS
    cpu = server.cpu()
    time.sleep(IDLE)
    idle = 100 * (server.cpu() - cpu) / IDLE
    for one in opened + warm:
        one.close()
    if len(opened) != SOCKETS:
        raise SystemExit(f"only {len(opened)} of {SOCKETS} sockets were let in")
    return Found(rate, each, idle)


def connect(server: Server, bearer: str, welcome: bytes) -> socket.socket:
    """Open a WebSocket, join the namespace, and wait to be welcomed."""
    connection = socket.create_connection(("127.0.0.1", server.port), timeout=60)
    connection.sendall(UPGRADE)
    seen = b""
    while b"\r\n\r\n" not in seen or b'"sid"' not in seen:
        seen += connection.recv(65536) or hung_up(seen)
    connection.sendall(frame(f"40/ws,{json.dumps({'token': bearer})}".encode()))
    seen = b""
    while welcome not in seen:
        seen += connection.recv(65536) or hung_up(seen)
    return connection


def hung_up(seen: bytes) -> bytes:
    raise SystemExit(f"a server hung up after {seen[:300]!r}")


def frame(text: bytes) -> bytes:
    """Return a masked text frame; the mask is of zeros, so that the text stays as it is."""
    length = bytes([0x80 | len(text)]) if len(text) < 126 else bytes([0x80 | 126]) + struct.pack("!H", len(text))
    return b"\x81" + length + bytes(4) + text


def memory(server: Server) -> float:
    """Return the worker's memory in KiB."""
    worker = Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text().split()[0]
    return int(Path(f"/proc/{worker}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1024


if __name__ == "__main__":
    main()
