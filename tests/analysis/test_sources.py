"""Taking a message apart: what is code, what it is called, and what is left for words."""

from __future__ import annotations

import pytest

from codesherpa.analysis.sources import Source, read
from tests.patience import ended

FUNCTION = "def add(a, b):\n    return a + b"


def only(message: str, code_context: str | None = None) -> Source:
    (source,) = read(message, code_context).sources
    return source


def test_a_message_without_code_is_all_question():
    reading = read("What does `continue` do in Python, and when (if ever) should I use it?")

    assert reading.sources == ()
    assert reading.question == "What does `continue` do in Python, and when (if ever) should I use it?"


def test_a_fenced_block_is_code_and_the_rest_is_the_question():
    reading = read(f"Please review\n\n```python\n{FUNCTION}\n```\n\nIs it fast?")

    (source,) = reading.sources
    assert (source.file, source.language, source.added) == ("message", "python", None)
    assert source.lines == {1: "def add(a, b):", 2: "    return a + b"}
    assert reading.question == "Please review\n\nIs it fast?"


@pytest.mark.parametrize(
    ("info", "file", "language"),
    [
        ("python app.py", "app.py", "python"),
        ('python title="src/my app.py"', "src/my app.py", "python"),
        ("python filename=app.py", "app.py", "python"),
        ("app.py", "app.py", "python"),
        ("py", "message", "python"),
        ("python3.12", "message", "python"),
        ("py:app.py", "app.py", "python"),
        ("src/app.js", "src/app.js", "javascript"),
        ("{.python}", "message", "python"),
        ("Dockerfile", "Dockerfile", "docker"),
        ("node.js", "message", ""),
        ("c++ main.cc", "main.cc", "cpp"),
    ],
)
def test_an_info_string_names_the_language_and_the_file(info: str, file: str, language: str):
    source = only(f"look\n```{info}\nx = 1\n```")

    assert (source.file, source.language) == (file, language)


def test_a_longer_fence_holds_shorter_ones():
    source = only("````markdown notes.md\n```python\nx = 1\n```\n````")

    assert source.file == "notes.md"
    assert list(source.lines.values()) == ["```python", "x = 1", "```"]


def test_tildes_fence_too_and_backticks_inside_are_code():
    source = only("~~~python\nx = '```'\n~~~")

    assert source.lines == {1: "x = '```'"}


def test_an_open_fence_runs_to_the_end():
    assert only("look\n```python\nx = 1\ny = 2").lines == {1: "x = 1", 2: "y = 2"}


def test_an_indented_fence_loses_its_indentation():
    assert only("1. look\n   ```python\n   if x:\n       y()\n   ```").lines == {1: "if x:", 2: "    y()"}


def test_a_line_that_only_names_a_file_names_the_fence_below():
    reading = read("See\n\n**app.py**:\n```\nx = 1\n```")

    assert reading.sources[0].file == "app.py"
    assert reading.question == "See"


def test_several_fences_stay_apart():
    files = [source.file for source in read("```python a.py\nx\n```\nand\n```python b.py\ny\n```").sources]

    assert files == ["a.py", "b.py"]


def test_code_beside_the_message_is_one_file():
    source = only("explain", FUNCTION)

    assert (source.file, source.language) == ("code_context", "python")


def test_the_client_names_a_file_by_a_fence_around_it():
    source = only("explain", f"````python lib/app.py\n{FUNCTION}\n````")

    assert source.file == "lib/app.py"
    assert source.text == FUNCTION


def test_a_first_line_that_can_only_be_a_name_is_the_name():
    source = only("explain", f"lib/app.py\n\n{FUNCTION}")

    assert source.file == "lib/app.py"
    assert source.lines[1] == "def add(a, b):"


def test_a_first_comment_is_a_line_of_the_code():
    source = only("explain", f"# app.py\n{FUNCTION}")

    assert source.file == "code_context"
    assert source.lines[2] == "def add(a, b):"


@pytest.mark.parametrize("rest", ["return x", "return (x"])
def test_fences_in_a_docstring_do_not_tear_a_file_apart(rest: str):
    text = f'import os\n\n\ndef f(x):\n    """Say.\n\n```\nf(1)\n```\n    """\n    y = os.getcwd()\n    {rest}'

    source = only("review", text)

    assert source.text == text
    assert source.file == "code_context"


