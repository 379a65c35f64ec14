"""REST fairness: whether a busy connection delays the others, at 8 and at 64 keep-alive connections.

Each connection sends its next request when it has its answer. A fair worker answers the connections in turn, so an
answer takes connections / throughput: the goal is that p99 is at most twice that. Two client processes share the
connections. The route that answers 429 is called by a user who is over RATE_LIMIT_DEFAULT.

On a busy machine p99 also contains the time in which other processes have the cores. `turns` does not: it counts how
many answers a client process had while one of its connections waited, per connection. It is 1 if they take turns.

Then one client disturbs and others are measured: /health while one connection pipelines its requests, which are all
sent before the first answer is read, and the first token of eight users while the user who gets 429 keeps one
connection busy.
"""
# ruff: noqa: T201  # A measurement prints.

from __future__ import annotations

import selectors
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import quantiles
from typing import Any

from flask_migrate import upgrade

import config
from benchmarks.http_clients import Client, closed_loop, connect, looping, probing, request
from benchmarks.record import bars, headline, quick
from benchmarks.rest import SETTINGS, Server, add_agents, add_chats, serving, sign_in
from benchmarks.streaming import stream
from codesherpa import create_app
from codesherpa.extensions import db
from codesherpa.user.models import User
from tests.standins import bedrock

COUNTS = (8, 64)
PROCESSES = 2  # Clients; the worker fills one core, and one client would be as busy as the worker.
SECONDS = 0.5 if quick() else 4.0
PIPELINED = 300 if quick() else 10_000
ROUNDS = 1 if quick() else 12
LISTENERS = 2 if quick() else 8
LIMIT = 600  # Requests a minute, the default.
GOAL = 2.0  # Times connections / throughput.
HEALTH = request("GET", "/health")
SHORT = {"tokens": 5, "tokens_per_second": 30}


@dataclass
class Shared:
    """What a number of connections got of one route."""

    connections: int
    latencies: list[float]
    seconds: float
    cpu: float
    turns: list[float]

    @property
    def rate(self) -> float:
        return len(self.latencies) / self.seconds

    @property
    def fair(self) -> float:
        """Return the milliseconds that an answer takes where the connections are answered in turn."""
        return 1000 * self.connections / self.rate

    @property
    def p99(self) -> float:
        return percentile(self.latencies, 99)

    @property
    def p99_turns(self) -> float:
        return percentile(self.turns, 99) / 1000


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, bedrock.running() as standin:
        environ = SETTINGS | {"DATABASE_URL": f"sqlite:///{folder}/bench.db"}
        bearers = seed(environ)
        limited = environ | {"RATE_LIMIT_DEFAULT": f"{LIMIT}/minute", "RATE_LIMIT_MESSAGES": "10/second"}
        limited |= {"MODEL_PROVIDER": "bedrock", "BEDROCK_MODEL_ID": "bench.nova-pro", **standin.environment}
        with (
            serving("wsgi:app", "gunicorn.conf.py", environ) as server,
            serving("wsgi:app", "gunicorn.conf.py", limited) as strict,
        ):
            print_routes(server, strict, bearers)
            print_pipelined(server, bearers["ada"])
            print_first_token(strict, standin, bearers)


def seed(environ: dict[str, str]) -> dict[str, str]:
    """Make the users and what they own; return each one's access token."""
    names = ("ada", "writer", "over", *(f"listener{number}" for number in range(LISTENERS)))
    app = create_app(config.load(environ))
    with app.app_context():
        upgrade()
        bearers = {name: sign_in(name) for name in names}
        (ada,) = db.session.query(User.id).filter_by(name="ada").one()
        reply = "The loop reads past the end of the list where it is empty. " * 12
        add_agents(ada, 20)
        add_chats(ada, 60, response=reply, result={"kind": "reply", "reply": reply})
        db.engine.dispose()
    return bearers


def print_routes(server: Server, strict: Server, bearers: dict[str, str]) -> None:
    ada, over = bearers["ada"], request("GET", "/api/v1/user/me", bearers["over"])
    routes = {
        "GET /health": (server, HEALTH),
        "GET /user/me": (server, request("GET", "/api/v1/user/me", ada)),
        "GET /agents (20)": (server, request("GET", "/api/v1/agents", ada)),
        "GET /chat?limit=50": (server, request("GET", "/api/v1/chat?limit=50", ada)),
        "POST /agents": (
            server,
            request("POST", "/api/v1/agents", bearers["writer"], b'{"name": "Measured", "kind": "review"}'),
        ),
        "a route answering 429": (strict, over),
    }
    print(f"closed loops over keep-alive connections from {PROCESSES} processes, one worker, {SECONDS} s each")
    columns = f"{'req/s':>8}{'CPU ms':>9}{'p50 ms':>9}{'p99 ms':>9}{'longest':>9}"
    print(f"{'':24}{'connections':>12}{columns}{'fair ms':>9}{'p99 x fair':>12}{'p99 turns':>11}")
    for count in COUNTS:
        found = {}
        for name, (target, sent) in routes.items():
            keep_limited(strict, over)
            found[name] = share(target, sent, count)
            print_row(name, found[name])
        tell(count, found)


def keep_limited(strict: Server, over: bytes) -> None:
    """Have a user be over the limit, which opens again at every full minute."""
    with connect(strict.port) as connection:
        for _ in range(LIMIT):
            closed_loop([connection], [over], 0, ("200", "429"))


