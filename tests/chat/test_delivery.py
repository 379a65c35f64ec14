"""What the sockets of a process are shown of a reply: each delta once, in turn, and nothing after its end."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from unittest.mock import MagicMock

import pytest

from codesherpa.chat import audience
from codesherpa.chat.delivery import Delivery, Joined
from codesherpa.chat.deltas import Part
from codesherpa.chat.models import Chat
from codesherpa.database import now
from codesherpa.extensions import socketio

USER, CHAT = 1, 7


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Any]]:
    """What a user with one socket is told."""
    told: list[tuple[str, Any]] = []
    monkeypatch.setattr(audience, "sockets", lambda user_id: ["a socket"])
    monkeypatch.setattr(audience, "send", lambda sockets, event, payload: told.append((event, payload.get("seq"))))
    return told


def ended() -> Chat:
    return Chat(
        id=CHAT, user_id=USER, response="one two ", delta_ends="4,8,", status="complete", result={}, created_at=now()
    )


def test_what_was_being_fetched_when_the_end_came_is_not_shown_after_it(told: list[tuple[str, Any]]) -> None:
    def known(chat_id: int, after: int) -> list[Part]:
        delivery.end(ended())  # The end overtakes a slow database.
        return [(1, "one "), (2, "two ")]

    delivery = Delivery(known)

    delivery.fill(USER, CHAT)

    assert told == [("delta", 1), ("delta", 2), ("response", None)]


def test_what_is_shown_while_it_is_fetched_is_not_shown_again(told: list[tuple[str, Any]]) -> None:
    def known(chat_id: int, after: int) -> list[Part]:
        delivery.delta(USER, CHAT, 2, "two ")  # It was on its way, and overtakes a slow database.
        return [(2, "two "), (3, "three ")]

    delivery = Delivery(known)
    delivery.delta(USER, CHAT, 1, "one ")

    delivery.delta(USER, CHAT, 3, "three ")

    assert told == [("delta", seq) for seq in (1, 2, 3)]


def test_an_end_that_is_heard_of_twice_is_told_once(told: list[tuple[str, Any]]) -> None:
    delivery = Delivery(lambda chat_id, after: [])

    delivery.end(ended())
    delivery.end(ended())

    assert told == [("delta", 1), ("delta", 2), ("response", None)]


def test_an_end_is_told_to_who_was_here_when_it_came(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple[list[str], str]] = []
    monkeypatch.setattr(audience, "sockets", lambda user_id: ["here before", "heard it elsewhere", "told of it"])
    monkeypatch.setattr(audience, "send", lambda sockets, event, payload: told.append((sockets, event)))
    delivery, chat = Delivery(lambda chat_id, after: []), ended()
    chat.completed_at = now()
    before, after = chat.completed_at - timedelta(seconds=1), chat.completed_at + timedelta(seconds=1)
    delivery._joined = {
        "here before": Joined(before, frozenset()),
        "heard it elsewhere": Joined(after, frozenset()),
        "told of it": Joined(after, frozenset({CHAT})),
    }

    delivery.end(chat)  # It has just become known here, when the database came back.

    assert told[-1] == (["here before", "told of it"], "response")
    assert not any("heard it elsewhere" in sockets for sockets, _ in told)


def test_a_delta_or_status_that_comes_after_the_end_is_not_shown(told: list[tuple[str, Any]]) -> None:
    delivery = Delivery(lambda chat_id, after: [])
    delivery.end(ended())

    delivery.delta(USER, CHAT, 1, "one ")
    delivery.status(USER, {"chat_id": CHAT})

    assert told == [("delta", 1), ("delta", 2), ("response", None)]


def test_a_delta_whose_forerunner_was_lost_waits_for_it(told: list[tuple[str, Any]]) -> None:
    written: list[Part] = []
    delivery = Delivery(lambda chat_id, after: written[after:])
    delivery.delta(USER, CHAT, 1, "one ")

    delivery.delta(USER, CHAT, 3, "three ")
    assert told == [("delta", 1)]  # The second is nowhere yet, and the third without it would be a gap.

    delivery._tried.clear()
    written += [(1, "one "), (2, "two "), (3, "three "), (4, "four ")]
    delivery.delta(USER, CHAT, 4, "four ")
    delivery.delta(USER, CHAT, 2, "two ")

    assert told == [("delta", seq) for seq in (1, 2, 3, 4)]


@pytest.fixture
def ready(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What sockets that come in are told is being written."""
    told: list[Any] = []
    monkeypatch.setattr(audience, "tell_one", lambda sid, event, payload: told.append(payload["active"]))
    monkeypatch.setattr(socketio, "server", MagicMock())
    return told


def test_who_comes_in_is_told_how_far_the_others_have_been_shown(told: list[tuple[str, Any]], ready: list[Any]) -> None:
    delivery = Delivery(lambda chat_id, after: [])
    delivery.delta(USER, CHAT, 1, "one ")

    delivery.welcome("another tab", USER, {}, {CHAT: 3})  # The database knows more than was shown here.
    delivery.delta(USER, CHAT, 2, "two ")

    assert ready == [[{"chat_id": CHAT, "seq": 1}]]
    assert told == [("delta", 1), ("delta", 2)]


def test_who_comes_in_first_is_told_how_far_it_is_and_shown_what_follows(
    told: list[tuple[str, Any]], ready: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    delivery = Delivery(lambda chat_id, after: [])
    with monkeypatch.context() as nobody:
        nobody.setattr(audience, "sockets", lambda user_id: [])
        delivery.delta(USER, CHAT, 1, "one ")
        delivery.welcome("a tab", USER, {}, {CHAT: 3})

    for seq in (3, 4):
        delivery.delta(USER, CHAT, seq, "more ")

    assert ready == [[{"chat_id": CHAT, "seq": 3}]]
    assert told == [("delta", 4)]


def test_who_comes_in_is_told_nothing_of_a_reply_that_has_just_ended(
    told: list[tuple[str, Any]], ready: list[Any]
) -> None:
    delivery = Delivery(lambda chat_id, after: [])
    delivery.end(ended())  # After the database was asked, and before the socket was let in.

    delivery.welcome("a tab", USER, {}, {CHAT: 2})

    assert ready == [[]]
