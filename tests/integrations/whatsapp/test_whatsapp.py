"""WhatsApp from the webhook to the phone: whose number it is, each message once, in order, whatever fails."""

from __future__ import annotations

import json
import random
import re
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select, update

from codesherpa.database import now, reading
from codesherpa.errors import RateLimited
from codesherpa.extensions import db
from codesherpa.integrations.signatures import sign
from codesherpa.integrations.whatsapp import inbox, linking, outbox
from codesherpa.integrations.whatsapp.models import Link, Message, Reply, Stranger
from codesherpa.user.models import User
from tests.conftest import Caller
from tests.integrations.whatsapp.conftest import PHONE, code_in, deliverer, link, send
from tests.scripted import Scripted
from tests.standins.whatsapp import Fault, Standin, delivery, status, text

Deliver = Callable[..., Any]
STRANGER = "4915100000000"


@pytest.mark.sqlite_only
def test_meta_is_shown_that_the_webhook_is_ours(client: FlaskClient, standin: Standin) -> None:
    asked = {"hub.mode": "subscribe", "hub.challenge": "1158201444", "hub.verify_token": "the token agreed on"}

    found = client.get("/api/whatsapp/webhook", query_string=asked)
    refused = client.get("/api/whatsapp/webhook", query_string=asked | {"hub.verify_token": "another"})

    assert (found.status_code, found.text, found.mimetype) == (200, "1158201444", "text/plain")
    assert (refused.status_code, refused.json["data"]["code"]) == (403, "forbidden")


@pytest.mark.sqlite_only
def test_without_secrets_the_webhook_is_closed(make_app: Callable[..., Flask]) -> None:
    client = make_app().test_client()

    for answer in (client.get("/api/whatsapp/webhook"), client.post("/api/whatsapp/webhook", json={})):
        assert (answer.status_code, answer.json["success"]) == (503, False)
        assert "is not set" in answer.json["message"]


@pytest.mark.sqlite_only
def test_a_delivery_that_is_not_signed_is_refused_before_it_is_read(client: FlaskClient, standin: Standin) -> None:
    body, secret = b"{ not json", standin.settings["WHATSAPP_APP_SECRET"]

    for signature in (None, "", "sha256=", sign("another", body), sign(secret, body + b" "), "sha256=\u00e9"):
        assert send(client, body, signature).status_code == 401
    assert send(client, body, sign(secret, body)).status_code == 400


@pytest.mark.parametrize(
    "payload",
    [
        {},
        {"object": "page"},
        {"object": "whatsapp_business_account"},
        {"object": "whatsapp_business_account", "entry": "x"},
        {"object": "whatsapp_business_account", "entry": [{"changes": [{"field": "messages", "value": 3}]}]},
        delivery({"from": "x", "id": "wamid.1", "type": "text"}),
        delivery({"from": PHONE, "id": 7, "type": "text"}),
        delivery({"from": PHONE, "id": "w" * 256, "type": "text", "text": {"body": "x"}}),
        delivery({"from": PHONE, "id": "wamid.1", "type": "reaction", "reaction": {"emoji": "x"}}),
        delivery(text("wamid.1", PHONE, "hello"), phone="another number of ours"),
        delivery(statuses=({"status": "sent"}, {"status": "sent", "biz_opaque_callback_data": "x"})),
        delivery(statuses=(status("9" * 18, "delivered", PHONE),)),
    ],
)
@pytest.mark.sqlite_only
def test_what_is_not_understood_is_acknowledged_and_dropped(
    client: FlaskClient, standin: Standin, payload: dict[str, Any]
) -> None:
    body = json.dumps(payload).encode()

    answer = send(client, body, sign(standin.settings["WHATSAPP_APP_SECRET"], body))

    assert (answer.status_code, answer.json["data"]) == (200, {"new": 0})


