"""Canaries: what a user types and holds turns up where it belongs and nowhere else, when all fails too."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from sqlalchemy.exc import DataError, OperationalError
from sqlalchemy.orm import Session
from structlog.stdlib import ProcessorFormatter

from codesherpa.extensions import db
from codesherpa.user.audit import AuditEvent
from tests.conftest import Caller
from tests.leaks import secrets_in
from tests.scripted import Scripted

TEXT = "canary-of-what-a-user-wrote"
TYPED = "canary-of-what-was-typed"


def everything(caller: Caller) -> list[Any]:
    """Call whatever takes text, with a canary in each of its fields."""
    wrong = {"email": f"{TYPED}@example.com", "password": TYPED}
    return [
        caller.client.post("/api/v1/auth/login", json=wrong),
        caller.client.post("/api/v1/auth/login", json=wrong | {"email": TYPED}),
        caller.client.post("/api/v1/auth/login", data=f'{{"password": "{TYPED}"', content_type="application/json"),
        caller.client.post("/api/v1/auth/register", json={"name": TEXT, "email": caller.email, "password": TYPED}),
        caller.get("/user/me", token=f"{TYPED}.{TYPED}.{TYPED}"),
        caller.get(f"/chat?q={TEXT}"),
        caller.get(f"/agents?q={TEXT}"),
        caller.put("/user/me/password", json={"current_password": TYPED, "new_password": f"{TYPED}-new"}),
        caller.delete("/user/me", json={"password": TYPED}),
        caller.put("/user/me", json={"name": TEXT}),
        caller.post("/agents", json={"name": TEXT, "system_prompt": TEXT, "description": TEXT}),
        caller.post("/projects", json={"name": TEXT, "instructions": TEXT, "description": TEXT}),
        caller.post("/chat", json={"message": TEXT, "code_context": TEXT}),
        caller.post("/agents", json={TYPED: 1}),
    ]


@pytest.fixture
def noisy(make_app: Callable[..., Flask]) -> Flask:
    """An application that logs all that it ever would."""
    app = make_app(LOG_LEVEL="DEBUG", LOG_FORMAT="json")
    app.extensions["provider"] = Scripted()
    return app


@pytest.fixture
def log(noisy: Flask) -> io.StringIO:
    """What it has logged."""
    [handler] = (one for one in logging.root.handlers if isinstance(one.formatter, ProcessorFormatter))
    written = io.StringIO()
    handler.setStream(written)  # type: ignore[attr-defined]
    return written


def test_a_canary_stays_out_of_the_log_and_of_what_others_see(noisy: Flask, log: io.StringIO) -> None:
    ada, bob = Caller(noisy.test_client(), "ada@example.com"), Caller(noisy.test_client(), "bob@example.com")

    answers = everything(ada)
    lists = ("/chat", "/agents", "/projects", "/chat/conversations")
    searched = [f"{path}?q={TEXT[:6]}" for path in lists]
    seen = [bob.get(path).text for path in ("/user/me/export", "/user/me", *lists, *searched)]
    seen.append(bob.client.get("/metrics").text)

    written = log.getvalue()
    assert written.count('"event": "request"') >= len(answers)
    assert (TEXT in written, TYPED in written, secrets_in(written)) == (False, False, [])
    assert not any(TEXT in text or TYPED in text or ada.email in text for text in seen)
    assert not any(TYPED in answer.text for answer in answers[:-1])  # The last names the unknown field.


FAULTS: dict[str, Callable[[str], Exception]] = {
    "a query that the database refuses": lambda text: DataError(
        "INSERT INTO x VALUES (?)",
        (text,),
        Exception(f"no\nDETAIL:  Failing row contains ({text})."),
        hide_parameters=True,
    ),
    "a database that is away": lambda text: OperationalError(
        "SELECT", (text,), Exception("gone"), hide_parameters=True
    ),
    "a crash": lambda text: ZeroDivisionError("division by zero"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_canary_stays_out_of_the_log_and_the_answer_when_the_commit_fails(
    noisy: Flask, log: io.StringIO, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    ada = Caller(noisy.test_client(), "ada@example.com")

    def fail(*_: Any, **__: Any) -> None:
        raise FAULTS[fault](TEXT)

    with monkeypatch.context() as patch:
        patch.setattr(Session, "flush", fail)
        answers = everything(ada)

    written = log.getvalue()
    assert any(answer.status_code >= 500 for answer in answers)
    assert written.count('"event": "request"') >= len(answers)
    assert (TEXT in written, TYPED in written, secrets_in(written)) == (False, False, [])
    inside = ("Traceback", "INSERT", "SELECT", "SQL", "DETAIL", ".py")
    assert not any(word in answer.text for answer in answers for word in inside)
    assert {answer.json["data"]["code"] for answer in answers if answer.status_code >= 500} == {"internal_error"}


def test_an_error_of_the_database_keeps_what_was_to_be_stored_to_itself(noisy: Flask, log: io.StringIO) -> None:
    with noisy.app_context():
        db.session.add(AuditEvent(user_id=10**6, action=TEXT))
        with pytest.raises(Exception) as refused:  # noqa: PT011 (each database has a kind of its own)
            db.session.commit()
        db.session.rollback()
        noisy.logger.error("refused", exc_info=refused.value)

    written = log.getvalue()
    assert TEXT not in str(refused.value).split("DETAIL")[0]
    assert ("refused" in written, TEXT in written) == (True, False)


def test_the_database_keeps_no_password_and_no_token(noisy: Flask) -> None:
    ada = Caller(noisy.test_client(), "ada@example.com")
    everything(ada)
    fresh = ada.post("/auth/refresh", token=ada.refresh).json["data"]

    with noisy.app_context():
        tables = {
            table.name: [dict(row) for row in db.session.execute(table.select()).mappings()]
            for table in db.metadata.sorted_tables
        }
    for user in tables["users"]:
        assert user.pop("password_hash").startswith("$2b$")
    stored = json.dumps(tables, default=str)
    assert (TYPED in stored, secrets_in(stored)) == (False, [])
    assert not any(token in stored for token in (ada.access, ada.refresh, *fresh.values()) if len(str(token)) > 40)
