"""Values that are not quite what was asked for."""

from __future__ import annotations

from typing import Any

import pytest

from codesherpa.sherpas.loose import as_code, as_concept, as_items, as_number, as_risk, as_score, as_severity, as_text


@pytest.mark.parametrize(
    ("word", "severity"),
    [
        ("CRITICAL", "CRITICAL"), ("blocker", "CRITICAL"), ("High ", "HIGH"), ("error", "HIGH"), ("Major", "HIGH"),
        ("warning", "MEDIUM"), ("info", "LOW"), ("nit", "LOW"), ("purple", "MEDIUM"), (None, "MEDIUM"), (7, "MEDIUM"),
    ],
)  # fmt: skip
def test_a_severity_by_any_name_is_one_of_four(word: Any, severity: str) -> None:
    assert as_severity(word) == severity


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (3, 3), ("12", 12), ("L12", 12), ("12-15", 12), ("line 7 of 9", 7), (4.0, 4), ([8, 9], 8), (True, None),
        (None, None), ("none", None), ([], None), ({}, None), (1e300, None), (float("nan"), None), (float("inf"), None),
        (10**15, None), ("-4", -4),
    ],
)  # fmt: skip
def test_a_line_is_read_from_whatever_names_one(value: Any, number: int | None) -> None:
    assert as_number(value) == number


@pytest.mark.parametrize(
    ("value", "score"), [(7, 7), ("7/10", 7), (0, 1), (99, 10), ("8.6", 9), (None, None), (False, None), ("good", None)]
)
def test_a_score_is_one_to_ten(value: Any, score: int | None) -> None:
    assert as_score(value) == score


@pytest.mark.parametrize(
    ("value", "risk"),
    [("None", "None"), ("LOW", "Low"), ("medium", "High"), ("Critical", "High"), (None, None), (3, None)],
)
def test_a_risk_is_one_of_three_or_unknown(value: Any, risk: str | None) -> None:
    assert as_risk(value) == risk


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ("x = 1\n", "x = 1"), ("```python\nx = 1\n```", "x = 1"), ("```\nx\n```\n", "x"), ("    y = 2", "    y = 2"),
        (None, None), ("", None), ("null", None), ("N/A", None), (["a", "b"], "a\nb"), ("```", "```"),
    ],
)  # fmt: skip
def test_a_fix_is_code_or_nothing(value: Any, code: str | None) -> None:
    assert as_code(value) == code


@pytest.mark.parametrize(
    ("text", "items"),
    [('["a", "b"]', ["a", "b"]), ('{"a": 1}', [{"a": 1}]), ("1. a\n\n2. b", ["1. a", "2. b"]), ("", [])],
)
def test_a_list_that_came_as_text_is_a_list(text: str, items: list[Any]) -> None:
    assert as_items(text) == items


def test_a_concept_may_be_a_line() -> None:
    assert as_concept("- **Heap**: a tree: kept in a list") == {"term": "Heap", "definition": "a tree: kept in a list"}
    assert as_concept({"term": "Heap"}) == {"term": "Heap", "definition": ""}


def test_text_has_no_control_characters() -> None:
    assert as_text("a\x00b\x1b[31m\r\nc\td") == "ab[31m\nc\td"
    assert as_text({"a": ["b", 1]}) == "a: b\n1"
