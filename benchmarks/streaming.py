"""Measure streaming: replies at once from the stand-in for Bedrock through one worker to real sockets.

Beside it, in the same run, a bare python-socketio server that emits each token through boto3, so that the ratio
holds on any machine. The stand-in, each server and the clients have a process each; every socket is a user of its own.
"""
# ruff: noqa: T201  # A measurement prints.

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from flask_migrate import upgrade

import config
from benchmarks.record import bars, headline
from benchmarks.rest import SETTINGS, Server, serving, sign_in
from codesherpa import create_app
from codesherpa.extensions import db
from tests.standins import bedrock

PACED = {"tokens": 60, "tokens_per_second": 30}
IDEAL = (PACED["tokens"] - 1) / PACED["tokens_per_second"]  # Seconds: the first token comes at once.
FLAT_OUT = {"tokens": 200}
COUNTS = tuple(int(count) for count in os.environ.get("BENCH_STREAMS", "1,100,300").split(","))


@dataclass
class Measured:
    """What the sockets saw of some replies, and what the worker spent on them."""

    replies: list[dict[str, Any]]
    cpu: float
    memory: float

    def times(self, start: str, end: str) -> list[float]:
        return sorted(reply[end] - reply[start] for reply in self.replies)

    @property
    def seconds(self) -> float:
        """Return the time from the first message to the last event."""
        return max(reply["last"] for reply in self.replies) - min(reply["sent"] for reply in self.replies)

    @property
    def characters(self) -> int:
        return sum(reply["characters"] for reply in self.replies)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, bedrock.running() as standin:
        environ = SETTINGS | {"DATABASE_URL": f"sqlite:///{folder}/bench.db"}
        bearers = seed(environ, max(COUNTS))
        environ |= {"MODEL_PROVIDER": "bedrock", "BEDROCK_MODEL_ID": "bench.nova-pro", **standin.environment}
        with (
            serving("wsgi:app", "gunicorn.conf.py", environ) as real,
            serving("benchmarks.bare_sockets:app", "benchmarks/bare.conf.py", environ) as bare,
        ):
            servers = {"codesherpa": real, "bare": bare}
            for server in servers.values():
                standin.script({"tokens": 2})
                stream(server, bearers[:1])  # What is made at the first call, the client say.
            print_paced(servers, standin, bearers)
            print_flat_out(servers, standin, bearers)


def seed(environ: dict[str, str], count: int) -> list[str]:
    """Make a user for each socket and return their access tokens."""
    app = create_app(config.load(environ))
    with app.app_context():
        upgrade()
        bearers = [sign_in(f"user{number}") for number in range(count)]
        db.engine.dispose()
    return bearers


def stream(
    server: Server,
    bearers: list[str],
    look_after: float = 0.0,
    moments: Sequence[float] | None = None,
    until: str = "last",
    ready: Callable[[], object] = lambda: None,
) -> Measured:
    """Have each socket ask once, all at the same time or after so many seconds each; `ready` is called before.

    Memory is looked at after so many seconds. With "first" as `until`, the sockets close after their first delta.
    """
    command = [sys.executable, "-m", "benchmarks.listeners", str(server.port), "@chat hello", until]
    clients = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)  # noqa: S603
    assert clients.stdin  # noqa: S101
    assert clients.stdout  # noqa: S101
    clients.stdin.write(json.dumps(bearers) + "\n")
    clients.stdin.flush()
    if clients.stdout.readline() != "ready\n":
        sys.exit("the sockets did not connect")
    ready()
    cpu, memory = server.cpu(), resident(server)
    clients.stdin.write("go\n" if moments is None else f"{json.dumps(moments)}\n")
    clients.stdin.flush()
    time.sleep(look_after)
    grown = resident(server) - memory
    told = clients.stdout.readline()
    cpu = server.cpu() - cpu
    if clients.wait(30) or not told:
        sys.exit("the sockets did not hear the end")
    replies = json.loads(told)
    wanted = "response" if until == "last" else "first"
    if failed := [reply["end"] or "no end" for reply in replies if reply["end"] != wanted]:
        sys.exit(f"{len(failed)} of {len(replies)} replies failed: {', '.join(sorted(set(failed)))}")
    return Measured(replies, cpu, grown / len(bearers))


