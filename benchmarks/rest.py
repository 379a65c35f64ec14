"""Measure the REST side: requests a second, latency, and the ratio to a bare Flask route under the same server.

One worker on SQLite in a folder of its own, rate limits off, keep-alive connections from this process. Each
route takes turns with the bare one, a fraction of a second each, so that what else the machine does falls on both,
and their ratio is that of the CPU that the workers spent, which does not count who else wanted it.
"""
# ruff: noqa: T201  # A measurement prints.

from __future__ import annotations

import os
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from statistics import median, quantiles
from typing import Any, TextIO

from flask_migrate import upgrade
from sqlalchemy import insert, text

import config
from benchmarks.http_clients import closed_loop, connect, request
from benchmarks.record import bars, headline
from codesherpa import create_app
from codesherpa.agents.models import Agent
from codesherpa.auth import tokens
from codesherpa.auth.models import AuthSession
from codesherpa.chat.models import Chat, Conversation
from codesherpa.database import now
from codesherpa.extensions import db
from codesherpa.user.models import User

CONNECTIONS = 4
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "12"))
TURN = 0.25  # Seconds of load in one turn.
FEW, MANY = 100, 100_000
SETTINGS = {
    "SECRET_KEY": "a key that is only good for measuring, and long",
    "MODEL_PROVIDER": "offline",
    "LOG_LEVEL": "WARNING",
    **{f"RATE_LIMIT_{name}": "off" for name in ("DEFAULT", "AUTH", "LOGIN", "MESSAGES")},
}


@dataclass
class Server:
    """A gunicorn of one worker; `cpu` is the time that the worker has computed, in seconds."""

    port: int
    pid: int

    def cpu(self) -> float:
        try:
            worker = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()[0]
            return int(Path(f"/proc/{worker}/schedstat").read_text().split()[0]) / 1e9
        except (OSError, IndexError):
            return float("nan")  # Not Linux.


@dataclass
class Measured:
    """What a route has shown: every latency; and of each turn, requests a second and the worker's CPU for one."""

    rates: list[float] = field(default_factory=list)
    latencies: list[float] = field(default_factory=list)
    costs: list[float] = field(default_factory=list)

    def percentile(self, percent: int) -> float:
        """Return a latency in milliseconds."""
        return 1000 * quantiles(self.latencies, n=100)[percent - 1]

    @property
    def cpu_each(self) -> float:
        """Return the worker's CPU for one request, in milliseconds: the median of the turns."""
        return 1000 * median(self.costs)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        environ = SETTINGS | {"DATABASE_URL": f"sqlite:///{folder}/bench.db"}
        app = create_app(config.load(environ))
        with app.app_context():
            upgrade()
            bearers = seed()
            uses_the_index()
            db.engine.dispose()
        with (
            serving("wsgi:app", "gunicorn.conf.py", environ) as real,
            serving("benchmarks.bare:app", "benchmarks/bare.conf.py", environ) as bare,
        ):
            print(f"{CONNECTIONS} connections, one worker, {ROUNDS} turns of {TURN} s each")
            print_table(real, bare, bearers)
            print_history(real, bearers)


def seed() -> dict[str, str]:
    """Make the users and what they own; give each one's access token."""
    bearers = {name: sign_in(name) for name in ("ada", "writer", "few", "many")}
    ids = {user.name: user.id for user in db.session.query(User)}
    reply = "The loop reads past the end of the list where it is empty. " * 12
    result = {"kind": "reply", "reply": reply}
    add_agents(ids["ada"], 20)
    add_chats(ids["ada"], 60, response=reply, result=result)
    add_chats(ids["few"], FEW, response="Yes.", result={"kind": "reply", "reply": "Yes."})
    add_chats(ids["many"], MANY, response="Yes.", result={"kind": "reply", "reply": "Yes."})
    return bearers


def sign_in(name: str) -> str:
    email = f"{name}@example.com"
    user = User(name=name, email=email, email_key=email, password_hash="none")  # noqa: S106 (nothing is hashed to it)
    session = AuthSession(user=user, refresh_jti=tokens.fresh_id(), refresh_issued_at=now().replace(microsecond=0))
    db.session.add(session)
    db.session.commit()
    return tokens.issue(session).access_token


def add_agents(user_id: int, count: int) -> None:
    agent = {"user_id": user_id, "description": "Reads Python.", "system_prompt": "Be brief and kind. " * 10}
    db.session.execute(insert(Agent), [agent | {"name": f"Agent {number}"} for number in range(count)])
    db.session.commit()


def add_chats(user_id: int, count: int, **values: Any) -> None:
    conversation = Conversation(user_id=user_id, title="Measured")
    db.session.add(conversation)
    db.session.flush()
    chat = {
        "user_id": user_id,
        "conversation_id": conversation.id,
        "message": "Is this loop right?",
        "status": "complete",
        "sherpa": "general_chat",
        "provider": "offline",
        "routing": {"target_agent": "general_chat", "confidence": 1.0, "reasoning": "Nothing to review."},
        "completed_at": now(),
        **values,
    }
    for start in range(0, count, 10_000):
        db.session.execute(insert(Chat), [chat] * min(10_000, count - start))
    db.session.commit()


