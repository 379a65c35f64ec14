"""Explanations from the syntax tree: true of real code, in three languages, whatever comes."""

from __future__ import annotations

import argparse
import heapq
import inspect
import json
import json.encoder
import re
import textwrap
from types import ModuleType
from typing import Any

import pytest

from codesherpa.analysis.outline import explain
from codesherpa.analysis.sources import Source, read
from tests.patience import ended


def explain_module(module: ModuleType, language: str = "en") -> dict[str, Any]:
    return explain(
        read("explain", f"`````python {module.__name__}.py\n{inspect.getsource(module)}\n`````").sources, language
    )


def explain_code(code: str, language: str = "en") -> dict[str, Any]:
    return explain([Source("app.py", dict(enumerate(code.split("\n"), 1)), "python")], language)


def part(explanation: dict[str, Any], title: str) -> list[str]:
    """Return the facts about one part, by the code in its heading."""
    sections = re.split(r"^##+ ", explanation["explanation"], flags=re.MULTILINE)
    (found,) = [section for section in sections if section.startswith(f"`{title}`")]
    return [line.removeprefix("- ") for line in found.splitlines() if line.startswith("- ")]


def terms(explanation: dict[str, Any]) -> list[str]:
    return [concept["term"] for concept in explanation["key_concepts"]]


# --- what is said of the standard library is true


def test_heapq_is_explained_by_its_heap():
    told = explain_module(heapq)

    assert "15 functions" in told["explanation"]
    assert "“Heap queue algorithm (a.k.a. priority queue).”" in told["explanation"]
    assert terms(told)[0] == "Heap"
    assert told["analogy"].startswith("A heap is like")
    assert part(told, "heappush(heap, item)") == [
        "takes `heap`, `item`",
        "gives nothing (`None`): it works by what it changes",
        "calls `_siftdown`",
        "complexity 1: one straight path",
    ]
    assert "yields `value`, one at a time (a generator)" in part(told, "merge(*iterables, key=None, reverse=False)")


def test_heapq_is_read_from_what_is_called():
    order = next(line for line in explain_module(heapq)["explanation"].splitlines() if "→" in line)

    places = [order.index(f"`{name}`") for name in ("_siftdown", "_siftup", "heapify", "nlargest")]
    assert places == sorted(places)


def test_json_says_what_loads_raises_and_calls():
    told = explain_module(json)

    facts = part(told, "loads(…)")
    assert "raises `JSONDecodeError` and `TypeError`" in facts
    assert "calls `detect_encoding`" in facts
    assert "Neighbours in its own package: `.decoder`, `.encoder`." in told["explanation"]
    assert "Entry points, which nothing else here calls: `dump`, `dumps`, `load`." in told["explanation"]
    assert "Serialization" in terms(told)


def test_the_json_encoder_calls_itself_in_a_ring():
    told = explain_module(json.encoder)

    assert "call each other in a ring" in told["explanation"]
    assert "calls itself (recursion)" in part(told, "_make_iterencode._iterencode(o, _current_indent_level)")
    assert "never returns: it raises an exception or runs on" in part(told, "JSONEncoder.default(o)")
    assert "raises `ValueError` when `not allow_nan`" in part(told, "JSONEncoder.iterencode.floatstr(…)")
    assert {"Recursion", "Generator", "Closure"} <= set(terms(told))


def test_textwrap_methods_stand_under_their_class():
    told = explain_module(textwrap)

    assert "calls `TextWrapper._split_chunks`, `TextWrapper._fix_sentence_endings`, `TextWrapper._wrap_chunks`" in part(
        told, "TextWrapper.wrap(text)"
    )
    assert "calls `TextWrapper`, `TextWrapper.wrap`" in part(told, "wrap(text, width=70, **kwargs)")
    assert "raises `ValueError`" in part(told, "TextWrapper._wrap_chunks(chunks)")
    assert "Standard library: `re`." in told["explanation"]
    assert "Regular expression" in terms(told)


def test_argparse_is_an_overview_of_what_it_offers():
    told = explain_module(argparse)

    assert "29 classes" in told["explanation"]
    assert "can end the program (`ArgumentParser.exit`)" in told["explanation"]
    assert "### `ArgumentParser` · class" in told["explanation"]
    assert "more parts are not described here" in told["explanation"]
    assert len(told["explanation"]) < 20_000
    assert "Command line" in terms(told)


# --- what is said of small code


FACTORIAL = '''def factorial(n: int) -> int:
    """Multiply the numbers from 1 to n."""
    if n < 0:
        raise ValueError("negative")
    if n < 2:
        return 1
    return n * factorial(n - 1)
'''


