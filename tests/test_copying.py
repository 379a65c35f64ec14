"""flask copy-database: from SQLite to PostgreSQL, with everything in it."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import create_engine, select

import config
from codesherpa import create_app
from codesherpa.extensions import db
from tests.conftest import SETTINGS, Caller, settle


@pytest.fixture
def small(tmp_path: Path, empty_sqlite: Path) -> str:
    """The URL of a SQLite database that somebody has used."""
    shutil.copy(empty_sqlite, tmp_path / "small.db")
    url = f"sqlite:///{tmp_path / 'small.db'}"
    app = create_app(config.load(SETTINGS | {"DATABASE_URL": url}))
    ada = Caller(app.test_client(), "ada@example.com")
    ada.post("/agents", json={"name": "Reader", "temperature": 0.5})
    ada.delete(f"/agents/{ada.post('/agents', json={'name': 'Gone'}).json['data']['id']}")
    ada.post("/projects", json={"name": "नमस्ते"})
    assert (
        ada.post("/chat", json={"message": "review", "code_context": "def f(a=[]):\n    return a\n"}).status_code == 201
    )
    settle(app)
    with app.app_context():
        db.engine.dispose()
    return url


def everything(url: str) -> dict[str, list[Any]]:
    engine = create_engine(url)
    with engine.connect() as connection:
        found = {
            table.name: [tuple(row) for row in connection.execute(select(table).order_by(*table.primary_key))]
            for table in db.metadata.sorted_tables
        }
    engine.dispose()
    return found


def test_all_rows_arrive_and_the_ids_count_on(small: str, app: Flask) -> None:
    copied = app.test_cli_runner().invoke(args=["copy-database", small])
    url = app.config["DATABASE_URL"]

    assert copied.exit_code == 0, copied.output
    assert copied.output.splitlines()[-1] == "Done: all of it is here."
    assert everything(url) == everything(small)
    ada = Caller(app.test_client(), "ada@example.com")
    assert ada.post("/agents", json={"name": "Another"}).json["data"]["id"] == 3  # The second was deleted.
    assert Caller(app.test_client(), "bob@example.com").id == 2
    assert ada.get("/chat").json["data"]["chats"][0]["result"]["findings"]


def test_a_database_that_is_not_empty_is_left_alone(small: str, app: Flask, ada: Caller) -> None:
    refused = app.test_cli_runner().invoke(args=["copy-database", small])

    assert (refused.exit_code, len(refused.stderr.splitlines())) == (1, 1)
    assert "not empty" in refused.stderr
    assert ada.get("/agents").json["data"]["agents"] == []


def test_a_database_without_tables_is_refused(app: Flask, tmp_path: Path) -> None:
    for url in (f"sqlite:///{tmp_path / 'none.db'}", app.config["DATABASE_URL"], "nonsense", "mysql://x/y"):
        refused = app.test_cli_runner().invoke(args=["copy-database", url])

        assert (refused.exit_code, len(refused.stderr.splitlines())) == (1, 1), refused.output
        assert "Traceback" not in refused.output
    assert not (tmp_path / "none.db").exists()
