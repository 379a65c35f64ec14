"""How every model is stored: names of constraints, times in UTC, and SQLite made safe for two writers."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import Any

import structlog
from flask import g, has_app_context
from sqlalchemy import BigInteger, Connection, DateTime, Dialect, Engine, Integer, MetaData, event
from sqlalchemy.exc import InterfaceError, OperationalError, TimeoutError
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import TypeDecorator

# A 64-bit key in PostgreSQL; SQLite counts up by itself only for a column of type INTEGER.
Key = BigInteger().with_variant(Integer, "sqlite")
LARGEST_KEY = 2**63 - 1
# An id is never given twice, which SQLite would do with that of the last row once it is deleted: tokens, clients and
# sockets remember ids. A model with arguments of its own ends them with this; a migration says it of a new table.
NEVER_AGAIN = {"sqlite_autoincrement": True}
# What a database that is away raises: a connection that cannot be made, that broke, or that was not to be had.
AWAY = (OperationalError, InterfaceError, TimeoutError)

# Every process waits for the disk while one of them copies the log into the file: seldom, after 40 MB of it.
PRAGMAS = (
    "journal_mode=WAL",
    "synchronous=NORMAL",
    "foreign_keys=ON",
    "busy_timeout=5000",
    "wal_autocheckpoint=10000",
    "secure_delete=ON",  # What is deleted is overwritten; some builds of SQLite do so by themselves.
)


log = structlog.get_logger(__name__)


class Time(TypeDecorator[datetime]):
    """An aware time, kept in UTC; SQLite has no time zones and gives it back as it was kept."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], datetime | None]:
        """Return what makes a time of what the driver gives; a list has dozens, so nothing stands between."""
        if dialect.name == "sqlite":
            return lambda value: None if value is None else datetime.fromisoformat(value + "+00:00")
        return lambda value: None if value is None else value.astimezone(UTC)


def now() -> datetime:
    return datetime.now(UTC)


class Base(DeclarativeBase):
    """What Flask-SQLAlchemy makes its own model class from; every constraint has a name, so it can be dropped."""

    __table_args__: Any = NEVER_AGAIN
    # Two who delete one thing at once both have what they want.
    __mapper_args__: Any = {"confirm_deleted_rows": False}  # noqa: RUF012 (SQLAlchemy reads it)

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(column_0_N_label)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


class Dated:
    """A row that knows when it was made and last changed."""

    id: Mapped[int] = mapped_column(Key, primary_key=True, sort_order=-1)
    created_at: Mapped[datetime] = mapped_column(Time, default=now, sort_order=90)
    updated_at: Mapped[datetime] = mapped_column(
        Time, default=lambda row: row.get_current_parameters()["created_at"], onupdate=now, sort_order=91
    )


@contextmanager
def reading() -> Iterator[None]:
    """Say that what follows in this request or task only reads, so that SQLite lets others write."""
    before = g.get("reading", False)
    g.reading = True
    try:
        yield
    finally:
        g.reading = before


@event.listens_for(Engine, "do_connect")
def keep_private(dialect: Dialect, _record: object, arguments: list[Any], _options: dict[str, Any]) -> None:
    """Make SQLite's file before it does so itself: for this user alone, wherever it is. Its logs get the same mode.

    They hold hashes of passwords and users' code.
    """
    path = str(arguments[0]) if dialect.name == "sqlite" and arguments else ""
    if path and path != ":memory:" and not path.startswith("file:"):
        with suppress(OSError):  # It is there, or SQLite says itself why it cannot be.
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600))


def make_private(path: str) -> None:
    """Take away what others may do with a database that was made otherwise; another user's is left to that one."""
    for name in (path, f"{path}-wal", f"{path}-shm", f"{path}-journal"):
        with suppress(OSError):
            there = os.stat(name)
            if there.st_uid == os.geteuid() and stat.S_ISREG(there.st_mode) and there.st_mode & 0o077:
                os.chmod(name, 0o600)
                log.warning("others could read the database; its file is for this user alone now", path=name)


@event.listens_for(Engine, "connect")
def prepare_sqlite(connection: Any, _record: object) -> None:
    """Set what SQLite leaves off: foreign keys, the write-ahead log, patience, and letters beyond ASCII."""
    if "sqlite" not in type(connection).__module__:
        return
    connection.isolation_level = None  # The driver's own BEGIN comes too late; `begin` below says it.
    for pragma in PRAGMAS:
        connection.execute(f"PRAGMA {pragma}")
    if path := connection.execute("PRAGMA database_list").fetchone()[2]:  # None of one in memory.
        make_private(path)
    connection.create_function("lower", 1, lower, deterministic=True)  # SQLite's own knows ASCII only.


def lower(text: str | None) -> str | None:
    return text.lower() if text is not None else None


@event.listens_for(Engine, "begin")
def begin(connection: Connection) -> None:
    """Take SQLite's write lock at the start: a read that turns into a write would lose against another.

    What only reads begins nothing: each statement sees what is committed, as in PostgreSQL.
    """
    if connection.dialect.name == "sqlite" and not (has_app_context() and g.get("reading", False)):
        connection.exec_driver_sql("BEGIN IMMEDIATE")
