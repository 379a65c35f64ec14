"""The database's history: up, down and up again, and no model without its migration."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from flask import Flask
from flask_migrate import downgrade, upgrade
from sqlalchemy import Connection, Engine, Select, Table, create_engine, inspect, select, text
from sqlalchemy.engine import make_url

from codesherpa.extensions import db
from config import ROOT
from tests.conftest import SETTINGS, Caller, new_postgres, settle
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


def rows(engine: Engine) -> dict[str, list[Any]]:
    with engine.connect() as connection:
        return {
            table.name: [
                tuple(row) for row in connection.execute(stored(table, connection).order_by(*table.primary_key))
            ]
            for table in db.metadata.sorted_tables
        }


def stored(table: Table, connection: Connection) -> Select[Any]:
    """Select the columns of a table that it has at the revision at which the database is."""
    return select(*(table.c[column["name"]] for column in inspect(connection).get_columns(table.name)))


def held_to(engine: Engine) -> dict[str, Any]:
    """All that a table is, but for the order in which the database tells it: columns, indexes, constraints."""
    look = inspect(engine)
    return {
        name: sorted(
            json.dumps(found, default=str)
            for found in (
                *look.get_columns(name),
                *look.get_indexes(name),
                *look.get_foreign_keys(name),
                *look.get_unique_constraints(name),
            )
        )
        for name in look.get_table_names()
    }


def test_rebuilding_every_table_of_sqlite_keeps_what_it_holds(make_app: Callable[..., Flask]) -> None:
    app = make_app()
    app.extensions["provider"] = Scripted()
    ada = Caller(app.test_client(), "ada@example.com")
    agent = ada.post("/agents", json={"name": "A"}).json["data"]["id"]
    project = ada.post("/projects", json={"name": "P"}).json["data"]["id"]
    body = {"message": "hello", "agent_id": agent, "project_id": project, "client_message_id": "1"}
    assert ada.post("/chat", json=body).status_code == 201
    settle(app)

    with app.app_context():
        downgrade(revision="c4a7d90b63e8")  # What came after it changes more than it rebuilds.
        before = rows(db.engine), held_to(db.engine)
        downgrade(revision="8e2f4c6b1a70")
        assert (rows(db.engine), held_to(db.engine)) == before
        upgrade(revision="c4a7d90b63e8")
        assert (rows(db.engine), held_to(db.engine)) == before
        upgrade()

    assert all(before[0][name] for name in ("users", "agents", "chats", "conversations", "auth_sessions"))
    assert ada.get("/chat").json["data"]["count"] == 1


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_every_table_of_sqlite_gives_an_id_once(app: Flask) -> None:
    """A batch operation of a later migration that does not say so again would take it away."""
    with app.app_context():
        made = dict(db.session.execute(text("SELECT name, sql FROM sqlite_master WHERE type = 'table'")).tuples().all())

    counted = [table.name for table in db.metadata.sorted_tables if table.autoincrement_column is not None]
    assert len(counted) > 10
    assert [name for name in counted if "AUTOINCREMENT" not in made[name]] == []


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_migration_that_loses_a_parent_is_undone(app: Flask, ada: Caller, caplog: pytest.LogCaptureFixture) -> None:
    with app.app_context():
        connection = db.engine.raw_connection()
        connection.execute("PRAGMA foreign_keys=OFF")
        connection.execute("DELETE FROM users")
        connection.execute("PRAGMA foreign_keys=ON")
        connection.close()

        with pytest.raises(SystemExit):
            downgrade(revision="8e2f4c6b1a70")

        assert "refer to nothing" in caplog.text
        made = "SELECT sql FROM sqlite_master WHERE name = 'users'"
        assert "AUTOINCREMENT" in db.session.execute(text(made)).scalar_one()


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
    with new_postgres() as url:
        yield url


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
