"""The provider without a model: what it says, in which shape, and how it streams."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from codesherpa.analysis import ruff
from codesherpa.analysis.lint import lint
from codesherpa.analysis.sources import Source, read
from codesherpa.concurrency import Cancellation
from codesherpa.errors import ModelError, ModelTimeout
from codesherpa.providers.interface import Brief, End, Provider, Task, Text, Tool, Turn, Usage
from codesherpa.providers.offline import OfflineProvider, review

CODE = "def f(x, items=[]):\n    return eval(x)"
FENCED = f"Please look\n```python app.py\n{CODE}\n```"
TOOL = Tool("give", "Give it.", {"type": "object"})


def brief(
    task: Task, message: str, code_context: str | None = None, tool: Tool | None = TOOL, language: str = "en"
) -> Brief:
    found = read(message, code_context)
    return Brief(
        task, "", (Turn("user", message),), tool=tool, sources=found.sources, question=found.question, language=language
    )


def answer(asked: Brief) -> str:
    *pieces, end = OfflineProvider(pace=0).stream(asked, Cancellation())
    assert end == End("end", Usage(0, 0))
    return "".join(piece.text for piece in pieces if isinstance(piece, Text))


def test_it_is_a_provider_without_a_model():
    provider: Provider = OfflineProvider()

    assert provider.name == "offline"
    assert provider.model("any") is None
    assert provider.window(None) > 200_000


def test_a_review_is_the_contracts_structure():
    found = json.loads(answer(brief("review", FENCED)))

    assert list(found) == ["summary", "findings", "quality_score", "security_risk"]
    assert found["summary"].startswith("Offline review (ruff and the syntax tree, no language model):")
    assert "1 file checked, 2 findings" in found["summary"]
    assert [(one["severity"], one["file"], one["line"]) for one in found["findings"]] == [
        ("CRITICAL", "app.py", 2),
        ("HIGH", "app.py", 1),
    ]
    assert all(
        list(one) == ["severity", "file", "line", "issue", "suggestion", "code_fix"] for one in found["findings"]
    )
    assert (found["quality_score"], found["security_risk"]) == (5, "High")


def test_a_review_of_a_diff_judges_what_it_adds():
    diff = "--- a/app.py\n+++ b/app.py\n@@ -7,2 +7,3 @@\n def f(x):\n+    eval(x)\n     eval(y)\n"

    found = json.loads(answer(brief("review", diff)))

    assert [one["line"] for one in found["findings"]] == [8]
    assert "only the added lines" in found["summary"]


def test_clean_code_gets_full_marks():
    found = json.loads(answer(brief("review", "```python\nx = 1\nprint(x)\n```")))

    assert (found["findings"], found["quality_score"], found["security_risk"]) == ([], 10, "None")
    assert "nothing found" in found["summary"]


def test_findings_of_several_files_come_the_most_severe_first():
    text = "```python a.py\nassert x\n```\n```python b.py\neval(input())\n```"

    found = json.loads(answer(brief("review", text)))

    assert [one["file"] for one in found["findings"]][:1] == ["b.py"]


def test_a_review_of_another_language_says_that_it_cannot_check_it():
    found = json.loads(answer(brief("review", "```js app.js\nfunction add(a) { return eval(a) }\n```")))

    assert "`app.js` is JavaScript, which I cannot check without a model" in found["summary"]
    assert "`add`" in found["summary"]
    assert found["findings"] == []
    assert "says nothing" in found["summary"]


def test_deleted_files_are_mentioned():
    diff = "diff --git a/x.py b/x.py\ndeleted file mode 100644\n--- a/x.py\n+++ /dev/null\n@@ -1 +0,0 @@\n-x\n"

    assert "`x.py` shows no lines" in json.loads(answer(brief("review", diff)))["summary"]


def test_a_review_without_code_says_what_to_send():
    found = json.loads(answer(brief("review", "please review my code")))

    assert "no code to review" in found["summary"]
    assert found["findings"] == []
    assert 1 <= found["quality_score"] <= 10


def test_an_explanation_is_the_contracts_structure():
    told = json.loads(answer(brief("explanation", FENCED)))

    assert list(told) == ["explanation", "learning_steps", "key_concepts", "analogy"]
    assert told["explanation"].startswith("Offline explanation (from the syntax tree, no language model):")
    assert "`app.py` is Python: 2 lines, 1 function." in told["explanation"]
    assert all(set(concept) == {"term", "definition"} for concept in told["key_concepts"])


def test_an_explanation_without_code_says_what_to_send():
    assert "no code to explain" in json.loads(answer(brief("explanation", "explain recursion")))["explanation"]


def test_a_reply_is_one_sentence_that_names_the_setting():
    text = answer(brief("reply", "Tell me a joke", tool=None))

    assert "offline" in text
    assert "MODEL_PROVIDER=bedrock" in text
    assert text.count(". ") == 0


@pytest.mark.parametrize("task", ["review", "explanation"])
def test_without_a_tool_it_writes_for_a_person(task: Task):
    text = answer(brief(task, FENCED, tool=None))

    assert text.startswith("Offline ")
    assert "app.py" in text
    assert not text.startswith("{")


@pytest.mark.parametrize("task", ["review", "explanation", "reply"])
@pytest.mark.parametrize(("language", "word"), [("en", "ffline"), ("hi", "ऑफ़लाइन"), ("hinglish", "ffline")])
def test_the_first_line_says_in_the_persons_language_that_it_is_offline(task: Task, language: str, word: str):
    for message in (FENCED, "hello"):
        text = answer(brief(task, message, tool=None, language=language))

        assert word in text.splitlines()[0]


def test_hindi_travels_as_it_is_read():
    assert "\\u09" not in answer(brief("review", FENCED, language="hi"))


def test_many_files_are_cut_and_said(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(review, "_MOST_FILES", 2)
    text = "\n".join(f"```python f{n}.py\nx = {n}\n```" for n in range(5))

    assert "3 more files were not looked at" in json.loads(answer(brief("review", text)))["summary"]


def test_many_findings_are_cut_and_said():
    found = json.loads(answer(brief("review", "x", "def f(x):\n" + "    eval(x)\n" * 500)))

    assert len(found["findings"]) == 200
    assert "300 less severe findings are not listed" in found["summary"]
    assert found["quality_score"] == 1


# --- how it streams


def test_it_streams_word_by_word():
    pieces = [
        piece.text
        for piece in OfflineProvider(pace=0).stream(brief("review", FENCED), Cancellation())
        if isinstance(piece, Text)
    ]

    assert len(pieces) > 50
    assert all(piece and len(piece) < 100 for piece in pieces)


def test_it_takes_its_time_but_not_long():
    long = brief("explanation", "x", "\n".join(f"def f{n}(a):\n    return a\n" for n in range(300)))

    pieces = list(OfflineProvider(pace=0.15).stream(long, Cancellation()))

    assert 5 < len(pieces) <= 11


def cancelled_after(pieces: int, provider: OfflineProvider, asked: Brief) -> Iterator[Text | End]:
    cancellation = Cancellation()
    for number, piece in enumerate(provider.stream(asked, cancellation), 1):
        yield piece
        if number == pieces:
            cancellation.cancel()


def test_cancelling_ends_it_at_once():
    pieces = list(cancelled_after(3, OfflineProvider(pace=0), brief("review", FENCED)))

    assert len(pieces) == 4
    assert pieces[-1] == End("cancelled", Usage(estimated=True))


def test_cancelling_wakes_it_from_its_pace():
    cancellation = Cancellation()
    stream = OfflineProvider(pace=0.7).stream(brief("reply", "hi", tool=None), cancellation)
    next(stream)
    threading.Timer(0.05, cancellation.cancel).start()
    started = time.monotonic()

    rest = list(stream)

    assert time.monotonic() - started < 0.5
    assert rest == [End("cancelled", Usage(estimated=True))]


def test_what_is_cancelled_before_it_begins_says_nothing():
    cancellation = Cancellation()
    cancellation.cancel()

    assert list(OfflineProvider().stream(brief("review", FENCED), cancellation)) == [
        End("cancelled", Usage(estimated=True))
    ]


# --- what goes wrong


def failing(error: Exception):
    def check(*_args: object, **_settings: object) -> None:
        raise error

    return check


def test_a_missing_ruff_is_the_models_error(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(ruff, "check", failing(ruff.RuffMissing("The offline reviewer needs ruff.")))

    with pytest.raises(ModelError, match="needs ruff"):
        answer(brief("review", FENCED))


def test_a_ruff_that_is_too_slow_is_a_timeout(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(ruff, "check", failing(ruff.RuffTimeout("It took too long.")))

    with pytest.raises(ModelTimeout, match="too long"):
        answer(brief("review", FENCED))


def test_code_that_breaks_ruff_is_said_in_the_summary(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(ruff, "check", failing(ruff.RuffCrashed("It broke off.")))

    found = json.loads(answer(brief("review", FENCED)))

    assert "`app.py` could not be checked: It broke off." in found["summary"]
    assert found["findings"] == []


def test_a_source_that_is_only_words_is_said_to_be_unknown():
    asked = Brief("review", "", (Turn("user", "x"),), tool=TOOL, sources=(Source("message", {1: "?"}, ""),))

    assert "a language that I do not recognize" in json.loads(answer(asked))["summary"]


def test_what_ruff_has_found_already_is_not_looked_for_again(monkeypatch: pytest.MonkeyPatch):
    asked = brief("review", FENCED)
    before = json.loads(answer(asked))
    known = tuple(finding for source in asked.sources for finding in lint(source))
    monkeypatch.setattr(ruff, "check", failing(ruff.RuffMissing("It was asked again.")))

    assert json.loads(answer(replace(asked, evidence=known))) == before
