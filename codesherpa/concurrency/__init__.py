"""Green or native threads: the only module that knows eventlet.

Under gunicorn's eventlet worker the standard library is patched before anything is imported, so the
threads, locks, events and queues of `threading` are green already and the rest of the code just uses
them. What remains is work that computes: it must leave the hub, or every socket waits for it.
"""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, ParamSpec, TypeVar

from prometheus_client import Gauge, Histogram

P = ParamSpec("P")
T = TypeVar("T")

SECONDS = Histogram("codesherpa_native_seconds", "Time that work in a native thread took, the wait for one included.")
UNDER_WAY = Gauge("codesherpa_native_under_way", "Work that has a native thread or waits.", multiprocess_mode="livesum")


def green() -> bool:
    """Tell whether this process runs on eventlet's hub."""
    patcher = sys.modules.get("eventlet.patcher")
    return patcher is not None and patcher.is_monkey_patched("thread")


def one_timeout() -> None:
    """Have a command that takes too long raise subprocess.TimeoutExpired on the hub too.

    eventlet's Popen is made from a second copy of the module and raises that one's, which nobody can catch by name.
    """
    if green():
        from eventlet.patcher import original

        original("subprocess").TimeoutExpired = subprocess.TimeoutExpired


one_timeout()


def offload(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run work that computes in a native thread while the hub goes on, and return what it returns.

    In a threaded server the caller's own thread is one already. `work` must not log, lock or touch the
    database: green locks do not hold across native threads.
    """
    with UNDER_WAY.track_inprogress(), SECONDS.time():
        if not green():
            return work(*args, **kwargs)
        from eventlet import tpool

        done: T = tpool.execute(work, *args, **kwargs)
        return done


def is_silent(connection: Any) -> bool | None:
    """Tell whether a connection is open with nothing to read; None where that is not known here.

    On the hub the standard library's way takes a turn of the hub and a call of select.
    """
    if not green():
        return None
    import _socket

    # A green socket holds the system's, which never blocks; one that speaks TLS is the system's itself.
    try:
        _socket.socket.recv(getattr(connection, "fd", connection), 1, socket.MSG_PEEK)
    except BlockingIOError:
        return True
    except (OSError, TypeError):
        return None
    return False


def native_lock() -> AbstractContextManager[Any]:
    """Return a lock that holds across native threads; for moments alone, as who waits for it stops the hub."""
    if not green():
        return threading.RLock()
    from eventlet.patcher import original

    made: AbstractContextManager[Any] = original("threading").RLock()
    return made


def spawn(work: Callable[P, object], *args: P.args, **kwargs: P.kwargs) -> threading.Thread:
    """Start work that belongs to no request and no socket."""
    thread = threading.Thread(target=work, args=args, kwargs=kwargs, daemon=True)
    thread.start()
    return thread


def start(work: Callable[P, object], *args: P.args, **kwargs: P.kwargs) -> None:
    """As `spawn`, for work that nobody waits for and that raises nothing.

    On the hub a greenlet does: to be a thread too, and to wait until it has begun, costs five times as much.
    """
    if not green():
        spawn(work, *args, **kwargs)
        return
    import eventlet

    eventlet.spawn_n(work, *args, **kwargs)


class Turnstile:
    """Lets a few through in each turn of the hub, the first first, so that what they begin goes on before more begins.

    Of hundreds that come at once each would do its first step before any does its second. Nobody is kept by those
    who went before: the next turn comes as soon as the hub has looked at everybody else.
    """

    def __init__(self, at_once: int) -> None:
        self._at_once = at_once
        self._lock = threading.Lock()
        self._waiting: deque[threading.Event] = deque()
        self._room = at_once
        self._turning = False

    def enter(self) -> None:
        """Wait for a turn; who comes alone does not wait."""
        with self._lock:
            if not self._turning:
                self._turning = True
                start(self._turn)
            if self._room:
                self._room -= 1
                return
            turn = threading.Event()
            self._waiting.append(turn)
        turn.wait()

    def is_crowded(self) -> bool:
        """Tell whether somebody waits."""
        return bool(self._waiting)

    def _turn(self) -> None:
        while True:
            time.sleep(0)
            with self._lock:
                let = [self._waiting.popleft() for _ in range(min(self._at_once, len(self._waiting)))]
                self._room = self._at_once - len(let)
                if not let:
                    self._turning = False
                    return
            for turn in let:
                turn.set()


class Cancellation:
    """A wish to stop that one thread has and another obeys.

    Callbacks run once, in the thread that cancels, or at once when it is cancelled already.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._callbacks: list[Callable[[], object]] = []
        self.cancelled = False

    def on_cancel(self, callback: Callable[[], object]) -> None:
        """Have `callback` run when somebody cancels."""
        with self._lock:
            if not self.cancelled:
                self._callbacks.append(callback)
                return
        callback()

    def cancel(self) -> None:
        """Ask for the stop; the second time does nothing."""
        with self._lock:
            if self.cancelled:
                return
            self.cancelled = True
            callbacks, self._callbacks = self._callbacks, []
        for callback in callbacks:
            callback()
