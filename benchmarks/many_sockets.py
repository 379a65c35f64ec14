"""Many sockets: 5,000 users on two workers with PostgreSQL and Redis, a session and a quiet socket for each of them.

What a socket costs in memory, what all of them cost while nothing happens, and how soon one is told that its session
has ended when somebody signs out at the other worker. Wants a PostgreSQL (TEST_DATABASE_URL) in which it may make a
database, and a Redis (TEST_REDIS_URL).
"""
# ruff: noqa: T201  # A measurement prints.

from __future__ import annotations

import os
import selectors
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import psycopg2
from flask_migrate import upgrade
from sqlalchemy.engine import make_url

import config
from benchmarks.record import bars, quick
from benchmarks.rest import SETTINGS, Server, request, serving
from benchmarks.sockets import allow_many_files, connect, frame, memory, open_all
from codesherpa import create_app
from codesherpa.auth import tokens
from codesherpa.auth.models import AuthSession
from codesherpa.database import now
from codesherpa.extensions import db
from codesherpa.user.models import User

SOCKETS = 200 if quick() else 5000
WARM = 40
PATIENCE = 30.0  # Seconds for one that is signed out to be told.
PING = b"\x81\x012"
IDLE = 2 if quick() else 20  # Seconds.
POSTGRES = os.environ.get("TEST_DATABASE_URL", "postgresql://postgres@127.0.0.1:5432/postgres")
REDIS = os.environ.get("TEST_REDIS_URL", "redis://127.0.0.1:6379/15")


def main() -> None:
    allow_many_files()
    with ExitStack() as stack:
        environ = SETTINGS | {"DATABASE_URL": stack.enter_context(database()), "REDIS_URL": REDIS}
        bearers = signed_in(environ)
        workers = [stack.enter_context(serving("wsgi:app", "gunicorn.conf.py", environ)) for _ in range(2)]
        measure(workers, bearers)


@contextmanager
def database() -> Iterator[str]:
    """Give the URL of a database of this measurement's own."""
    name = f"codesherpa_bench_{uuid.uuid4().hex[:12]}"
    order(f'CREATE DATABASE "{name}"')
    try:
        yield make_url(POSTGRES).set(database=name).render_as_string(hide_password=False)
    finally:
        order(f'DROP DATABASE "{name}" WITH (FORCE)')


def order(statement: str) -> None:
    connection = psycopg2.connect(POSTGRES)
    connection.autocommit = True
    connection.cursor().execute(statement)
    connection.close()


def signed_in(environ: dict[str, str]) -> list[str]:
    """Make the users, and return the access token of each."""
    app = create_app(config.load(environ))
    with app.app_context():
        upgrade()
        sessions = [session_of(f"user{number}@example.com") for number in range(SOCKETS + WARM)]
        db.session.add_all(sessions)
        db.session.flush()
        bearers = [tokens.issue(session).access_token for session in sessions]
        db.session.commit()
        db.engine.dispose()
    return bearers


def session_of(email: str) -> AuthSession:
    user = User(name="Ada", email=email, email_key=email, password_hash="none")  # noqa: S106 (nothing is hashed to it)
    return AuthSession(user=user, refresh_jti=tokens.fresh_id(), refresh_issued_at=now().replace(microsecond=0))


def measure(workers: list[Server], bearers: list[str]) -> None:
    warm = [connect(workers[number % 2], bearers.pop(), b'"ready"') for number in range(WARM)]
    before = [memory(worker) for worker in workers]
    quiet = Quiet()
    opened, seconds = connected(workers, bearers, quiet)
    time.sleep(1)
    each = [2 * (memory(worker) - had) / SOCKETS for worker, had in zip(workers, before, strict=True)]
    cpu = [worker.cpu() for worker in workers]
    time.sleep(IDLE)
    idle = [100 * (worker.cpu() - had) / IDLE for worker, had in zip(workers, cpu, strict=True)]
    if quiet.closed:
        raise SystemExit(f"{len(quiet.closed)} sockets were closed while nothing happened")
    told = sign_out(workers[1], bearers[0], quiet, opened[0])
    print(f"{SOCKETS} users with a socket each, on two workers; {SOCKETS / seconds:.0f} connected a second")
    print(f"{'':8}{'KiB each':>10}{'in all, MiB':>13}{'idle, % of a core':>19}")
    for number, worker in enumerate(workers):
        print(f"worker {number + 1}{each[number]:10.1f}{memory(worker) / 1024:13.0f}{idle[number]:19.1f}")
    print(f"signed out at the other worker: told and closed after {told:.2f} s")
    bars("many_sockets", "Memory of a socket", "KiB", {f"worker {number + 1}": one for number, one in enumerate(each)})
    for one in opened + warm:
        one.close()


class Quiet:
    """Sockets that say nothing but that they are there, each time that they are asked, as a browser's do."""

    def __init__(self) -> None:
        self._waiting = selectors.DefaultSelector()
        self._lock = threading.Lock()
        self.heard: dict[socket.socket, bytes] = {}
        self.closed: set[socket.socket] = set()
        threading.Thread(target=self._answer, daemon=True).start()

    def add(self, connection: socket.socket) -> None:
        with self._lock:
            self._waiting.register(connection, selectors.EVENT_READ)

    def _answer(self) -> None:
        while True:
            if not self._waiting.get_map():
                time.sleep(0.05)
                continue
            for key, _ in self._waiting.select(0.05):
                self._follow(key.fileobj)  # type: ignore[arg-type]

    def _follow(self, connection: socket.socket) -> None:
        try:
            data = connection.recv(65536)
            if PING in data:
                connection.sendall(frame(b"3"))
        except OSError:
            data = b""
        if data:
            self.heard[connection] = self.heard.get(connection, b"")[-1000:] + data
        else:
            with self._lock:
                self._waiting.unregister(connection)
            self.closed.add(connection)


def connected(workers: list[Server], bearers: list[str], quiet: Quiet) -> tuple[list[socket.socket], float]:
    """Open a socket for each, some at a time; return them in their order, and the seconds that it took."""

    def open_one(number: int) -> socket.socket:
        connection = connect(workers[number % 2], bearers[number], b'"ready"')
        quiet.add(connection)
        return connection

    started = time.perf_counter()
    return open_all(SOCKETS, open_one), time.perf_counter() - started


def sign_out(worker: Server, bearer: str, quiet: Quiet, connection: socket.socket) -> float:
    """Sign out at one worker, and return after how many seconds a socket at another was told and closed."""
    started = time.perf_counter()
    with socket.create_connection(("127.0.0.1", worker.port), timeout=60) as rest:
        rest.sendall(request("POST", "/api/v1/auth/logout", bearer))
        if b" 200 " not in rest.recv(65536).split(b"\r\n")[0]:
            raise SystemExit("the session did not end")
    while connection not in quiet.closed and time.perf_counter() - started < PATIENCE:
        time.sleep(0.01)
    if b'"session_expired"' not in quiet.heard.get(connection, b""):
        raise SystemExit("a socket was not told that its session has ended")
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