def test_a_function_is_told_step_by_step():
    told = explain_code(FACTORIAL)

    facts = part(told, "factorial(n: int)")
    assert facts[:4] == [
        "takes `n: int`",
        "gives `int`",
        "raises `ValueError` when `n < 0`",
        "calls itself (recursion)",
    ]
    assert "complexity 3: one more than its 2 branch points" in facts
    assert "line 3: if `n < 0`:" in facts
    assert "line 7: gives back `n * factorial(n - 1)`" in facts
    assert told["analogy"].startswith("Recursion is like")
    assert any("find the case in which it does not call itself" in step for step in told["learning_steps"])


def test_a_script_is_told_line_by_line():
    told = explain_code(
        "squares = [n * n for n in range(9) if n % 2]\na, b = 1, 2\na, b = b, a\nfor s in squares:\n    print(s)"
    )

    assert "- line 1: builds `squares`: `n * n` for each `n` in `range(9)` where `n % 2`" in told["explanation"]
    assert "- line 3: swaps `a, b`" in told["explanation"]
    assert "- line 4: for each `s` in `squares`:\n  - line 5: prints `s`" in told["explanation"]
    assert terms(told)[0] == "Comprehension"


@pytest.mark.parametrize(
    ("body", "fact"),
    [
        ("return", "gives nothing (`None`)"),
        ("pass", "does nothing by itself"),
        ("raise NotImplementedError", "does nothing by itself"),
        ("yield 1", "yields a whole number: `1`, one at a time (a generator)"),
        ("return x > 1", "gives `True` or `False`: `x > 1`"),
        ("return [x]", "gives a list: `[x]`"),
        ("return {}", "gives a dictionary"),
        ("return self", "gives the object itself"),
        ("if x:\n        return 1", "gives a whole number: `1`, or `None`"),
        ("if x:\n        return 1\n    else:\n        return 2", "gives a whole number"),
        ("while True:\n        x += 1", "never returns"),
        ("while True:\n        if x:\n            break", "gives nothing (`None`)"),
        ("raise ValueError(x)", "never returns"),
        ("try:\n        return x\n    except KeyError:\n        raise", "raises again what it caught"),
        ("try:\n        x()\n    except KeyError as e:\n        raise e", "raises `KeyError`"),
        ("err = TypeError('no')\n    raise err", "raises `TypeError`"),
        (
            "match x:\n        case 1:\n            return 'a'\n        case _:\n            return 'b'",
            "gives a string",
        ),
        ("with x:\n        return 'a'", "gives a string: `'a'`"),
        ("def inner():\n        return 1\n    inner()", "gives nothing (`None`)"),
        ("return [i for i in x if i and x]", "complexity 4"),
        ("return x and x or x", "complexity 3"),
    ],
)
def test_what_a_function_gives_and_raises(body: str, fact: str):
    facts = part(explain_code(f"def f(self, x):\n    {body}\n"), "f(self, x)")

    assert any(told.startswith(fact) for told in facts), facts


def test_parameters_are_told_as_they_are_written():
    told = explain_code("def f(a, /, b: int = 2, *args, c=None, d: str, **kw):\n    return a\n")

    assert "takes `a`, `b: int = 2`, `*args`, `c=None`, `d: str`, `**kw`" in told["explanation"]


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("@dataclass\nclass A:\n    x: int", "dataclass"),
        ("class A(ValueError):\n    pass", "exception"),
        ("class A(enum.Enum):\n    X = 1", "enumeration"),
        ("class A(Protocol):\n    x: int", "protocol"),
        ("class A(abc.ABC):\n    pass", "abstract class"),
        ("class A:\n    @property\n    def x(self):\n        return 1", "property"),
        ("class A:\n    @staticmethod\n    def x(a):\n        return 1", "static method"),
        ("async def f():\n    await g()", "call it with `await`"),
        ("async def f():\n    yield 1", "loop over it with `async for`"),
        ("def f():\n    def g():\n        return 1\n    return g", "function inside `f`"),
    ],
)
def test_kinds_of_parts_are_told_apart(code: str, kind: str):
    assert kind in explain_code(code)["explanation"]


@pytest.mark.parametrize(
    ("code", "effect"),
    [
        ("import sys as _s\ndef f():\n    _s.exit(1)", "can end the program (`f`)"),
        ("def f(p):\n    return p.read_text()", "reads or writes files (`f`)"),
        ("import requests\nrequests.get('x')", "talks to the network (at the top level)"),
        ("from subprocess import run\ndef f():\n    run('ls')", "starts other programs (`f`)"),
        ("import os\nx = os.environ['A']", "reads the environment"),
        ("def f():\n    global x\n    x = 1", "changes global names (`f`)"),
        ("def f(x):\n    return eval(x)", "runs text as code (`f`)"),
    ],
)
def test_the_world_outside_is_told(code: str, effect: str):
    assert f"- {effect}" in explain_code(code)["explanation"]


