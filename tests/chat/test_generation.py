"""A reply from start to end: what a worker that dies leaves, and what is saved while words flow."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy.exc import OperationalError

from codesherpa import providers
from codesherpa.chat import audience, generation, history, leases, process, rooms, service, stream, sweep, work
from codesherpa.chat.models import Chat, Conversation, Held
from codesherpa.chat.stream import Stream, Streams, Unsaved
from codesherpa.database import now
from codesherpa.extensions import db
from codesherpa.user.models import User
from tests.conftest import Caller
from tests.scripted import Scripted
from tests.statements import recorded


def left_by_a_dead_worker(app: Flask, caller: Caller, status: str) -> int:
    with app.app_context():
        conversation = Conversation(user_id=caller.id, title="t")
        db.session.add(conversation)
        db.session.flush()
        chat = Chat(
            user_id=caller.id,
            conversation_id=conversation.id,
            message="hello",
            status=status,
            response="what was shown" if status == "streaming" else "",
            lease_owner="a worker that died",
            lease_expires_at=now() - timedelta(seconds=1),
        )
        db.session.add(chat)
        db.session.commit()
        return chat.id


def test_what_a_dead_worker_was_writing_is_interrupted_and_keeps_its_text(
    app: Flask, ada: Caller, model: Scripted
) -> None:
    id = left_by_a_dead_worker(app, ada, "streaming")

    with app.app_context():
        sweep.look()

    chat = ada.get(f"/chat/{id}").json["data"]
    assert (chat["status"], chat["error"]["code"], chat["response"]) == ("interrupted", "interrupted", "what was shown")
    assert chat["completed_at"]
    assert ada.post(f"/chat/{id}/retry").json["data"]["response"] == "Hello there."


def test_what_a_dead_worker_had_not_begun_is_taken_up_again(app: Flask, ada: Caller, model: Scripted) -> None:
    id = left_by_a_dead_worker(app, ada, "pending")

    with app.app_context():
        sweep.look()
        with process.awaiting(id) as ended:
            ended.wait(0.5)

    assert ada.get(f"/chat/{id}").json["data"]["status"] == "complete"
    assert len(model.briefs) == 1


def test_a_reply_for_which_there_is_no_thread_waits_for_one(
    app: Flask, ada: Caller, model: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(*_: Any) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(sweep, "start", lambda: None)
    with app.app_context():
        with monkeypatch.context() as busy:
            busy.setattr(work, "start", none)
            with pytest.raises(RuntimeError):
                service.submit(db.session.get_one(User, ada.id), "hello")
        chat = db.session.scalars(db.select(Chat)).one()
        assert (chat.status, chat.lease_owner, chat.sherpa) == ("pending", None, None)
        db.session.commit()
        with process.awaiting(chat.id) as ended:
            sweep.look()
            assert ended.wait(10)

    assert ada.get("/chat/1").json["data"]["status"] == "complete"


class Turns:
    """Stands for the event that ends a sweeper: so many turns, and not a moment between them."""

    def __init__(self, turns: int) -> None:
        self.left = turns

    def wait(self, pause: float) -> bool:
        self.left -= 1
        return self.left < 0


@pytest.mark.parametrize(("away", "status"), [(False, "interrupted"), (True, "streaming")])
def test_a_lease_that_nobody_could_renew_is_left_to_its_owner(
    app: Flask, ada: Caller, model: Scripted, monkeypatch: pytest.MonkeyPatch, away: bool, status: str
) -> None:
    id = left_by_a_dead_worker(app, ada, "streaming")
    faults = [OperationalError("SELECT", (), Exception("gone"))] if away else []

    def renew(*_: Any) -> None:
        if faults:
            raise faults.pop()

    monkeypatch.setattr(leases, "renew", renew)
    here = app.extensions["process"]
    monkeypatch.setattr(here, "closed", Turns(2))

    sweep.until_closed(here)

    with app.app_context():
        found = db.session.scalars(db.select(Chat.status).where(Chat.id == id)).one()
    monkeypatch.undo()
    with app.app_context():
        sweep.look()
    assert (found, faults) == (status, [])


def test_what_a_dead_worker_left_is_ended_together(app: Flask, ada: Caller, model: Scripted) -> None:
    """Of dozens that wait for it, each statement of its own would wait for its turn on a busy worker."""
    ids = [left_by_a_dead_worker(app, ada, "streaming") for _ in range(40)]

    with recorded(app) as sent, app.app_context():
        ended = leases.interrupt({id: [] for id in ids})

    assert [(chat.id, chat.status) for chat in ended] == [(id, "interrupted") for id in ids]
    changing = [statement for statement, _ in sent if statement.startswith("UPDATE")]
    assert len(sent) - len(changing) <= 6
    assert len(changing) <= len(ids)


def test_only_who_has_a_lease_renews_it(app: Flask, ada: Caller, model: Scripted) -> None:
    id = left_by_a_dead_worker(app, ada, "streaming")

    with app.app_context():
        leases.renew("a worker that was taken for dead", [id])

        assert leases.left_behind() == [(id, ada.id)]
        sweep.look()


def test_a_lease_that_is_renewed_is_nobody_elses(app: Flask, ada: Caller, model: Scripted) -> None:
    gate = threading.Event()
    model.pieces = ["some ", gate, "more"]
    asked = threading.Thread(target=lambda: ada.post("/chat", json={"message": "hello"}))
    asked.start()
    assert model.begun.acquire(timeout=10)
    with app.app_context():
        id = db.session.scalars(db.select(Chat.id)).one()
        owner = process.here().owner
        leases.renew(owner, [id])

        sweep.look()

        assert leases.left_behind() == []
        assert leases.interrupt({id: []}) == []
    gate.set()
    asked.join(10)
    assert ada.get(f"/chat/{id}").json["data"]["response"] == "some more"


def test_words_are_in_the_database_while_they_flow(
    app: Flask, ada: Caller, model: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "SAVE", 0.0)
    gate = threading.Event()
    model.pieces = ["first ", "words ", gate, "last"]
    asked = threading.Thread(target=lambda: ada.post("/chat", json={"message": "hello"}))
    asked.start()
    assert model.begun.acquire(timeout=10)

    saved = threading.Event()
    for _ in range(200):
        chat = ada.get("/chat").json["data"]["chats"][0]
        if chat["response"]:
            break
        saved.wait(0.02)
    gate.set()
    asked.join(10)

    assert (chat["status"], chat["response"].split()[0]) == ("streaming", "first")
    assert ada.get(f"/chat/{chat['id']}").json["data"]["response"] == "first words last"


def test_deltas_join_to_the_text_and_any_can_be_resumed_from() -> None:
    told: list[tuple[int, str]] = []
    one = Stream(7, 1, lambda user_id, chat_id, *delta: told.append(delta))
    for piece in ("a", "bc", "", "d\u0928"):
        one.append(piece)
        one.flush()

    text, ends = one.text, one.ends

    assert [seq for seq, _ in told] == [1, 2, 3]
    assert "".join(content for _, content in told) == text == "abcd\u0928"
    for seq in range(5):
        assert stream.after(text, ends, seq) == one.after(seq) == (3, text[[0, 1, 3, 5, 5][seq] :])


def test_text_waits_while_the_database_is_away() -> None:
    kept: list[Unsaved] = []
    away = [True]

    def save(unsaved: list[Unsaved]) -> None:
        if away[0]:
            raise OSError("away")
        kept.extend(unsaved)

    streams = Streams(save, lambda *told: None)
    one = Stream(7, 1, lambda *told: None)
    streams._live[7] = one
    one.append("first ")
    streams._save_all()
    away[0] = False
    one.append("second")
    one.flush()
    streams._save_all()
    streams._save_all()

    assert kept == [Unsaved(7, "first second", "6,12,", is_whole=True)]


class Clock:
    """Stands in for the module `time`; who sleeps wakes so many seconds too late."""

    def __init__(self, late: float) -> None:
        self.late, self.now = late, 0.0
        self.slept: list[float] = []
        self.at_each_sleep: Callable[[], object] = lambda: None

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds + self.late
        self.at_each_sleep()


@pytest.mark.parametrize(
    ("late", "crowded", "pause"),
    [(0.0, False, stream.TICK), (0.1, False, 0.1), (5.0, False, stream.LONGEST), (0.0, True, stream.LONGEST)],
)
def test_where_beats_come_late_or_others_wait_deltas_are_shown_and_read_less_often(
    monkeypatch: pytest.MonkeyPatch, late: float, crowded: bool, pause: float
) -> None:
    clock = Clock(late)
    monkeypatch.setattr(stream, "time", clock)
    streams = Streams(lambda unsaved: None, lambda *told: None, lambda: crowded)
    streams._live[7] = Stream(7, 1, lambda *told: None)
    clock.at_each_sleep = lambda: streams._live.clear() if len(clock.slept) == 3 else None

    streams._beat()
    beats, clock.slept = clock.slept, []
    streams.rest()

    assert beats == [pytest.approx(each) for each in (stream.TICK, pause, pause)]
    assert clock.slept == ([] if pause == stream.TICK else [pytest.approx(pause)])


def test_what_begins_a_conversation_looks_for_nothing_before_it(app: Flask, ada: Caller, model: Scripted) -> None:
    asked: list[int] = []
    before = history.before

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(history, "before", lambda chat, window: asked.append(chat.id) or before(chat, window))
        first = ada.post("/chat", json={"message": "hello"}).json["data"]
        second = ada.post("/chat", json={"message": "again", "conversation_id": first["conversation_id"]}).json["data"]

    assert asked == [second["id"]]
    assert [turn.text for turn in model.briefs[1].turns][:2] == ["hello", "Hello there."]


def test_only_the_last_event_of_a_reply_is_its_end(
    app: Flask, ada: Caller, model: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    monkeypatch.setattr(audience, "sockets", lambda user_id: ["a socket"])
    monkeypatch.setattr(audience, "send", lambda sockets, event, payload: told.append(event))

    ada.post("/chat", json={"message": "hello"})

    assert told[:3] == ["status", "status", "delta"]
    assert told[-1] == "response"
    assert told.count("response") == 1


@pytest.mark.parametrize("status", ["pending", "streaming"])
def test_a_reply_that_another_worker_has_taken_up_is_not_asked_for_again(
    app: Flask, ada: Caller, model: Scripted, monkeypatch: pytest.MonkeyPatch, status: str
) -> None:
    """It is stored with who answers, in a process that stands still then, or without."""
    chosen_for, lost = generation.chosen_for, threading.Event()

    def lose(chat: Chat) -> Any:
        db.session.execute(db.update(Chat).values(lease_owner="another worker"))
        db.session.commit()
        lost.set()
        return chosen_for(chat)

    monkeypatch.setattr(generation, "chosen_for", lose)
    if status == "pending":
        monkeypatch.setattr(providers, "made", lambda app: None)
    else:
        monkeypatch.setattr(generation, "FRESH", 0)
    threading.Thread(target=lambda: ada.post("/chat", json={"message": "hello"}), daemon=True).start()
    assert lost.wait(10)
    process = app.extensions["process"]
    for _ in range(500):
        if not process.live:
            break
        threading.Event().wait(0.01)

    assert model.briefs == []
    with app.app_context():
        assert db.session.scalars(db.select(Chat.status)).one() == status
        db.session.execute(db.update(Chat).values(status="stopped", completed_at=now()))
        db.session.commit()


@pytest.mark.parametrize("kind", ["agent", "words", "follow-up", "unmade"])
def test_who_answers_is_stored_with_the_message_where_that_is_plain(
    app: Flask, ada: Caller, model: Scripted, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    message: dict[str, Any] = {"message": "hello"}
    if kind == "agent":
        message["agent_id"] = ada.post("/agents", json={"name": "A", "model_id": "mine"}).json["data"]["id"]
    if kind == "follow-up":
        message["conversation_id"] = ada.post("/chat", json=message).json["data"]["conversation_id"]
    if kind == "unmade":  # The first message of a process must not wait until its provider is made.
        monkeypatch.setattr(providers, "made", lambda app: None)
    written: list[str] = []
    store = generation.store

    def note(unit: Any, chat: Chat, values: dict[str, Any]) -> bool:
        written.append(values["status"])
        return store(unit, chat, values)

    monkeypatch.setattr(generation, "store", note)
    shown = ada.get(f"/chat/{ada.post('/chat', json=message).json['data']['id']}").json["data"]

    assert written == (["complete"] if kind in ("agent", "words") else ["streaming", "complete"])
    assert (shown["status"], shown["agent"], shown["provider"]) == ("complete", "general_chat", model.name)
    assert shown["model_id"] == ("mine" if kind == "agent" else model.model(None))
    assert (shown["routing"] is None) is (kind == "agent")


def test_what_a_process_holds_of_a_chat_is_shown_as_the_chat() -> None:
    values = {"id": 1, "user_id": 2, "message": "hello", "response": "", "status": "pending", "created_at": now()}

    assert rooms.CHAT.dump(Held(**values)) == rooms.CHAT.dump(Chat(**values))


def test_a_reply_whose_end_is_not_stored_is_ended_by_who_looks_for_what_was_left(
    app: Flask, ada: Caller, model: Scripted, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def crash(*_: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(sweep, "start", lambda: None)
    process = app.extensions["process"]
    with monkeypatch.context() as broken:
        broken.setattr(generation, "finish", crash)
        with app.app_context():
            chat, _ = service.submit(db.session.get_one(User, ada.id), "hello")
        for _ in range(500):
            if not process.live:
                break
            threading.Event().wait(0.01)

    with app.app_context():
        db.session.execute(db.update(Chat).values(lease_expires_at=now() - timedelta(seconds=1)))
        db.session.commit()
        sweep.look()

    assert ada.get(f"/chat/{chat.id}").json["data"]["status"] == "interrupted"
    assert "a reply is left to whoever looks" in caplog.text


def test_what_waits_begins_with_what_comes_now(make_app: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweep, "start", lambda: None)  # It would find what was left, a little later.
    app = make_app(MAX_GENERATIONS_PER_USER="2")
    model = app.extensions["provider"] = Scripted()
    gate = threading.Event()
    model.pieces = [gate]
    ada = Caller(app.test_client(), "ada@example.com")
    left_by_a_dead_worker(app, ada, "pending")
    with app.app_context():
        db.session.execute(db.update(Chat).values(lease_owner=None, lease_expires_at=None))
        db.session.commit()
        service.submit(db.session.get_one(User, ada.id), "hello")

    begun = [model.begun.acquire(timeout=5) for _ in range(2)]
    gate.set()

    assert begun == [True, True]


def test_a_process_that_leaves_asks_others_to_take_up_what_comes(
    app: Flask, ada: Caller, model: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[tuple[Any, ...]] = []
    here = app.extensions["process"]
    monkeypatch.setattr(here.bus, "tell", lambda *hint: told.append(hint))
    here.leaving = True

    with app.app_context():
        service.submit(db.session.get_one(User, ada.id), "hello")

    assert set(told) == {("take", ada.id)}  # The sweep may have asked too.


def test_a_process_that_leaves_keeps_a_message_for_another(app: Flask, ada: Caller, model: Scripted) -> None:
    here = app.extensions["process"]
    here.leaving = True
    with app.app_context():
        chat, _ = service.submit(db.session.get_one(User, ada.id), "hello")

    kept = ada.get(f"/chat/{chat.id}").json["data"]
    here.leaving = False
    with app.app_context():
        work.dispatch(ada.id)

    assert (kept["status"], chat.lease_owner) == ("pending", None)
    assert model.begun.acquire(timeout=10)
