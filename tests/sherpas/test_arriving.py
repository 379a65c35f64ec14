"""JSON that is still arriving."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codesherpa.sherpas import arriving
from codesherpa.sherpas.arriving import Arrivals
from tests.sherpas.answers import pieces

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)
OBJECTS = st.dictionaries(st.sampled_from(["a", "b", "c", "d", "e"]), VALUES, max_size=5)
SIZES = st.lists(st.integers(1, 9), max_size=60)


def arrive(text: str, sizes: list[int]) -> tuple[list[tuple[str, Any]], bool]:
    """Feed the text and return what came under each key, strings joined, and whether it was whole."""
    arrivals, told = Arrivals(), list[tuple[str, Any]]()
    for piece in [piece for part in pieces(text, sizes) for piece in arrivals.feed(part)] + arrivals.finish():
        if piece.part and told and told[-1][0] == piece.key:
            told[-1] = (piece.key, told[-1][1] + piece.value)
        else:
            told.append((piece.key, piece.value))
    return told, arrivals.closed


@given(OBJECTS, SIZES, st.booleans())
def test_however_the_text_is_cut_the_same_comes_out(whole: dict[str, Any], sizes: list[int], ascii_only: bool) -> None:
    text = json.dumps(whole, ensure_ascii=ascii_only)

    assert arrive(text, sizes) == arrive(text, [])


@given(OBJECTS, SIZES, st.integers(0, 200), st.sampled_from(["", "}", "]", "garbage", '"x', '{"a":1}', "\\", "\x00"]))
def test_broken_text_too(whole: dict[str, Any], sizes: list[int], end: int, garbage: str) -> None:
    text = json.dumps(whole)[:end] + garbage

    assert arrive(text, sizes) == arrive(text, [])


def test_a_string_comes_as_it_grows() -> None:
    arrivals = Arrivals()

    told = [[piece.value for piece in arrivals.feed(text)] for text in ('{"summary": "One', " two", ' three", ')]

    assert told == [["One"], [" two"], [" three"]]


def test_an_item_comes_when_it_is_complete() -> None:
    arrivals = Arrivals()

    first = arrivals.feed('{"findings": [{"line": 1')
    second = arrivals.feed('2}, {"line"')

    assert first == []
    assert [piece.value for piece in second] == [{"line": 12}]


def test_a_number_that_may_go_on_is_not_told() -> None:
    arrivals = Arrivals()

    assert arrivals.feed('{"quality_score": 1') == []
    assert [piece.value for piece in arrivals.feed("0}") + arrivals.finish()] == [10]


def test_an_object_that_was_cut_gives_only_what_is_complete() -> None:
    told, closed = arrive('{"summary": "Hello wor', [])

    assert told == [("summary", "Hello wor")]
    assert not closed
    assert arrive('{"list": [{"a": 1}, {"a": 2', [])[0] == [("list", {"a": 1})]


@pytest.mark.parametrize("text", ['```json\n{"a": "x"}\n```', 'Here you are: {"a": "x"}', ' \n{"a": "x"} Done.'])
def test_what_stands_around_the_object_is_passed_over(text: str) -> None:
    assert arrive(text, [1] * 60) == ([("a", "x")], True)


@pytest.mark.parametrize("text", ["", "no object", "[1, 2]", '{"a": "x", "a": "y"}', '{"a": "x\n"}', "{'a': 1}", "{,}"])
def test_what_is_no_object_is_not_whole(text: str) -> None:
    assert not arrive(text, [])[1]


def test_depth_and_size_of_numbers_break_nothing() -> None:
    assert not arrive('{"a": ' + "[" * 5000, [7] * 100)[1]
    assert not arrive('{"a": ' + "1" * 9000 + "}", [7] * 100)[1]


def test_reading_token_by_token_stays_cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    findings = [{"line": line, "issue": "some words " * 30} for line in range(45)]
    text = json.dumps({"summary": "words " * 100, "findings": findings})
    tokens = pieces(text, [4] * 4096)

    read: list[int] = []
    partial = arriving._partial
    monkeypatch.setattr(arriving, "_partial", lambda data: read.append(len(data)) or partial(data))

    arrivals = Arrivals()
    for token in tokens:
        arrivals.feed(token)

    # Whole again for each token it would be read 2,000 times over.
    assert len(arrivals.seen["findings"]) == 45
    assert sum(read) < 500 * len(text)
