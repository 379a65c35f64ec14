"""The language of an answer is the user's, or the message's."""

from __future__ import annotations

import pytest

from codesherpa.sherpas import language
from tests.conftest import Caller
from tests.sherpas.routing.labelled import load

CODE = "def f(n):\n    return n * f(n - 1) if n else 1\n"


@pytest.mark.parametrize("name", ["tuned", "practice", "held_out"])
def test_the_language_of_a_message_is_told(name: str) -> None:
    rows = load(name)
    right = [language.of(row.message) == row.language for row in rows]

    assert sum(right) >= 0.95 * len(rows)
    assert {language.of(row.message) for row in rows if row.language == "en"} == {"en"}


@pytest.mark.parametrize(
    ("message", "told"),
    [
        ("", "en"),
        (CODE, "en"),
        ("is it me or is the bus late to do this?", "en"),
        (f"isko samjhao\n```python\n{CODE}```", "hinglish"),
        (f"```python\n# यह टिप्पणी है\n{CODE}```\nwhat is wrong?", "en"),
        ("यह function क्या करता है?", "hi"),
    ],
)
def test_code_says_nothing_about_the_language(message: str, told: str) -> None:
    assert language.of(message) == told


@pytest.mark.parametrize(
    ("own", "message", "begins"),
    [
        ("en", "explain this", "Offline explanation"),
        ("en", "isko samjhao", "Offline explanation (code ke"),
        ("en", "इसे समझाओ", "ऑफ़लाइन"),
        ("hi", "explain this", "ऑफ़लाइन"),
    ],
)
def test_an_explanation_is_in_the_users_language_or_the_messages(
    ada: Caller, own: str, message: str, begins: str
) -> None:
    ada.put("/user/me", json={"language": own})

    chat = ada.post("/chat", json={"message": message, "code_context": CODE}).json["data"]

    assert chat["response"].startswith(begins)
