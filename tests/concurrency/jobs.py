"""Jobs for child processes."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
from importlib import import_module
from pathlib import Path

kept: list[bytearray] = []


def pid() -> int:
    return os.getpid()


def forever() -> None:
    time.sleep(60)


def until(path: str) -> int:
    """Wait until there is a file."""
    while not Path(path).exists():
        time.sleep(0.01)
    return os.getpid()


def start_another() -> int:
    """Start a process that outlives the job."""
    return subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]).pid


def too_much() -> int:
    return len(bytearray(1 << 30))


def keep(size: int) -> int:
    kept.append(bytearray(b"x") * size)
    return os.getpid()


def fail() -> None:
    raise KeyError("a fault of ours")


def seconds_left() -> float:
    """Return how many seconds of the processor the kernel still gives this process."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return resource.getrlimit(resource.RLIMIT_CPU)[0] - used.ru_utime - used.ru_stime


def surroundings() -> dict[str, object]:
    """Return the environment, and which large modules are there once all that jobs need is."""
    for job in ("codesherpa.sherpas.code", "codesherpa.analysis.outline", "codesherpa.analysis.survey"):
        import_module(job)
    modules = ("flask", "sqlalchemy", "eventlet", "codesherpa.extensions")
    return {"environment": sorted(os.environ), "modules": [name for name in modules if name in sys.modules]}


def write(path: str) -> None:
    Path(path).write_text("x")


def odd_text() -> str:
    return "\ud800 नमस्ते \0"


def large(size: int) -> str:
    return "x" * size
