"""Sign-ins a second beside bcrypt's own ceiling on this machine, and what a flood of them leaves of /health.

The ceiling is what every core does of the same hash and nothing else, measured before; a worker cannot do more.
"""
# ruff: noqa: T201  # A measurement prints.

from __future__ import annotations

import http.client
import json
import os
import tempfile
import threading
import time
from statistics import quantiles

import bcrypt
from flask_migrate import upgrade

import config
from benchmarks.record import bars, headline, quick
from benchmarks.rest import SETTINGS, Server, serving
from codesherpa import create_app
from codesherpa.extensions import db
from codesherpa.user import service as users

ROUNDS = 12
SECONDS = 1.5 if quick() else 10
CLIENTS = (1, 4) if quick() else (1, 2, 4, 8)
PASSWORD = "correct horse battery"  # noqa: S105 (it opens nothing)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        environ = SETTINGS | {"DATABASE_URL": f"sqlite:///{folder}/bench.db", "BCRYPT_ROUNDS": str(ROUNDS)}
        app = create_app(config.load(environ))
        with app.app_context():
            upgrade()
            for number in range(max(CLIENTS)):
                users.create("Ada", f"ada{number}@example.com", PASSWORD)
            db.engine.dispose()
        with serving("wsgi:app", "gunicorn.conf.py", environ) as server:
            most = ceiling(SECONDS)
            print(f"bcrypt alone, {ROUNDS} rounds, {os.cpu_count()} threads: {most:.2f} hashes a second, the ceiling")
            print(f"{'clients':>8}{'sign-ins/s':>12}{'of the ceiling':>16}{'/health p50 ms':>16}{'p99 ms':>9}")
            rates = {count: show(server, count, most) for count in CLIENTS}
    shown: dict[str, dict[str, float]] = {}
    for count, rate in rates.items():
        shown[f"{count} client{'s' * (count > 1)}"] = {"codesherpa": rate}
    shown["the ceiling"] = {f"bcrypt alone on {os.cpu_count()} cores": most}
    bars("logins", "Sign-ins", f"a second, bcrypt at {ROUNDS} rounds", shown)
    best = max(rates.values())
    ceiling_told = f"bcrypt alone on all {os.cpu_count()} cores: {most:.1f}"
    headline("Sign-ins a second", f"{best:.1f}", ceiling_told, f"{best / most:.2f} of the ceiling")


def ceiling(seconds: float) -> float:
    """Return how many hashes a second all cores do together, and nothing else."""
    hashed = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(ROUNDS))
    return together(os.cpu_count() or 1, seconds, lambda _number: bcrypt.checkpw(PASSWORD.encode(), hashed))


def show(server: Server, clients: int, most: float) -> float:
    """Sign in with so many clients at once and look at /health meanwhile; return sign-ins a second."""
    taken: list[float] = []
    done = threading.Event()
    looking = threading.Thread(target=look, args=(server, done, taken))
    looking.start()
    rate = together(clients, SECONDS, lambda number: sign_in(server, number))
    done.set()
    looking.join()
    p50, p99 = (1000 * quantiles(taken, n=100)[share] for share in (49, 98))
    print(f"{clients:8}{rate:12.2f}{rate / most:16.2f}{p50:16.1f}{p99:9.1f}", flush=True)
    return rate


def together(threads: int, seconds: float, work: object) -> float:
    """Do something again and again in several threads; return how often a second."""
    end, counts = time.monotonic() + seconds, [0] * threads
    started = time.monotonic()

    def go(number: int) -> None:
        while time.monotonic() < end:
            work(number)  # type: ignore[operator]
            counts[number] += 1

    running = [threading.Thread(target=go, args=(number,)) for number in range(threads)]
    for one in running:
        one.start()
    for one in running:
        one.join()
    return sum(counts) / (time.monotonic() - started)


def sign_in(server: Server, number: int) -> None:
    body = json.dumps({"email": f"ada{number}@example.com", "password": PASSWORD})
    if (status := ask(server, "POST", "/api/v1/auth/login", body)) != 200:
        raise SystemExit(f"a sign-in was answered {status}")


def ask(server: Server, method: str, path: str, body: str | None = None) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    connection.request(method, path, body, {"Content-Type": "application/json"} if body else {})
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer.status


def look(server: Server, done: threading.Event, taken: list[float]) -> None:
    while not done.wait(0.02) or len(taken) < 2:
        started = time.perf_counter()
        ask(server, "GET", "/health")
        taken.append(time.perf_counter() - started)


if __name__ == "__main__":
    main()
