"""The database's history: up, down and up again, and no model without its migration."""

from __future__ import annotations

from collections.abc import Callable

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from flask import Flask
from flask_migrate import downgrade, upgrade
from sqlalchemy import inspect

from codesherpa.extensions import db
from tests.conftest import Caller
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
