"""Ask a sherpa and read what was said, over HTTP."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest
from flask import Flask

from codesherpa.errors import ModelError, ModelThrottled, ModelTimeout, ModelUnavailable
from codesherpa.providers.interface import End, Usage
from tests.conftest import Caller
from tests.scripted import Scripted

FIELDS = {
    "id", "user_id", "conversation_id", "agent_id", "project_id", "message", "code_context", "response", "result",
    "status", "agent", "routing", "provider", "model_id", "input_tokens", "output_tokens", "error",
    "client_message_id", "created_at", "completed_at",
}  # fmt: skip


def ask(caller: Caller, message: str = "Hello?", **beside: Any) -> Any:
    return caller.post("/chat", json={"message": message, **beside})


def in_background(caller: Caller, **body: Any) -> tuple[threading.Thread, list[Any]]:
    """Ask in a thread of its own; its answer is in the list when the thread has ended."""
    answers: list[Any] = []
    thread = threading.Thread(target=lambda: answers.append(ask(caller, **body)))
    thread.start()
    return thread, answers


def test_a_message_is_answered_and_kept(ada: Caller, model: Scripted) -> None:
    answer = ask(ada, "Hello, who are you?")

    chat = answer.json["data"]
    assert answer.status_code == 201
    assert set(chat) == FIELDS
    assert (chat["status"], chat["response"]) == ("complete", "Hello there.")
    assert chat["result"] == {"kind": "reply", "reply": "Hello there."}
    assert (chat["agent"], chat["routing"]["target_agent"]) == ("general_chat", "general_chat")
    assert (chat["provider"], chat["model_id"]) == ("scripted", "scripted-1")
    assert (chat["input_tokens"], chat["output_tokens"]) == (10, 2)
    assert ada.get(f"/chat/{chat['id']}").json["data"] == chat


def test_a_repeated_message_gives_the_first_chat_whatever_else_it_says(ada: Caller, model: Scripted) -> None:
    first = ask(ada, "one", client_message_id="m1")

    again = ask(ada, "another", client_message_id="m1", conversation_id=10**6)

    assert (again.status_code, again.json["data"]) == (200, first.json["data"])
    assert len(model.briefs) == 1


@pytest.mark.parametrize("more", [{}, {"message": ""}, {"message": 5}, {"message": "x" * 20_000}, {"bad": 1}])
def test_a_repeated_message_gives_the_first_chat_though_it_has_lost_its_shape(
    ada: Caller, bob: Caller, model: Scripted, more: dict[str, Any]
) -> None:
    first = ask(ada, "one", client_message_id="m1")

    again = ada.post("/chat", json={"client_message_id": "m1", **more})
    others = bob.post("/chat", json={"client_message_id": "m1", **more})
    nameless = ada.post("/chat", json={"client_message_id": "m\0", **more})

    assert (again.status_code, again.json["data"]) == (200, first.json["data"])
    assert [answer.status_code for answer in (others, nameless)] == [400, 400]
    assert len(model.briefs) == 1


def test_a_repeated_message_gives_the_first_chat_though_it_failed(ada: Caller, model: Scripted) -> None:
    model.pieces = ["some ", ModelUnavailable()]

    first = ask(ada, "one", client_message_id="m1")
    again = ask(ada, "one", client_message_id="m1")

    assert (first.status_code, again.status_code) == (503, 200)
    assert again.json["data"] == first.json["data"]["chat"]
    assert again.json["data"]["status"] == "failed"
    assert len(model.briefs) == 1


def test_two_at_once_with_one_id_are_one_chat(ada: Caller, model: Scripted) -> None:
    gate = threading.Event()
    model.pieces = [gate, "done"]

    asked = [in_background(ada, client_message_id="m1") for _ in range(5)]
    model.begun.acquire(timeout=10)
    gate.set()
    for thread, _ in asked:
        thread.join(20)

    answers = [answers[0] for _, answers in asked]
    assert sorted(answer.status_code for answer in answers) == [200] * 4 + [201]
    assert len({answer.json["data"]["id"] for answer in answers}) == 1
    assert len(model.briefs) == 1


def test_the_same_id_of_another_user_is_another_message(ada: Caller, bob: Caller, model: Scripted) -> None:
    assert ask(ada, client_message_id="m1").status_code == ask(bob, client_message_id="m1").status_code == 201


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        (ModelError("No access."), 502),
        (ModelUnavailable(), 503),
        (ModelThrottled(), 503),
        (ModelTimeout(), 504),
    ],
)
def test_a_fault_of_the_model_is_told_with_the_chat_and_the_text_so_far(
    ada: Caller, model: Scripted, fault: Any, status: int
) -> None:
    model.pieces = ["So far ", "so good", fault]

    answer = ask(ada)

    data = answer.json["data"]
    assert (answer.status_code, data["code"]) == (status, fault.code)
    assert ("Retry-After" in answer.headers) == (status == 503)
    assert (data["chat"]["status"], data["chat"]["response"]) == ("failed", "So far so good")
    assert data["chat"]["error"] == {"code": fault.code, "message": fault.message}
    assert ada.get(f"/chat/{data['chat']['id']}").json["data"] == data["chat"]


def test_a_reply_that_failed_is_listed_with_its_error(ada: Caller, model: Scripted) -> None:
    model.pieces = ["some", ModelThrottled(retry_after=7)]
    ask(ada)

    (listed,) = ada.get("/chat").json["data"]["chats"]

    assert listed == ada.get(f"/chat/{listed['id']}").json["data"]
    assert set(listed["error"]) == {"code", "message"}


def test_a_fault_says_when_another_try_is_due(ada: Caller, model: Scripted) -> None:
    model.pieces = [ModelThrottled(retry_after=3600)]

    answer = ask(ada)

    assert (answer.json["data"]["retry_after"], answer.headers["Retry-After"]) == (3600, "3600")
    assert set(answer.json["data"]["chat"]["error"]) == {"code", "message"}


def test_an_unexpected_fault_says_nothing_of_itself(ada: Caller, app: Flask, model: Scripted) -> None:
    model.pieces = [7]

    answer = ask(ada)

    assert (answer.status_code, answer.json["data"]["code"]) == (500, "internal_error")
    assert answer.json["data"]["chat"]["status"] == "failed"
    assert "Traceback" not in answer.text
    assert "int" not in answer.json["message"]


def test_a_reply_that_reaches_its_longest_length_is_complete_and_says_so(ada: Caller, model: Scripted) -> None:
    model.end = End("max_tokens", Usage(1, 1))

    chat = ask(ada).json["data"]

    assert (chat["status"], chat["error"]["code"]) == ("complete", "max_tokens")
    assert chat["response"].startswith("Hello there.")
    assert "cut off" in chat["response"]


def test_the_stream_that_ends_without_an_end_has_failed(ada: Caller, model: Scripted) -> None:
    model.end = "not an end"

    assert ask(ada).json["data"]["chat"]["status"] == "failed"


def test_a_reply_can_be_stopped_and_keeps_its_text(ada: Caller, model: Scripted) -> None:
    model.pieces = ["Some words", threading.Event(), "never said"]
    thread, answers = in_background(ada)
    model.begun.acquire(timeout=10)
    id = ada.get("/chat").json["data"]["chats"][0]["id"]

    stopped = ada.post(f"/chat/{id}/stop")
    thread.join(10)

    chat = stopped.json["data"]
    assert (stopped.status_code, chat["status"], chat["response"]) == (200, "stopped", "Some words")
    assert chat["result"] == {"kind": "reply", "reply": "Some words"}
    assert (answers[0].status_code, answers[0].json["data"]) == (201, chat)
    assert ada.post(f"/chat/{id}/stop").json["data"]["code"] == "conflict"


def test_a_retry_is_a_new_chat_with_the_same_message(ada: Caller, model: Scripted) -> None:
    first = ask(ada, "Why?", code_context="x = 1", client_message_id="m1").json["data"]

    again = ada.post(f"/chat/{first['id']}/retry")

    chat = again.json["data"]
    same = ("message", "code_context", "conversation_id", "agent_id", "project_id")
    assert again.status_code == 201
    assert {name: chat[name] for name in same} == {name: first[name] for name in same}
    assert (chat["id"] > first["id"], chat["client_message_id"]) == (True, None)


def test_a_conversation_is_carried_on(ada: Caller, model: Scripted) -> None:
    first = ask(ada, "My name is Ada.").json["data"]

    second = ask(ada, "What is my name?", conversation_id=first["conversation_id"]).json["data"]

    assert second["conversation_id"] == first["conversation_id"]
    turns = model.briefs[-1].turns
    assert [turn.role for turn in turns] == ["user", "assistant", "user"]
    assert ("My name is Ada." in turns[0].text, turns[1].text) == (True, "Hello there.")


def test_replies_that_did_not_end_well_are_carried_as_what_they_were(ada: Caller, model: Scripted) -> None:
    model.pieces = [ModelError()]
    id = ask(ada, "one").json["data"]["chat"]["conversation_id"]
    model.pieces = ["half", ModelError()]
    ask(ada, "two", conversation_id=id)
    model.pieces = ["whole"]
    ask(ada, "three", conversation_id=id)

    turns = model.briefs[-1].turns
    assert [turn.role for turn in turns] == ["user", "assistant"] * 2 + ["user"]
    assert all(turn.text for turn in turns)
    assert "could not answer" in turns[1].text
    assert turns[3].text.startswith("half")


def test_the_oldest_turns_go_first_when_the_window_is_full(ada: Caller, model: Scripted) -> None:
    model.pieces = ["x" * 9_000]
    id = ask(ada, "first").json["data"]["conversation_id"]
    for message in ("second", "third", "fourth"):
        ask(ada, message, conversation_id=id)

    asked = [turn.text for turn in model.briefs[-1].turns if turn.role == "user"]
    assert len(asked) == 3
    assert "second" in asked[0]


def test_an_agent_decides_who_answers_and_how(ada: Caller, model: Scripted) -> None:
    agent = {
        "name": "R",
        "kind": "general",
        "system_prompt": "Rhyme.",
        "model_id": "m-9",
        "temperature": 0.5,
        "max_tokens": 7,
    }
    agent_id = ada.post("/agents", json=agent).json["data"]["id"]
    project_id = ada.post("/projects", json={"name": "P", "instructions": "Use tabs."}).json["data"]["id"]

    chat = ask(ada, "review this", agent_id=agent_id, project_id=project_id).json["data"]

    brief = model.briefs[-1]
    assert (chat["agent"], chat["routing"], chat["agent_id"]) == ("general_chat", None, agent_id)
    assert (chat["model_id"], brief.model_id, brief.temperature, brief.max_tokens) == ("m-9", "m-9", 0.5, 7)
    assert "Rhyme." in brief.context
    assert "Use tabs." in brief.context


def test_an_agent_is_processing_while_it_writes(ada: Caller, model: Scripted) -> None:
    gate = threading.Event()
    model.pieces = [gate, "done"]
    id = ada.post("/agents", json={"name": "R"}).json["data"]["id"]
    thread, _ = in_background(ada, agent_id=id)
    model.begun.acquire(timeout=10)

    during = ada.get(f"/agents/{id}").json["data"]["status"]
    renamed = ada.put(f"/agents/{id}", json={"name": "S"}).json["data"]["status"]
    gate.set()
    thread.join(10)

    assert (during, renamed) == ("processing", "processing")
    assert ada.get("/agents").json["data"]["agents"][0]["status"] == "active"


def test_a_reply_of_a_conversation_waits_for_the_one_before(ada: Caller, model: Scripted) -> None:
    id = ask(ada).json["data"]["conversation_id"]
    model.begun.acquire()
    gate = threading.Event()
    model.pieces = [gate, "done"]

    first, _ = in_background(ada, message="one", conversation_id=id)
    model.begun.acquire(timeout=10)
    second, answers = in_background(ada, message="two", conversation_id=id)
    assert not model.begun.acquire(timeout=0.3)
    gate.set()
    first.join(10)
    second.join(10)

    assert [turn.text for turn in model.briefs[-1].turns if turn.role == "assistant"] == ["Hello there.", "done"]
    assert answers[0].status_code == 201


def test_a_user_has_so_many_replies_at_once_and_the_rest_wait(make_app: Any) -> None:
    app = make_app(MAX_GENERATIONS_PER_USER="2")
    model = app.extensions["provider"] = Scripted()
    gate = threading.Event()
    model.pieces = [gate, "done"]
    ada = Caller(app.test_client(), "ada@example.com")

    asked = [in_background(ada) for _ in range(4)]
    model.begun.acquire(timeout=10)
    model.begun.acquire(timeout=10)
    a_third = model.begun.acquire(timeout=0.3)
    gate.set()
    for thread, _ in asked:
        thread.join(20)

    assert not a_third
    assert [answers[0].status_code for _, answers in asked] == [201] * 4


@pytest.mark.parametrize("name", ["conversation_id", "agent_id", "project_id"])
def test_what_is_somebody_elses_is_not_found(ada: Caller, bob: Caller, model: Scripted, name: str) -> None:
    ids = {
        "conversation_id": ask(ada).json["data"]["conversation_id"],
        "agent_id": ada.post("/agents", json={"name": "x"}).json["data"]["id"],
        "project_id": ada.post("/projects", json={"name": "x"}).json["data"]["id"],
    }

    others, missing = (ask(bob, **{name: id}) for id in (ids[name], 10**6))

    assert others.status_code == missing.status_code == 404
    assert others.json["message"] == missing.json["message"]
    assert bob.get("/chat").json["data"]["chats"] == []


def test_an_inactive_agent_does_not_answer(ada: Caller, model: Scripted) -> None:
    id = ada.post("/agents", json={"name": "x", "status": "inactive"}).json["data"]["id"]

    assert ask(ada, agent_id=id).json["data"]["code"] == "conflict"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "message"),
        ({"message": ""}, "message"),
        ({"message": " \n\t"}, "message"),
        ({"message": "x" * 10_001}, "message"),
        ({"message": "a\0"}, "message"),
        ({"message": ["a"]}, "message"),
        ({"message": "a", "code_context": "x" * 200_001}, "code_context"),
        ({"message": "a", "conversation_id": "1"}, "conversation_id"),
        ({"message": "a", "conversation_id": True}, "conversation_id"),
        ({"message": "a", "conversation_id": 0}, "conversation_id"),
        ({"message": "a", "client_message_id": "x" * 65}, "client_message_id"),
        ({"message": "a", "session_id": "x"}, "session_id"),
        ({"message": "a", "status": "complete"}, "status"),
    ],
)
def test_a_message_that_is_not_right_is_refused_and_not_kept(
    ada: Caller, model: Scripted, body: dict[str, Any], field: str
) -> None:
    answer = ada.post("/chat", json=body)

    assert (answer.status_code, list(answer.json["data"]["errors"])) == (400, [field])
    assert ada.get("/chat").json["data"]["chats"] == []


@pytest.mark.parametrize("body", ["", "{", "[]", '"x"', "null", "NaN", '{"message": NaN}', "[" * 100_000, "\xff"])
@pytest.mark.sqlite_only
def test_a_body_that_is_no_json_object_is_a_bad_request(ada: Caller, body: str) -> None:
    answer = ada.post("/chat", data=body.encode("latin-1"), content_type="application/json")

    assert (answer.status_code, answer.json["data"]["code"]) == (400, "bad_request")


@pytest.mark.sqlite_only
def test_a_body_of_another_kind_or_too_large_is_told_so(ada: Caller) -> None:
    form = ada.post("/chat", data={"message": "x"})
    large = ada.post("/chat", data=json.dumps({"message": "x" * 2**20}), content_type="application/json")

    assert (form.status_code, form.json["data"]["code"]) == (415, "unsupported_media_type")
    assert (large.status_code, large.json["data"]["code"]) == (413, "payload_too_large")


def test_history_goes_back_by_cursor_while_messages_arrive(ada: Caller, model: Scripted) -> None:
    ids = [ask(ada, f"message {number}").json["data"]["id"] for number in range(5)]

    newest = ada.get("/chat?limit=2").json["data"]
    ask(ada, "one more")
    older = ada.get(f"/chat?limit=2&before={newest['next_before']}").json["data"]
    oldest = ada.get(f"/chat?limit=2&before={older['next_before']}").json["data"]

    pages = [[chat["id"] for chat in page["chats"]] for page in (newest, older, oldest)]
    assert pages == [ids[3:], ids[1:3], ids[:1]]
    assert (newest["count"], oldest["next_before"]) == (2, None)


def test_history_is_searched_and_narrowed(ada: Caller, bob: Caller, model: Scripted) -> None:
    agent_id = ada.post("/agents", json={"name": "x"}).json["data"]["id"]
    one = ask(ada, "about ÄPFEL and 100%").json["data"]
    two = ask(ada, "about pears", agent_id=agent_id).json["data"]

    def found(**query: Any) -> list[int]:
        return [chat["id"] for chat in ada.get("/chat", query_string=query).json["data"]["chats"]]

    assert found(q="äpfel") == found(q="0%") == [one["id"]]
    assert found(q="hello THERE") == [one["id"], two["id"]]
    assert found(agent_id=agent_id) == found(conversation_id=two["conversation_id"]) == [two["id"]]
    assert found(agent_id=10**6) == found(q="_") == []
    assert bob.get("/chat", query_string={"agent_id": agent_id}).json["data"]["chats"] == []


@pytest.mark.parametrize("query", ["limit=0", "limit=101", "limit=x", "before=0", "before=x", "conversation_id=0"])
def test_a_query_of_history_out_of_range_is_an_error(ada: Caller, query: str) -> None:
    assert ada.get(f"/chat?{query}").json["data"]["code"] == "validation_error"


@pytest.mark.parametrize(
    ("message", "title"),
    [
        ("word " * 30, "word " * 16),
        ("\n  hello", "\n  hello"),
        ("é" * 80 + "x", "é" * 80),
        (" " * 90 + "hello", "hello"),
    ],
)
def test_a_title_is_the_first_80_characters_to_the_letter(
    ada: Caller, model: Scripted, message: str, title: str
) -> None:
    id = ask(ada, message).json["data"]["conversation_id"]

    assert ada.get(f"/chat/conversations/{id}").json["data"]["title"] == title


def test_a_conversation_has_the_first_words_as_its_title_until_it_is_given_one(ada: Caller, model: Scripted) -> None:
    id = ask(ada, "x" * 100).json["data"]["conversation_id"]
    ask(ada, "more", conversation_id=id)

    before = ada.get(f"/chat/conversations/{id}").json["data"]
    after = ada.put(f"/chat/conversations/{id}", json={"title": "Mine"}).json["data"]

    assert set(before) == {"id", "title", "agent_id", "project_id", "chat_count", "created_at", "updated_at"}
    assert (before["title"], before["chat_count"]) == ("x" * 80, 2)
    assert (after["title"], after["chat_count"]) == ("Mine", 2)
    assert ada.put(f"/chat/conversations/{id}", json={"title": None}).status_code == 400
    assert ada.put(f"/chat/conversations/{id}", json={"agent_id": 1}).status_code == 400


def test_conversations_come_by_their_last_chat(ada: Caller, model: Scripted) -> None:
    first, second = (ask(ada, word).json["data"]["conversation_id"] for word in ("apples", "pears"))
    ask(ada, "again", conversation_id=first)

    page = ada.get("/chat/conversations").json["data"]

    assert [one["id"] for one in page["conversations"]] == [first, second]
    assert ada.get("/chat/conversations?q=PEAR").json["data"]["total"] == 1


def test_deleting_an_agent_or_a_project_keeps_the_chats(ada: Caller, model: Scripted) -> None:
    agent_id = ada.post("/agents", json={"name": "x"}).json["data"]["id"]
    project_id = ada.post("/projects", json={"name": "x"}).json["data"]["id"]
    id = ask(ada, agent_id=agent_id, project_id=project_id).json["data"]["id"]

    ada.delete(f"/agents/{agent_id}")
    ada.delete(f"/projects/{project_id}")

    chat = ada.get(f"/chat/{id}").json["data"]
    assert (chat["agent_id"], chat["project_id"], chat["response"]) == (None, None, "Hello there.")


def test_deleting_a_conversation_takes_its_chats_and_stops_what_is_written(ada: Caller, model: Scripted) -> None:
    first = ask(ada).json["data"]
    model.begun.acquire()
    model.pieces = ["some", threading.Event()]
    thread, answers = in_background(ada, conversation_id=first["conversation_id"])
    model.begun.acquire(timeout=10)

    deleted = ada.delete(f"/chat/conversations/{first['conversation_id']}")
    thread.join(10)

    assert deleted.status_code == 200
    assert ada.get(f"/chat/{first['id']}").status_code == 404
    assert ada.get("/chat").json["data"]["chats"] == []
    assert answers[0].status_code in (201, 404)


def test_a_deleted_chat_leaves_its_conversation_and_title(ada: Caller, model: Scripted) -> None:
    chat = ask(ada, "hello").json["data"]

    assert ada.delete(f"/chat/{chat['id']}").json["data"] is None

    conversation = ada.get(f"/chat/conversations/{chat['conversation_id']}").json["data"]
    assert (conversation["title"], conversation["chat_count"]) == ("hello", 0)
