"""Large work on text, in child processes with bounds on time and memory, a fair share for every user."""

from __future__ import annotations

import atexit
import json
import os
import pickle
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Literal, TypeVar

import structlog
from prometheus_client import Counter, Gauge

from codesherpa.concurrency import Cancellation, offload, spawn
from codesherpa.concurrency.child import receive, send
from codesherpa.concurrency.fairness import TASK, Cancelled, FairQueue, Full, Task
from codesherpa.errors import ModelUnavailable

T = TypeVar("T")

# Characters up to which work is done in a native thread: some 200 lines, read or explained in a few hundredths of a
# second. The way to a child and back takes a thousandth, the start of one a fifth of a second.
SMALL = 8_000
SECONDS = 5.0  # Of the processor, that one job may take.
DEADLINE = 30.0  # Seconds after which a job is ended, whatever it waits for.
PLACES = max(2, min(4, os.cpu_count() or 1))  # Children at once.
SHARE = PLACES // 2  # Of them, that one user may have at once.
THREADS = 4  # Native threads that small work is done in at once, two of them for one user.
PATIENCE = 120.0  # Seconds that a job waits for a place.
IDLE = 600.0  # Seconds after which a child that has nothing to do is ended.
MOST_JOBS = 200  # After which a child is replaced.
FAREWELL = 1.0  # Seconds that a child has to end by itself.
ANSWER = 4 << 20  # Bytes of the largest answer that is taken.
MEBIBYTE = 1 << 20

ENDED = Counter("codesherpa_child_jobs", "Jobs of child processes, by how they ended.", ["outcome"])
CHILDREN = Gauge("codesherpa_children", "Child processes that compute.", multiprocess_mode="livesum")

log = structlog.get_logger(__name__)


class Overrun(Exception):
    """A job took more time or memory than it may, or its process was ended; `reason` tells which."""

    def __init__(self, reason: Literal["time", "memory", "crash"]) -> None:
        self.reason = reason
        super().__init__(reason)


class JobFailed(Exception):
    """A job raised what it should not; the text is its traceback."""


def busy() -> ModelUnavailable:
    """Return what is told to whoever waited in vain."""
    return ModelUnavailable("Too much code is being read at the moment. Try again shortly.", retry_after=10)


class Child:
    """One process that computes, and the connection to it."""

    def __init__(self, memory: int) -> None:
        ours, theirs = socket.socketpair()
        program = str(Path(__file__).with_name("child.py"))
        command = [sys.executable, "-I", "-B", program, str(os.getpid()), str(memory)]
        try:
            # An empty environment: no setting and no secret of the server's reaches it. A group of its own: what it
            # starts ends with it.
            self._process = subprocess.Popen(  # noqa: S603
                command, stdin=theirs.fileno(), stdout=subprocess.DEVNULL, env={}, start_new_session=True
            )
        except OSError:
            ours.close()
            raise
        finally:
            theirs.close()
        self._connection = ours
        self._lock = threading.Lock()
        self._works = False
        self.cancelled = False
        self.jobs = 0
        self.resident = 0
        self.idle_since = 0.0
        CHILDREN.inc()

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether the process has not ended."""
        return self._process.poll() is None

    def ask(self, job: bytes, cancellation: Cancellation | None = None) -> Any:
        """Have a job done, and return what it returned. Raises Overrun, Cancelled and JobFailed."""
        self._connection.settimeout(DEADLINE)
        with self._lock:
            self.jobs, self._works = self.jobs + 1, True
        this_job = self.jobs
        if cancellation:
            cancellation.on_cancel(lambda: self.cancel(this_job))
        try:
            send(self._connection, job)
            kind, value, self.resident = json.loads(receive(self._connection, ANSWER).decode("utf-8", "surrogatepass"))
        except (OSError, EOFError, ValueError) as lost:
            if cancellation and cancellation.cancelled:
                raise Cancelled from lost
            raise Overrun(self._why(lost)) from lost
        finally:
            with self._lock:
                self._works = False
        if kind == "memory":
            raise Overrun("memory")
        if kind == "failed":
            raise JobFailed(value)
        return value

    def _why(self, lost: Exception) -> Literal["time", "crash"]:
        """Return why no answer came: the deadline, the kernel's limit, or anything else."""
        self.kill()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(FAREWELL)
        late = isinstance(lost, TimeoutError) or self._process.returncode == -signal.SIGXCPU
        return "time" if late else "crash"

    def cancel(self, job: int) -> None:
        """End the process if it is still at that job; it may be at the next one, which is somebody else's."""
        with self._lock:
            if self._works and self.jobs == job:
                self.cancelled = True  # Its answer may have come all the same; the process is dying.
                self.kill()

    def kill(self) -> None:
        """End the process and what it started at once; whoever waits for its answer is woken."""
        if self._process.poll() is None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)

    def close(self, patience: float = FAREWELL) -> None:
        """Let the process end, kill it where it does not within so many seconds, and leave no zombie."""
        with suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)
        try:
            self._process.wait(patience)
        except subprocess.TimeoutExpired:
            self.kill()
            self._process.wait()
        self._connection.close()
        CHILDREN.dec()


