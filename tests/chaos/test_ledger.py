"""The ledger objects to whatever it is there to find."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.chaos.ledger import Ledger, Record, Stored

WORDS = ("one ", "two ", "three ", "four")
CHAT = Stored(1, "m1", "complete", "".join(WORDS), (4, 8, 14, 18), 20.0)


def note(kind: str, at: float, **more: Any) -> Record:
    return {"kind": kind, "at": at, "who": "ada/0/0", "connection": 1, "chat_id": 1, **more}


def story() -> list[Record]:
    """A reply whose connection broke after two words, which the client resumed."""
    return [
        note("sent", 1, cmid="m1"),
        note("acknowledged", 2, cmid="m1"),
        note("delta", 3, seq=1, content="one "),
        note("delta", 4, seq=2, content="two "),
        note("missed", 6, connection=2, after=2, seq=3, content="three ", status="streaming"),
        note("delta", 7, connection=2, seq=4, content="four"),
        note("last", 8, connection=2, event="response", status="complete", response=CHAT.response),
    ]


def test_what_went_well_is_no_violation() -> None:
    assert Ledger(story()).check([CHAT], Counter(m1=1)) == []


def without(at: int) -> Callable[[list[Record]], list[Record]]:
    return lambda records: [record for record in records if record["at"] != at]


def with_(*more: Record) -> Callable[[list[Record]], list[Record]]:
    return lambda records: sorted([*records, *more], key=lambda record: float(record["at"]))


def changed(at: int, **values: Any) -> Callable[[list[Record]], list[Record]]:
    return lambda records: [record | values if record["at"] == at else record for record in records]


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        (with_(note("sent", 2.1, cmid="m2"), note("acknowledged", 2.2, cmid="m2", chat_id=2)), "lost"),
        (with_(note("acknowledged", 2.5, cmid="m1", chat_id=9)), "twice"),
        (changed(2, chat_id=9), "wrong"),
        (without(1), "invented"),
        (without(4), "gap"),
        (without(7), "gap"),
        (changed(7, content="five"), "wrong"),
        (changed(6, content="three thr"), "wrong"),
        (changed(6, after=1), "wrong"),
        (with_(note("delta", 4.5, seq=2, content="two ")), "twice"),
        (with_(note("delta", 3.5, seq=3, content="three ")), "gap"),
        (with_(note("delta", 8.5, connection=2, seq=5, content="!")), "late"),
        (with_(note("delta", 7.5, connection=2, seq=5, content="!")), "lost"),
        (changed(6, seq=2, content=""), "gap"),
        (changed(8, status="stopped"), "wrong"),
        (changed(8, response="one two"), "wrong"),
        (with_(note("last", 9, event="error", status="complete", response=CHAT.response)), "twice"),
        (with_(note("stopped", 7.5, status="stopped")), "wrong"),
        (with_(note("delta", 3, chat_id=5, seq=1, content="?")), "lost"),
        (with_(note("waiting", 9)), "waits"),
        (with_(note("unanswered", 9, cmid="m1")), "waits"),
        (with_(note("fault", 9, text="?")), "fault"),
        (with_(note("last", 3, chat_id=5, event="response", status="complete", response="")), "lost"),
    ],
)
def test_what_a_client_saw_is_held_against_what_is_stored(
    change: Callable[[list[Record]], list[Record]], kind: str
) -> None:
    found = Ledger(change(story())).check([CHAT])

    assert kind in {violation.partition(":")[0] for violation in found}


@pytest.mark.parametrize(
    ("stored", "kind"),
    [
        ([], "lost"),
        ([CHAT, replace(CHAT, id=2)], "twice"),
        ([CHAT, replace(CHAT, id=2, cmid=None)], "invented"),
        ([replace(CHAT, status="streaming")], "stuck"),
        ([replace(CHAT, response="one two three five")], "wrong"),
        ([replace(CHAT, ends=(4, 8, 14), response="one two three ")], "lost"),
        ([replace(CHAT, ends=(4, 8, 14))], "wrong"),
        ([replace(CHAT, status="interrupted")], "interrupted"),
    ],
)
def test_what_is_stored_is_held_against_what_was_told(stored: list[Stored], kind: str) -> None:
    assert kind in {violation.partition(":")[0] for violation in Ledger(story()).check(stored)}


def test_a_second_call_of_the_model_is_a_violation() -> None:
    assert Ledger(story()).check([CHAT], Counter(m1=2)) == ["twice: the model was called 2 times for m1"]


def broken_off(kill: float) -> list[Record]:
    return [*story()[:4], note("killed", kill, worker=1, how="kill")]


CUT = replace(CHAT, status="interrupted", response="one ", ends=(4,), completed_at=20.0)


def test_the_last_second_before_a_kill_may_be_lost_and_no_more() -> None:
    assert Ledger(broken_off(4.5)).check([CUT]) == []
    assert [v.partition(":")[0] for v in Ledger(broken_off(5.5)).check([CUT])] == ["lost"]


def test_a_page_that_was_left_needs_no_whole_text() -> None:
    left = [*without(7)(without(8)(story())), note("reloaded", 8)]

    assert Ledger(left).check([CHAT]) == []
    assert Ledger(left[:-1]).check([CHAT]) != []


def test_a_client_may_have_seen_more_than_was_kept() -> None:
    resumed = note("missed", 21, connection=2, after=2, seq=1, content="", status="interrupted")

    assert Ledger([*broken_off(4.5), resumed]).check([CUT]) == []


def test_an_interruption_is_told_within_thirty_seconds() -> None:
    late = replace(CUT, completed_at=36.0)

    assert [v.partition(":")[0] for v in Ledger(broken_off(4.5)).check([late])] == ["slow"]


def test_a_sole_worker_that_dies_again_gets_the_time_that_it_was_away() -> None:
    late = replace(CUT, completed_at=36.0)
    again = note("killed", 10, how="kill", until=18, alone=True)

    assert Ledger([*broken_off(4.5), again]).check([late]) == []
    assert Ledger([*broken_off(4.5), again | {"alone": False}]).check([late]) != []


def test_deltas_may_come_before_the_answer_to_a_resume() -> None:
    overtaken = without(6)(story())
    answered = note("missed", 9, connection=3, after=2, seq=4, content="three four", status="complete")

    for connection in (1, 2):  # socket.io-client sends again on the next connection what the last left unanswered.
        asked = note("asked", 6, connection=connection)
        assert Ledger([*overtaken[:4], asked, *overtaken[4:], answered]).check([CHAT]) == []
    assert Ledger([*overtaken, answered]).check([CHAT]) != []


def test_who_knows_the_end_need_not_resume_for_what_comes_late_on_the_next_connection() -> None:
    late = note("delta", 9, connection=3, seq=4, content="four")

    assert Ledger([*story(), late]).check([CHAT]) == []
    assert Ledger([*story()[:-1], late]).check([CHAT]) != []


def test_a_gap_while_redis_was_away_is_mended_by_a_resume() -> None:
    gap = [
        note("away", 3.5, what="redis", until=5),
        *without(4)(story()),
        note("missed", 5, after=1, seq=2, content="two ", status="streaming"),
    ]

    assert Ledger(gap).check([CHAT]) == []
    assert Ledger(gap[1:-1]).check([CHAT]) != []


def test_the_files_of_several_writers_are_read_in_the_order_of_their_times(tmp_path: Path) -> None:
    odd, even = tmp_path / "odd", tmp_path / "even"
    for number, record in enumerate(story()):
        with (odd if number % 2 else even).open("a") as file:
            file.write(json.dumps(record) + "\n")

    assert Ledger.read(odd, even, tmp_path / "none").records == story()