def test_a_number_is_linked_by_the_code_that_comes_back_from_it(
    ada: Caller, standin: Standin, deliver: Deliver
) -> None:
    answer = ada.put("/user/me", json={"whatsapp_number": f"+{PHONE}"})
    standin.wait(1)
    (asked,) = standin.texts(PHONE)
    deliver(text("wamid.1", PHONE, code_in(asked)))
    standin.wait(2)

    assert "whatsapp_number" not in answer.json["data"]
    assert "a***@example.com" in asked
    assert standin.texts(PHONE)[1].startswith("This number is linked now.")


def test_codes_are_not_guessed(ada: Caller, app: Flask, standin: Standin, deliver: Deliver) -> None:
    ada.put("/user/me", json={"whatsapp_number": f"+{PHONE}"})
    standin.wait(1)
    code = code_in(standin.texts(PHONE)[0])
    wrong = [f"{(int(code) + step) % 10**6:06}" for step in range(1, 6)]

    deliver(*(text(f"wamid.{guess}", PHONE, guess) for guess in wrong), text("wamid.right", PHONE, code))
    standin.wait(7)

    assert all(said.startswith("This is not the code") for said in standin.texts(PHONE)[1:])
    with app.app_context():
        assert db.session.scalar(select(Link.number)) is None


def test_a_code_from_another_phone_or_too_late_links_nothing(
    ada: Caller, app: Flask, standin: Standin, deliver: Deliver
) -> None:
    ada.put("/user/me", json={"whatsapp_number": f"+{PHONE}"})
    standin.wait(1)
    code = code_in(standin.texts(PHONE)[0])
    deliver(text("wamid.1", STRANGER, code))
    standin.wait(2)
    with app.app_context():
        db.session.execute(update(Link).values(code_expires_at=now() - timedelta(seconds=1)))
        db.session.commit()
    deliver(text("wamid.2", PHONE, code))
    standin.wait(3)

    assert standin.texts(STRANGER)[0].startswith("Hello! This is CodeSherpa")
    assert standin.texts(PHONE)[1].startswith("This is not the code")


def expire(app: Flask, email: str) -> None:
    with app.app_context():
        of = select(User.id).where(User.email == email).scalar_subquery()
        db.session.execute(update(Link).where(Link.user_id == of).values(code_expires_at=now() - timedelta(seconds=1)))
        db.session.commit()


def answer(app: Flask, number: str, said: str) -> str | None:
    """Return what a text from a number is taken for, as a code."""
    with app.app_context():
        told = linking.confirm(number, said)
        db.session.commit()
    return told[0] if told else None


def ask_for_a_code(caller: Caller, standin: Standin, number: str = PHONE) -> str:
    before = len(standin.sent)
    assert caller.put("/user/me", json={"whatsapp_number": f"+{number}"}).status_code == 200
    standin.wait(before + 1)
    return code_in(standin.texts(number)[-1])


def another(code: str) -> str:
    return f"{(int(code) + 1) % 10**6:06}"


@pytest.mark.parametrize("ended", ["expired", "used up", "deleted"])
def test_the_ended_code_of_somebody_else_takes_no_message_from_a_phone(
    ada: Caller, bob: Caller, app: Flask, phone: str, standin: Standin, deliver: Deliver, ended: str
) -> None:
    """Anybody may have a code sent to any number; six digits are a message like any other once it has ended."""
    code = ask_for_a_code(bob, standin)
    if ended == "expired":
        expire(app, "bob@example.com")
    elif ended == "used up":
        assert [answer(app, phone, another(code)) for _ in range(linking.TRIES)] == ["wrong_code"] * linking.TRIES
    else:
        bob.delete("/user/me", json={"password": bob.password})
    sent = len(standin.sent)

    deliver(text("wamid.digits", phone, another(code)))
    standin.wait(sent + 1)

    assert [chat["message"] for chat in ada.get("/chat").json["data"]["chats"]] == [another(code)]


