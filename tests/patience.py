"""Work that hostile input could keep busy for ever, and what comes true in another thread."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

HANGS = 120.0  # Seconds, of what takes one or two on a busy machine.


def ended(work: Callable[[], T]) -> T:
    """Return what `work` returns; fail where it is still at it when every other test of its kind would be done."""
    found: list[T] = []
    thread = threading.Thread(target=lambda: found.append(work()), daemon=True)
    thread.start()
    thread.join(HANGS)
    assert found, "it hangs" if thread.is_alive() else "it failed, as the thread's own traceback says"
    return found[0]


def eventually(condition: Callable[[], T], patience: float = 20.0) -> T:
    """Return what a condition gives once it is true, or its last answer when patience ends."""
    give_up = time.monotonic() + patience
    while not (found := condition()) and time.monotonic() < give_up:
        time.sleep(0.01)
    return found