def share(server: Server, sent: bytes, count: int) -> Shared:
    """Have so many connections ask for one route for a while."""
    with connect(server.port) as warm:  # What is made at the first call, a connection to the database say.
        closed_loop([warm], [sent], 0.1, ("20", "429"))
    clients = [
        looping(server.port, sent, connections=count // PROCESSES, seconds=SECONDS, statuses=("20", "429"))
        for _ in range(PROCESSES)
    ]
    cpu, started = server.cpu(), time.perf_counter()
    for client in clients:
        client.begin()
    latencies = [latency for client in clients for latency in client.found()]
    seconds, cpu_each = time.perf_counter() - started, 1000 * (server.cpu() - cpu) / len(latencies)
    return Shared(count, latencies, seconds, cpu_each, [one for client in clients for one in client.turns])


def print_row(name: str, found: Shared) -> None:
    print(
        f"{name:24}{found.connections:12}{found.rate:8.0f}{found.cpu:9.3f}{percentile(found.latencies, 50):9.1f}"
        f"{found.p99:9.1f}{1000 * max(found.latencies):9.0f}{found.fair:9.1f}{found.p99 / found.fair:12.2f}"
        f"{found.p99_turns:11.2f}",
        flush=True,
    )


def tell(count: int, found: dict[str, Shared]) -> None:
    """Give to the report how long each route takes, and to the summary the one that is furthest from its share."""
    title = f"99th percentile at {count} connections, beside connections / throughput"
    values = {name: {"codesherpa": one.p99, "a fair share": one.fair} for name, one in found.items()}
    bars("fairness", title, "milliseconds", values)
    name, worst = max(found.items(), key=lambda item: item[1].p99_turns)
    reference = f"{count} / throughput: {worst.fair:.1f} ms"
    told = f"p99 at {count} connections, the least fair route ({name})"
    ratio = f"{worst.p99 / worst.fair:.2f}; {worst.p99_turns:.2f} turns (goal {GOAL:.0f})"
    headline(told, f"{worst.p99:.1f} ms", reference, ratio)


def print_pipelined(server: Server, bearer: str) -> None:
    sent = request("GET", "/api/v1/user/me", bearer)
    alone = beside(server, lambda: time.sleep(2))
    during = beside(server, lambda: pipeline(server.port, sent * PIPELINED, PIPELINED))
    print(f"\n/health, asked every 10 ms, while one connection pipelines {PIPELINED:,} requests for /user/me")
    print_others("alone", alone)
    print_others("beside", during)
    tell_others(f"/health beside {PIPELINED:,} pipelined requests, p99", "alone", during, alone)


def beside(server: Server, work: Callable[[], Any]) -> list[float]:
    """Ask for /health every 10 ms while something is done; return how long each answer took."""
    with asking(server) as found:
        work()
    return found


@contextmanager
def asking(server: Server) -> Iterator[list[float]]:
    """Ask for /health every 10 ms until the block ends, then give how long each answer took."""
    client: Client = probing(server.port, HEALTH).begin()
    found: list[float] = []
    yield found
    found += client.stop()


def pipeline(port: int, sent: bytes, answers: int) -> None:
    """Send all requests as fast as the server takes them, and read until there is an answer to each."""
    with connect(port) as connection, selectors.DefaultSelector() as waiting:
        connection.setblocking(False)
        waiting.register(connection, selectors.EVENT_READ | selectors.EVENT_WRITE)
        rest, tail = memoryview(sent), b""
        while answers > 0:
            for _, event in waiting.select():
                if event & selectors.EVENT_WRITE:
                    rest = rest[connection.send(rest[:65536]) :]
                    if not rest:
                        waiting.modify(connection, selectors.EVENT_READ)
                if event & selectors.EVENT_READ:
                    data = connection.recv(262_144)
                    if not data:
                        raise ConnectionError("a server hung up")
                    answers -= (tail + data).count(b"HTTP/1.1 200")
                    tail = data[-11:]  # One less than what is counted.


def print_first_token(server: Server, standin: bedrock.StandIn, bearers: dict[str, str]) -> None:
    """Have some users ask at once, again and again, in turn with and without a client that only gets 429."""
    standin.script(SHORT)
    over = request("GET", "/api/v1/user/me", bearers["over"])
    listeners = [bearer for name, bearer in bearers.items() if name.startswith("listener")]
    stream(server, listeners[:1])
    alone: list[float] = []
    during: list[float] = []
    answers = 0
    for _ in range(ROUNDS):
        alone += stream(server, listeners).times("sent", "first")
        keep_limited(server, over)
        busy = looping(server.port, over, connections=1, seconds=60, statuses=("200", "429")).begin()
        during += stream(server, listeners).times("sent", "first")
        answers += len(busy.stop())
    print(f"\nfirst token of {LISTENERS} users at once, {ROUNDS} rounds, and beside one client that gets 429")
    print_others("alone", alone)
    print_others("beside", during)
    print(f"the client got {answers:,} answers")
    tell_others("First token beside one busy client that gets 429, p99", "alone", during, alone)


def print_others(name: str, latencies: list[float]) -> None:
    p50, p99 = percentile(latencies, 50), percentile(latencies, 99)
    print(f"{name:8} p50 {p50:8.1f} ms, p99 {p99:8.1f} ms, longest {1000 * max(latencies):8.1f} ms", flush=True)


def tell_others(what: str, reference: str, during: list[float], alone: list[float]) -> None:
    """Give to the summary what the others' latency was, beside what it is without the client that disturbs."""
    ours, theirs = percentile(during, 99), percentile(alone, 99)
    headline(what, f"{ours:.1f} ms", f"{reference}: {theirs:.1f} ms", f"{ours / theirs:.2f}")


def percentile(latencies: list[float], percent: int) -> float:
    """Return a latency in milliseconds."""
    return 1000 * quantiles(latencies, n=100, method="inclusive")[percent - 1]


if __name__ == "__main__":
    main()
