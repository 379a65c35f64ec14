"""What 2,000 slow clients leave of /health behind nginx, which stands there to take them upon itself.

A third sends a header without an end, a third a body without one, a third does not read what it is sent; each
connection moves a byte now and then for as long as the measurement takes. They come from 20 addresses, so that
the limit for one address does not spare nginx the rest.
"""
# ruff: noqa: T201  # A measurement prints.

from __future__ import annotations

import socket
import sys
import tempfile
import threading
import time
from pathlib import Path
from statistics import quantiles

from flask_migrate import upgrade

import config
from benchmarks.record import bars, headline, quick
from benchmarks.rest import SETTINGS, request, serving
from codesherpa import create_app
from codesherpa.extensions import db
from tests.live import front

CLIENTS, ADDRESSES = (100 if quick() else 2000), 20
SECONDS = 9 if quick() else 15
HEADER = b"GET /health HTTP/1.1\r\nHost: x\r\nX-Slow: "
BODY = b"POST /api/v1/auth/login HTTP/1.1\r\nHost: x\r\nContent-Length: 900000\r\n\r\n{"
UNREAD = b"GET /api/v1/openapi.json HTTP/1.1\r\nHost: x\r\n\r\n"


def main(clients: int = CLIENTS, seconds: float = SECONDS) -> dict[str, float]:
    """Measure /health without and with slow clients; return milliseconds."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        environ = SETTINGS | {"DATABASE_URL": f"sqlite:///{folder}/slow.db", "TRUSTED_PROXIES": "1"}
        app = create_app(config.load(environ))
        with app.app_context():
            upgrade()
            db.engine.dispose()
        with (
            serving("wsgi:app", "gunicorn.conf.py", environ) as one,
            serving("wsgi:app", "gunicorn.conf.py", environ) as two,
            front.nginx(folder / "nginx", (one.port, two.port), patience="10s") as port,
        ):
            alone = ask(port, seconds / 3)
            connections = [slow(port, number) for number in range(clients)]
            done = threading.Event()
            crawling = threading.Thread(target=crawl, args=(connections, done))
            crawling.start()
            time.sleep(3)  # Until what they asked for has been answered.
            beside = ask(port, seconds)
            held = sum(is_open(connection) for connection in connections)
            done.set()
            crawling.join()
            for connection in connections:
                connection.close()
    found = {"alone p99": p99(alone), "beside p99": p99(beside), "answers": len(beside), "still open": held}
    print(f"/health behind nginx: p99 {found['alone p99']:.1f} ms alone, {found['beside p99']:.1f} ms beside", end=" ")
    print(f"{clients} slow clients ({held} still open at the end; {len(beside)} answers, all of them 200)")
    times = found["beside p99"] / found["alone p99"]
    print(f"that is {times:.2f} times what it is alone")
    bars(
        "slow_clients",
        "99th percentile of /health behind nginx",
        "milliseconds",
        {"alone": found["alone p99"], f"beside {clients:,} slow clients": found["beside p99"]},
    )
    reference = f"alone: {found['alone p99']:.1f} ms"
    headline(
        f"/health beside {clients:,} slow clients, p99", f"{found['beside p99']:.1f} ms", reference, f"{times:.2f}"
    )
    return found


def slow(port: int, number: int) -> socket.socket:
    """Open one slow client's connection and send how it begins."""
    connection = socket.create_connection(
        ("127.0.0.1", port), timeout=10, source_address=(f"127.0.1.{1 + number % ADDRESSES}", 0)
    )
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    connection.sendall((HEADER, BODY, UNREAD)[number % 3])
    connection.setblocking(False)
    return connection


def crawl(connections: list[socket.socket], done: threading.Event) -> None:
    """Send one byte on each connection every few seconds."""
    while not done.wait(4):
        for number, connection in enumerate(connections):
            if number % 3 < 2:
                try:
                    connection.send(b"x")
                except OSError:
                    continue  # nginx has hung up on it, as it should.


def is_open(connection: socket.socket) -> bool:
    try:
        return bool(connection.recv(1, socket.MSG_PEEK)) or False
    except BlockingIOError:
        return True
    except OSError:
        return False


def ask(port: int, seconds: float) -> list[float]:
    """Ask for /health again and again, on a new connection each time; return the seconds each took."""
    taken, end = [], time.perf_counter() + seconds
    while time.perf_counter() < end:
        started = time.perf_counter()
        with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
            connection.sendall(request("GET", "/health"))
            if not connection.recv(4096).startswith(b"HTTP/1.1 200"):
                sys.exit("/health was not answered")
        taken.append(time.perf_counter() - started)
        time.sleep(0.005)
    return taken


def p99(seconds: list[float]) -> float:
    if len(seconds) < 2:
        sys.exit("/health was hardly answered")
    return 1000 * quantiles(seconds, n=100)[98]


if __name__ == "__main__":
    main()
