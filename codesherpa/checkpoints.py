"""What was deleted leaves SQLite's write-ahead log too.

A deleted row is overwritten in the database file (`secure_delete`), but the pages as they were before stand in the log
until it is copied into the file, at 40 MB of it, and even then until the log is written over. So after a deletion the
log is copied and cut to nothing, in a native thread with a connection of its own: no request waits for it, and what
keeps it from being cut, a reader or a writer at that moment, is tried again.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from contextlib import closing
from itertools import chain, repeat
from pathlib import Path

import structlog
from flask import Flask, current_app

from codesherpa.concurrency import offload, spawn
from codesherpa.extensions import db

# Seconds between tries while somebody reads or writes: about a minute in all.
RETRY = (0.02, 0.05, 0.1, 0.2, 0.5, *repeat(1.0, 60))
PAUSE = 1.0  # Seconds at least between two, so that a flood of deletions costs one a second.

log = structlog.get_logger(__name__)


class Checkpoints:
    """One process's checkpoints of its database; there is no thread while nothing was deleted."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._wanted = False
        self._thread: threading.Thread | None = None

    def request(self) -> None:
        """Have the log cut soon; deletions of the same moment share one."""
        with self._lock:
            self._wanted = True
            if self._thread is None:
                self._thread = spawn(self._run)

    def wait(self, patience: float) -> None:
        """Wait until the log is cut, or for so many seconds."""
        with self._lock:
            thread = self._thread
        if thread:
            thread.join(patience)

    def _run(self) -> None:
        while self._goes_on():
            self._cut()
            if self._wanted:
                time.sleep(PAUSE)

    def _goes_on(self) -> bool:
        with self._lock:
            if not self._wanted:
                self._thread = None
                return False
            self._wanted = False
            return True

    def _cut(self) -> None:
        try:
            for pause in chain(RETRY, [0.0]):
                if offload(cut, self._path):
                    return
                time.sleep(pause)
            log.warning("deleted text is still in the write-ahead log", path=self._path)
        except sqlite3.Error as fault:  # The file may be gone, or the disk full.
            log.warning("the write-ahead log was not cut", path=self._path, reason=str(fault))


def cut(path: str) -> bool:
    """Copy the log into the database file and cut it to nothing; False where somebody reads or writes just now.

    The first pass keeps nobody waiting and does nearly all of it, so the second holds writers up for a moment only.
    """
    uri = f"{Path(path).absolute().as_uri()}?mode=rw"  # It never makes a file.
    with closing(sqlite3.connect(uri, uri=True, timeout=0, isolation_level=None)) as connection:
        connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
        busy: int = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
        return not busy


def init_app(app: Flask) -> None:
    """Be ready to cut the log of an application that keeps its data in a file of SQLite."""
    with app.app_context():
        url = db.engine.url
    path = url.database if url.get_backend_name() == "sqlite" else None
    if path and path != ":memory:" and not path.startswith("file:"):
        app.extensions["checkpoints"] = Checkpoints(path)


def request() -> None:
    """Have what was just deleted leave the log too; does nothing for PostgreSQL."""
    if checkpoints := current_app.extensions.get("checkpoints"):
        checkpoints.request()


def wait(patience: float = 10.0) -> None:
    """Wait for what was asked for, in a command that ends after it."""
    if checkpoints := current_app.extensions.get("checkpoints"):
        checkpoints.wait(patience)
