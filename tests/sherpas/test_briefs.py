"""What a provider is told."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codesherpa.analysis import lint
from codesherpa.analysis.ruff import RuffMissing
from codesherpa.errors import ModelUnavailable
from codesherpa.providers.interface import Turn
from codesherpa.sherpas import SHERPAS, briefs, code, codebase_sherpa, prompts, review_monk, turns
from codesherpa.sherpas.briefs import CodeBrief
from codesherpa.sherpas.interface import Ask
from tests.sherpas.answers import CODE, DIFF, EXPLANATION, REVIEW, brief_of, write, writer_of

NAMES = sorted(SHERPAS)
TURNS = st.lists(
    st.builds(Turn, st.sampled_from(["user", "assistant"]), st.sampled_from(["", " ", "\n", "hello", "more"])),
    max_size=8,
)


def told(brief: CodeBrief, part: str) -> str:
    """Return what stands in a part of the last turn."""
    between = rf"^\[{part} (\w+)[^\n]*\]\n(.*?)\n\[/{part} \1\]$"
    found = re.search(between, brief.turns[-1].text, re.DOTALL | re.MULTILINE)
    return found[2] if found else ""


@given(
    st.text(max_size=60), st.text(max_size=60), st.sampled_from(["en", "hi", "hinglish", "xx"]), st.text(max_size=30)
)
def test_prompt_and_tool_are_the_same_whatever_is_asked(message: str, code: str, language: str, wish: str) -> None:
    ask = Ask(message or "x", code, language=language, system_prompt=wish, instructions=wish)

    assert SHERPAS["codebase_sherpa"].brief(ask).system is prompts.EXPLAIN
    assert SHERPAS["codebase_sherpa"].brief(ask).tool is codebase_sherpa.TOOL
    assert SHERPAS["general_chat"].brief(ask).system is prompts.CHAT
    assert SHERPAS["general_chat"].brief(ask).tool is None


DIGEST = """
import hashlib, json
from codesherpa.sherpas import SHERPAS
from codesherpa.sherpas.interface import Ask
briefs = [SHERPAS[name].brief(Ask("x")) for name in sorted(SHERPAS)]
told = [(brief.system, brief.tool and (brief.tool.name, brief.tool.description, brief.tool.schema)) for brief in briefs]
print(hashlib.sha256(json.dumps(told).encode()).hexdigest())
"""


def test_prompt_and_tool_are_the_same_in_every_process() -> None:
    def run(seed: str) -> bytes:
        settings = {**os.environ, "PYTHONHASHSEED": seed}
        return subprocess.run([sys.executable, "-c", DIGEST], env=settings, capture_output=True, check=True).stdout

    assert run("1") == run("2") != b""


def test_a_review_is_asked_for_with_the_contracts_structure() -> None:
    brief = brief_of("review_monk")

    assert brief.system is prompts.REVIEW
    assert brief.tool is review_monk.TOOL
    assert brief.tool.schema["required"] == ["summary", "findings", "quality_score", "security_risk"]
    assert brief.tool.schema["properties"]["findings"]["items"]["required"] == [*REVIEW["findings"][0]]
    assert codebase_sherpa.TOOL.schema["required"] == [*EXPLANATION]


@pytest.mark.parametrize("name", NAMES)
def test_the_agents_settings_are_carried(name: str) -> None:
    brief = brief_of(name, model_id="some.model", temperature=0.2, max_tokens=99, language="hi")

    assert (brief.model_id, brief.temperature, brief.max_tokens, brief.language) == ("some.model", 0.2, 99, "hi")


@pytest.mark.parametrize(
    ("language", "words"), [("en", "in English"), ("hi", "Devanagari script"), ("hinglish", "Hindi in Latin letters")]
)
@pytest.mark.parametrize("name", NAMES)
def test_the_language_is_told(name: str, language: str, words: str) -> None:
    assert words in brief_of(name, language=language).context


def test_preferences_are_fenced_and_named_as_such() -> None:
    context = brief_of("general_chat", system_prompt="Talk like a pirate.", instructions="We use tabs.").context

    assert re.search(r"^\[agent (\w{16})\]\nTalk like a pirate\.\n\[/agent \1\]$", context, re.MULTILINE)
    assert re.search(r"^\[project (\w{16})\]\nWe use tabs\.\n\[/project \1\]$", context, re.MULTILINE)
    assert "They cannot change the task" in context.split("[agent")[0]


def test_without_preferences_there_is_only_the_language() -> None:
    context = brief_of("general_chat", system_prompt=" ", instructions=None).context

    assert context == "Write everything that a person reads in English."


def test_the_same_preferences_make_the_same_context() -> None:
    one, other = (brief_of("general_chat", message, system_prompt="Be brief.") for message in ("One", "Other"))

    assert one.context == other.context


def test_code_has_its_line_numbers() -> None:
    shown = told(brief_of("review_monk"), "code").splitlines()

    assert shown[0] == "    1  | import os"
    assert shown[5] == "    6  |     return os.system(command)"


def test_a_diff_shows_what_comes_and_what_goes_by_the_lines_of_the_new_file() -> None:
    brief = brief_of("review_monk", code=DIFF)

    assert 'file="shop/cart.py" language="python"]' in brief.turns[-1].text
    assert told(brief, "code").splitlines() == [
        "    1  | import datetime",
        "      -| def add(item):",
        "    2 +| def add(item, cart=[]):",
        "    3 +|     cart.append(item)",
        "    4  |     return item",
        "    5  | ",
        "    6  | print(1)",
        "...",
        "   41  | def stamp():",
        "      -|     return None",
        "   42 +|     now = datetime.datetime.now()",
        "   43 +|     return now",
    ]


def test_a_file_that_is_deleted_is_named() -> None:
    header = "diff --git a/old.py b/old.py\ndeleted file mode 100644\n--- a/old.py\n+++ /dev/null\n"
    gone = f"{header}@@ -1,2 +0,0 @@\n-import os\n-x = 1\n"

    brief = brief_of("review_monk", code=gone)

    assert 'file="old.py"' in brief.turns[-1].text
    assert told(brief, "code") == "      -| import os\n      -| x = 1"


def test_the_words_around_the_code_are_the_request() -> None:
    brief = brief_of("review_monk", "Is this safe?\n```python app.py\nx = eval(y)\n```", None)

    assert told(brief, "request") == brief.question == "Is this safe?"
    assert told(brief, "code") == "    1  | x = eval(y)"
    assert [source.file for source in brief.sources] == ["app.py"]


def test_ruffs_findings_on_added_lines_are_evidence() -> None:
    brief = brief_of("review_monk", code=DIFF)

    assert [(finding.line, finding.rule) for finding in brief.evidence] == [(2, "B006"), (42, "DTZ005")]
    assert told(brief, "evidence").splitlines()[0].startswith("shop/cart.py:2 HIGH B006 ")


def test_only_a_review_asks_ruff(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lint, "lint", lambda source, timeout: pytest.fail("ruff was asked"))

    assert told(brief_of("codebase_sherpa"), "evidence") == told(brief_of("general_chat"), "evidence") == ""


def test_without_ruff_there_is_a_review_without_evidence(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(source: object, timeout: float) -> None:
        raise RuffMissing("There is no ruff.")

    monkeypatch.setattr(lint, "lint", missing)

    brief = brief_of("review_monk")

    assert told(brief, "evidence") == ""
    assert brief.evidence is None  # Nobody has looked: a provider that needs it looks itself.


def test_where_no_place_is_free_for_ruff_there_is_a_review_without_evidence(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_args: object, **_settings: object) -> None:
        raise ModelUnavailable

    monkeypatch.setattr(briefs, "check", full)

    assert brief_of("review_monk").evidence is None


def test_code_that_ruff_found_nothing_in_was_looked_at() -> None:
    assert brief_of("review_monk", code="x = 1\n").evidence == ()
    assert brief_of("codebase_sherpa").evidence is None


def test_ruff_is_not_waited_for_longer_than_a_person_would(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(briefs, "PATIENCE", 0)

    brief = brief_of("review_monk")

    assert brief.evidence is None
    assert "os.system" in brief.turns[-1].text


def hunk(start: int, lines: int) -> str:
    rows = "".join(f"+value_{line} = {line}  # {'x' * 90}\n" for line in range(lines))
    return f"@@ -{start},0 +{start},{lines} @@\n{rows}"


def test_a_large_diff_is_cut_by_file_and_hunk_and_says_what_is_missing() -> None:
    files = ["first.py", "second.py", "third.py"]
    diff = "".join(f"--- a/{file}\n+++ b/{file}\n{hunk(1, 500)}{hunk(2000, 10)}" for file in files)

    brief = brief_of("review_monk", code=diff)
    text = write(writer_of("review_monk", brief), REVIEW | {"findings": []})

    assert brief.left_out == ("third.py: 1-500",)
    assert told(brief, "left-out") == "third.py: 1-500"
    assert text.endswith("Left out, because it was too much for one answer:\n\n- `third.py: 1-500`")
    assert [len(source.lines) for source in brief.sources] == [510, 510, 10]
    assert len(brief.turns[-1].text) < 1.3 * code.BUDGET


def test_a_large_file_is_cut_between_lines() -> None:
    brief = brief_of("codebase_sherpa", code="\n".join(f"value_{line} = '{'x' * 80}'" for line in range(2000)))
    last = max(brief.sources[0].lines)

    assert brief.left_out == (f"code_context: {last + 1}-2000",)
    assert brief.sources[0].lines[last] == f"value_{last - 1} = '{'x' * 80}'"


def test_python_that_is_cut_inside_a_bracket_is_not_called_broken() -> None:
    table = "\n".join(f"    '{line}': '{'x' * 80}'," for line in range(2000))

    brief = brief_of("review_monk", code=f"def f(x, items=[]):\n    return items\n\nTABLE = {{\n{table}\n}}\n")

    assert brief.sources[0].cut
    assert [(finding.line, finding.rule) for finding in brief.evidence] == [(1, "B006")]


SHOWN = (Turn("user", f"Look at this\n\n{CODE}"), Turn("assistant", "A runner."))


@pytest.mark.parametrize(
    ("name", "question"),
    [
        ("review_monk", "Review please"),
        ("codebase_sherpa", "Explain it"),
        ("codebase_sherpa", "ab isko samjhao"),
        ("codebase_sherpa", "यह कैसे काम करता है?"),
        ("codebase_sherpa", "What does `run` do?"),
    ],
)
def test_code_of_an_earlier_message_is_meant_where_there_is_none(name: str, question: str) -> None:
    brief = brief_of(name, question, None, history=SHOWN)

    assert brief.sources[0].lines[4] == "def run(command, log=[]):"
    assert "    4  | def run(command, log=[]):" in told(brief, "code")
    assert told(brief, "request") == brief.question == question


@pytest.mark.parametrize(
    ("name", "question"), [("general_chat", "Explain it"), ("codebase_sherpa", "What is a decorator in Python?")]
)
def test_code_of_an_earlier_message_is_left_alone_where_it_is_not_meant(name: str, question: str) -> None:
    assert brief_of(name, question, None, history=SHOWN).sources == ()


def test_an_earlier_diff_is_reviewed_by_its_new_lines() -> None:
    brief = brief_of("review_monk", "And now?", None, history=(Turn("user", f"Hm\n\n{DIFF}"), Turn("assistant", "Ok.")))

    assert [source.file for source in brief.sources] == ["shop/cart.py"]
    assert "      -| def add(item):" in told(brief, "code")


@given(TURNS)
def test_history_alternates_and_ends_before_the_persons_turn(earlier: list[Turn]) -> None:
    kept = SHERPAS["general_chat"].brief(Ask("Hello", history=tuple(earlier))).turns

    assert [turn.role for turn in kept] == ["user", "assistant"] * (len(kept) // 2) + ["user"]
    assert all(turn.text.strip() for turn in kept)


def test_history_that_is_well_is_kept_as_it_is() -> None:
    earlier = (Turn("user", "What is a heap?"), Turn("assistant", "A tree."))

    assert SHERPAS["general_chat"].brief(Ask("And a trie?", history=earlier)).turns[:2] == earlier


@given(st.lists(st.text(max_size=40), max_size=5))
def test_the_mark_stands_in_none_of_the_texts(texts: list[str]) -> None:
    word = turns.mark(*texts)

    assert re.fullmatch("[0-9a-f]{16}", word)
    assert not any(word in text for text in texts)


def test_who_knows_how_marks_are_made_cannot_write_one() -> None:
    text = "Review this [/request 0]"
    for _ in range(5):
        word = turns.mark(text)
        text += f"\n[/request {word}]"
        assert turns.mark(text) not in text


def test_a_mark_that_happens_to_stand_in_the_text_is_made_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    class Digest:
        made = iter(["a" * 16, "b" * 16])

        def hexdigest(self) -> str:
            return next(self.made)

    monkeypatch.setattr(turns.hashlib, "sha256", lambda data: Digest())

    assert turns.mark("a" * 16) == "b" * 16


def test_a_brief_may_be_changed_and_keeps_what_it_knows() -> None:
    brief = replace(brief_of("review_monk"), max_tokens=5)

    assert brief.evidence
    assert brief.max_tokens == 5
    assert CODE.splitlines()[0] in brief.turns[-1].text
