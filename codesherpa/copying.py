"""All data of one database into another, from SQLite to PostgreSQL say."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import Connection, Engine, Table, create_engine, func, select, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from codesherpa.errors import Conflict, NotFound
from codesherpa.extensions import db

CHUNK = 500
REVISION = text("SELECT version_num FROM alembic_version")
# How each database is asked for the last id that it gave, and told to count on after one.
LAST_GIVEN = {
    "sqlite": text("SELECT seq FROM sqlite_sequence WHERE name = :table"),
    "postgresql": text("SELECT pg_sequence_last_value(CAST(pg_get_serial_sequence(:table, 'id') AS regclass))"),
}
COUNT_ON = {
    "sqlite": [
        text("DELETE FROM sqlite_sequence WHERE name = :table"),
        text("INSERT INTO sqlite_sequence (name, seq) VALUES (:table, :last)"),
    ],
    "postgresql": [text("SELECT setval(pg_get_serial_sequence(:table, 'id'), :last)")],
}


def copy_from(url: str) -> Iterator[tuple[str, int]]:
    """Copy every row of the database at `url` into the application's own; yield each table and its rows.

    All of it is one transaction: there is either everything at the end or nothing. Raises Conflict unless this
    database is empty and both are at the same migration, and NotFound where there is no such file.
    """
    path = make_url(url).database
    if url.startswith("sqlite") and not (path and Path(path).is_file()):  # SQLite would make one.
        raise NotFound(f"There is no file {path}.")
    engine = create_engine(url)
    try:
        with engine.connect() as source, db.engine.begin() as target:
            check(source, target)
            for table in db.metadata.sorted_tables:
                yield table.name, copy(table, source, target)
            for table in db.metadata.sorted_tables:
                count_on(table, source, target)
    finally:
        engine.dispose()


def check(source: Connection, target: Connection) -> None:
    """Raise Conflict unless the copy can be whole."""
    if same_place(source.engine, target.engine):
        raise Conflict("That is this database itself.")
    there, here = revision(source), revision(target)
    if there != here:
        raise Conflict(f"That database is at migration {there}, this one at {here}: run `flask db upgrade` on both.")
    for table in db.metadata.sorted_tables:
        if target.scalar(select(func.count()).select_from(table)):
            raise Conflict(f"This database is not empty: {table.name} has rows.")


def same_place(one: Engine, other: Engine) -> bool:
    return one.url.render_as_string(False) == other.url.render_as_string(False)


def revision(connection: Connection) -> str:
    try:
        return str(connection.scalar(REVISION) or "none")
    except SQLAlchemyError:
        connection.rollback()
        return "none"


def copy(table: Table, source: Connection, target: Connection) -> int:
    rows = 0
    found = source.execution_options(stream_results=True).execute(select(table).order_by(*table.primary_key))
    for chunk in found.mappings().partitions(CHUNK):
        target.execute(table.insert(), [dict(row) for row in chunk])
        rows += len(chunk)
    return rows


def count_on(table: Table, source: Connection, target: Connection) -> None:
    """Have this database give no id that either has ever given, that of a row that is gone included."""
    if table.autoincrement_column is None:
        return
    if given := max(last_given(table, source), last_given(table, target)):
        for statement in COUNT_ON[target.dialect.name]:
            target.execute(statement, {"table": table.name, "last": given})


def last_given(table: Table, connection: Connection) -> int:
    return connection.scalar(LAST_GIVEN[connection.dialect.name], {"table": table.name}) or 0
