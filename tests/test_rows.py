"""Selections and transactions on the driver's own cursor give what SQLAlchemy would, and leave nothing behind."""

from __future__ import annotations

from typing import Any, cast

import pytest
from flask import Flask
from sqlalchemy import Table, bindparam, func, insert, select, text, update
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError

from codesherpa.agents.models import Agent
from codesherpa.chat.models import Chat
from codesherpa.database import now
from codesherpa.extensions import db
from codesherpa.observability import tracing
from codesherpa.rows import Transaction, fetch, transaction
from codesherpa.user.models import User
from tests.conftest import Caller


def test_a_row_has_the_values_that_sqlalchemy_reads(app: Flask, ada: Caller) -> None:
    ada.post("/agents", json={"name": "Reader", "temperature": 0.5, "max_tokens": 7})
    ada.post("/chat", json={"message": "Hello"})

    with app.app_context():
        for entity in (User, Agent, Chat):
            wanted = select(*entity.__table__.columns).where(entity.__table__.c.id == bindparam("id"))
            (read,) = db.session.execute(wanted, {"id": 1}).all()
            (found,) = fetch(wanted, id=1)
            assert vars(found) == dict(read._mapping)


def test_what_the_driver_refuses_is_called_as_sqlalchemy_calls_it(app: Flask, ada: Caller) -> None:
    with app.app_context():
        with pytest.raises(DBAPIError):
            fetch(select(text("nonsense")).select_from(text("nowhere")))

        assert db.engine.pool.checkedout() == 0  # type: ignore[attr-defined]
        assert fetch(select(User.name).where(User.id == bindparam("id")), id=ada.id)[0].name == "Ada"


def test_what_is_written_after_a_selection_can_still_be_taken_back(app: Flask, ada: Caller) -> None:
    names = select(User.name).where(User.id == bindparam("id"))

    with app.app_context():
        fetch(names, id=ada.id)
        db.session.execute(text("UPDATE users SET name = 'Eve'"))
        db.session.rollback()

        assert fetch(names, id=ada.id)[0].name == "Ada"


AGENTS = cast(Table, Agent.__table__)
NEW = insert(AGENTS).returning(AGENTS.c.id, AGENTS.c.created_at)
NAMES = select(AGENTS.c.name).order_by(AGENTS.c.id)


def agent(user_id: int, name: str = "Reader") -> dict[str, Any]:
    values = {"user_id": user_id, "name": name, "status": "active", "kind": "general"}
    return values | {"created_at": now(), "updated_at": now()}


def names() -> list[str]:
    return [row.name for row in fetch(NAMES)]


class Traced:
    """A tracer that notes nothing: what is traced goes SQLAlchemy's way."""


@pytest.fixture(params=[None, Traced()], ids=["driver", "traced"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracing, "tracer", request.param)


@pytest.mark.usefixtures("way")
def test_a_transaction_is_kept_whole_or_not_at_all(app: Flask, ada: Caller) -> None:
    made = agent(ada.id)
    renamed = update(AGENTS).where(AGENTS.c.id == bindparam("agent_id")).returning(AGENTS.c.name)

    with app.app_context():
        with transaction() as unit:
            (kept,) = unit.run(NEW, **made)
            changed = [unit.run(renamed, agent_id=id, name="Writer", updated_at=now()) for id in (kept.id, 999)]
        with pytest.raises(ZeroDivisionError), transaction() as unit:
            raise ZeroDivisionError(unit.run(NEW, **agent(ada.id, "nobody")))

        assert kept.created_at == made["created_at"]
        assert [[row.name for row in rows] for rows in changed] == [["Writer"], []]
        assert names() == ["Writer"]
        assert db.engine.pool.checkedout() == 0  # type: ignore[attr-defined]


@pytest.mark.usefixtures("way")
def test_what_a_database_refuses_in_a_transaction_undoes_it_and_has_the_name_that_sqlalchemy_gives(
    app: Flask, ada: Caller
) -> None:
    with app.app_context():
        with pytest.raises(IntegrityError) as refused, transaction() as unit:
            [unit.run(NEW, **agent(*of)) for of in ((ada.id,), (999, "a secret"))]

        assert "INSERT INTO agents" in str(refused.value)
        assert "a secret" not in str(refused.value).replace(str(refused.value.orig), "")
        assert names() == []
        assert db.engine.pool.checkedout() == 0  # type: ignore[attr-defined]


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_transaction_whose_connection_breaks_says_so_and_the_next_has_another(app: Flask, ada: Caller) -> None:
    def break_off(unit: Transaction) -> None:
        unit.run(NEW, **agent(ada.id))
        (own,) = unit.run(select(func.pg_backend_pid().label("id")))
        with db.engine.connect() as other:
            other.execute(select(func.pg_terminate_backend(own.id)))
        unit.run(NAMES)

    with app.app_context():
        with pytest.raises(OperationalError) as broken, transaction() as unit:
            break_off(unit)
        with transaction() as unit:
            unit.run(NEW, **agent(ada.id, "after"))

        assert broken.value.connection_invalidated
        assert names() == ["after"]
        assert db.engine.pool.checkedout() == 0  # type: ignore[attr-defined]


def test_what_the_session_has_open_is_committed_before_a_transaction_begins(app: Flask, ada: Caller) -> None:
    """SQLite would wait for its only writer, who is the same, until it gives up."""
    with app.app_context():
        db.session.add(Agent(**agent(ada.id, "first")))
        db.session.flush()
        with transaction() as unit:
            unit.run(NEW, **agent(ada.id, "second"))

        assert names() == ["first", "second"]


def test_a_default_that_nobody_gives_is_asked_for(app: Flask, ada: Caller) -> None:
    with app.app_context(), pytest.raises(ValueError, match="updated_at"), transaction() as unit:
        unit.run(NEW, user_id=ada.id, name="Reader", status="active", kind="general", created_at=now())
