"""Leaving: how long a worker takes to exit after SIGTERM, with so many signed-in sockets that are quiet.

The clients do what browsers do: they answer the closing frame, and would come again elsewhere; or they are silent, as
machines that sleep are: they neither read nor answer. Beside it, in the same run, a server that nobody is connected
to. The time of a signal within gunicorn's own beat of a second is chance, so each is asked several times.
"""
# ruff: noqa: T201  # A measurement prints.

from __future__ import annotations

import os
import selectors
import signal
import socket
import time
from collections import Counter
from dataclasses import dataclass, field
from statistics import median

from benchmarks.record import bars, quick
from benchmarks.rest import Server, serving
from benchmarks.sockets import allow_many_files, connect, open_all, users

COUNTS = ((0, ""), (100, "")) if quick() else ((0, ""), (1000, ""), (1000, "silent"), (2500, ""))
TIMES = int(os.environ.get("BENCH_LEAVES", "1" if quick() else "3"))
PATIENCE = 60.0  # Seconds after which nobody waits for the exit any more.
CLOSING = 0x88  # The first byte of a closing frame.


@dataclass
class Leave:
    """Seconds until half of the sockets and the last were told, and until the exit; how each socket ended."""

    half: float = 0.0
    last: float = 0.0
    gone: float = 0.0
    ends: Counter[str] = field(default_factory=Counter)


def main() -> None:
    allow_many_files()
    with users() as (environ, bearers):
        print(f"{'sockets':13}{'half told, s':>14}{'all told, s':>13}{'exit, s':>9}  how they ended")
        exits = {}
        for count, kind in COUNTS:
            leaves = [measure(environ, bearers, count, kind) for _ in range(TIMES)]
            exits[f"{count} {kind} sockets".replace("  ", " ")] = median(leave.gone for leave in leaves)
            told = [f"{median(getattr(leave, name) for leave in leaves):.2f}" for name in ("half", "last", "gone")]
            ends = sum((leave.ends for leave in leaves), Counter())
            how = ", ".join(f"{number} {end}" for end, number in ends.most_common())
            print(f"{count:6} {kind:6}{told[0]:>14}{told[1]:>13}{told[2]:>9}  {how}")
    bars("leaving", "SIGTERM to exit", "s", exits)


def measure(environ: dict[str, str], bearers: list[str], count: int, kind: str) -> Leave:
    with serving("wsgi:app", "gunicorn.conf.py", environ) as server:
        # The first waits until the worker has started.
        opened = open_all(max(count, 1), lambda number: connect(server, bearers[number % len(bearers)], b'"ready"'))
        for one in opened[count:]:
            one.close()
        time.sleep(1)
        return leave(server, opened[:count], silent=kind == "silent")


def leave(server: Server, opened: list[socket.socket], *, silent: bool) -> Leave:
    """Have a server leave, and note what its clients see."""
    found, told = Leave(), []
    waiting = selectors.DefaultSelector()
    for one in [] if silent else opened:
        one.setblocking(False)
        waiting.register(one, selectors.EVENT_READ, {"closing": False})
    os.kill(server.pid, signal.SIGTERM)
    started = time.perf_counter()
    while not exited(server.pid) and time.perf_counter() - started < PATIENCE:
        for key, _ in waiting.select(0.005) if waiting.get_map() else pause():
            end = follow(key.fileobj, key.data)  # type: ignore[arg-type]
            if end:
                found.ends[end] += 1
                told.append(time.perf_counter() - started)
                waiting.unregister(key.fileobj)
    found.gone = time.perf_counter() - started
    found.ends["left open"] += len(waiting.get_map())
    found.ends["silent"] += len(opened) if silent else 0
    for one in opened:
        one.close()
    if told:
        found.half, found.last = median(told), max(told)
    found.ends = +found.ends
    return found


def exited(pid: int) -> bool:
    """Tell whether a child of ours has ended, and leave its end to be waited for."""
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def pause(seconds: float = 0.005) -> list[tuple[selectors.SelectorKey, int]]:
    time.sleep(seconds)
    return []


def follow(connection: socket.socket, seen: dict[str, bool]) -> str:
    """Read what came, and answer a closing frame; return how the connection ended, if it has."""
    try:
        data = connection.recv(65536)
    except ConnectionError:
        return "reset" if not seen["closing"] else "closed"
    if not data:
        return "closed" if seen["closing"] else "cut"
    if not seen["closing"] and closes(data):
        seen["closing"] = True
        connection.send(bytes([CLOSING, 0x82]) + bytes(4) + (1000).to_bytes(2, "big"))
    return ""


def closes(data: bytes) -> bool:
    """Tell whether a closing frame is among short, whole frames."""
    while len(data) > 1:
        if data[0] == CLOSING:
            return True
        data = data[2 + (data[1] & 127) :]
    return False


if __name__ == "__main__":
    main()