@pytest.mark.parametrize(
    ("code", "term"),
    [
        ("def d(f):\n    def w(*a):\n        return f(*a)\n    return w", "Decorator"),
        ("def f(x):\n    return lambda y: x + y", "Lambda"),
        ("def f(x):\n    def g():\n        return x\n    return g", "Closure"),
        ("with open('x') as f:\n    pass", "Context manager"),
        ("from functools import lru_cache\n@lru_cache\ndef f(x):\n    return x", "Memoization"),
        ("def f(a=[]):\n    return a", "Default arguments are made once"),
        ("while low < high:\n    mid = (low + high) // 2", "Binary search"),
        ("if (n := f()) > 1:\n    pass", "Walrus operator"),
        ("match x:\n    case 1:\n        pass", "Pattern matching"),
        ("class A(B):\n    pass", "Inheritance"),
        ("class A:\n    def __len__(self):\n        return 1", "Special methods"),
        ("x = sorted(y, key=len)", "Key function"),
        ("x = 1", "Name and value"),
    ],
)
def test_an_idea_is_known_by_its_code(code: str, term: str):
    told = explain_code(code)

    assert term in terms(told)
    assert all("Here: line" in concept["definition"] for concept in told["key_concepts"])


def test_an_inner_function_that_uses_nothing_outside_is_no_closure():
    assert "Closure" not in terms(explain_code("def f():\n    def g(x):\n        return x\n    return g(1)"))


def test_steps_build_on_one_another():
    steps = explain_code(f"{FACTORIAL}\n\ndef table(n):\n    return [factorial(i) for i in range(n)]\n")[
        "learning_steps"
    ]

    leaf = next(place for place, step in enumerate(steps) if step.startswith("Read `factorial`"))
    caller = next(place for place, step in enumerate(steps) if step.startswith("Go on to `table`"))
    attempt = next(place for place, step in enumerate(steps) if "`table(n)`" in step)
    assert leaf < caller < attempt


# --- languages


@pytest.mark.parametrize("module", [heapq, textwrap, json.encoder])
def test_hindi_is_written_in_devanagari_and_names_stay(module: ModuleType):
    told = explain_module(module, "hi")

    assert re.search(r"[\u0900-\u097f]{3}", told["explanation"])
    assert re.search(r"[\u0900-\u097f]{3}", told["analogy"])
    assert all(re.search(r"[\u0900-\u097f]{3}", step) for step in told["learning_steps"])
    assert all(re.search(r"[\u0900-\u097f]{3}", concept["definition"]) for concept in told["key_concepts"])
    assert "`_siftdown`" in told["explanation"] or module is not heapq


@pytest.mark.parametrize("module", [heapq, textwrap, json.encoder])
def test_hinglish_is_hindi_in_latin_letters(module: ModuleType):
    told = explain_module(module, "hinglish")

    everything = json.dumps(told, ensure_ascii=False)
    assert not re.search(r"[\u0900-\u097f]", everything)
    assert "karta hai" in told["explanation"]
    assert "padhein" in " ".join(told["learning_steps"])


def test_an_unknown_language_becomes_english():
    assert "is Python" in explain_code("x = 1", "fr")["explanation"]


# --- code that is not whole, not right or not Python


def test_code_that_does_not_parse_is_explained_as_far_as_it_goes():
    told = explain_code("def f(:\n    x = 1\n\n\ndef g(a):\n    return a\n")

    assert re.search(r"does not parse \(Python 3\.\d+\): line 1, column 7: invalid syntax", told["explanation"])
    assert "takes `a`" in part(told, "g(a)")
    assert told["learning_steps"][0].startswith("Repair line 1 first")
    assert "True" not in told["explanation"]


def test_a_diff_is_explained_as_a_part_of_a_file():
    hunk = "@@ -10,2 +10,3 @@ class A:\n         y = 1\n+        return [i for i in y]\n     def g(self):\n"
    diff = f"--- a/x.py\n+++ b/x.py\n{hunk}"

    told = explain(read("explain", diff).sources)

    assert told["explanation"].startswith("Only a part of `x.py` is known (lines 10-12)")
    assert "line 11: gives back `[i for i in y]`" in told["explanation"]
    assert "imports nothing" not in told["explanation"]


