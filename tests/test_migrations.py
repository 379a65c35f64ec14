"""The database's history: up, down and up again, and no model without its migration."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg2
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from flask import Flask
from flask_migrate import downgrade, upgrade
from sqlalchemy import create_engine, inspect
from sqlalchemy.engine import make_url

from codesherpa.extensions import db
from config import ROOT
from tests.conftest import POSTGRES, SETTINGS, Caller, administer
from tests.scripted import Scripted


def test_no_model_is_without_its_migration(app: Flask) -> None:
    with app.app_context(), db.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})

        assert compare_metadata(context, db.metadata) == []


def test_down_and_up_again_with_data_in_it(make_app: Callable[..., Flask]) -> None:
    app = make_app()
    app.extensions["provider"] = Scripted()
    ada = Caller(app.test_client(), "ada@example.com")
    assert ada.post("/chat", json={"message": "hello"}).status_code == 201
    for thread in threading.enumerate():
        if thread.name.endswith("(write)"):  # It looks for the next reply to write.
            thread.join(10)

    with app.app_context():
        downgrade(revision="base")
        assert inspect(db.engine).get_table_names() == ["alembic_version"]
        upgrade()
        upgrade()
        tables = set(inspect(db.engine).get_table_names())

    assert tables == {"alembic_version", *db.metadata.tables}
    assert Caller(app.test_client(), "bob@example.com").get("/chat").status_code == 200


def test_upgrading_keeps_sqlite_from_deleting_children(app: Flask, ada: Caller) -> None:
    """The migrations' own connection leaves foreign keys on for everybody after it."""
    with app.app_context():
        upgrade()
        if db.engine.dialect.name == "sqlite":
            assert db.session.execute(db.text("PRAGMA foreign_keys")).scalar() == 1


@pytest.fixture(params=["sqlite", "postgresql"])
def new_database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a database that has never been migrated."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'new.db'}"
        return
    request.getfixturevalue("postgres")  # Skips, or fails, where there is no server.
    name = f"codesherpa_new_{uuid.uuid4().hex[:12]}"
    administer(f'CREATE DATABASE "{name}"')
    yield make_url(POSTGRES).set(database=name).render_as_string(hide_password=False)
    administer(f'DROP DATABASE "{name}" WITH (FORCE)')


def upgrading(url: str) -> subprocess.Popen[bytes]:
    environ = os.environ | SETTINGS | {"DATABASE_URL": url}
    command = [sys.executable, "-m", "flask", "db", "upgrade"]
    return subprocess.Popen(command, cwd=ROOT, env=environ, stderr=subprocess.PIPE)


def tables(url: str) -> set[str]:
    engine = create_engine(url)
    found = set(inspect(engine).get_table_names())
    engine.dispose()
    return found


def test_two_upgrades_at_the_same_moment_both_succeed(new_database: str) -> None:
    both = [upgrading(new_database) for _ in range(2)]
    said = [one.communicate(timeout=120)[1].decode() for one in both]

    assert [one.returncode for one in both] == [0, 0], said
    assert tables(new_database) == {"alembic_version", *db.metadata.tables}


def test_an_upgrade_waits_for_the_one_before_it(new_database: str) -> None:
    """The lock is held here, as a long upgrade would hold it; the other must stand in line and do nothing."""
    with locked(new_database) as is_waiting:
        waiting = upgrading(new_database)
        while not is_waiting(waiting.pid):
            assert waiting.poll() is None, waiting.communicate()
        assert tables(new_database) == set()
    _, said = waiting.communicate(timeout=60)

    assert waiting.returncode == 0, said
    assert tables(new_database) == {"alembic_version", *db.metadata.tables}


@contextmanager
def locked(url: str) -> Iterator[Callable[[int], bool]]:
    """Hold what upgrades take turns by; give a function that tells whether a process stands in line."""
    if url.startswith("sqlite"):
        path = Path(f"{make_url(url).database}.lock")
        with path.open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            inode = f":{path.stat().st_ino} "
            yield lambda pid: any(
                "->" in line and f" {pid} " in line and inode in line
                for line in Path("/proc/locks").read_text().splitlines()
            )
        return
    connection = psycopg2.connect(url)
    cursor = connection.cursor()
    cursor.execute("SELECT pg_advisory_xact_lock(%s)", (0x5348_4552_5041,))

    def waits(_pid: int) -> bool:
        cursor.execute(
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
            " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
        )
        return bool(cursor.fetchone()[0])

    yield waits
    connection.rollback()
    connection.close()
