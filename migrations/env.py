"""How Alembic reaches the application's database: one upgrade at a time, all of it or nothing."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from alembic import context
from alembic.util import CommandError
from flask import current_app
from sqlalchemy import Connection, text
from sqlalchemy.exc import DatabaseError

try:
    import fcntl
except ImportError:  # Windows, where nobody runs two upgrades at once.
    fcntl = None

LOCK = 0x5348_4552_5041  # Any number will do, as long as every upgrade asks for the same.

logging.getLogger("alembic").setLevel(max(logging.INFO, logging.getLogger().level))
db = current_app.extensions["migrate"].db


@contextmanager
def queued() -> Iterator[None]:
    """Keep a second upgrade of a SQLite file waiting, before it opens the file.

    SQLite's own lock would not do: two that switch a new file to its write-ahead log at once fail at once,
    and who waits for a long upgrade gives up after five seconds.
    """
    path = db.engine.url.database
    if db.engine.dialect.name != "sqlite" or not path or path == ":memory:" or fcntl is None:
        yield
        return
    try:
        lock = Path(f"{path}.lock").open("w")  # noqa: SIM115 (closed below). It stays: who removes it lets two in.
    except OSError as fault:
        raise CommandError(f"{path} cannot be opened: {fault.strerror}.") from fault
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def connected() -> Connection:
    """Return a connection. Raises CommandError, which is told in one line, where there is no database to be had."""
    try:
        return db.engine.connect()
    except DatabaseError as fault:
        raise CommandError(f"The database refused: {str(fault.orig).strip().splitlines()[0]}.") from fault


@contextmanager
def alone(connection: Connection) -> Iterator[None]:
    """Keep a second upgrade waiting, and SQLite from deleting children while it rebuilds their parent's table."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
        yield
        return
    driver = connection.connection.driver_connection
    driver.execute("PRAGMA foreign_keys=OFF")  # Has no effect inside a transaction, so it comes before.
    try:
        yield
    finally:
        driver.execute("PRAGMA foreign_keys=ON")


def check(connection: Connection) -> None:
    """Raise, which undoes all of it, where a row refers to one that is gone: nothing held SQLite to that so far."""
    if connection.dialect.name == "sqlite" and (lost := connection.execute(text("PRAGMA foreign_key_check")).all()):
        raise RuntimeError(f"Rows that refer to nothing after the migration: {len(lost)}, the first in {lost[0][0]}.")


def run() -> None:
    with queued(), connected() as connection:
        context.configure(
            connection=connection,
            target_metadata=db.metadata,
            transactional_ddl=True,
            **current_app.extensions["migrate"].configure_args,
        )
        with alone(connection):
            with context.begin_transaction():
                context.run_migrations()
                check(connection)
            connection.commit()


if context.is_offline_mode():
    context.configure(url=db.engine.url.render_as_string(), target_metadata=db.metadata, literal_binds=True)
    with context.begin_transaction():
        context.run_migrations()
else:
    run()
