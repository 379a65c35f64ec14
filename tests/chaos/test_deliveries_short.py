"""The drills of deliveries, short: everything three times, in any order, and workers killed in between."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from codesherpa.integrations.whatsapp import client
from codesherpa.integrations.whatsapp.phrases import say
from tests.chaos.deliveries import Drill, Plan, run
from tests.chaos.github import OURS, GitHub
from tests.chaos.whatsapp import WhatsApp
from tests.standins import github as standin


@pytest.fixture
def database(empty_sqlite: Path, tmp_path: Path) -> str:
    """A database in which nothing has happened."""
    return f"sqlite:///{shutil.copy(empty_sqlite, tmp_path / 'empty.db')}"


@pytest.mark.parametrize("on", ["sqlite", "postgresql"])
@pytest.mark.parametrize(("kind", "count"), [(GitHub, 60), (WhatsApp, 100)])
def test_every_effect_is_there_once(
    request: pytest.FixtureRequest, kind: type[Drill], count: int, on: str, tmp_path: Path
) -> None:
    if on == "postgresql":
        request.getfixturevalue("postgres")  # It skips where there is none.

    result = run(kind(count), Plan(on, count, kills=2, pause=1.5), tmp_path)

    assert result.faults == []
    assert result.sent >= count  # Of WhatsApp a delivery holds several.
    assert result.kills.total() >= 1


def test_what_github_was_not_told_or_told_twice_is_found(database: str) -> None:
    drill = GitHub(10)
    assert drill.faults(database) == ["made: {}", "#1: 0 summaries, 0 answers, 0 comments"]

    for body in (*OURS, OURS[0]):
        drill.world.add_comment("http://127.0.0.1", drill.world.repo(), 1, standin.US, body)

    assert drill.faults(database)[1:] == ["#1: 2 summaries, 1 answers, 3 comments"]


def test_what_a_phone_was_not_told_or_told_twice_is_found(database: str) -> None:
    drill = WhatsApp(2)
    with drill.serving():
        for number in (*drill.strangers[1:], drill.strangers[1]):
            drill.standin.take({"to": number, **client.text(say("stranger"))})
        found = drill.faults(database)

    assert [fault.split(": ")[:2] for fault in found] == [
        ["0 chats of 2 messages"],
        [drill.strangers[0], "not said"],
        *([drill.phones[0], "not said"] for _ in drill.messages),
        [drill.strangers[1], "said too often"],
    ]
