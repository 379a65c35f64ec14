"""Selections as rows, and small transactions, on the driver's own cursor: no session of the ORM, and none left open."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import Any
from weakref import WeakKeyDictionary

from flask import current_app
from sqlalchemy import Connection, Dialect, Engine, Select, UpdateBase
from sqlalchemy.exc import DBAPIError

from codesherpa.database import reading
from codesherpa.extensions import db
from codesherpa.observability import metrics, tracing

Statement = Select[Any] | UpdateBase


def fetch(statement: Select[Any], **values: Any) -> list[Any]:
    """Return the rows of a selection made beforehand, whose parameters are `values`; each has its columns by name.

    They are what the database holds, not what the ORM's session has changed and not yet committed.
    """
    found: list[Any] = driver().fetch(statement, values)
    return found


def first(statement: Select[Any], **values: Any) -> Any:
    """As `fetch`, but the first row alone, None where nothing is found."""
    found = fetch(statement, **values)
    return found[0] if found else None


@contextmanager
def transaction() -> Iterator[Transaction]:
    """Give a transaction: committed when the block ends, undone where something is raised in it.

    What the ORM's session has open is committed first, since SQLite has one writer, who cannot wait for himself.
    Raises the errors of SQLAlchemy.
    """
    end_reading()
    with driver().transaction() as begun:
        yield begun


def end_reading() -> None:
    """Commit what the ORM's session has open, before what waits, for its turn or for a writer."""
    if db.session.registry.has():
        db.session.commit()


def within(connection: Connection) -> Transaction:
    """Give the transaction that a connection is in, for what is also done in one of its own."""
    return Transaction(driver(), lambda sql, parameters: connection.exec_driver_sql(sql, parameters).cursor)


def driver() -> Driver:
    found = current_app.extensions.get("driver")
    if found is None:
        found = current_app.extensions["driver"] = Driver(db.engine)
    return found


class Row:
    """What a statement found, its columns by name."""


class Prepared:
    """A statement as a driver takes it, and what makes rows of the driver's answer.

    `names` are the parameters that it is given; those of them that are columns are what it inserts or sets.
    """

    def __init__(self, statement: Statement, dialect: Dialect, names: Collection[str] = ()) -> None:
        compiled: Any = statement.compile(
            dialect=dialect, column_keys=list(names) or None, compile_kwargs={"render_postcompile": True}
        )
        if lacking := [column.name for column in (*compiled.insert_prefetch, *compiled.update_prefetch)]:
            raise ValueError(f"Nobody gives the defaults of a column here: {', '.join(lacking)}")
        self.sql = str(compiled)
        self.given = dict(compiled.params)
        self.order: list[str] | None = compiled.positiontup  # None where the driver takes parameters by name.
        written = {name: bound.type.dialect_impl(dialect) for name, bound in compiled.binds.items()}
        writes = {name: kind.bind_processor(dialect) for name, kind in written.items()}
        self.writes: list[tuple[str, Callable[[Any], Any]]] = [(name, make) for name, make in writes.items() if make]
        columns = list(statement.exported_columns)
        self.names = [str(column.key) for column in columns]
        self.types = [column.type.dialect_impl(dialect) for column in columns]
        self.dialect = dialect
        self.made: list[tuple[str, Callable[[Any], Any]]] | None = None

    def parameters(self, values: dict[str, Any]) -> Any:
        """Return what the driver takes beside the statement."""
        named = self.given | values
        for name, make in self.writes:
            named[name] = make(named[name])
        return named if self.order is None else tuple([named[name] for name in self.order])

    def rows(self, cursor: Any) -> list[Row]:
        """Return all that a cursor has found; what its first answer says of its columns holds for every one."""
        if not self.names:
            return []
        if self.made is None:
            read = [
                kind.result_processor(self.dialect, told[1])
                for kind, told in zip(self.types, cursor.description, strict=True)
            ]
            self.made = [(name, make) for name, make in zip(self.names, read, strict=True) if make]
        return [self.row(found, self.made) for found in cursor.fetchall()]

    def row(self, found: tuple[Any, ...], made: list[tuple[str, Callable[[Any], Any]]]) -> Row:
        values = dict(zip(self.names, found, strict=True))
        for name, make in made:
            values[name] = make(values[name])
        row = Row()
        row.__dict__ = values
        return row


