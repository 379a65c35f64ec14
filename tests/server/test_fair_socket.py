"""Reads that share the event loop; eventlet runs in a process of its own, since this one has native threads."""

from __future__ import annotations

import subprocess
import sys
import textwrap

PRELUDE = """
import warnings; warnings.simplefilter("ignore")
import eventlet
from eventlet.green import socket
from codesherpa.server.fair_socket import FairSocket
one, other = socket.socketpair()
fair = FairSocket(one)
turns = []
def count():
    while True:
        turns.append(1)
        eventlet.sleep(0)
"""


def run(script: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", PRELUDE + textwrap.dedent(script)], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_each_read_of_waiting_data_gives_the_others_a_turn() -> None:
    told = run("""
        other.sendall(b"x" * 50)
        eventlet.spawn(count)
        print("".join(fair.recv(1).decode() for _ in range(50)) == "x" * 50, len(turns) >= 50)
    """)

    assert told == "True True"


def test_a_read_that_waited_does_not_yield_once_more() -> None:
    told = run("""
        eventlet.spawn_after(0.05, other.sendall, b"x")
        yielded = []
        import codesherpa.server.fair_socket as module
        module.sleep = yielded.append
        fair.recv(1)
        fair.yield_once()
        print(yielded)
    """)

    assert told == "[]"


def test_a_request_that_needed_no_read_yields() -> None:
    told = run("""
        other.sendall(b"two requests")
        fair.recv(100)
        fair.yield_once()
        eventlet.spawn(count)
        fair.yield_once()
        print(len(turns))
    """)

    assert told == "1"
