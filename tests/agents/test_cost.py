"""What a request for agents does not do."""

from __future__ import annotations

from flask import Flask
from marshmallow import Schema

from codesherpa.agents import schemas
from codesherpa.agents.models import Agent
from codesherpa.extensions import db
from tests.conftest import Caller
from tests.statements import recorded


def test_a_list_is_read_while_somebody_writes(app: Flask, ada: Caller) -> None:
    with app.app_context(), db.engine.begin():
        answer = ada.get("/agents")

    assert answer.status_code == 200


def test_a_new_agent_is_shown_without_being_read_again(app: Flask, ada: Caller) -> None:
    with recorded(app) as sent:
        answer = ada.post("/agents", json={"name": "Reader"})

    assert answer.json["data"]["status"] == "active"
    assert [statement.split()[0] for statement, _ in sent] == ["SELECT", "UPDATE", "INSERT"]


def test_a_list_shows_what_marshmallow_itself_would_show(app: Flask, ada: Caller) -> None:
    ada.post("/agents", json={"name": "Reader", "temperature": 1, "max_tokens": 5, "system_prompt": None})

    shown = ada.get("/agents").json["data"]["agents"]

    with app.app_context():
        assert shown == [Schema.dump(schemas.Agent(), agent) for agent in db.session.query(Agent)]
