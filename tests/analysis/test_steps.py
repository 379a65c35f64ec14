"""Every kind of statement is told in words, with its line."""

from __future__ import annotations

import ast
import textwrap

import pytest

from codesherpa.analysis.outline import explain
from codesherpa.analysis.phrases import LANGUAGES
from codesherpa.analysis.sources import Source


def steps(code: str, language: str = "en") -> list[str]:
    """Return what is told of each statement of a function, or of a module without one."""
    lines = textwrap.dedent(code).strip().split("\n")
    told = explain([Source("app.py", dict(enumerate(lines, 1)), "python")], language)["explanation"]
    return [line.strip().removeprefix("- ") for line in told.splitlines() if line.strip().startswith("- line ")]


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("total: int", "declares `total` as `int`"),
        ("total: int = 0", "sets `total` to `0`"),
        ("total += 1", "changes `total`: `total += 1`"),
        ("a, b = b, a", "swaps `a, b`"),
        ("a, b = 1, 2", "sets `a, b` to `1, 2`"),
        ("a = b = 1", "sets `a` and `b` to `1`"),
        ("squares = [n * n for n in rows]", "builds `squares`: `n * n` for each `n` in `rows`"),
        ("odd = {n for n in rows if n % 2}", "builds `odd`: `n` for each `n` in `rows` where `n % 2`"),
        ("table = {k: v for k, v in rows}", "builds `table`: `k`: `v` for each `k, v` in `rows`"),
        ("names = []", "sets `names` to an empty list"),
        ("names = {}", "sets `names` to an empty dictionary"),
        ("names = set()", "sets `names` to an empty set"),
        ("found = look(1)", "calls `look(1)` and keeps the result as `found`"),
        ("look(1)", "calls `look(1)`"),
        ("print(a, b)", "prints `a` and `b`"),
        ("names.append(a)", "adds `a` to `names`"),
        ("names.sort(key=len)", "sorts `names` in place"),
        ("del a, b", "removes `a` and `b`"),
        ("assert a", "makes sure that `a`"),
        ("a.b", "runs `a.b`"),
        ("raise KeyError(a)", "raises `KeyError(a)`"),
    ],
)
def test_a_statement_is_told(statement: str, told: str) -> None:
    assert steps(f"first()\n{statement}")[1] == f"line 2: {told}"


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("return a", "gives back `a`"),
        ("return", "leaves the function"),
        ("import os.path, json as j", "makes `os.path` and `j` available"),
        ("from os import path", "makes `path` available"),
        ("pass", "does nothing"),
        ("global total", "means the `total` outside the function"),
        ("yield", "hands out `None` and waits to be asked for the next one"),
        ("yield 1", "hands out `1` and waits to be asked for the next one"),
        ("yield from rows", "hands out everything that `rows` yields"),
        ("await look()", "waits for `look()` and lets others run meanwhile"),
        ("class Inner: pass", "defines `Inner`"),
        ("def inner(): pass", "defines `inner`"),
    ],
)
def test_a_statement_of_a_function_is_told(statement: str, told: str) -> None:
    define = "async def" if "await" in statement else "def"

    assert f"line 3: {told}" in steps(f"{define} f(a, rows):\n    first()\n    {statement}\n    last()\n    more()\n")


def test_a_branch_is_told_with_what_is_in_it() -> None:
    code = """
        if a:
            one()
        elif b:
            two()
        else:
            three()
    """

    assert steps(code) == [
        "line 1: if `a`:",
        "line 2: calls `one()`",
        "line 3: or else, if `b`:",
        "line 4: calls `two()`",
        "line 6: calls `three()`",
    ]


def test_loops_are_told_with_how_they_end() -> None:
    code = """
        for n in rows:
            break
        else:
            one()
        while True:
            continue
        while n:
            two()
    """

    assert steps(code) == [
        "line 1: for each `n` in `rows`:",
        "line 2: leaves the loop",
        "line 4: calls `one()`",
        "line 5: again and again, until something leaves the loop:",
        "line 6: goes on with the next round of the loop",
        "line 7: as long as `n`:",
        "line 8: calls `two()`",
    ]


def test_what_may_fail_is_told_with_what_happens_then() -> None:
    code = """
        try:
            one()
        except ValueError:
            raise
        except:
            two()
        else:
            three()
        finally:
            four()
        try:
            one()
        except* OSError:
            two()
    """

    assert steps(code) == [
        "line 1: tries:",
        "line 2: calls `one()`",
        "line 3: if that raises `ValueError`:",
        "line 4: raises the caught exception again",
        "line 5: if that raises anything at all:",
        "line 6: calls `two()`",
        "line 8: calls `three()`",
        "line 10: calls `four()`",
        "line 11: tries:",
        "line 12: calls `one()`",
        "line 13: if that raises `OSError`:",
        "line 14: calls `two()`",
    ]


def test_what_is_opened_and_what_is_compared_is_told() -> None:
    code = """
        with open(a) as file, lock:
            one()
        match a:
            case [x, y]:
                two()
            case _:
                three()
    """

    assert steps(code) == [
        "line 1: with `open(a) as file` and `lock` open, and closed afterwards whatever happens:",
        "line 2: calls `one()`",
        "line 3: compares `a` with patterns:",
        "line 5: if it fits `[x, y]`:",
        "line 5: calls `two()`",
        "line 7: if it fits `_`:",
        "line 7: calls `three()`",
    ]


def test_what_is_nested_deeper_than_a_reader_follows_is_left_out() -> None:
    code = "\n".join(" " * depth + "if a:" for depth in range(8)) + f"\n{' ' * 8}one()\n"

    assert steps(code) == [f"line {line}: if `a`:" for line in range(1, 6)]


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_kind_of_statement_is_without_words(language: str) -> None:
    """Whatever Python has as a statement and can stand alone."""
    statements = [
        *("a = 1", "a += 1", "a: int", "del a", "assert a", "import a", "from a import b", "pass", "raise a", "a()"),
        *("if a: b()", "for a in b: c()", "while a: b()", "with a: b()", "try: a()\nfinally: b()", "class A: pass"),
        *("def a(): pass", "async def a(): pass", "match a:\n case b: c()", "global a"),
    ]

    told = explain([Source("app.py", dict(enumerate("\n".join(statements).split("\n"), 1)), "python")], language)

    assert ast.parse("\n".join(statements))
    assert "{" not in told["explanation"]
