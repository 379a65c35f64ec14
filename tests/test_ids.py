"""An id that was given is not given again: clients, tokens and sockets remember it."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.conftest import Caller
from tests.scripted import Scripted


@pytest.mark.parametrize(
    ("path", "body"), [("/agents", {"name": "A"}), ("/projects", {"name": "P"}), ("/chat", {"message": "Hello"})]
)
def test_what_is_made_after_a_deletion_has_an_id_of_its_own(
    ada: Caller, model: Scripted, path: str, body: dict[str, Any]
) -> None:
    first = ada.post(path, json=body).json["data"]["id"]
    assert ada.delete(f"{path}/{first}").status_code == 200

    assert ada.post(path, json=body).json["data"]["id"] > first


def test_a_conversation_after_a_deleted_one_has_an_id_of_its_own(ada: Caller, model: Scripted) -> None:
    first = ada.post("/chat", json={"message": "Hello"}).json["data"]["conversation_id"]
    assert ada.delete(f"/chat/conversations/{first}").status_code == 200

    assert ada.post("/chat", json={"message": "Hello"}).json["data"]["conversation_id"] > first


def test_an_account_and_its_session_do_not_come_after_a_deleted_ones(client: FlaskClient) -> None:
    def session(caller: Caller) -> int:
        return int(caller.get("/user/me/sessions").json["data"]["sessions"][0]["id"])

    gone = Caller(client, "gone@example.com")
    gone_session = session(gone)
    assert gone.delete("/user/me", json={"password": gone.password}).status_code == 200

    next_one = Caller(client, "next@example.com")

    assert next_one.id > gone.id
    assert session(next_one) > gone_session
    assert gone.get("/user/me").status_code == 401