def test_loose_code_in_a_message_counts_its_own_lines():
    reading = read(f"Can you review this?\n\n{FUNCTION}\n\nI think it is slow.")

    (source,) = reading.sources
    assert (source.file, source.language) == ("message", "python")
    assert source.lines[2] == "    return a + b"
    assert reading.question == "Can you review this?\n\nI think it is slow."


def test_code_in_the_line_of_the_request_is_found():
    reading = read("Review this: def add(items=[]): items.append(1); return items")

    assert reading.question == "Review this:"
    assert reading.sources[0].lines == {1: "def add(items=[]): items.append(1); return items"}


def test_loose_code_of_another_language_is_found():
    source = only("explain\n\nfunction add(a, b) {\n  return a + b;\n}\n\nconsole.log(add(1, 2));")

    assert source.language == "javascript"
    assert source.lines[1] == "function add(a, b) {"


def test_a_message_that_is_nothing_but_code_has_no_question():
    reading = read("numbers = [n * n for n in range(3)]\nprint(numbers)")

    assert reading.question == ""
    assert len(reading.sources[0].lines) == 2


@pytest.mark.parametrize(
    "words",
    [
        "continue",
        "import this",
        "from here on\nif you put it in the following way:\nit fails (sometimes)",
        "Why?\nTraceback (most recent call last):\n  File 'a.py', line 3, in f\n    x = y[0]\nIndexError: out of range",
        'Traceback (most recent call last):\n  File "a.py", line 3, in <module>\n    x = load(path)\n'
        '  File "a.py", line 9, in load\n    return json.loads(text)\nValueError: bad',
        "- one thing\n- another thing\n1. and a third (the last)",
        "for example, this:\nraise the limit to 5\nreturn to sender",
        "इस कोड को समझाओ",
        "class notes: loops and such",
    ],
)
def test_words_are_not_taken_for_code(words: str):
    assert read(words).sources == ()


def test_lines_end_where_editors_end_them():
    source = only("x", "```python\nx = 'a\x0cb\u2028c'\r\ny = 1\rz = 2\n```")

    assert source.lines == {1: "x = 'a\x0cb\u2028c'", 2: "y = 1", 3: "z = 2"}


def test_code_beside_comes_before_code_within():
    files = [source.file for source in read("```python a.py\nx\n```", "y = 1").sources]

    assert files == ["code_context", "a.py"]


@pytest.mark.parametrize(
    "text",
    [
        "```\n" * 50_000,
        "`" * 200_000,
        "~" * 200_000,
        "@@ -1 +1 @@\n" * 16_000,
        "@@ -1,9 +1,9 @@\n" * 13_000,
        "diff --git a/x b/x\n" * 10_000,
        "diff --git " + "a " * 95_000,
        "```python title='" * 12_000,
        "(\n" * 100_000,
        "if x:\n" * 33_000,
        '"' * 200_000,
        "def f(:\n" * 25_000,
        "GIT binary patch\n" * 11_000,
        " " * 200_000,
        "\n" * 200_000,
        "a b c? " * 28_000,
        "+++ \n--- " * 22_000,
    ],
)
def test_hostile_text_is_read_in_bounds(text: str):
    ended(lambda: [read("x", text), read(text)])


@pytest.mark.parametrize(
    ("code", "language"),
    [
        ("#!/usr/bin/env python3\nprint 'old'\nprint 'older'", "python"),
        ('{\n "a": 1,\n "b": [2]\n}', "json"),
        ("elif x:\n    f()\nelse:\n    g()", "python"),
        ("just words\nand more of them", ""),
    ],
)
def test_code_without_a_name_is_known_by_its_text(code: str, language: str):
    assert only("look at this", code).language == language


def test_an_empty_fence_is_no_file():
    assert read("What is wrong?\n```python\n\n```\n").sources == ()


def test_two_diffs_of_one_file_are_one_file():
    diff = "--- a/app.py\n+++ b/app.py\n@@ -{0} +{0} @@\n-old\n+new{0}\n"

    source = only(f"```diff\n{diff.format(1)}```\nand\n```diff\n{diff.format(9)}```")

    assert (source.lines, source.added) == ({1: "new1", 9: "new9"}, {1, 9})
