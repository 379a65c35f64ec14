"""An application with a fresh database for each test, on SQLite and on PostgreSQL."""

from __future__ import annotations

import base64
import json
import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from flask import Flask
from flask.testing import FlaskClient, FlaskCliRunner
from flask_migrate import upgrade
from sqlalchemy import text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import OperationalError

import config
from codesherpa import create_app
from codesherpa.extensions import db
from tests.leaks import nothing_leaks, pytest_runtest_makereport  # noqa: F401 (pytest looks for them here)
from tests.scripted import Scripted

POSTGRES = os.environ.get("TEST_DATABASE_URL", "postgresql://postgres@127.0.0.1:5432/postgres")
REDIS = os.environ.get("TEST_REDIS_URL", "redis://127.0.0.1:6379/15")
IN_CI = os.environ.get("CI") == "true"

# Hashing is cheap in the tests alone, and nothing leaves the machine.
SETTINGS = {
    "SECRET_KEY": "a key that is only good for tests, and long",
    "BCRYPT_ROUNDS": "4",
    "MODEL_PROVIDER": "offline",
    "LOG_LEVEL": "WARNING",
    "RATE_LIMIT_DEFAULT": "off",
    "RATE_LIMIT_AUTH": "off",
    "RATE_LIMIT_LOGIN": "off",
    "RATE_LIMIT_MESSAGES": "off",
}


def skip_or_fail(reason: str) -> None:
    """A machine of a developer may lack a service; CI may not."""
    if IN_CI:
        pytest.fail(reason)
    pytest.skip(reason)


def pytest_xdist_auto_num_workers() -> int | None:
    """Have `-n auto` start three workers for two cores: the tests of servers and browsers mostly wait.

    The tests under tests/web and tests/chaos use a core for a third of their time. PYTEST_XDIST_AUTO_NUM_WORKERS
    overrides this number.
    """
    if "PYTEST_XDIST_AUTO_NUM_WORKERS" in os.environ:
        return None
    return len(os.sched_getaffinity(0)) * 3 // 2 or 1


@pytest.fixture(scope="session", autouse=True)
def measured_servers() -> None:
    """Have `make coverage` follow the green threads of the servers that the tests start.

    In the tests' own process, where threads are native, coverage would hang as it follows greenlets of threads that
    have ended.
    """
    if told := os.environ.get("COVERAGE_PROCESS_CONFIG"):
        settings = json.loads(base64.b64decode(told)) | {"concurrency": ["thread", "greenlet"]}
        os.environ["COVERAGE_PROCESS_CONFIG"] = base64.b64encode(json.dumps(settings).encode()).decode()


@pytest.fixture(scope="session")
def empty_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite database to copy."""
    path = tmp_path_factory.mktemp("database") / "empty.db"
    migrate(f"sqlite:///{path}")
    with_everything_in_one_file(path)
    return path


def with_everything_in_one_file(path: Path) -> None:
    import sqlite3

    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()


def migrate(url: str) -> None:
    app = create_app(config.load(SETTINGS | {"DATABASE_URL": url}))
    with app.app_context():
        upgrade()
        db.engine.dispose()


@contextmanager
def new_postgres() -> Iterator[str]:
    """Give the URL of a new PostgreSQL database, which is dropped at the end."""
    server = make_url(POSTGRES)
    name = f"codesherpa_test_{uuid.uuid4().hex[:12]}"
    try:
        administer(f'CREATE DATABASE "{name}"')
    except psycopg2.OperationalError as error:
        skip_or_fail(f"no PostgreSQL at {server.host}:{server.port}: {error}")
    # A commit need not wait for the disk: no test cuts the power of this server.
    administer(f'ALTER DATABASE "{name}" SET synchronous_commit = off')
    try:
        yield server.set(database=name).render_as_string(hide_password=False)
    finally:
        administer(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The URL of a migrated PostgreSQL database of this test process's own; whoever uses it leaves it empty."""
    with new_postgres() as url:
        migrate(url)
        yield url


@contextmanager
def emptied(postgres: str) -> Iterator[str]:
    """Give the URL to what runs elsewhere and has ended by the end; what it left is deleted then."""
    try:
        yield postgres
    finally:
        administer(emptying(), postgres)


@pytest.fixture
def postgres_of_servers(postgres: str) -> Iterator[str]:
    """The URL of the same database, for the servers of a test."""
    with emptied(postgres) as url:
        yield url


def administer(statement: str, database: str = POSTGRES) -> None:
    connection = psycopg2.connect(database)
    connection.autocommit = True
    connection.cursor().execute(statement)
    connection.close()


