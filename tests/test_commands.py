"""The flask commands."""

from __future__ import annotations

from pathlib import Path

import pytest
from flask.testing import FlaskCliRunner

from tests.standins import bedrock


def test_a_reply_is_printed_in_the_terminal(runner: FlaskCliRunner, tmp_path: Path) -> None:
    code = tmp_path / "app.py"
    code.write_text("def add(item, items=[]):\n    return eval(item)\n")

    shown = runner.invoke(args=["chat", "review this", "--file", str(code)])

    assert shown.exit_code == 0
    assert "`app.py:1`" in shown.output
    assert "`app.py:2`" in shown.output


def test_code_that_does_not_parse_is_told_where(runner: FlaskCliRunner, tmp_path: Path) -> None:
    code = tmp_path / "app.py"
    code.write_text("x = 1\ndef f(:\n")

    shown = runner.invoke(args=["chat", "review this", "--file", str(code)])

    assert "line 2" in shown.output


def test_a_file_that_is_no_text_is_refused(runner: FlaskCliRunner, tmp_path: Path) -> None:
    binary = tmp_path / "app.pyc"
    binary.write_bytes(b"\xff\xfe\x00\x01")

    shown = runner.invoke(args=["chat", "review this", "--file", str(binary)])

    assert shown.exit_code == 2
    assert "is not a text file" in shown.output
    assert "Traceback" not in shown.output


@pytest.mark.parametrize(("message", "part"), [(" \n", "message: "), ("x" * 10_001, "message: ")])
def test_a_message_in_the_terminal_is_held_to_the_same_bounds(runner: FlaskCliRunner, message: str, part: str) -> None:
    shown = runner.invoke(args=["chat", message])

    assert shown.exit_code == 1
    assert shown.output.startswith(f"Error: {part}")
    assert len(shown.output.splitlines()) == 1


def test_code_in_the_terminal_is_held_to_the_same_bounds(runner: FlaskCliRunner, tmp_path: Path) -> None:
    code = tmp_path / "long.py"
    code.write_text("#" * 200_001)

    shown = runner.invoke(args=["chat", "review this", "--file", str(code)])

    assert shown.exit_code == 1
    assert shown.output.startswith("Error: code_context: ")


def test_bedrock_is_checked_with_one_real_call(runner: FlaskCliRunner, monkeypatch: pytest.MonkeyPatch) -> None:
    with bedrock.running() as standin:
        for name, value in standin.environment.items():
            monkeypatch.setenv(name, value)
        fine = runner.invoke(args=["bedrock", "check"])
        standin.script({"fault": "AccessDeniedException"})
        refused = runner.invoke(args=["bedrock", "check"])

    assert (fine.exit_code, "FAIL" in fine.output) == (0, False)
    assert (refused.exit_code, "FAIL" in refused.output) == (1, True)
    assert "Traceback" not in refused.output
