"""A listening socket whose accept loop survives: running out of file descriptors must not make a worker deaf."""

from __future__ import annotations

import errno
import time
from collections.abc import Callable
from typing import Any

import structlog

PAUSE = 0.1  # Seconds before the next try when the system has no descriptor left.
LOG_INTERVAL = 5.0
ACCEPTED_AT_ONCE = (
    16  # A burst of connections must not keep the loop from those that are open, nor wait a turn for each.
)
# The listening socket itself is gone: every other error of accept() concerns one connection, or passes.
CLOSED = (errno.EBADF, errno.EINVAL, errno.ENOTSOCK)

log = structlog.get_logger(__name__)


class Listener:
    """Wraps one of a gunicorn worker's listening sockets.

    `before_accept` is called before each accept() and `on_exhausted` when there is no descriptor left; both may
    close connections to make room. `current` returns the greenlet that accepts, for `acceptor_died`.
    """

    def __init__(
        self,
        inner: Any,
        before_accept: Callable[[], object],
        on_exhausted: Callable[[], object],
        current: Callable[[], Any] | None = None,
    ) -> None:
        self._inner = inner
        self._before_accept, self._on_exhausted, self._current = before_accept, on_exhausted, current
        self._acceptor: Any = None
        self._accepted_in_turn = 0
        self._logged_at = -LOG_INTERVAL

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def accept(self) -> Any:
        """Accept a connection. Raises BlockingIOError when there is none, or none can be taken now."""
        if self._current is not None:
            self._acceptor = self._current()
            if self._accepted_in_turn >= ACCEPTED_AT_ONCE:
                self._accepted_in_turn = 0
                time.sleep(0)
        self._before_accept()
        try:
            accepted = self._inner.accept()
        except BlockingIOError:
            self._accepted_in_turn = 0
            raise
        except OSError as error:
            if error.errno in CLOSED:
                raise
            self._pause(error)
            raise BlockingIOError(errno.EAGAIN, "cannot accept now") from error
        self._accepted_in_turn += 1
        return accepted

    def acceptor_died(self) -> bool:
        """Return True if the greenlet that accepted connections has ended."""
        return self._acceptor is not None and self._acceptor.dead

    def _pause(self, error: OSError) -> None:
        if error.errno in (errno.EMFILE, errno.ENFILE):
            self._on_exhausted()
        if time.monotonic() - self._logged_at >= LOG_INTERVAL:
            self._logged_at = time.monotonic()
            log.warning("accept failed", error=error.strerror)
        time.sleep(PAUSE)