@pytest.hookimpl(tryfirst=True)
def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test that is marked `sqlite_only` on SQLite alone: no database can change what it asserts."""
    if "database_url" in metafunc.fixturenames and metafunc.definition.get_closest_marker("sqlite_only"):
        metafunc.definition.add_marker(pytest.mark.parametrize("database_url", ["sqlite"], indirect=True))


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a fresh database."""
    if request.param == "sqlite":
        shutil.copy(request.getfixturevalue("empty_sqlite"), tmp_path / "test.db")
        return f"sqlite:///{tmp_path / 'test.db'}"
    url: str = request.getfixturevalue("postgres")
    return url


@pytest.fixture
def make_app(database_url: str) -> Iterator[Callable[..., Flask]]:
    """Make an application with settings of its own."""
    made: list[Flask] = []

    def make(**settings: str) -> Flask:
        app = create_app(config.load(SETTINGS | {"DATABASE_URL": database_url} | settings))
        app.config["TESTING"] = True
        made.append(app)
        return app

    yield make
    for app in made:
        settle(app)
        with app.app_context():
            if database_url.startswith("postgresql") and app is made[-1]:
                empty()
            db.engine.dispose()


@cache
def emptying() -> str:
    """Return the SQL that deletes every row and has ids begin at 1 again.

    TRUNCATE does the same, but makes and syncs new files for 16 tables, their indexes and sequences. The lock waits,
    as TRUNCATE does, for transactions that still write.
    """
    tables = db.metadata.sorted_tables
    lock = f"LOCK TABLE {','.join(db.metadata.tables)} IN EXCLUSIVE MODE"
    deletions = [f"DELETE FROM {table.name}" for table in reversed(tables)]  # Rows that refer to others first.
    numbered = [table for table in tables if table.autoincrement_column is not None]
    restarts = [f"setval(pg_get_serial_sequence('{table.name}', 'id'), 1, false)" for table in numbered]
    return ";".join([lock, *deletions, f"SELECT {','.join(restarts)}"])


def empty() -> None:
    """Delete all rows. Sockets that are still looked after ask meanwhile, and may meet this in a deadlock."""
    for tries_left in (2, 1, 0):
        try:
            db.session.execute(text(emptying()))
            db.session.commit()
        except OperationalError:
            db.session.rollback()
            if not tries_left:
                raise
        else:
            return


def settle(app: Flask) -> None:
    """Wait until nothing is being written any more."""
    app.extensions["whatsapp"].close()
    process = app.extensions["process"]
    for live in list(process.live.values()):
        live.cancellation.cancel()
    process.close()
    app.extensions["runner"].close()


@pytest.fixture
def app(make_app: Callable[..., Flask]) -> Flask:
    return make_app()


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def runner(app: Flask) -> FlaskCliRunner:
    return app.test_cli_runner()


@pytest.fixture
def model(app: Flask) -> Scripted:
    """The model that this application speaks to."""
    scripted = Scripted()
    app.extensions["provider"] = scripted
    return scripted


class Caller:
    """A signed-in user at an HTTP client: calls the API and gives what it answers."""

    def __init__(self, client: FlaskClient, email: str, password: str = "correct horse battery") -> None:
        self.client, self.email, self.password = client, email, password
        client.post("/api/v1/auth/register", json={"name": "Ada", "email": email, "password": password})
        self.login()

    def login(self) -> None:
        answer = self.client.post("/api/v1/auth/login", json={"email": self.email, "password": self.password})
        data = answer.json["data"]
        self.access, self.refresh, self.id = data["access_token"], data["refresh_token"], data["user"]["id"]

    def call(self, method: str, path: str, token: str | None = None, **kwargs: Any) -> Any:
        headers = {"Authorization": f"Bearer {token or self.access}"}
        return self.client.open(f"/api/v1{path}", method=method, headers=headers, **kwargs)

    def get(self, path: str, **kwargs: Any) -> Any:
        return self.call("GET", path, **kwargs)

    def post(self, path: str, **kwargs: Any) -> Any:
        return self.call("POST", path, **kwargs)

    def put(self, path: str, **kwargs: Any) -> Any:
        return self.call("PUT", path, **kwargs)

    def delete(self, path: str, **kwargs: Any) -> Any:
        return self.call("DELETE", path, **kwargs)


@pytest.fixture
def ada(client: FlaskClient) -> Caller:
    return Caller(client, "ada@example.com")


@pytest.fixture
def bob(client: FlaskClient) -> Caller:
    return Caller(client, "bob@example.com")
