"""Nobody's text takes longer than its length allows: twice the text, twice the work.

`re` holds the whole process, so one slow pattern keeps everybody waiting.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Callable
from typing import Any

import pytest

from codesherpa.analysis import diff, fragment, languages, outline, tokens
from codesherpa.analysis.lines import split
from codesherpa.analysis.module import show
from codesherpa.analysis.sources import Source, read
from codesherpa.integrations.github import events, hostile
from codesherpa.integrations.github.said import by_the_author
from codesherpa.integrations.whatsapp import markup
from codesherpa.observability import lines
from codesherpa.providers.interface import Turn
from codesherpa.sherpas import code, language, markdown, router, turns
from codesherpa.sherpas.codebase_sherpa import CodebaseSherpa
from codesherpa.sherpas.findings import MOST
from codesherpa.sherpas.general import GeneralChat, as_reply
from codesherpa.sherpas.interface import Ask
from codesherpa.sherpas.prose import Prose, unclosed
from codesherpa.sherpas.review_monk import ReviewMonk
from tests import growth
from tests.growth import ASKED, FACTOR, Known

# Patterns that are asked in another way than by their own name.
METHODS = {
    "codesherpa.analysis.languages._SIGN": ("match",),
    "codesherpa.sherpas.routing.vocabulary.SPELLINGS": ("sub",),
    "codesherpa.integrations.github.events.SHA": ("fullmatch",),
    "codesherpa.integrations.github.events.NAME": ("fullmatch",),
    "codesherpa.integrations.github.events.LOGIN": ("fullmatch",),
    "codesherpa.sherpas.prose.SPANNED": ("match",),
    "codesherpa.sherpas.prose.LOOSE": ("match",),
    "config.SANE_HOST": ("fullmatch",),
}
# Patterns that are not linear, and are given no more letters than so many.
BOUNDED = {
    "codesherpa.sherpas.routing.reading.CODE_MIDWAY": 1_200,
    "analysis/lint.py:_words": 100,
}
# Calls of `re` whose pattern is made while the server runs, and of what.
MADE = {
    ("analysis/brackets.py", "_token"): "constants of the module",
    ("analysis/fixes.py", "_swap"): "constants of the module",
    ("analysis/lint.py", "_fits"): "a rule of rules.toml",
    ("edge.py", "spellings"): "a setting, escaped",
    ("integrations/github/said.py", "left_out"): "one letter, repeated",
    ("integrations/github/hostile.py", "until_closed"): "one letter, repeated",
    ("providers/models.py", "_by_name"): "constants of the module",
    ("sherpas/markdown.py", "_longest"): "one letter, repeated",
    ("sherpas/routing/rules.py", "compiled"): "a rule of rules.toml",
}


@pytest.fixture(scope="module")
def patterns() -> list[Known]:
    return growth.patterns()


def test_every_pattern_is_known_to_these_tests(patterns: list[Known]) -> None:
    probed = {str(known.pattern.pattern) for known in patterns}

    unknown = [
        call
        for call in growth.calls()
        if (call.function and call.pattern is None and (call.file, call.function) not in MADE)
        or (call.pattern is not None and str(call.pattern) not in probed)
    ]

    assert not unknown, "Keep the pattern in the module, or say in MADE of what it is made."
    assert len(patterns) > 250


def test_no_pattern_looks_at_the_same_letters_again_and_again(patterns: list[Known]) -> None:
    slow = [f"{known.place}: {attack}" for known in patterns for attack in slow_attacks(known)]

    assert not slow


def slow_attacks(known: Known) -> list[str]:
    """Return the first attack that costs more than its length allows, if there is one."""
    bound = BOUNDED.get(known.place)
    for method in METHODS.get(known.place, known.methods):
        ask = ASKED[method](known.pattern)
        for attack in growth.attacks(known.pattern):
            text = attack if isinstance(known.pattern.pattern, str) else encoded(attack)
            work = (lambda told, ask=ask: ask(told[:bound])) if bound else ask
            if growth.growth(work, text, 500, 4_000) > FACTOR:
                return [f"{method} {attack!r}"]
    return []


def encoded(attack: growth.Attack) -> growth.Callable[[int], bytes]:
    return lambda size: attack(size).encode("latin-1", "replace")


# What texts are made of, again and again.
UNITS = (
    *(
        " ",
        "\t",
        "\n",
        "\r\n",
        " \n",
        "a",
        "_",
        "a_",
        "ह",
        "x\n",
        "1",
        "1) ",
        "- ",
        "-",
        "=",
        "# ",
        "#",
        "> ",
        "|",
        "a  ",
    ),
    *(
        "`",
        "``",
        "``` ",
        "```\n",
        "```py a.py\nx\n",
        "~~~",
        "~~~\n",
        "a`",
        "``a`",
        "\\",
        "\\`",
        "\\'",
        "'",
        '"',
        '"\\" ',
    ),
    *(
        '\\"""',
        '"""\n',
        "'''",
        "(",
        ")",
        "()",
        "[",
        "]",
        "{",
        "}",
        "{\n",
        "<",
        "<a",
        "</a ",
        "<!--",
        "![",
        "![](",
        "!",
        "/a\n",
    ),
    *(
        "[a](http://a ",
        "**a ",
        "__a ",
        "~~a ",
        "*a",
        "_a_ ",
        "&#",
        "@a",
        "www.",
        "://a",
        ":a@",
        "eyJaaaaaaaa",
        "ghp_",
        "bearer ",
    ),
    *(
        ", def f(",
        ":\tclass a ",
        ", import a;",
        "def f():\n",
        "def f(\n",
        "if x:\n",
        " if x:\n",
        "else:\n",
        "a(",
        "f(g(",
        "a.",
        "@f\n",
    ),
    *(
        "at x(1",
        "  at x(",
        '\nFile "',
        "Error: ",
        "a.Error",
        "a@b. ",
        "why? ",
        "explain ",
        "review this. ",
        "You are ",
        "//",
        "/*\n",
    ),
    *(
        "--- a\n+++ b\n@@ -1 +1 @@\n+x\n",
        "@@ -1 +1 @@\n+x\nword\n",
        "diff --git a/x b/x\n",
        "+x\n",
        "@@ -1 +1 @@\n",
        "# a\n",
    ),
    *(
        "x = 1\n",
        "f()()\n",
        "import a\n",
        "lambda: ",
        "not ",
        "x if y else ",
        "a[",
        "f'{",
        "return x\n",
        "key: value\n",
        "std::",
    ),
    *("<tag>x</tag>\n", '"key": 1,\n', "select a from b\n", "fn a() -> b {\n", "export const a: ", "$a = "),
)
CODE = "def load(path):\n    return open(path)\n" * 50


