"""What the sockets of a process are shown of a reply: each delta once, in turn, and nothing after its end."""

from __future__ import annotations

from typing import Any

import pytest

from codesherpa.chat import audience
from codesherpa.chat.delivery import Delivery
from codesherpa.chat.deltas import Part
from codesherpa.chat.models import Chat
from codesherpa.database import now

USER, CHAT = 1, 7


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Any]]:
    """What a user with one socket is told."""
    told: list[tuple[str, Any]] = []
    monkeypatch.setattr(audience, "sockets", lambda user_id: ["a socket"])
    monkeypatch.setattr(audience, "send", lambda sockets, event, payload: told.append((event, payload.get("seq"))))
    monkeypatch.setattr(audience, "tell", lambda user_id, event, payload: told.append((event, None)))
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


def test_a_chat_that_is_given_the_id_of_a_deleted_one_is_told_too(told: list[tuple[str, Any]]) -> None:
    delivery = Delivery(lambda chat_id, after: [])
    delivery.end(ended())
    told.clear()

    delivery.begin(CHAT)
    delivery.delta(USER, CHAT, 1, "one ")
    delivery.delta(USER, CHAT, 2, "two ")
    delivery.end(ended())

    assert told == [("delta", 1), ("delta", 2), ("response", None)]