class Transaction:
    """Statements that are committed together. `send` takes one with its parameters and returns the driver's cursor."""

    def __init__(self, driver: Driver, send: Callable[[str, Any], Any]) -> None:
        self._driver, self._send = driver, send
        self.sql: str | None = None  # What was sent last.

    def run(self, statement: Statement, **values: Any) -> list[Any]:
        """Run a statement made beforehand and return its rows: what it selects, or what it returns of its changes.

        An insertion or an update takes the columns among `values`, and leaves all others to the database.
        """
        prepared = self._driver.prepare(statement, values)
        self.sql = prepared.sql
        return prepared.rows(self._send(prepared.sql, prepared.parameters(values)))

    @property
    def has_one_writer(self) -> bool:
        """Tell whether nobody else can write before this ends, so that there is nothing to lock."""
        return not self._driver.is_postgresql


class Driver:
    """Runs statements on the driver's own cursor, each prepared once.

    SQLAlchemy's way from a statement to its rows takes three or four times as long, and every signed-in request and
    every message goes it twice or more. A selection that the driver refuses goes it all the same: it knows what to
    call the fault, and what the pool must let go of. So does all that is traced.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.dbapi: Any = engine.dialect.loaded_dbapi
        self.is_postgresql = engine.dialect.name == "postgresql"
        self.prepared: WeakKeyDictionary[Statement, dict[tuple[str, ...], Prepared]] = WeakKeyDictionary()

    def prepare(self, statement: Statement, values: dict[str, Any]) -> Prepared:
        names = () if isinstance(statement, Select) else tuple(values)
        known = self.prepared.get(statement)
        if known is None:
            known = self.prepared[statement] = {}
        if names not in known:
            known[names] = Prepared(statement, self.engine.dialect, names)
        return known[names]

    def fetch(self, statement: Select[Any], values: dict[str, Any]) -> list[Row]:
        prepared = self.prepare(statement, values)
        parameters = prepared.parameters(values)
        if tracing.tracer is None:
            try:
                return self.quickly(prepared, parameters)
            except self.dbapi.Error:
                pass
        with reading(), self.engine.connect() as connection:
            return prepared.rows(connection.exec_driver_sql(prepared.sql, parameters).cursor)

    def quickly(self, prepared: Prepared, parameters: Any) -> list[Row]:
        """Return what a selection finds. A connection that fails is not used again."""
        connection: Any = self.engine.raw_connection()
        try:
            if self.is_postgresql:  # It is spared the BEGIN before a single selection, and the ROLLBACK after it.
                connection.driver_connection.autocommit = True
            cursor = connection.cursor()
            found = prepared.rows(timed(cursor, prepared.sql, parameters))
            cursor.close()
            if self.is_postgresql:
                connection.driver_connection.autocommit = False
        except BaseException:
            connection.invalidate()
            raise
        connection.close()
        return found

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        if tracing.tracer is not None:
            with self.engine.begin() as connection:
                yield within(connection)
            return
        taken: Any = None
        cursor: Any = None
        begun = Transaction(self, lambda sql, parameters: timed(cursor, sql, parameters))
        try:
            taken = self.engine.raw_connection()
            cursor = taken.cursor()
            if not self.is_postgresql:  # Which begins by itself.
                cursor.execute("BEGIN IMMEDIATE")
            yield begun
            taken.commit()
            cursor.close()
        except self.dbapi.Error as fault:
            is_lost = taken is None or self.engine.dialect.is_disconnect(fault, taken.driver_connection, cursor)
            if taken is not None and is_lost:
                taken.invalidate()
            raise DBAPIError.instance(
                begun.sql,
                None,
                fault,
                self.dbapi.Error,
                hide_parameters=True,
                connection_invalidated=is_lost,
                dialect=self.engine.dialect,
            ) from fault
        finally:
            if taken is not None and taken.is_valid:
                taken.close()  # The pool takes back what was not committed.


def timed(cursor: Any, sql: str, parameters: Any) -> Any:
    """Send a statement, and note how long the database took."""
    started = time.perf_counter()
    cursor.execute(sql, parameters)
    metrics.QUERIES.observe(time.perf_counter() - started)
    return cursor
