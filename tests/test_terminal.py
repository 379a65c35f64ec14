"""What commands print of what others wrote: nothing that steers a terminal, and JSON that still reads as the same."""

from __future__ import annotations

import json
import sys
import unicodedata

import pytest
from flask.testing import FlaskCliRunner

from codesherpa.terminal import escaped, printable, visible
from tests.conftest import Caller
from tests.scripted import Scripted

EVERY_LETTER = "".join(letter for letter in map(chr, range(sys.maxunicode + 1)) if unicodedata.category(letter) != "Cs")
# A sequence of C1, one of ANSI, an override, isolates, ends of lines, letters of no width, a joiner that spoofs.
STEERING = (
    "\u009b31mred\x1b[2J\u202egnp.exe\u2066a\u2069b\u2028c\u2029d\u200be\ufefff pay\u200dpal \u00adg\U000e0041h\x85"
)


def steers(text: str) -> list[str]:
    return [f"{ord(letter):04x}" for letter in text if not letter.isprintable() and letter != "\n"]


def test_nothing_that_is_not_seen_is_left() -> None:
    assert steers(printable(EVERY_LETTER)) == []
    assert "\n" not in printable(EVERY_LETTER)
    assert steers(visible(EVERY_LETTER, keep="\n\t").replace("\t", "")) == []


@pytest.mark.parametrize(
    "text",
    ["क्‍ष क्‌ष", "می‌خواهم", "👩‍💻 and 🏳️‍🌈", "naïve café", "日本語", "a  b"],  # noqa: RUF001, RUF100
)
def test_scripts_and_emoji_keep_their_joiners(text: str) -> None:
    assert visible(text) == text


def test_a_space_of_another_width_is_a_plain_one_and_a_joiner_between_latin_letters_is_shown() -> None:
    assert visible("10\u00a0km\u2009\u3000x pay\u200dpal") == "10 km  x pay\ufffdpal"


def test_json_reads_as_the_same_value() -> None:
    value = {"name": EVERY_LETTER, STEERING: [STEERING, None, 1]}

    written = escaped(json.dumps(value, ensure_ascii=False, indent=2))

    assert json.loads(written) == value
    assert steers(written) == []
    assert "\\u009b31mred" in written


def test_users_are_listed_as_json_that_steers_nothing(runner: FlaskCliRunner, ada: Caller) -> None:
    name = STEERING.strip()
    ada.put("/user/me", json={"name": name})

    for command in (["user", "list", "--json"], ["user", "show", "ada@example.com", "--json"]):
        output = runner.invoke(args=command).output
        told = json.loads(output)
        assert (told.get("user") or told["users"][0])["name"] == name
        assert steers(output) == []


def test_a_reply_in_the_terminal_steers_nothing_and_keeps_its_lines_and_tabs(
    runner: FlaskCliRunner, model: Scripted
) -> None:
    model.pieces = ["one\r\n\ttwo ", STEERING, "क्", "\u200d", "ष pay", "\u200dpal\n", "three"]

    output = runner.invoke(args=["chat", "hello"]).output

    assert "one\n\ttwo " in output
    assert "क्\u200dष pay\ufffdpal" in output
    assert steers(output.replace("\t", "").replace("क्\u200dष", "")) == []


def test_a_failure_of_one_line_steers_nothing(runner: FlaskCliRunner) -> None:
    output = runner.invoke(args=["user", "show", STEERING]).output

    assert output.startswith("Error: ")
    assert steers(output) == []
