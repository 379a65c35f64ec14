"""Look after leases: renew this process's own, and clear up after a process that died."""

from __future__ import annotations

import time

import structlog

from codesherpa.chat import hints, leases, rooms, work
from codesherpa.chat.process import Process, here
from codesherpa.concurrency import spawn

CHUNK = 100  # Replies that are ended together: a worker that dies under load leaves dozens.
SWEEP = 4.0  # Seconds between two looks for what a dead worker left; also how often leases are renewed.

log = structlog.get_logger(__name__)


def start() -> None:
    """Have this process look after leases from now on; the second call does nothing."""
    process = here()
    if process.sweeper is None:
        process.sweeper = spawn(until_closed, process)


def until_closed(process: Process) -> None:
    pause = 0.0  # What was left before this process began is looked for at once.
    while not process.closed.wait(pause):
        pause = SWEEP
        try:
            with process.app.app_context():
                leases.renew(process.owner, list(process.live))
                if time.monotonic() >= process.trusts_leases_at:
                    look()
                if process.bus.shared:
                    hints.look()
        except Exception:  # The database may be away for a while; this goes on.
            log.exception("sweep failed")
            # Nobody could renew a lease meanwhile, so one that ran out tells nothing until all have had their turn.
            process.trusts_leases_at = time.monotonic() + 2 * SWEEP


def look() -> None:
    """Mark what a dead worker was writing as interrupted, and take up what it had not begun."""
    left = leases.left_behind()
    for start in range(0, len(left), CHUNK):
        logs = here().bus.logs([chat_id for chat_id, _ in left[start : start + CHUNK]])
        for ended in leases.interrupt(logs):
            rooms.tell_end(ended)
    for user_id in {user_id for _, user_id in left}:
        work.dispatch(user_id)
