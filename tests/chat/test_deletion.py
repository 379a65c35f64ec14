"""What is deleted while a reply is being written: the reply is stopped first, or goes on without it."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from flask import Flask

from tests.conftest import Caller
from tests.scripted import Scripted


class Asked(threading.Thread):
    """A message of Ada's whose reply says one word and then waits for `go_on`."""

    def __init__(self, caller: Caller, model: Scripted, **beside: Any) -> None:
        super().__init__()
        self.caller, self.body, self.go_on = caller, {"message": "Hello", **beside}, threading.Event()
        model.pieces = ["some ", self.go_on, "words"]
        self.start()
        assert model.begun.acquire(timeout=10)
        self.id = caller.get("/chat").json["data"]["chats"][-1]["id"]

    def run(self) -> None:
        self.answer = self.caller.post("/chat", json=self.body)


def test_a_chat_that_is_being_written_is_stopped_and_gone(app: Flask, ada: Caller, model: Scripted) -> None:
    asked = Asked(ada, model)
    live = app.extensions["process"].live[asked.id]

    deleted = ada.delete(f"/chat/{asked.id}")
    stopped = live.cancellation.cancelled
    asked.join(20)

    assert (deleted.status_code, deleted.json["data"], stopped) == (200, None, True)
    assert asked.answer.status_code in (201, 404)
    assert ada.get(f"/chat/{asked.id}").status_code == 404
    assert ada.get("/chat").json["data"]["chats"] == []


@pytest.mark.parametrize(("path", "name"), [("/agents", "agent_id"), ("/projects", "project_id")])
def test_a_reply_goes_on_when_its_agent_or_project_is_deleted(
    ada: Caller, model: Scripted, path: str, name: str
) -> None:
    id = ada.post(path, json={"name": "x"}).json["data"]["id"]
    asked = Asked(ada, model, **{name: id})

    assert ada.delete(f"{path}/{id}").status_code == 200
    asked.go_on.set()
    asked.join(20)

    chat = asked.answer.json["data"]
    assert (chat["status"], chat["response"], chat[name]) == ("complete", "some words", None)
    assert ada.get(f"/chat/{asked.id}").json["data"] == chat
