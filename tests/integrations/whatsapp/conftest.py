"""An application that is switched on for WhatsApp, beside a stand-in of the Cloud API."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from codesherpa.integrations.signatures import sign
from tests.conftest import Caller
from tests.scripted import Scripted
from tests.standins import whatsapp
from tests.standins.whatsapp import Standin

PHONE = "491701234567"


@pytest.fixture
def standin() -> Iterator[Standin]:
    with whatsapp.running() as running:
        yield running


@pytest.fixture
def app(make_app: Callable[..., Flask], standin: Standin) -> Flask:
    return make_app(**standin.settings)


@pytest.fixture
def deliver(client: FlaskClient, standin: Standin) -> Callable[..., Any]:
    return deliverer(client, standin)


def deliverer(client: FlaskClient, standin: Standin) -> Callable[..., Any]:
    """Return what delivers messages as Meta does, signed."""

    def post(*messages: dict[str, Any], **kwargs: Any) -> Any:
        body = json.dumps(whatsapp.delivery(*messages, **kwargs)).encode()
        return send(client, body, sign(standin.settings["WHATSAPP_APP_SECRET"], body))

    return post


def send(client: FlaskClient, body: bytes, signature: str | None) -> Any:
    headers = {"X-Hub-Signature-256": signature} if signature else {}
    return client.post("/api/whatsapp/webhook", data=body, headers=headers, content_type="application/json")


@pytest.fixture
def phone(ada: Caller, standin: Standin, deliver: Callable[..., Any], model: Scripted) -> str:
    """Ada's number, linked."""
    link(ada, PHONE, standin, deliver)
    return PHONE


def link(caller: Caller, number: str, standin: Standin, deliver: Callable[..., Any]) -> None:
    before = len(standin.sent)
    assert caller.put("/user/me", json={"whatsapp_number": f"+{number}"}).status_code == 200
    standin.wait(before + 1)
    deliver(whatsapp.text(f"wamid.link{number}{caller.id}", number, code_in(standin.texts(number)[-1])))
    standin.wait(before + 2)
    assert "linked" in standin.texts(number)[-1]


def code_in(text: str) -> str:
    return text.split()[0]
