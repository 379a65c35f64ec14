"""Measure how others fare while a crowd signs in: the latency of /health during 200 sign-ins at once.

One worker on SQLite in a folder of its own, bcrypt at its default cost. The same is measured while nobody signs in.
"""
# ruff: noqa: T201  # A measurement prints.

from __future__ import annotations

import http.client
import json
import tempfile
import threading
import time
from collections import Counter
from statistics import quantiles

from flask_migrate import upgrade

import config
from benchmarks.record import bars, headline, quick
from benchmarks.rest import SETTINGS, Server, serving
from codesherpa import create_app
from codesherpa.extensions import db
from codesherpa.user import service as users

CROWD = 20 if quick() else 200
EMAIL, PASSWORD = "ada@example.com", "correct horse battery"


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        environ = SETTINGS | {"DATABASE_URL": f"sqlite:///{folder}/bench.db"}
        app = create_app(config.load(environ))
        with app.app_context():
            upgrade()
            users.create("Ada", EMAIL, PASSWORD)
            db.engine.dispose()
        with serving("wsgi:app", "gunicorn.conf.py", environ) as server:
            print(f"{'':28}{'/health p50 ms':>16}{'p99 ms':>10}{'answers':>10}")
            ask(server, "GET", "/health")  # The worker listens before it has loaded the application.
            quiet, busy = show("while nobody signs in", alone(server, 3.0)), crowd(server)
    print(f"p99 is {busy[1] / quiet[1]:.1f} times what it is while nobody signs in")
    told = {"while nobody signs in": quiet, f"while {CROWD} sign in": busy}
    for at, name in enumerate(("Median", "99th percentile")):
        bars("sign_in", f"{name} of /health", "milliseconds", {when: cuts[at] for when, cuts in told.items()})
    reference = f"while nobody does: {quiet[1]:.0f} ms"
    headline(f"/health while {CROWD} sign in, p99", f"{busy[1]:.0f} ms", reference, f"{busy[1] / quiet[1]:.1f}")


def ask(server: Server, method: str, path: str, body: object = None) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    try:
        connection.request(method, path, json.dumps(body) if body else None, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        answer.read()
        return answer.status
    finally:
        connection.close()


def alone(server: Server, seconds: float, until: threading.Event | None = None) -> list[float]:
    """Ask for /health every 10 ms, for so long or until something is over; return the latencies."""
    latencies, end = [], time.perf_counter() + seconds
    while time.perf_counter() < end and not (until and until.is_set()):
        started = time.perf_counter()
        ask(server, "GET", "/health")
        latencies.append(time.perf_counter() - started)
        time.sleep(0.01)
    return latencies


def crowd(server: Server) -> tuple[float, float]:
    """Have a crowd sign in at once; return the median and the 99th percentile of /health meanwhile."""
    statuses: Counter[int] = Counter()
    over = threading.Event()

    def sign_in() -> None:
        body = {"email": EMAIL, "password": PASSWORD}
        statuses[ask(server, "POST", "/api/v1/auth/login", body)] += 1
        if statuses.total() == CROWD:
            over.set()

    threads = [threading.Thread(target=sign_in) for _ in range(CROWD)]
    started = time.perf_counter()
    for thread in threads:
        thread.start()
    latencies = alone(server, 60.0, over)
    for thread in threads:
        thread.join()
    found = show(f"while {CROWD} sign in", latencies)
    told = ", ".join(f"{count} times {status}" for status, count in sorted(statuses.items()))
    print(f"{told}, all within {time.perf_counter() - started:.1f} s")
    return found


def show(name: str, latencies: list[float]) -> tuple[float, float]:
    """Print the median and the 99th percentile, and return them in milliseconds."""
    cuts = quantiles(latencies, n=100)
    print(f"{name:28}{1000 * cuts[49]:16.1f}{1000 * cuts[98]:10.1f}{len(latencies):10}")
    return 1000 * cuts[49], 1000 * cuts[98]


if __name__ == "__main__":
    main()
