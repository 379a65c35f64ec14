"""A child process that computes: reads jobs from a socket, one after the other, and writes what they return.

The parent runs this file with a Python of its own, so that neither the interpreter lock nor the memory of a job is
the worker's. A frame is four bytes of length and a body: a pickle of our own data comes in, JSON goes out.
"""

from __future__ import annotations

import json
import os
import pickle
import resource
import signal
import socket
import struct
import sys
import threading
import time
import traceback
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

HEADER = struct.Struct("!I")
LOOK = 1.0  # Seconds between two looks whether the parent is still there.
NICE = 5  # The worker and its sockets come first.
# Their __init__ imports the application, of which a job needs nothing.
BARE = ("codesherpa", "codesherpa.sherpas", "codesherpa.providers")
PAGE = resource.getpagesize()
ROOT = Path(__file__).parents[2]


def receive(connection: socket.socket, most: int = 1 << 30) -> bytes:
    """Return the next frame. Raises EOFError at the end of the connection, ValueError for a frame over `most`."""
    size = HEADER.unpack(_exactly(connection, HEADER.size))[0]
    if size > most:
        raise ValueError("the frame is too large")
    return bytes(_exactly(connection, size))


def _exactly(connection: socket.socket, size: int) -> bytearray:
    found = bytearray()
    while len(found) < size:
        piece = connection.recv(min(size - len(found), 1 << 20))
        if not piece:
            raise EOFError
        found += piece
    return found


def send(connection: socket.socket, body: bytes) -> None:
    connection.sendall(HEADER.pack(len(body)) + body)


def serve(connection: socket.socket) -> None:
    """Do jobs until the parent closes the connection."""
    while True:
        try:
            job = receive(connection)
        except EOFError:
            return
        send(connection, answer(job))


def answer(job: bytes) -> bytes:
    """Do one job, and return [kind, value, resident bytes].

    The kind is `done` with what the job returned, `memory` where there was too little, or `failed` with a traceback.
    """
    kind, value = "done", None
    try:
        module, name, arguments, seconds = pickle.loads(job)  # noqa: S301 (the parent made it)
        limit_time(seconds)
        value = getattr(import_module(module), name)(*arguments)
    except MemoryError:
        kind, value = "memory", None
    except Exception:  # noqa: BLE001 (the parent raises it)
        kind, value = "failed", traceback.format_exc()
    return json.dumps([kind, value, resident()], ensure_ascii=False).encode("utf-8", "surrogatepass")


def limit_time(seconds: float) -> None:
    """Have the kernel end this process when the next job has used so many seconds of the processor."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    with suppress(ValueError, OSError):  # Where whoever started us has set a lower one.
        resource.setrlimit(resource.RLIMIT_CPU, (int(used.ru_utime + used.ru_stime + seconds) + 1, hard))


def resident() -> int:
    """Return how many bytes of memory this process holds."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE
    except OSError:  # Not on Linux: the most that it ever held.
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def limit(memory: int) -> None:
    """Bound what this process and what it starts may take."""
    for kind, most in (
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
    ):
        _, hard = resource.getrlimit(kind)
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        with suppress(ValueError, OSError):  # Some systems know no such limit.
            resource.setrlimit(kind, (most, most))
    with suppress(OSError):
        os.nice(NICE)


def watch(parent: int) -> None:
    """End this process, and what it started, once its parent has died in the middle of a job."""
    while os.getppid() == parent:
        time.sleep(LOOK)
    os.killpg(os.getpgid(0), signal.SIGKILL)


def bare() -> None:
    """Make packages whose modules can be imported without what their __init__ imports."""
    sys.path.insert(0, str(ROOT))
    for name in BARE:
        package: Any = ModuleType(name)
        package.__path__ = [str(ROOT.joinpath(*name.split(".")))]
        sys.modules[name] = package


def main() -> None:
    """Serve the parent, whose connection is the standard input; the arguments are its id and the memory in bytes."""
    parent, memory = map(int, sys.argv[1:3])
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's, which then ends us.
    limit(memory)
    bare()
    threading.Thread(target=watch, args=(parent,), daemon=True).start()
    connection = socket.socket(fileno=0)
    connection.setblocking(True)  # The parent's kind of sockets may not block.
    serve(connection)


if __name__ == "__main__":
    main()
