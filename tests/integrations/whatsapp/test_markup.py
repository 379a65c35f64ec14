"""Replies as a phone shows them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codesherpa.integrations.whatsapp.markup import BARE, LONGEST, from_markdown, messages, size, split

FINDING = {
    "severity": "HIGH",
    "file": "app.py",
    "line": 3,
    "issue": "eval() of **input**",
    "suggestion": "Use `ast.literal_eval`.",
    "code_fix": "x = 1",
}


@pytest.mark.parametrize(
    ("markdown", "shown"),
    [
        ("**bold** and __bold__", "*bold* and *bold*"),
        ("*slanted* and _slanted_", "_slanted_ and _slanted_"),
        ("***", ""),
        ("2 * 3 * 4", "2 * 3 * 4"),
        ("~~gone~~", "~gone~"),
        ("## A **heading** ##", "*A heading*"),
        ("- one\n  * two", "• one\n  • two"),
        ("[docs](https://example.com/a 'title')", "docs (https://example.com/a)"),
        ("[X](https://example.com/X_(Y))", "X (https://example.com/X_(Y))"),
        ("![tracker](https://example.com/a.png)", "tracker"),
        ("`a ** b` and ``c`d``", "`a ** b` and `c`d`"),
        ("```python app.py\na = '**b**'\n# c\n```", "```\na = '**b**'\n# c\n```"),
        ("~~~~python\na = 1\n~~~~\n*b*", "```\na = 1\n```\n_b_"),
        ("```\nnever closed", "```\nnever closed\n```"),
        ("a\n\n\n\nb", "a\n\nb"),
    ],
)
def test_markdown_becomes_whatsapps_own_markup(markdown: str, shown: str) -> None:
    assert from_markdown(markdown) == shown


def test_a_review_is_told_shorter_than_on_a_page() -> None:
    findings = [FINDING | {"line": line} for line in range(1, 13)]
    result = {"kind": "review", "summary": "Look.", "findings": findings, "quality_score": 3, "security_risk": "High"}

    (told,) = messages("a long page", result)

    assert told.startswith("Look.\n\n*HIGH* `app.py:1`\neval() of *input*\nUse `ast.literal_eval`.\n```\nx = 1\n```")
    assert told.count("*HIGH*") == 10
    assert told.endswith("(+ 2)\n\n*3/10* · High")


def test_a_long_reply_is_cut_between_paragraphs() -> None:
    paragraphs = [letter * 1500 for letter in "abcde"]

    assert split("\n\n".join(paragraphs)) == [
        "\n\n".join(paragraphs[:2]),
        "\n\n".join(paragraphs[2:4]),
        paragraphs[4],
    ]


def test_long_code_is_cut_between_lines_and_stays_code() -> None:
    lines = [f"line {number} = {'x' * 80}" for number in range(120)]

    told = split("Look:\n\n```\n" + "\n".join(lines) + "\n```\n\nThat is all.")

    assert len(told) > 1
    assert all(page.count(BARE) % 2 == 0 and size(page) <= LONGEST for page in told)
    shown = [line for page in told for line in page.split("\n") if line.startswith("line ")]
    assert shown == lines


def test_a_reply_without_words_is_a_message_all_the_same() -> None:
    assert messages("", None) == ["…"]


@given(st.text(alphabet=st.sampled_from("ab c\n`*_~#-😀"), max_size=400), st.integers(30, 60))
def test_no_message_is_too_long_and_no_letter_is_lost(text: str, longest: int) -> None:
    told = split(text, longest)

    assert all(size(page) <= longest for page in told)
    assert "".join("".join(told).replace("`", "").split()) == "".join(text.replace("`", "").split())


@pytest.mark.parametrize("unit", ["[a](http://a", "[a](http://a ", "![", "![](", "[", "**a", "`a", "~~a"])
def test_what_a_model_was_asked_to_repeat_is_read_once(unit: str) -> None:
    """A careless pattern would take hours for these."""
    told = messages(unit * (60_000 // len(unit)), None)

    assert sum(map(size, told)) > 10_000


@given(st.text(max_size=300))
def test_whatever_a_model_writes_becomes_a_text(text: str) -> None:
    assert all(size(page) <= LONGEST for page in messages(text, None))
