"""How Alembic reaches the application's database: one upgrade at a time, all of it or nothing."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from alembic import context
from flask import current_app
from sqlalchemy import Connection, text

LOCK = 0x5348_4552_5041  # Any number will do, as long as every upgrade asks for the same.

logging.getLogger("alembic").setLevel(logging.INFO)
db = current_app.extensions["migrate"].db


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


def run() -> None:
    with db.engine.connect() as connection:
        context.configure(
            connection=connection,
            target_metadata=db.metadata,
            transactional_ddl=True,
            **current_app.extensions["migrate"].configure_args,
        )
        with alone(connection):
            with context.begin_transaction():
                context.run_migrations()
            connection.commit()


if context.is_offline_mode():
    context.configure(url=db.engine.url.render_as_string(), target_metadata=db.metadata, literal_binds=True)
    with context.begin_transaction():
        context.run_migrations()
else:
    run()