def test_other_languages_say_what_can_be_seen_and_what_not():
    told = explain(
        read("explain\n```js app.js\n// Add.\nfunction add(a, b) {\n  return a + b;\n}\nclass Cart {}\n```").sources
    )

    assert "`app.js` is JavaScript: 5 lines (4 with code, 1 with comments only or blank)." in told["explanation"]
    assert "`add` (line 2), `Cart` (line 5)" in told["explanation"]
    assert "not what they do" in told["explanation"]


def test_several_sources_are_explained_one_after_the_other():
    told = explain(read("```python a.py\nx = 1\n```\n```python b.py\ny = 2\n```").sources)

    assert told["explanation"].index("`a.py`") < told["explanation"].index("`b.py`")


def test_no_code_says_what_to_send():
    assert "no code" in explain([])["explanation"]


@pytest.mark.parametrize(
    "code",
    [
        "x=f(x)\n" * 20_000,
        "".join(f"def f{i}(): f{i + 1}()\n" for i in range(8_000)),
        "".join(f"class A{i}(A{i - 1}, A{i - 2}):\n def g(self): self.z()\n" for i in range(2, 3_000)),
        "".join(f"def f{i}(): f{i * 7 % 400}(); f{i * 3 % 400}(); f{(i + 1) % 400}()\n" for i in range(400)),
        "if a:\n 0\n" + "elif a:\n 0\n" * 3_000,
        "".join(" " * i + "def f():\n" for i in range(95)) + " " * 95 + "x\n",
        "x=" + "+".join(["y"] * 5_000),
        "x" + ".y" * 50_000,
        "(" * 90_000,
        "'''\n" * 40_001,
        "\0\udcff",
        "",
    ],
)
def test_hostile_code_is_explained_in_bounds(code: str):
    told = ended(lambda: explain_code(code))

    assert told["explanation"]
    assert len(told["explanation"]) < 30_000


@pytest.mark.parametrize("language", ["javascript", "html", "css", "json", "bash", "sql", "c", "php", "perl", "yaml"])
@pytest.mark.parametrize("text", ["<" * 100_000, "/*" * 50_000, "'\\" * 50_000, "$(" * 50_000, "a " * 50_000])
def test_hostile_text_in_other_languages_is_read_in_bounds(language: str, text: str):
    assert ended(lambda: explain([Source("a", {1: text}, language)]))["explanation"]


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("not a and not b", "gives `True` or `False`: `not a and (not b)`"),
        ("isinstance(a, b)", "gives `True` or `False`: `isinstance(a, b)`"),
        ("len(a)", "gives a whole number: `len(a)`"),
        ("str(a)", "gives a string: `str(a)`"),
        ("sorted(a)", "gives a list: `sorted(a)`"),
        ("self", "gives the object itself, so that calls can be chained"),
        ("a", "gives `a`"),
    ],
)
def test_what_is_given_back_is_told_by_its_kind(value: str, told: str):
    explanation = explain_code(f"class C:\n    def f(self, a, b):\n        return {value}\n")["explanation"]

    assert f"- {told}" in explanation.splitlines()


def test_a_fault_that_is_caught_and_raised_again_is_told_by_its_kinds():
    code = "def f(a):\n    try:\n        g(a)\n    except (KeyError, ValueError) as fault:\n        raise fault\n"

    assert "raises `KeyError` and `ValueError`" in part(explain_code(code), "f(a)")


def test_a_loop_without_end_ends_by_the_break_of_another_loops_else():
    loop = "    while True:\n        for x in a:\n            pass\n        else:\n            break\n"
    code = f"def f(a):\n{loop}    return 1\n"

    assert "gives a whole number: `1`" in part(explain_code(code), "f(a)")


def test_what_is_too_deep_for_the_parser_is_said():
    told = explain_code("x = " + "-" * 3000 + "1")["explanation"]

    assert "nested too deeply" in told


def test_nothing_to_explain_is_said_with_what_to_send():
    told = explain([], "en")

    assert told["explanation"].startswith("I found no code to explain.")
    assert len(told["learning_steps"]) == 1


def test_a_file_of_which_no_line_is_shown_is_named():
    assert explain([Source("gone.py", {}, "python")], "en")["explanation"].startswith("`gone.py` shows no lines")


def test_more_files_than_one_answer_holds_are_counted():
    told = explain([Source(f"{number}.py", {1: "a()"}, "python") for number in range(40)], "en")["explanation"]

    assert told.count(" is Python: ") == 12
    assert told.endswith("28 more files were not looked at; send them in parts.")


def test_a_text_in_no_language_is_called_one():
    told = explain([Source("notes.xyz", {1: "some words"}, "")], "en")["explanation"]

    assert told.startswith("`notes.xyz`")
    assert "1 line" in told
