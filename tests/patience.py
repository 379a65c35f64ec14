"""Work that hostile input could keep busy for ever."""

from __future__ import annotations

import threading
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