def resident(server: Server) -> float:
    """Return the worker's memory in kilobytes."""
    try:
        worker = Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text().split()[0]
        return int(Path(f"/proc/{worker}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1024
    except (OSError, IndexError):
        return float("nan")  # Not Linux.


def spread(times: list[float], less: float = 0.0) -> str:
    """Write the median and the 99th percentile, in milliseconds."""
    cuts = quantiles(times, n=100, method="inclusive") if len(times) > 1 else [times[0]] * 99
    return f"{1000 * (cuts[49] - less):8.0f}{1000 * (cuts[98] - less):8.0f}"


def print_paced(servers: dict[str, Server], standin: bedrock.StandIn, bearers: list[str]) -> None:
    standin.script(PACED)
    tokens = PACED["tokens"]
    print(f"{tokens} tokens at {PACED['tokens_per_second']} a second: milliseconds over the stand-in's own")
    columns = f"{'first p50':>10}{'p99':>8}{'whole p50':>10}{'p99':>8}{'CPU ms/1000 tokens':>20}"
    print(f"{'':26}{columns}{'KB/stream':>11}{'events':>8}")
    costs: dict[str, dict[str, float]] = {f"{count} at once": {} for count in COUNTS}
    waits: dict[str, dict[str, float]] = {f"{count} at once": {} for count in COUNTS}
    for count in COUNTS:
        for name, server in servers.items():
            found = stream(server, bearers[:count], look_after=1.5)
            cpu = costs[f"{count} at once"][name] = 1e6 * found.cpu / (count * tokens)
            waits[f"{count} at once"][name] = 1000 * median(found.times("sent", "first"))
            events = sum(reply["events"] for reply in found.replies) / count
            print(
                f"{name:12}{count:6} at once {spread(found.times('sent', 'first'))}  "
                f"{spread(found.times('sent', 'last'), IDEAL)}{cpu:20.1f}{found.memory:11.0f}{events:8.0f}",
                flush=True,
            )
    bars("streaming", "CPU of 1,000 tokens, streamed as a model writes them", "milliseconds of the worker", costs)
    bars("streaming", "Time to the first word over the model's own, median", "milliseconds", waits)
    tell_paced(costs[f"{max(COUNTS)} at once"], waits[f"{max(COUNTS)} at once"])


def tell_paced(cost: dict[str, float], wait: dict[str, float]) -> None:
    """Give to the summary what the most replies at once came to; a core is what their CPU would fill."""
    pace = PACED["tokens_per_second"]
    most = {name: 1e6 / (pace * one) for name, one in cost.items()}
    told = f"Replies of {pace} tokens a second that fill a core"
    ratio = f"{cost['codesherpa'] / cost['bare']:.2f} x the CPU"
    headline(told, f"{most['codesherpa']:,.0f}", f"bare python-socketio and boto3: {most['bare']:,.0f}", ratio)
    told = f"First word later than the model's, {max(COUNTS)} replies at once"
    ratio = f"{wait['codesherpa'] / wait['bare']:.2f}"
    headline(told, f"{wait['codesherpa']:.0f} ms", f"bare: {wait['bare']:.0f} ms", ratio)


def print_flat_out(servers: dict[str, Server], standin: bedrock.StandIn, bearers: list[str]) -> None:
    standin.script(FLAT_OUT)
    tokens = FLAT_OUT["tokens"]
    print(f"{tokens} tokens as fast as they come")
    told: dict[str, dict[str, float]] = {}
    for count in COUNTS:
        rates = {}
        for name, server in servers.items():
            found = stream(server, bearers[:count])
            rates[name] = found.characters / found.seconds
            told.setdefault(f"{count} at once", {})[name] = count * tokens / found.seconds
            cpu = 1e6 * found.cpu / (count * tokens)
            print(
                f"{name:12}{count:6} at once{found.seconds:8.2f} s{rates[name]:12,.0f} characters/s"
                f"{count * tokens / found.seconds:10,.0f} tokens/s{cpu:8.1f} ms CPU/1000 tokens"
            )
        print(f"{'':12}{count:6} at once: {rates['codesherpa'] / rates['bare']:.1f} times the bare server", flush=True)
    bars("streaming", "Tokens as fast as they come", "a second, through one worker", told)


if __name__ == "__main__":
    main()
