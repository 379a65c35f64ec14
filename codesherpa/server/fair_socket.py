"""A socket that shares the event loop: no connection is served twice before every other one had its turn.

Only the eventlet worker imports this module.
"""

from __future__ import annotations

from typing import Any

from eventlet import sleep
from eventlet.greenio import GreenSocket


class FairSocket(GreenSocket):
    """A GreenSocket whose every read passes through the hub once.

    eventlet's own `recv` returns without switching while data is there, so a client that never pauses would keep
    the loop to itself. Written for eventlet 0.41, whose reads wait in `_read_trampoline`.
    """

    def __init__(self, accepted: GreenSocket) -> None:
        super().__init__(accepted.fd, set_nonblocking=False)
        self.settimeout(accepted.gettimeout())
        self._waited = False
        self._has_yielded = False

    def recv(self, bufsize: int, flags: int = 0) -> Any:
        """Receive bytes; if they were there already, let the others run before returning them."""
        self._waited = False
        received = super().recv(bufsize, flags)
        if not self._waited:
            sleep(0)
        self._has_yielded = True
        return received

    def yield_once(self) -> None:
        """Let the others run unless a read did since the last call: pipelined requests need no read."""
        if not self._has_yielded:
            sleep(0)
        self._has_yielded = False

    def _read_trampoline(self) -> None:
        self._waited = True
        super()._read_trampoline()
