"""Measure what a message costs: CPU by step, CPU up to its first delta, and how late its first token is under load.

Load comes as an open loop: messages at random moments (Poisson), whether or not earlier ones have been answered.
Beside it, in the same run, a bare python-socketio server that neither signs in nor stores anything. The CPU is what the
worker itself has computed, which does not count who else wanted the processor.
"""
# ruff: noqa: T201  # A measurement prints.

from __future__ import annotations

import http.client
import json
import random
import tempfile
import time
from pathlib import Path
from statistics import median, quantiles

from benchmarks.record import bars, headline, quick
from benchmarks.rest import SETTINGS, Server, serving
from benchmarks.sockets import allow_many_files
from benchmarks.streaming import Measured, seed, stream
from tests.standins import bedrock

RATES = (5, 20) if quick() else (5, 20, 50, 100, 150)  # Messages a second.
SECONDS = 2 if quick() else 8  # Of each rate.
STEPS_AT = 20 if quick() else 60  # Messages a second while the steps are counted.
BURST = 20 if quick() else 300
ROUNDS = 1 if quick() else 3  # Bursts of each server; they take turns.
PACED = {"tokens": 60, "tokens_per_second": 30}
ONE_AT_ONCE = {"tokens": 2, "tokens_per_second": 0.1}  # The first token comes at once, the second much later.


def main() -> None:
    allow_many_files()
    with tempfile.TemporaryDirectory() as folder, bedrock.running() as standin, Path(folder, "log").open("w") as log:
        environ = SETTINGS | {"DATABASE_URL": f"sqlite:///{folder}/bench.db"}
        bearers = seed(environ, max(BURST, *(rate * SECONDS for rate in (*RATES, STEPS_AT))))
        # The level that a server has: the lines of its log are part of what a message costs.
        environ |= {"MODEL_PROVIDER": "bedrock", "BEDROCK_MODEL_ID": "bench.nova-pro", "LOG_LEVEL": "INFO"}
        environ |= standin.environment
        with serving("benchmarks.profiled:app", "gunicorn.conf.py", environ, log=log) as profiled:
            print_steps(profiled, standin, bearers)
        with (
            serving("wsgi:app", "gunicorn.conf.py", environ, log=log) as real,
            serving("benchmarks.bare_sockets:app", "benchmarks/bare.conf.py", environ, log=log) as bare,
        ):
            servers = {"codesherpa": real, "bare": bare}
            for server in servers.values():
                standin.script({"tokens": 2})
                stream(server, bearers[:10])  # What is made at the first call, the client say.
            print_first(servers, standin, bearers)
            print_burst(servers, standin, bearers)
            print_open_loop(servers, standin, bearers)


def arrivals(rate: float, seconds: float) -> list[float]:
    """Return moments at which messages come, so many a second on average; the same ones for the same arguments."""
    moments, at = [], 0.0
    chance = random.Random(rate)  # noqa: S311 (nothing depends on its secrecy)
    for _ in range(int(rate * seconds)):
        at += chance.expovariate(rate)
        moments.append(at)
    return moments


def percentile(times: list[float], percent: int) -> float:
    """Return a time in milliseconds."""
    cuts = quantiles(times, n=100, method="inclusive") if len(times) > 1 else [times[0]] * 99
    return 1000 * cuts[percent - 1]


def ask_steps(server: Server) -> dict[str, tuple[float, int]]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    connection.request("GET", "/_steps")
    taken: dict[str, tuple[float, int]] = json.load(connection.getresponse())
    connection.close()
    return taken


def print_steps(server: Server, standin: bedrock.StandIn, bearers: list[str]) -> None:
    """Print the CPU of each step for a message; what counts them is charged too, so that the sum is a little high."""
    standin.script({"tokens": 2})
    stream(server, bearers[:10])
    standin.script(PACED)
    moments = arrivals(STEPS_AT, SECONDS)
    found = stream(server, bearers[: len(moments)], moments=moments, ready=lambda: ask_steps(server))
    taken, count = ask_steps(server), len(moments)
    print(f"{STEPS_AT} messages a second, each answered with {PACED['tokens']} tokens: milliseconds of CPU a message")
    for name, (seconds, entered) in sorted(taken.items(), key=lambda one: -one[1][0]):
        print(f"{name:28}{1000 * seconds / count:8.3f}{entered / count:8.1f} times")
    total = sum(seconds for seconds, _ in taken.values())
    print(
        f"{'all of it':28}{1000 * total / count:8.3f}; by the kernel's count{1000 * found.cpu / count:8.3f}", flush=True
    )
    costs = {name: 1000 * seconds / count for name, (seconds, _) in taken.items()}
    bars("message_cost", "CPU of a message by step", "milliseconds", costs)


