"""The sockets of this process, and the sessions that they live by."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog
from flask import Flask
from sqlalchemy import ARRAY, BigInteger, bindparam, func, select

from codesherpa.auth.models import AuthSession
from codesherpa.concurrency import spawn
from codesherpa.database import now, reading
from codesherpa.extensions import db
from codesherpa.observability import metrics
from codesherpa.user.models import User

AHEAD = 60  # Seconds before its end that a session is said to end.
BEAT = 0.5  # Seconds between two looks, so that an ended session's sockets close within one.

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Socket:
    """Who is at the other end of a socket, by which session, and until when."""

    user_id: int
    session_id: int
    expires_at: datetime
    warned: bool = False

    @property
    def seconds_left(self) -> float:
        return (self.expires_at - now()).total_seconds()

    @property
    def expires_in(self) -> int:
        return max(0, int(self.seconds_left))


class Sockets:
    """Every socket of this process by its id, watched while there are any.

    `warn` is called once with a socket whose session ends soon, `close` with one whose session has ended:
    its token ran out, its user signed out, changed the password or was deactivated, here or elsewhere.
    """

    def __init__(self, app: Flask, warn: Callable[[str, Socket], None], close: Callable[[str], None]) -> None:
        self._app, self._warn, self._close = app, warn, close
        self._open: dict[str, Socket] = {}
        self._lock = threading.Lock()
        self._watching = False

    def get(self, sid: str) -> Socket | None:
        return self._open.get(sid)

    def add(self, sid: str, socket: Socket) -> None:
        """Take in a socket, or a socket's new session."""
        with self._lock:
            self._open[sid] = socket
            metrics.SOCKETS.set(len(self._open))
            if not self._watching:
                self._watching = True
                spawn(self._watch)

    def remove(self, sid: str) -> Socket | None:
        """Forget a socket, and return it if it was known."""
        known = self._open.pop(sid, None)
        metrics.SOCKETS.set(len(self._open))
        return known

    def _watch(self) -> None:
        while self._goes_on():
            try:
                self.look()
            except Exception:  # The database may be away for a while; this goes on.
                log.exception("sockets not looked after")
            time.sleep(BEAT)

    def _goes_on(self) -> bool:
        with self._lock:
            self._watching = bool(self._open)
            return self._watching

    def look(self) -> None:
        """Warn and close whom it is time for."""
        sockets = list(self._open.items())
        with self._app.app_context():
            gone = ended({socket.session_id for _, socket in sockets})
        soon = now() + timedelta(seconds=AHEAD)
        for sid, socket in sockets:
            if socket.session_id in gone or socket.seconds_left <= 0:
                self._close(sid)
            elif socket.expires_at <= soon and not socket.warned:
                socket.warned = True
                self._warn(sid, socket)


def ended(session_ids: Iterable[int]) -> set[int]:
    """Return which of these sessions have ended, are gone, or belong to a user who is not active.

    One statement with one parameter, whose answer is empty as a rule: it is asked twice a second for all
    the sockets of a process, and thousands of parameters cost more than the question.
    """
    ids = sorted(session_ids)
    if db.engine.dialect.name == "postgresql":
        listed: Any = func.unnest(bindparam("ids", ids, ARRAY(BigInteger))).column_valued("asked")
    else:
        listed = func.json_each(bindparam("ids", json.dumps(ids))).table_valued("value").c.value
    lives = select(AuthSession.id).join(User, User.id == AuthSession.user_id)
    lives = lives.where(AuthSession.id == listed, AuthSession.ended_at.is_(None), User.is_active)
    with reading():
        found = set(db.session.scalars(select(listed).where(~lives.exists())))
        db.session.commit()
    return found