def uses_the_index() -> None:
    """Stop where the history would be sorted or read whole."""
    history = "SELECT * FROM chats WHERE user_id = 1 AND id < 1000000 ORDER BY id DESC LIMIT 51"
    plan = " ".join(row[-1] for row in db.session.execute(text(f"EXPLAIN QUERY PLAN {history}")))
    db.session.rollback()
    if "ix_chats_user_id_id" not in plan or "TEMP B-TREE" in plan:
        sys.exit(f"the history of chats does not use its index: {plan}")


@contextmanager
def serving(
    app: str, settings: str, environ: dict[str, str], *, files: int | None = None, log: TextIO | None = None
) -> Iterator[Server]:
    """Serve an application on a free port until the block ends.

    It has so many file descriptors at most; its log goes to a file, or beside our own errors.
    """
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "gunicorn", "-c", settings, app]
    inherited = {name: value for name, value in os.environ.items() if name not in config_names()}
    limit = partial(resource.setrlimit, resource.RLIMIT_NOFILE, (files, files)) if files else None
    process = subprocess.Popen(  # noqa: S603 (our own server)
        command,
        env=inherited | environ | {"PORT": str(port), "HOST": "127.0.0.1"},
        stderr=log,
        preexec_fn=limit,
    )
    try:
        wait_for(port, process)
        yield Server(port, process.pid)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def config_names() -> set[str]:
    return {setting.name for setting in config.SETTINGS} | {"WELCOME"}


def wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    for _ in range(200):
        if process.poll() is not None:
            sys.exit("a server did not start")
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.1)
    sys.exit("a server did not listen")


def load(server: Server, sent: bytes, seconds: float, into: Measured) -> None:
    """Keep every connection busy with one request after another for so long."""
    connections = [connect(server.port) for _ in range(CONNECTIONS)]
    cpu, started = server.cpu(), time.perf_counter()
    latencies = closed_loop(connections, [sent], seconds)
    into.rates.append(len(latencies) / (time.perf_counter() - started))
    into.costs.append((server.cpu() - cpu) / len(latencies))
    into.latencies += latencies
    for connection in connections:
        connection.close()


def take_turns(first: tuple[Server, bytes], second: tuple[Server, bytes]) -> tuple[Measured, Measured]:
    """Measure two requests, one after the other, again and again."""
    found = Measured(), Measured()
    for server, sent in (first, second):
        load(server, sent, 0.1, Measured())  # What is made at the first call, a connection to the database say.
    for _ in range(ROUNDS):
        for measured, (server, sent) in zip(found, (first, second), strict=True):
            load(server, sent, TURN, measured)
    return found


def ratio(first: Measured, second: Measured) -> float:
    """Return how many times as much the second costs, by the median of the turns.

    By what the worker has computed, which others on the machine do not add to; by the clock where that is not told.
    """
    if first.cpu_each > 0:
        return median(other / one for one, other in zip(first.costs, second.costs, strict=True))
    return median(one / other for one, other in zip(first.rates, second.rates, strict=True))


def print_table(real: Server, bare: Server, bearers: dict[str, str]) -> None:
    ada, writer = bearers["ada"], bearers["writer"]
    routes = {
        "GET /health": request("GET", "/health"),
        "GET /user/me": request("GET", "/api/v1/user/me", ada),
        "GET /agents (20)": request("GET", "/api/v1/agents", ada),
        "GET /chat?limit=50": request("GET", "/api/v1/chat?limit=50", ada),
        "POST /agents": request("POST", "/api/v1/agents", writer, b'{"name": "Measured", "kind": "review"}'),
    }
    print(f"{'':20}{'req/s':>8}{'p50 ms':>9}{'p99 ms':>9}{'CPU ms':>9}{'bare ms':>9}{'bare req/s':>12}{'x bare':>8}")
    costs, rates = {}, {}
    for name, sent in routes.items():
        beside, found = take_turns((bare, request("GET", "/bare")), (real, sent))
        costs[name] = {"codesherpa": found.cpu_each, "bare Flask": beside.cpu_each}
        rates[name] = median(found.rates)
        reference = f"a bare Flask route: {median(beside.rates):,.0f}"
        headline(f"{name}, a second", f"{rates[name]:,.0f}", reference, f"{ratio(beside, found):.2f} x the CPU")
        print(
            f"{name:20}{median(found.rates):8.0f}{found.percentile(50):9.2f}{found.percentile(99):9.2f}"
            f"{found.cpu_each:9.3f}{beside.cpu_each:9.3f}{median(beside.rates):12.0f}{ratio(beside, found):8.2f}",
            flush=True,
        )
    bars("rest", "CPU of one request", "milliseconds of the worker", costs)
    bars("rest", "Requests that one worker answers", f"a second, over {CONNECTIONS} connections", rates)


def print_history(real: Server, bearers: dict[str, str]) -> None:
    few, many = (request("GET", "/api/v1/chat?limit=50", bearers[name]) for name in ("few", "many"))
    of_few, of_many = take_turns((real, few), (real, many))
    print(f"GET /chat?limit=50 of {MANY:,} chats costs {ratio(of_few, of_many):.2f} times what it does of {FEW}")


if __name__ == "__main__":
    main()