class Pool:
    """The child processes of this process, started when there is work for them."""

    def __init__(self, places: int = PLACES, share: int = SHARE, memory: int = 512 * MEBIBYTE) -> None:
        """`memory` is what one child may take, in bytes."""
        self.memory = memory
        self._queue = FairQueue("process", places, share, PATIENCE)
        self._lock = threading.Lock()
        self._idle: list[Child] = []
        self._busy: set[Child] = set()
        self._closed = threading.Event()
        self._reaps = False

    def run(self, work: Callable[..., Any], *args: Any, seconds: float = SECONDS) -> Any:
        """Do work in a child, and return the JSON that it returns; `work` is a function of a module.

        `seconds` are the processor's. Raises Overrun, Cancelled, JobFailed, and ModelUnavailable where no child became
        free in time.
        """
        task, job = TASK.get(), pickle.dumps((work.__module__, work.__name__, args, seconds))
        outcome = "failed"
        try:
            with self._queue.place(task):
                value = self._ask(task, job)
            outcome = "done"
            return value
        except Full:
            outcome = "refused"
            raise busy() from None
        except ModelUnavailable:
            outcome = "refused"
            raise
        except Cancelled:
            outcome = "cancelled"
            raise
        except Overrun as overrun:
            outcome = overrun.reason
            log.warning("a job reached a limit", job=work.__name__, limit=overrun.reason)
            raise
        finally:
            ENDED.labels(outcome).inc()

    def close(self) -> None:
        """End every child, those with work too, and start no more."""
        self._closed.set()
        with self._lock:
            idle, self._idle = self._idle, []
            busy = list(self._busy)
        for child in busy:
            child.kill()
        for child in idle:
            child.close(0)

    def pids(self) -> list[int]:
        """Return the ids of the children."""
        with self._lock:
            return [child.pid for child in (*self._idle, *self._busy)]

    def _ask(self, task: Task, job: bytes) -> Any:
        child = self._take()
        sound = False
        try:
            value = child.ask(job, task.cancellation)
            sound = True
            return value
        except JobFailed:
            sound = True
            raise
        finally:
            self._give_back(child, sound)

    def _take(self) -> Child:
        """Return a child that has nothing to do, or a new one."""
        while True:
            with self._lock:
                if self._closed.is_set():
                    raise Overrun("crash")
                child = self._idle.pop() if self._idle else None
                if child:
                    self._busy.add(child)
            if child is None:
                return self._start()
            if child.alive:
                return child
            self._end(child)

    def _start(self) -> Child:
        try:
            child = Child(self.memory)
        except OSError as refused:  # No process or no descriptor is to be had.
            log.warning("no child process", reason=str(refused))
            raise busy() from refused
        with self._lock:
            self._busy.add(child)
        if self._closed.is_set():
            child.kill()
        return child

    def _give_back(self, child: Child, sound: bool) -> None:
        """Keep a child for the next job, or end it where it is broken, has done many or has grown."""
        sound = sound and not child.cancelled
        used = child.jobs >= MOST_JOBS or child.resident > self.memory // 3
        if not sound or used or self._closed.is_set():
            if not sound:
                child.kill()
            self._end(child)
            return
        child.idle_since = time.monotonic()
        with self._lock:
            self._busy.discard(child)
            self._idle.append(child)
            starts, self._reaps = not self._reaps, True
        if starts:
            spawn(self._reap)

    def _end(self, child: Child) -> None:
        child.close()
        with self._lock:
            self._busy.discard(child)

    def _reap(self) -> None:
        """End children that have had nothing to do for long, until there is none."""
        while not self._closed.wait(IDLE / 4):
            late = time.monotonic() - IDLE
            with self._lock:
                old = [child for child in self._idle if child.idle_since < late]
                self._idle = [child for child in self._idle if child not in old]
                self._reaps = bool(self._idle or self._busy)
                goes_on = self._reaps
            for child in old:
                child.close()
            if not goes_on:
                return


_threads = FairQueue("thread", THREADS, THREADS // 2, PATIENCE)
_pools: list[Pool] = []
_making = threading.Lock()
_memory = 512 * MEBIBYTE


def init(memory_mb: int) -> None:
    """Say how many MiB a child may take."""
    global _memory
    _memory = memory_mb * MEBIBYTE


def pool() -> Pool:
    """Return the children of this process."""
    with _making:
        if not _pools:
            _pools.append(Pool(memory=_memory))
        return _pools[0]


def close() -> None:
    """End the children of this process, if it has any; what needs one afterwards gets new ones."""
    with _making:
        found = _pools.pop() if _pools else None
    if found:
        found.close()


@contextmanager
def small_work() -> Iterator[None]:
    """Hold one of the places for small work, of which every user has a share. Raises Cancelled and ModelUnavailable."""
    try:
        with _threads.place(TASK.get()):
            yield
    except Full:
        raise busy() from None


atexit.register(close)


def compute(work: Callable[..., T], *args: Any, size: int) -> T:
    """Do work on text of `size` characters where it holds nobody up: a child for large text, else a native thread.

    `work` is a function of a module that returns plain data (dict, list, str, int, bool, None), as JSON has it.
    Raises Overrun, Cancelled, ModelUnavailable, and JobFailed.
    """
    if size > SMALL:
        done: T = pool().run(work, *args)
        return done
    with small_work():
        return offload(work, *args)
