"""Green or native threads: the only module that knows eventlet.

Under gunicorn's eventlet worker the standard library is patched before anything is imported, so the
threads, locks, events and queues of `threading` are green already and the rest of the code just uses
them. What remains is work that computes: it must leave the hub, or every socket waits for it.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


def green() -> bool:
    """Tell whether this process runs on eventlet's hub."""
    patcher = sys.modules.get("eventlet.patcher")
    return patcher is not None and patcher.is_monkey_patched("thread")


def offload(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run work that computes in a native thread while the hub goes on, and return what it returns.

    In a threaded server the caller's own thread is one already. `work` must not log, lock or touch the
    database: green locks do not hold across native threads.
    """
    if not green():
        return work(*args, **kwargs)
    from eventlet import tpool

    done: T = tpool.execute(work, *args, **kwargs)
    return done


def spawn(work: Callable[P, object], *args: P.args, **kwargs: P.kwargs) -> threading.Thread:
    """Start work that belongs to no request and no socket."""
    thread = threading.Thread(target=work, args=args, kwargs=kwargs, daemon=True)
    thread.start()
    return thread


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
