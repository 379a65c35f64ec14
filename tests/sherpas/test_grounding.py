"""Findings stand on lines that exist."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codesherpa.analysis.sources import Source, read
from codesherpa.sherpas.grounding import MOST_QUOTES, Ground, Lines, quotes
from tests.sherpas.answers import CODE, DIFF

CART = read("Review", DIFF).sources
BLOCKS = """\
Review
```python shop/cart.py
import os
os.system(x)
```
```python util/text.py
import re

y = eval(x)
```
"""
FILES = read(BLOCKS).sources


def place(
    sources: tuple[Source, ...], file: str, line: int | None, issue: str = "", fix: str = ""
) -> tuple[str, int] | None:
    found = Ground(sources).locate(file, line, quotes(issue), fix)
    return (found[0].file, found[1]) if found else None


@pytest.mark.parametrize(
    "file", ["shop/cart.py", "b/shop/cart.py", "./shop/cart.py", "cart.py", "`Shop\\cart.py`", "repo/shop/cart.py"]
)
def test_a_file_is_known_by_other_spellings_of_its_name(file: str) -> None:
    assert place(FILES, file, 2) == ("shop/cart.py", 2)


def test_a_file_that_is_nowhere_is_dropped() -> None:
    assert place(FILES, "other.py", 2) is None
    assert place(CART, "other.py", 2) is None


def test_a_file_that_is_nowhere_is_found_by_what_is_quoted_of_it() -> None:
    assert place(FILES, "other.py", 2, "`eval(x)` runs it") == ("util/text.py", 3)


def test_a_name_that_fits_several_files_is_dropped() -> None:
    sources = (Source("a/x.py", {1: "one"}, "python"), Source("b/x.py", {1: "two"}, "python"))

    assert place(sources, "x.py", 1) is None


def test_code_without_a_name_is_meant_by_any_name() -> None:
    assert place(read("Review", CODE).sources, "main.py", 6) == ("code_context", 6)


def test_a_line_that_is_there_stays() -> None:
    assert place(CART, "shop/cart.py", 3, "`cart` grows") == ("shop/cart.py", 3)


def test_a_line_that_is_off_moves_to_the_code_that_is_quoted() -> None:
    assert place(CART, "shop/cart.py", 99, "`datetime.datetime.now()` is naive") == ("shop/cart.py", 42)
    assert place(CART, "shop/cart.py", 6, "`datetime.datetime.now()` is naive") == ("shop/cart.py", 42)
    assert place(CART, "shop/cart.py", None, "`cart=[]` is shared") == ("shop/cart.py", 2)


def test_a_line_that_is_off_moves_to_the_code_that_the_fix_resembles() -> None:
    assert place(CART, "shop/cart.py", 500, fix="    now = datetime.datetime.now(datetime.UTC)") == ("shop/cart.py", 42)


def test_a_line_of_a_diff_that_is_off_by_a_little_moves_to_the_next_added_one() -> None:
    assert place(CART, "shop/cart.py", 45) == ("shop/cart.py", 43)
    assert place(CART, "shop/cart.py", 4) == ("shop/cart.py", 3)


def test_a_line_that_the_diff_only_shows_stays_where_it_is_quoted() -> None:
    assert place(CART, "shop/cart.py", 1, "`import datetime` hides the class") == ("shop/cart.py", 1)


def test_a_line_far_from_everything_is_dropped() -> None:
    assert place(CART, "shop/cart.py", 5000) is None
    assert place(read("Review", CODE).sources, "code_context", 5000) is None
    assert place((), "code_context", 1) is None


def test_a_line_after_the_last_moves_to_the_last() -> None:
    assert place(read("Review", CODE).sources, "code_context", 11) == ("code_context", 10)


def test_a_file_without_lines_has_no_findings() -> None:
    assert place((Source("gone.py", {}, "python", frozenset()),), "gone.py", 1) is None


@given(st.text(max_size=30), st.none() | st.integers(-5, 60), st.text(max_size=60), st.text(max_size=60))
def test_whatever_is_said_the_place_exists(file: str, line: int | None, issue: str, fix: str) -> None:
    for sources in (CART, FILES, read("Review", CODE).sources):
        found = Ground(sources).locate(file, line, quotes(issue), fix)

        assert found is None or found[1] in found[0].lines


WORDS = st.lists(st.sampled_from(["alpha", "beta", "gamma", "delta", "x1"]), max_size=4).map(" ".join)


def resembling_by_looking_at_each_line(source: Source, fix: str) -> int | None:
    best, place = 0.5, None
    for names in filter(None, (set(line.split()) - {"x1"} for line in fix.splitlines())):
        for line, text in source.lines.items():
            there = set(text.split()) - {"x1"}
            share = len(names & there) / len(names | there)
            if share > best or (share == best and place is None):
                best, place = share, line
    return place


@given(lines=st.lists(WORDS, max_size=6), fix=st.lists(WORDS, max_size=3))
def test_the_line_that_resembles_a_fix_most_is_found_without_looking_at_each(lines: list[str], fix: list[str]) -> None:
    source, text = Source("a.py", dict(enumerate(lines, 1)), "python"), "\n".join(fix)

    assert Lines(source).resembling(text) == resembling_by_looking_at_each_line(source, text)


def test_only_some_of_many_quotes_are_looked_for() -> None:
    assert len(quotes(" ".join(f"`quoted {n}`" for n in range(100)))) == MOST_QUOTES