def test_of_several_who_wait_for_one_number_each_has_its_own_code(
    ada: Caller, bob: Caller, app: Flask, standin: Standin
) -> None:
    codes = {caller: ask_for_a_code(caller, standin) for caller in (ada, bob)}
    expire(app, "ada@example.com")

    assert answer(app, PHONE, codes[ada]) == "wrong_code"  # It is known again, and too old.
    assert answer(app, PHONE, codes[bob]) == "linked"
    assert answer(app, PHONE, another(codes[ada])) is None
    with app.app_context():
        assert db.session.scalars(select(Link.user_id).where(Link.number == PHONE)).all() == [bob.id]


def test_two_confirmations_at_once_leave_the_number_with_one(
    ada: Caller, bob: Caller, app: Flask, standin: Standin
) -> None:
    codes = [ask_for_a_code(caller, standin) for caller in (ada, bob)]
    start = threading.Barrier(2)
    told: list[str | None] = []

    def confirm(code: str) -> None:
        start.wait(10)
        told.append(answer(app, PHONE, code))

    threads = [threading.Thread(target=confirm, args=(code,)) for code in codes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert told == ["linked", "linked"]
    with app.app_context():
        assert len(db.session.scalars(select(Link.user_id).where(Link.number == PHONE)).all()) == 1


def test_two_codes_asked_for_at_once_are_one_link(ada: Caller, app: Flask, standin: Standin) -> None:
    start = threading.Barrier(3)

    def ask() -> int:
        start.wait(10)
        headers = {"Authorization": f"Bearer {ada.access}"}
        asked = app.test_client().put("/api/v1/user/me", json={"whatsapp_number": f"+{PHONE}"}, headers=headers)
        return asked.status_code

    with ThreadPoolExecutor(3) as pool:
        statuses = [asked.result() for asked in [pool.submit(ask) for _ in range(3)]]

    assert statuses == [200, 200, 200]
    with app.app_context():
        assert db.session.scalar(select(func.count(Link.id))) == 1


def test_a_number_that_nobody_confirmed_is_forgotten(ada: Caller, app: Flask, standin: Standin) -> None:
    ask_for_a_code(ada, standin)
    with app.app_context():
        linking.forget(now())
        kept = db.session.scalar(select(Link.pending_number))
        linking.forget(now() + linking.LIFE)
        gone = db.session.scalar(select(Link.pending_number))
        db.session.commit()

    assert (kept, gone) == (PHONE, None)


def test_nobody_is_pestered_with_codes(ada: Caller, bob: Caller, standin: Standin) -> None:
    for _ in range(3):
        assert ada.put("/user/me", json={"whatsapp_number": f"+{PHONE}"}).status_code == 200

    for caller, number in ((ada, f"+{STRANGER}"), (bob, f"+{PHONE}")):
        refused = caller.put("/user/me", json={"whatsapp_number": number})
        assert refused.status_code == 429
        assert 0 < refused.json["data"]["retry_after"] <= 3600


@pytest.mark.parametrize("number", ["0170 1234567", "+0123456789", "+49", "+49170123456789012", 49, "+4917012345\n"])
@pytest.mark.sqlite_only
def test_a_number_that_is_none_is_refused(ada: Caller, standin: Standin, number: object) -> None:
    refused = ada.put("/user/me", json={"whatsapp_number": number})

    assert list(refused.json["data"]["errors"]) == ["whatsapp_number"]


def test_where_whatsapp_is_off_a_number_cannot_be_linked(make_app: Callable[..., Flask]) -> None:
    ada = Caller(make_app().test_client(), "ada@example.com")

    refused = ada.put("/user/me", json={"whatsapp_number": f"+{PHONE}", "name": "Augusta"})

    assert (refused.status_code, refused.json["message"]) == (409, "WhatsApp is not switched on here.")
    assert ada.get("/user/me").json["data"]["name"] == "Ada"


def test_a_number_that_was_linked_elsewhere_moves(
    ada: Caller, bob: Caller, phone: str, standin: Standin, deliver: Deliver
) -> None:
    link(bob, phone, standin, deliver)
    sent = len(standin.sent)
    deliver(text("wamid.1", phone, "hello"))
    standin.wait(sent + 1)

    assert [chat["message"] for chat in bob.get("/chat").json["data"]["chats"]] == ["hello"]
    assert ada.get("/chat").json["data"]["chats"] == []


def test_a_number_is_taken_away_and_then_a_strangers(
    ada: Caller, phone: str, standin: Standin, deliver: Deliver
) -> None:
    ada.put("/user/me", json={"whatsapp_number": None})
    deliver(text("wamid.1", phone, "hello"))
    standin.wait(3)

    assert standin.texts(phone)[-1].startswith("Hello! This is CodeSherpa")


def test_a_number_is_kept_as_whatsapp_writes_it(ada: Caller, standin: Standin, deliver: Deliver) -> None:
    standin.aliases["525512345678"] = "5215512345678"
    ada.put("/user/me", json={"whatsapp_number": "+525512345678"})
    standin.wait(1)
    code = code_in(standin.texts("525512345678")[0])

    deliver(text("wamid.1", "5215512345678", code))
    standin.wait(2)

    assert standin.texts("5215512345678")[0].startswith("This number is linked now.")


def test_the_code_may_go_as_a_template(make_app: Callable[..., Flask], standin: Standin) -> None:
    ada = Caller(make_app(**standin.settings, WHATSAPP_CODE_TEMPLATE="sign_in").test_client(), "ada@example.com")

    ada.put("/user/me", json={"whatsapp_number": f"+{PHONE}"})
    standin.wait(1)

    template = standin.sent[0]["template"]
    code = template["components"][0]["parameters"][0]["text"]
    assert (template["name"], len(code), code.isdigit()) == ("sign_in", 6, True)


def test_a_text_is_answered_by_a_sherpa(ada: Caller, phone: str, standin: Standin, deliver: Deliver) -> None:
    deliver(text("wamid.1", phone, "hello"))
    standin.wait(3)

    assert standin.texts(phone)[-1] == "Hello there."
    (chat,) = ada.get("/chat").json["data"]["chats"]
    assert (chat["message"], chat["response"], chat["agent"]) == ("hello", "Hello there.", "general_chat")


def test_each_message_is_answered_once_though_it_is_delivered_for_days(
    ada: Caller, phone: str, standin: Standin, deliver: Deliver, model: Scripted
) -> None:
    messages = [text(f"wamid.{number}", phone, f"hello {number}") for number in range(6)]
    thrice = messages * 3
    random.Random(3).shuffle(thrice)

    for message in thrice:
        assert deliver(message).status_code == 200
    standin.wait(2 + 6)

    assert len(model.briefs) == 6
    assert sorted(chat["message"] for chat in ada.get("/chat").json["data"]["chats"]) == [
        f"hello {number}" for number in range(6)
    ]
    assert len(standin.sent) == 2 + 6


def test_a_batch_is_answered_in_its_order(ada: Caller, phone: str, standin: Standin, deliver: Deliver) -> None:
    deliver(*(text(f"wamid.{number}", phone, f"hello {number}") for number in range(5)))
    standin.wait(2 + 5)

    said = [chat["message"] for chat in ada.get("/chat").json["data"]["chats"]]
    assert said == [f"hello {number}" for number in range(5)]


def test_strangers_get_one_answer_a_day(standin: Standin, deliver: Deliver, ada: Caller, phone: str) -> None:
    deliver(*(text(f"wamid.{number}", STRANGER, "hello") for number in range(4)))
    deliver(text("wamid.end", phone, "hello"))
    standin.wait(4)

    assert len(standin.texts(STRANGER)) == 1
    assert len(ada.get("/chat").json["data"]["chats"]) == 1


def test_a_stranger_is_answered_again_the_next_day(app: Flask, standin: Standin, deliver: Deliver) -> None:
    deliver(text("wamid.1", STRANGER, "hello"))
    standin.wait(1)
    with app.app_context():
        db.session.execute(update(Stranger).values(told_on=now().date() - timedelta(days=1)))
        db.session.commit()

    deliver(text("wamid.2", STRANGER, "hello"), text("wamid.3", STRANGER, "hello"))
    standin.wait(2)
    app.extensions["whatsapp"].close()

    assert len(standin.texts(STRANGER)) == 2


def test_a_number_of_a_deactivated_account_is_a_strangers(
    ada: Caller, app: Flask, phone: str, standin: Standin, deliver: Deliver
) -> None:
    with app.app_context():
        db.session.execute(update(User).values(is_active=False))
        db.session.commit()

    deliver(text("wamid.1", phone, "hello"))
    standin.wait(3)

    assert standin.texts(phone)[-1].startswith("Hello! This is CodeSherpa")


def test_a_phone_may_ask_as_often_as_a_browser(
    make_app: Callable[..., Flask], standin: Standin, model: Scripted
) -> None:
    client = make_app(**standin.settings, RATE_LIMIT_MESSAGES="1/day").test_client()
    client.application.extensions["provider"] = model
    link(Caller(client, "ada@example.com"), PHONE, standin, deliverer(client, standin))

    deliverer(client, standin)(text("wamid.1", PHONE, "hello"), text("wamid.2", PHONE, "hello"))
    standin.wait(4)

    assert sorted(standin.texts(PHONE)[2:]) == ["Hello there.", RateLimited.message]


@pytest.mark.parametrize("kind", ["image", "audio", "document", "sticker", "location", "contacts", "unsupported"])
def test_what_is_no_text_gets_a_clear_answer(phone: str, standin: Standin, deliver: Deliver, kind: str) -> None:
    deliver({"from": phone, "id": "wamid.1", "timestamp": "1", "type": kind, kind: {"id": "1"}})
    standin.wait(3)

    assert standin.texts(phone)[-1].startswith("I can read text only.")


@pytest.mark.parametrize("word", ["stop", "STOP!", "रुको"])
def test_stop_stops(ada: Caller, phone: str, standin: Standin, deliver: Deliver, model: Scripted, word: str) -> None:
    model.pieces = ["The beginning.", threading.Event(), "never said"]
    deliver(text("wamid.1", phone, "hello"))
    assert model.begun.acquire(timeout=10)
    deliver(text("wamid.2", phone, word))
    standin.wait(4)

    assert sorted(standin.texts(phone)[-2:]) == ["Stopped.", "The beginning."]
    assert ada.get("/chat").json["data"]["chats"][0]["status"] == "stopped"


def test_stop_with_nothing_to_stop_says_so(phone: str, standin: Standin, deliver: Deliver) -> None:
    deliver(text("wamid.1", phone, "stop"))
    standin.wait(3)

    assert standin.texts(phone)[-1] == "Nothing is being written just now."


def test_new_begins_a_new_conversation(ada: Caller, phone: str, standin: Standin, deliver: Deliver) -> None:
    deliver(text("wamid.1", phone, "hello"), text("wamid.2", phone, "new"), text("wamid.3", phone, "hello again"))
    standin.wait(5)

    assert ada.get("/chat/conversations").json["data"]["total"] == 2


def test_the_answer_is_in_the_users_language(ada: Caller, phone: str, standin: Standin, deliver: Deliver) -> None:
    ada.put("/user/me", json={"language": "hi"})
    deliver(text("wamid.1", phone, "stop"))
    standin.wait(3)

    assert standin.texts(phone)[-1] == "अभी कुछ नहीं लिखा जा रहा है।"


def test_a_fault_of_the_model_is_told(phone: str, standin: Standin, deliver: Deliver, model: Scripted) -> None:
    from codesherpa.errors import ModelThrottled

    model.pieces = [ModelThrottled()]
    deliver(text("wamid.1", phone, "hello"))
    standin.wait(3)

    assert standin.texts(phone)[-1] == ModelThrottled.message


@pytest.mark.parametrize(
    "fault", [Fault(500), Fault(429, 130429, {"Retry-After": "1"}), Fault(400, 131056), Fault(401, 190)]
)
def test_what_passes_by_itself_is_tried_again(
    phone: str, standin: Standin, deliver: Deliver, fault: Fault, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "LONGEST_WAIT", 0)
    standin.faults = [fault]
    deliver(text("wamid.1", phone, "hello"))
    standin.wait(3)

    assert standin.texts(phone)[-1] == "Hello there."


def test_whatsapp_says_how_long_to_wait(app: Flask, standin: Standin) -> None:
    standin.faults = [Fault(429, 130429, {"Retry-After": "600"})]
    with app.app_context():
        outbox.put(PHONE, [{"type": "text", "text": {"body": "in a while"}}])
        db.session.commit()

        app.extensions["whatsapp"].work()

        reply = db.session.scalars(select(Reply)).one()
        assert (reply.state, reply.tries) == ("waiting", 1)
        assert reply.due_at > now() + timedelta(seconds=500)
        db.session.commit()


def test_what_whatsapp_refuses_is_given_up_and_does_not_block(
    app: Flask, phone: str, standin: Standin, deliver: Deliver
) -> None:
    standin.faults = [Fault(400, 131026)]
    deliver(text("wamid.1", phone, "stop"), text("wamid.2", phone, "new"))
    standin.wait(3)

    app.extensions["whatsapp"].close()

    assert standin.texts(phone)[-1] == "A new conversation begins here."
    with app.app_context():
        assert sorted(db.session.scalars(select(Reply.state))) == ["failed", "sent", "sent", "sent"]


@pytest.mark.parametrize(
    ("faults", "end", "code"),
    [
        ([], "sent", 0),
        ([Fault(401, 190)], "later", 190),
        ([Fault(503, 0)], "later", 0),
        ([Fault(400, 131026)], "failed", 131026),
        ([Fault(401, 190)] * outbox.TRIES, "failed", 190),
    ],
    ids=["sent", "expired", "away", "refused", "expired for good"],
)
def test_how_a_message_ended_is_counted_with_the_code_of_meta(
    app: Flask,
    client: FlaskClient,
    standin: Standin,
    faults: list[Fault],
    end: str,
    code: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def count() -> float:
        line = rf'^codesherpa_whatsapp_sends_total{{code="{code}",end="{end}"}} (\S+)$'
        found = re.search(line, client.get("/metrics").text, re.M)
        return float(found[1]) if found else 0.0

    monkeypatch.setattr(outbox, "LONGEST_WAIT", 0)
    standin.faults, before = list(faults), count()
    with app.app_context():
        outbox.put(PHONE, [{"type": "text", "text": {"body": "counted"}}])
        db.session.commit()
        app.extensions["whatsapp"].work()

    assert count() == before + 1


def test_a_status_tells_what_a_dead_worker_could_not(app: Flask, deliver: Deliver, standin: Standin) -> None:
    with app.app_context():
        outbox.put(PHONE, [{"type": "text", "text": {"body": "sent, and then the worker died"}}])
        db.session.commit()
        (taken,) = outbox.claim("a worker that died")
        mark = str(taken.id)

    deliver(statuses=(status(mark, "delivered", PHONE),))

    with app.app_context():
        assert db.session.scalars(select(Reply.state)).all() == ["sent"]


def test_what_a_dead_worker_did_not_send_is_sent_by_another(app: Flask, standin: Standin) -> None:
    with app.app_context():
        outbox.put(PHONE, [{"type": "text", "text": {"body": "never sent"}}])
        db.session.commit()
        assert len(outbox.claim("a worker that died")) == 1
        assert outbox.claim("another") == []  # Its lease still runs.
        db.session.execute(update(Reply).values(due_at=now() - timedelta(seconds=1)))
        db.session.commit()

        app.extensions["whatsapp"].work()

    assert standin.texts(PHONE) == ["never sent"]


def test_what_a_dead_worker_took_is_handled_by_another(
    app: Flask, phone: str, standin: Standin, model: Scripted
) -> None:
    app.extensions["whatsapp"].close()
    with app.app_context():
        db.session.add(Message(wamid="wamid.1", sender=phone, kind="text", text="hello"))
        db.session.commit()
        taken = inbox.take("a worker that died")
        assert taken is not None
        assert inbox.take("another") is None
        db.session.execute(update(Message).values(lease_expires_at=now() - timedelta(seconds=1)))
        db.session.commit()
        again = inbox.take("another")
        assert again is not None
        inbox.handle(again)
        inbox.handle(taken)  # It was not dead, only slow.
        states = db.session.scalars(select(Message.state).order_by(Message.id.desc())).all()

    assert model.begun.acquire(timeout=10)
    assert states[0] == "answering"
    assert len(model.briefs) == 1


def test_what_two_workers_handled_is_answered_once(app: Flask, phone: str, standin: Standin) -> None:
    app.extensions["whatsapp"].close()
    with app.app_context():
        db.session.add(Message(wamid="wamid.1", sender=phone, kind="text", text="stop"))
        db.session.commit()
        slow = inbox.take("a worker that is slow")
        db.session.execute(update(Message).values(lease_expires_at=now() - timedelta(seconds=1)))
        db.session.commit()
        quick = inbox.take("another")
        assert slow is not None
        assert quick is not None
        inbox.handle(quick)
        inbox.handle(slow)

        assert len(db.session.scalars(select(Reply).where(Reply.state == "waiting")).all()) == 1
        db.session.commit()


def test_a_flood_of_messages_keeps_nobodys_answer_back(
    app: Flask, phone: str, standin: Standin, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = app.extensions["whatsapp"]
    desk.close()
    desk.closed = False
    with app.app_context():
        flood = [Message(wamid=f"wamid.{n}", sender=STRANGER, kind="text", text="hello") for n in range(50)]
        db.session.add_all([*flood, Message(wamid="wamid.end", sender=phone, kind="text", text="stop")])
        outbox.put(phone, [{"type": "text", "text": {"body": "an answer that waits"}}])
        db.session.commit()
        sent_when: list[int] = []
        monkeypatch.setattr(standin, "after", lambda *_: sent_when.append(waiting(app)))

        desk.work()

    assert standin.texts(phone)[-2:] == ["an answer that waits", "Nothing is being written just now."]
    assert sent_when[0] > 0


def waiting(app: Flask) -> int:
    """Count the messages that nobody has read yet."""
    with app.app_context(), reading():
        return len(db.session.scalars(select(Message.id).where(Message.state == "waiting")).all())


def test_two_desks_answer_once(app: Flask, phone: str, standin: Standin, deliver: Deliver) -> None:
    from codesherpa.integrations.whatsapp.desk import Desk

    others = [Desk(app) for _ in range(3)]
    for other in others:
        other.wake()
    deliver(*(text(f"wamid.{number}", phone, f"hello {number}") for number in range(12)))
    standin.wait(2 + 12)
    for other in others:
        other.close()

    assert len(standin.sent) == 2 + 12


def test_what_was_said_is_not_kept_twice(app: Flask, phone: str, standin: Standin, deliver: Deliver) -> None:
    deliver(text("wamid.1", phone, "hello"))
    standin.wait(3)
    app.extensions["whatsapp"].close()

    with app.app_context():
        assert set(db.session.scalars(select(Message.text))) == {""}
        assert set(db.session.scalars(select(Reply.body))) == {None}