def repeated(unit: str) -> Callable[[int], str]:
    return lambda size: (unit * (size // len(unit) + 1))[:size]


def stairs(unit: str) -> Callable[[int], str]:
    """Return longer and longer runs of a mark, none of which is as long as another."""
    return lambda size: " ".join(unit * length for length in range(1, int((2 * size) ** 0.5)))


def behind(start: str, unit: str) -> Callable[[int], str]:
    return lambda size: start + repeated(unit)(size)


def numbered(line: str) -> Callable[[int], str]:
    """Return lines of code that differ in a number."""
    return lambda size: "".join(line.format(n=n, next=n + 1) for n in range(size // len(line)))


def ring(size: int) -> str:
    """Return functions that call one another in a ring, each of them exported."""
    count = size // 40
    defined = "".join(f"def f{n}():\n    f{(n + 1) % count}()\n" for n in range(count))
    return f"__all__ = [{', '.join(repr(f'f{n}') for n in range(count))}]\n{defined}"


def chain(link: str) -> Callable[[int], str]:
    """Return statements that are about as deep as the parser takes."""
    return lambda size: ("x = a" + link * 700 + "\n") * max(size // (700 * len(link)), 1)


def lambdas(size: int) -> str:
    return "def f(a):\n" + ("    return " + "lambda: " * 150 + "a\n") * max(size // 1_200, 1)


TEXTS: dict[str, Callable[[int], str]] = {
    **{repr(unit): repeated(unit) for unit in UNITS},
    **{f"stairs of {unit}": stairs(unit) for unit in ("`", "~", "*", "#", "(", '"')},
    **{
        f"{start!r}, then {unit!r}": behind(start, unit)
        for start, unit in (
            *(
                ("app.py\n", "\n"),
                ("You are ", "a"),
                ("You ", " "),
                ("```", "a"),
                ("a ", "-"),
                ("# ", " "),
                ("a`", " "),
            ),
            *(("```diff\n", "+x\n"), ("diff --git a/x b/x\nGIT binary patch\n", "literal\n"), ('"', "\\'")),
            *(('"""', '\\"""'), ("  at x", ":"), ("switch", ")"), ("class c[", "]]("), ("~~~ ", "a")),
        )
    },
    **{
        repr(line): numbered(line)
        for line in (
            *("def f{n}(a, b=1):\n    return f{next}(a.b.c)\n", "x{n} = f({n})\n", "class A{n}:\n    a: int = {n}\n"),
            *("`f{n}_a` ", "a{n} ", "if x{n}:\n    raise A{n}\n", "--- a\n+++ b\n@@ -{n} +{n} @@\n+x{n}\n"),
            *("```py a{n}.py\nx = {n}\n```\n", "requests.get(x{n}){n})\n"),
        )
    },
    "functions in a ring": ring,
    "chains of calls": chain("()"),
    "chains of attributes": chain(".a"),
    "nested functions": lambdas,
}


def tokenwise(writer: Callable[[], Any]) -> Callable[[str], None]:
    """Feed a writer as a model would: a few letters at a time."""

    def work(text: str) -> None:
        one = writer()
        for at in range(0, len(text), 20):
            one.feed(text[at : at + 20])
        if isinstance(one, Prose):
            one.close()
        else:
            one.finish(cut=True)

    return work


def written_by(sherpa: Any, shape: Callable[[str], Any]) -> Callable[[str], None]:
    """Have a sherpa write an answer that is made of a text."""
    brief = sherpa.brief(Ask(CODE))
    feed = tokenwise(lambda: sherpa.writer(brief))
    return lambda text: feed(json.dumps(shape(text), ensure_ascii=False))


def findings(text: str) -> Any:
    finding = {"severity": "LOW", "file": "message", "line": None, "suggestion": "", "code_fix": text[:200]}
    return {"summary": text, "findings": [finding | {"issue": text[at : at + 400]} for at in range(0, len(text), 400)]}


def explanation(text: str) -> Any:
    return {"explanation": text, "learning_steps": [], "key_concepts": [], "analogy": ""}


def python(text: str) -> Source:
    return Source("a.py", dict(enumerate(split(text), 1)), "python")


def asked_again(text: str) -> None:
    code.read(Ask(text, history=(Turn("user", CODE), Turn("assistant", "Yes."))), "explanation")


HELLO = GeneralChat().brief(Ask("hello"))
# What is done with a text, and the longest that it may be.
MESSAGE, CONTEXT, REPLY = 10_000, 200_000, 500_000
WORK: dict[str, tuple[Callable[[str], object], int]] = {
    "route": (router.route, MESSAGE),
    "tell the language": (language.of, MESSAGE),
    "read a message": (lambda text: read(text), CONTEXT),
    "read code": (lambda text: read("explain this", text), CONTEXT),
    "look for code shown before": (asked_again, MESSAGE),
    "cut a diff": (lambda text: diff.cut(text, 1_000), CONTEXT),
    "mend code": (lambda text: fragment.build(python(text)), CONTEXT),
    "explain code": (lambda text: outline.explain([python(text)]), CONTEXT),
    "tell the language of code": (lambda text: languages.by_text(split(text)), CONTEXT),
    "quote a message": (lambda text: turns.mark(text, text[1:]), CONTEXT),
    "write a line": (markdown.inline, REPLY),
    "write code": (lambda text: (markdown.code(text), markdown.fence(text)), REPLY),
    "close a fence": (unclosed, REPLY),
    "stream prose": (tokenwise(Prose), REPLY),
    "stream a reply": (tokenwise(lambda: GeneralChat().writer(HELLO)), REPLY),
    "stream a review": (written_by(ReviewMonk(), findings), REPLY),
    "stream an explanation": (written_by(CodebaseSherpa(), explanation), REPLY),
    "show what is no structure": (lambda text: as_reply(text, HELLO), REPLY),
    "send to a phone": (lambda text: markup.messages(text, None), REPLY),
    "comment on GitHub": (lambda text: (hostile.passage(text), hostile.prose(text), hostile.fence(text)), REPLY),
    "read a comment": (lambda text: events.COMMAND.search(by_the_author(text)), MESSAGE),
    "log": (lambda text: (lines.cleaned(text), lines.indented(text)), REPLY),
}


# Python that does not parse is mended with an effort that is bounded, and not linear in short texts: here it parses.
PARSED = ("mend code", "explain code")
PARSING = ("def f{n}", "x{n} =", "class A{n}", "if x{n}", "functions", "chains")
LONGEST = 4_000  # Letters: what is not linear shows itself in as many.


@pytest.mark.parametrize("name", WORK)
def test_twice_the_text_is_about_twice_the_work(name: str) -> None:
    work, longest = WORK[name]

    texts = {told: text for told, text in TEXTS.items() if name not in PARSED or any(mark in told for mark in PARSING)}
    factors = {told: growth.growth(work, text, 1_000, min(longest // 2, LONGEST)) for told, text in texts.items()}

    assert not {told: round(factor, 1) for told, factor in factors.items() if factor > FACTOR}


@pytest.mark.parametrize("name", ["close a fence", "write a line", "stream a reply"])
def test_a_long_text_is_not_copied_at_each_step(name: str) -> None:
    """To copy costs little, so it shows itself in long texts alone."""
    work, _ = WORK[name]

    assert growth.growth(work, behind("```py\n", "x = 1  # some words\n"), 200_000, 200_000) <= FACTOR


def test_a_lexer_that_takes_too_long_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens, "_SECONDS", -1.0)

    words = tokens.read(Source("a.js", {1: "function a() {", 2: "}"}, "javascript"))

    assert not words.complete


def test_a_review_looks_at_a_bounded_number_of_findings() -> None:
    writer = ReviewMonk().writer(ReviewMonk().brief(Ask(CODE)))
    one = {"severity": "LOW", "file": "message", "line": 1, "suggestion": "", "code_fix": None}
    writer.feed(json.dumps({"summary": "", "findings": [one | {"issue": f"Fault {n}"} for n in range(MOST + 1)]}))

    writer.finish(cut=True)

    assert len(writer.result()["findings"]) == MOST


def test_what_a_long_chain_of_calls_begins_with_is_not_looked_for() -> None:
    tree = ast.parse("a" + ".b()" * 70, mode="eval").body

    assert show(tree) == "…"


def test_a_large_value_is_shown_by_its_beginning() -> None:
    tree = ast.parse(f"{{'a': {{'b': 1}}, 'c': {list(range(5_000))}}}", mode="eval").body

    assert show(tree, 30) == "{'a': {'b': 1}, 'c': [0, 1, 2…"
