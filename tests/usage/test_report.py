"""flask usage report: what the models took, as a table, CSV and JSON."""

from __future__ import annotations

import csv
import json

import pytest
from flask import Flask
from flask.testing import FlaskCliRunner

from codesherpa.database import now
from tests.conftest import Caller
from tests.scripted import Scripted


@pytest.fixture
def calls(ada: Caller, bob: Caller, model: Scripted) -> None:
    """Three calls of Ada's, one of them by an agent, and one of Bob's."""
    monk = {"name": "=Monk", "model_id": "global.anthropic.claude-sonnet-4-6"}
    agent = ada.post("/agents", json=monk).json["data"]["id"]
    for body in ({}, {}, {"agent_id": agent}):
        ada.post("/chat", json={"message": "hello", **body})
    bob.post("/chat", json={"message": "hello"})


def test_it_counts_by_user_agent_model_and_day(runner: FlaskCliRunner, calls: None) -> None:
    shown = runner.invoke(args=["usage", "report"])

    lines = [line.split() for line in shown.output.splitlines()]
    today = str(now().date())
    assert lines[0][:5] == ["day", "user", "agent", "model", "calls"]
    assert [line[:7] for line in lines[1:4]] == [
        [today, "ada@example.com", "=Monk", "global.anthropic.claude-sonnet-4-6", "1", "0", "10"],
        [today, "ada@example.com", "general_chat", "scripted-1", "2", "0", "20"],
        [today, "bob@example.com", "general_chat", "scripted-1", "1", "0", "10"],
    ]
    assert lines[4][:4] == ["total", "4", "0", "40"]


def test_it_is_narrowed_and_put_together_as_asked(runner: FlaskCliRunner, calls: None) -> None:
    today = str(now().date())

    args = [
        "usage",
        "report",
        "--by",
        "user",
        "--user",
        "ADA@example.com",
        "--since",
        today,
        "--until",
        today,
        "--json",
    ]
    told = json.loads(runner.invoke(args=args).output)

    assert len(told) == 1
    assert {key: told[0][key] for key in ("user", "calls", "input", "output")} == {
        "user": "ada@example.com", "calls": 3, "input": 30, "output": 6,
    }  # fmt: skip
    assert told[0]["dollars"] == pytest.approx(3 * (10 * 3 + 2 * 15) / 1e6)


def test_csv_is_safe_in_a_spreadsheet(runner: FlaskCliRunner, calls: None) -> None:
    shown = runner.invoke(args=["usage", "report", "--by", "agent", "--csv"])

    rows = list(csv.DictReader(shown.output.splitlines()))
    assert sorted((row["agent"], row["calls"]) for row in rows) == [("'=Monk", "1"), ("general_chat", "3")]


def test_what_an_agent_is_called_cannot_steer_the_terminal(
    runner: FlaskCliRunner, ada: Caller, model: Scripted
) -> None:
    agent = ada.post("/agents", json={"name": "M\x1b]0;owned\x07\u202eonk"}).json["data"]["id"]
    ada.post("/chat", json={"message": "hello", "agent_id": agent})

    shown = runner.invoke(args=["usage", "report"]).output

    assert "owned" in shown
    assert all(letter.isprintable() or letter == "\n" for letter in shown)


def test_nothing_found_is_said(runner: FlaskCliRunner, app: Flask) -> None:
    shown = runner.invoke(args=["usage", "report"])

    assert (shown.exit_code, shown.output) == (0, "No model was called in that time.\n")
    assert json.loads(runner.invoke(args=["usage", "report", "--json"]).output) == []


@pytest.mark.parametrize(
    ("args", "part"),
    [
        (["--since", "yesterday"], "'yesterday' is not a day such as 2026-11-23"),
        (["--until", "2026-02-30"], "'2026-02-30' is not a day"),
        (["--since", "2026-11-02", "--until", "2026-11-01"], "is before"),
        (["--by", "colour"], "not 'colour'"),
    ],
)
@pytest.mark.sqlite_only
def test_what_cannot_be_reported_is_refused_in_a_line(runner: FlaskCliRunner, args: list[str], part: str) -> None:
    shown = runner.invoke(args=["usage", "report", *args])

    assert shown.exit_code == 2
    assert part in shown.output
    assert "Traceback" not in shown.output


def test_a_user_is_named_by_address_or_id(runner: FlaskCliRunner, calls: None, ada: Caller) -> None:
    by_address, by_id = (
        runner.invoke(args=["usage", "report", "--json", "--user", account]) for account in (ada.email, str(ada.id))
    )
    nobody = runner.invoke(args=["usage", "report", "--user", "nobody@example.com"])

    assert json.loads(by_id.stdout) == json.loads(by_address.stdout) != []
    assert {row["user"] for row in json.loads(by_id.stdout)} == {ada.email}
    assert (nobody.exit_code, nobody.stderr) == (1, "Error: There is no user nobody@example.com.\n")