def print_first(servers: dict[str, Server], standin: bedrock.StandIn, bearers: list[str]) -> None:
    """Print the CPU of messages up to their first delta: what the worker computed until the last of them had it."""
    standin.script(ONE_AT_ONCE)
    print("CPU up to the first delta, milliseconds a message")
    costs = {}
    moments = arrivals(STEPS_AT, SECONDS)
    for name, server in servers.items():
        found = stream(server, bearers[: len(moments)], moments=moments, until="first")
        costs[name] = 1000 * found.cpu / len(moments)
        print(f"{name:12}{costs[name]:8.3f}", flush=True)
    time.sleep(1 / ONE_AT_ONCE["tokens_per_second"] + 1)  # Until the replies have ended, whose users ask again.
    tell("CPU of a message up to its first word", costs, "{:.2f} ms")


def print_burst(servers: dict[str, Server], standin: bedrock.StandIn, bearers: list[str]) -> None:
    standin.script(PACED)
    print(f"{BURST} messages at once: milliseconds to the first token, median of {ROUNDS} rounds")
    print(f"{'':12}{'p50':>8}{'p95':>8}{'p99':>8}{'CPU ms each':>13}")
    last: dict[str, float] = {}
    found: dict[str, list[Measured]] = {name: [] for name in servers}
    for _ in range(ROUNDS):
        for name, server in servers.items():
            found[name].append(stream(server, bearers[:BURST]))
    for name, rounds in found.items():
        cuts = [median(percentile(one.times("sent", "first"), percent) for one in rounds) for percent in (50, 95, 99)]
        last[name] = cuts[2]
        cpu = 1000 * median(one.cpu for one in rounds) / BURST
        print(f"{name:12}{cuts[0]:8.0f}{cuts[1]:8.0f}{cuts[2]:8.0f}{cpu:13.2f}", flush=True)
    print(f"p99 is {last['codesherpa'] / last['bare']:.2f} times the bare server's")
    tell(f"First word of {BURST} messages at once, p99", last)


def print_open_loop(servers: dict[str, Server], standin: bedrock.StandIn, bearers: list[str]) -> None:
    standin.script(PACED)
    print(f"open loop, {SECONDS} s of each rate: milliseconds to the first token")
    print(f"{'a second':>8}  {'':12}{'p50':>8}{'p95':>8}{'p99':>8}{'CPU ms each':>13}{'core %':>8}")
    late: dict[str, dict[str, float]] = {}
    for rate in RATES:
        moments = arrivals(rate, SECONDS)
        for name, server in servers.items():
            found = stream(server, bearers[: len(moments)], moments=moments)
            times = found.times("sent", "first")
            cuts = [percentile(times, percent) for percent in (50, 95, 99)]
            late.setdefault(f"{rate} a second", {})[name] = cuts[2]
            busy = 100 * found.cpu / found.seconds
            told = "".join(f"{cut:8.0f}" for cut in cuts)
            print(f"{rate:8}  {name:12}{told}{1000 * found.cpu / len(moments):13.2f}{busy:8.0f}", flush=True)
    bars("message_cost", "First token under an open loop, 99th percentile", "milliseconds", late)
    for label, waits in list(late.items())[-2:]:
        tell(f"First word at {label}, p99", waits)


def tell(what: str, found: dict[str, float], form: str = "{:.0f} ms") -> None:
    """Give a line to the summary."""
    ratio = f"{found['codesherpa'] / found['bare']:.2f}"
    headline(what, form.format(found["codesherpa"]), f"bare: {form.format(found['bare'])}", ratio)


if __name__ == "__main__":
    main()
