"""What happens between two lines of ours: a commit whose word gets lost, a wish that comes too early, a bad hint."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from engineio.exceptions import SocketIsClosedError
from flask import Flask
from redis import Redis, RedisError
from sqlalchemy.exc import OperationalError

from codesherpa import farewell
from codesherpa.chat import audience, generation, hints, rooms, service, work
from codesherpa.chat.bus import Bus
from codesherpa.chat.models import Chat
from codesherpa.chat.stream import Stream, Streams
from codesherpa.extensions import db, socketio
from codesherpa.rows import Transaction
from codesherpa.usage.models import ModelCall
from codesherpa.user.models import User
from tests.conftest import REDIS, Caller, skip_or_fail
from tests.patience import eventually
from tests.scripted import Scripted
from tests.statements import recorded

LOST = OperationalError("COMMIT", (), Exception("the connection broke"))


def submitted(app: Flask, caller: Caller, message: str = "hello") -> int:
    with app.app_context():
        return int(service.submit(db.session.get_one(User, caller.id), message)[0].id)


def stored(app: Flask, id: int) -> Any:
    with app.app_context():
        return db.session.execute(db.select(*Chat.__table__.columns).where(Chat.id == id)).one()


def test_an_end_whose_commit_is_not_confirmed_is_told_and_booked_once(
    app: Flask, ada: Caller, model: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    transaction, begun = generation.transaction, []

    @contextmanager
    def breaking() -> Iterator[Transaction]:
        with transaction() as unit:
            yield unit
        begun.append(unit)
        if len(begun) == 2:  # The first decides who answers, the second is the end.
            raise LOST

    told: list[str] = []
    monkeypatch.setattr(generation, "transaction", breaking)
    monkeypatch.setattr(rooms, "tell_end", lambda chat, retryable: told.append(chat.status))
    id = submitted(app, ada)

    assert eventually(lambda: not app.extensions["process"].live)
    assert (told, stored(app, id).status, stored(app, id).response) == (["complete"], "complete", "Hello there.")
    with app.app_context():
        assert db.session.scalar(db.select(db.func.count(ModelCall.id))) == 1


def test_text_whose_commit_is_not_confirmed_is_kept_once(
    app: Flask, ada: Caller, model: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on, streams = threading.Event(), app.extensions["process"].streams
    save, failed = streams._save, []
    model.pieces = ["Hello ", go_on, "there."]

    def breaking(unsaved: list[Any]) -> None:
        save(unsaved)
        if unsaved and not failed:
            failed.append(unsaved)
            raise LOST

    monkeypatch.setattr(streams, "_save", breaking)
    id = submitted(app, ada)
    again = eventually(lambda: failed and not app.extensions["process"].live[id].stream.unsaved())
    kept = stored(app, id)
    go_on.set()

    assert again
    assert (kept.response, kept.delta_ends) == ("Hello ", "6,")
    assert eventually(lambda: stored(app, id).response == "Hello there.")


def test_a_reply_that_is_to_stop_while_it_is_taken_up_stops(app: Flask, ada: Caller, model: Scripted) -> None:
    model.pieces = ["some ", threading.Event(), "words"]
    id = submitted(app, ada)
    assert model.begun.acquire(timeout=10)

    with app.app_context():  # Its lease was taken, and nobody knew yet who writes it.
        db.session.execute(db.update(Chat).where(Chat.id == id).values(stop_wanted=True))
        db.session.commit()

    assert eventually(lambda: stored(app, id).status == "stopped")


def test_nobody_waits_for_a_turn_with_a_transaction_open(
    app: Flask, ada: Caller, model: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    id = ada.post("/chat", json={"message": "hello"}).json["data"]["id"]
    turnstile, open_ones = app.extensions["process"].turnstile, []
    monkeypatch.setattr(
        turnstile, "enter", lambda: open_ones.append(db.session.registry.has() and db.session().in_transaction())
    )

    assert ada.post(f"/chat/{id}/retry").status_code == 201
    assert ada.post("/chat", json={"message": "hello"}).status_code == 201
    assert open_ones == [False, False]


def test_a_conversation_goes_on_after_its_chat_is_stored(app: Flask, ada: Caller, model: Scripted) -> None:
    """The other way round, whoever deletes the agent meanwhile would wait for the message, and it for them."""
    conversation = ada.post("/chat", json={"message": "hello"}).json["data"]["conversation_id"]

    with recorded(app) as sent, app.app_context():
        service.submit(db.session.get_one(User, ada.id), "again", conversation_id=conversation)

    changes = [statement.split(" SET")[0].split(" (")[0] for statement, _ in sent]
    assert changes.index("INSERT INTO chats") < changes.index("UPDATE conversations")


def test_processes_that_leave_together_do_not_ask_one_another_without_end(
    app: Flask, ada: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, told = app.extensions["process"], []
    monkeypatch.setattr(here.bus, "tell", lambda *hint: told.append(hint))
    here.leaving = True

    hints.hear(here, [["take", ada.id]])

    assert told == []


def test_a_hint_that_cannot_be_followed_does_not_take_others_with_it(
    app: Flask, ada: Caller, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    followed: list[int] = []

    def follow(process: Any, number: int) -> None:
        if number == 1:
            raise LOST
        followed.append(number)

    monkeypatch.setitem(hints.FOLLOW, "count", follow)

    hints.hear(app.extensions["process"], [["count", 0], ["count", 1], ["of the next version", 2], ["count", 3]])

    assert followed == [0, 3]
    assert "hint not followed" in caplog.text


def test_a_bus_goes_on_after_what_nobody_expected(monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[Any] = []
    one, two = Bus(REDIS, "one"), Bus(REDIS, "two")
    try:
        with Redis.from_url(REDIS) as redis:
            redis.ping()
    except RedisError as error:
        skip_or_fail(f"no Redis: {error}")
    two.hear = heard.extend
    send, faults = one._send, [ValueError("nobody expected this")]

    def failing(redis: Redis, said: Any) -> None:
        if said and faults:
            raise faults.pop()
        send(redis, said)

    monkeypatch.setattr(one, "_send", failing)
    two.start()
    try:
        one.tell("first", 1)
        assert eventually(lambda: not faults)
        assert eventually(lambda: one.tell("second", 2) or ["second", 2] in heard)
    finally:
        one.close()
        two.close()


def test_a_reply_that_cannot_be_shown_holds_up_no_other(caplog: pytest.LogCaptureFixture) -> None:
    shown: list[str] = []
    bad: list[Exception] = [ValueError("gone")]

    def show(user_id: int, chat_id: int, seq: int, content: str) -> None:
        if chat_id == 1 and seq == 2 and bad:
            raise bad.pop()
        shown.append(content)

    streams = Streams(lambda unsaved: None, show)
    first, second = streams.open(1, 1), streams.open(2, 1)
    for one in (first, second):
        one.append("one ")
        one.append("two ")

    assert eventually(lambda: shown.count("two ") == 1)
    second.append("three ")
    assert eventually(lambda: "three " in shown)
    streams.close(first)
    streams.close(second)
    assert first.text == "one two "
    assert "delta not shown" in caplog.text


def test_a_socket_that_closes_meanwhile_is_told_nothing_and_keeps_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []

    def send(connection: str, packet: Any) -> None:
        if connection == "closed":
            raise SocketIsClosedError
        told.append(connection)

    monkeypatch.setattr(socketio, "server", type("Server", (), {"_send_eio_packet": staticmethod(send)}))

    audience.send(["closed", "open"], "delta", {})

    assert told == ["open"]


def test_who_writes_a_reply_goes_on_when_its_lease_is_taken_anew(app: Flask, ada: Caller, model: Scripted) -> None:
    go_on = threading.Event()
    model.pieces = ["some ", go_on, "words"]
    id = submitted(app, ada)
    assert model.begun.acquire(timeout=10)
    live = app.extensions["process"].live[id]

    with app.app_context():
        work.begin(id, ada.id)
    same = app.extensions["process"].live[id] is live
    go_on.set()

    assert same
    assert eventually(lambda: stored(app, id).status == "complete")
    assert len(model.briefs) == 1


def test_a_reply_that_gets_no_thread_is_let_go_of(
    app: Flask, ada: Caller, model: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none_left(*_: Any) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(work, "start", none_left)
    with app.app_context(), pytest.raises(RuntimeError):
        service.submit(db.session.get_one(User, ada.id), "hello")

    assert app.extensions["process"].live == {}


def test_a_worker_leaves_although_the_database_is_away(
    app: Flask, ada: Caller, model: Scripted, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    process = app.extensions["process"]
    model.pieces = ["some ", Deaf(), "words"]
    id = submitted(app, ada)
    assert model.begun.acquire(timeout=10)

    def away(*_: Any) -> None:
        raise LOST

    monkeypatch.setattr(generation, "abandon", away)
    farewell.interrupt(app, process)

    assert id in process.live
    assert "not abandoned" in caplog.text


class Deaf(threading.Event):
    """A model that does not heed its cancellation for two seconds."""

    def wait(self, timeout: float | None = None) -> bool:
        time.sleep(2)
        return True


def ends(monkeypatch: pytest.MonkeyPatch, app: Flask) -> list[tuple[int, str]]:
    """What is told of ends."""
    told: list[tuple[int, str]] = []
    end: Callable[..., None] = rooms.tell_end

    def note(chat: Chat, **how: Any) -> None:
        told.append((chat.id, chat.status))
        end(chat, **how)

    monkeypatch.setattr(rooms, "tell_end", note)
    return told


@pytest.mark.parametrize("what", ["chat", "conversation"])
def test_every_tab_is_told_of_the_end_before_a_chat_that_is_written_goes(
    app: Flask, ada: Caller, model: Scripted, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    told = ends(monkeypatch, app)
    model.pieces = ["some ", threading.Event(), "words"]
    id = submitted(app, ada)
    assert model.begun.acquire(timeout=10)

    path = f"/chat/{id}" if what == "chat" else f"/chat/conversations/{stored(app, id).conversation_id}"
    gone = ada.delete(path)

    assert (gone.status_code, told) == (200, [(id, "stopped")])
    assert ada.get(f"/chat/{id}").status_code == 404


def test_a_conversation_stands_where_its_last_chat_has_it(ada: Caller, model: Scripted) -> None:
    one = ada.post("/chat", json={"message": "in the first"}).json["data"]
    ada.post("/chat", json={"message": "in the second"})
    last = ada.post("/chat", json={"message": "more", "conversation_id": one["conversation_id"]}).json["data"]

    def titles() -> list[str]:
        return [each["title"] for each in ada.get("/chat/conversations").json["data"]["conversations"]]

    before = titles()
    ada.delete(f"/chat/{last['id']}")
    after = titles()
    ada.delete(f"/chat/{one['id']}")

    assert before == ["in the first", "in the second"]
    assert after == ["in the second", "in the first"] == titles()


def test_streams_know_how_much_of_a_text_is_stored() -> None:
    stream = Stream(7, 1, lambda *told: None)
    stream.append("one ")
    first = stream.unsaved()
    assert first
    stream.not_saved()
    stream.append("two ")
    stream.flush()

    whole = stream.unsaved()
    assert whole
    stream.saved(whole)
    stream.append("three ")
    stream.flush()
    rest = stream.unsaved()

    assert (whole.more, whole.more_ends, whole.is_whole) == ("one two ", "4,8,", True)
    assert rest
    assert (rest.more, rest.more_ends, rest.is_whole) == ("three ", "14,", False)
