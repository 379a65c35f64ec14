"""Code that is too large to be analysed in full: what is cut, what is said, and in which language."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from prometheus_client import REGISTRY

from codesherpa.analysis import checking, outline, survey
from codesherpa.analysis.lines import MOST, head
from codesherpa.analysis.phrases import LANGUAGES
from codesherpa.analysis.sources import Source, beginning
from codesherpa.chat.reply import Reply
from codesherpa.concurrency import Cancellation, children
from codesherpa.concurrency.children import Overrun
from codesherpa.concurrency.fairness import working_for
from codesherpa.providers.offline import OfflineProvider
from codesherpa.sherpas import SHERPAS, briefs, code
from codesherpa.sherpas.code import Code
from codesherpa.sherpas.interface import Ask
from tests.conftest import Caller

LARGE = "\n".join(f"def f{n}(x):\n    return eval(x)\n" for n in range(400))
TOO_LARGE = {
    "en": "The code was too large to analyse in full.",
    "hi": "कोड इतना बड़ा था कि उसका पूरा विश्लेषण नहीं हो सका।",
    "hinglish": "Code itna bada tha ki uska poora analysis nahi ho saka.",
}
LEFT_OUT = {"en": "Left out", "hi": "छोड़ दिया गया", "hinglish": "chhod diya gaya"}


class Limited:
    """Children that reach a limit at every job, or at those that are given in full."""

    def __init__(self, always: bool) -> None:
        self.always, self.asked = always, list[str]()

    def run(self, work: Callable[..., Any], *args: Any, seconds: float = children.SECONDS) -> Any:
        self.asked.append(work.__name__)
        if self.always or seconds == children.SECONDS:
            raise Overrun("memory")
        return work(*args)


@pytest.fixture(params=[True, False], ids=["always", "in full"])
def limited(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Limited:
    made = Limited(request.param)
    for module in (children, checking, briefs):
        monkeypatch.setattr(module, "pool", lambda: made)
    monkeypatch.setattr("codesherpa.providers.offline.provider.pool", lambda: made)
    return made


def reply_to(sherpa: str, ask: Ask) -> Reply:
    reply = Reply(SHERPAS[sherpa], OfflineProvider(pace=0), SHERPAS[sherpa].brief(ask), Cancellation())
    assert "".join(reply) == reply.text
    return reply


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("sherpa", ["review_monk", "codebase_sherpa"])
def test_a_reply_says_in_every_language_that_a_limit_was_reached(limited: Limited, sherpa: str, language: str) -> None:
    reply = reply_to(sherpa, Ask("look at this", LARGE, language=language))

    assert reply.outcome.status == "complete"
    assert TOO_LARGE[language] in reply.text
    assert LEFT_OUT[language] in reply.text
    assert TOO_LARGE[language] in str(reply.outcome.result)
    assert limited.asked[:1] == ["read_plain"]


def test_the_beginning_is_reviewed_where_all_of_it_is_too_much(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checking, "pool", lambda: Limited(always=False))

    found = checking.check([Source("a.py", dict(enumerate(LARGE.split("\n"), 1)), "python")], seconds=20)

    assert found.limited
    assert 0 < len(found.findings) <= 200
    assert max(finding.line for finding in found.findings) <= 200


def test_a_limit_makes_no_score_of_what_was_not_checked(limited: Limited) -> None:
    result = reply_to("review_monk", Ask("look at this", LARGE)).outcome.result

    assert "1 file checked" not in result["summary"]
    assert result["quality_score"] == (5 if limited.always else 1)


def test_findings_that_are_not_told_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(survey, "MOST_FINDINGS", 5)

    result = reply_to("review_monk", Ask("review this", "def f(x):\n" + "    eval(x)\n" * 20)).outcome.result

    assert len(result["findings"]) == 5
    assert "20 findings" in result["summary"]


def test_a_chat_whose_code_reaches_a_limit_is_complete(app: Flask, ada: Caller, limited: Limited) -> None:
    app.extensions["provider"] = OfflineProvider(pace=0)

    answer = ada.call("POST", "/chat", json={"message": "review this", "code_context": LARGE})

    assert answer.status_code == 201
    assert answer.json["data"]["status"] == "complete"
    assert answer.json["data"]["error"] is None
    assert TOO_LARGE["en"] in answer.json["data"]["response"]


def test_a_reply_that_is_cancelled_while_its_code_is_read_ends() -> None:
    cancellation = Cancellation()
    cancellation.cancel()

    with working_for("a", cancellation):
        brief = SHERPAS["review_monk"].brief(Ask("review this", LARGE))
        reply = Reply(SHERPAS["review_monk"], OfflineProvider(pace=0), brief, cancellation)
        assert "".join(reply) == reply.text

    assert reply.outcome.status == "stopped"


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_lines_that_were_cut_are_named_in_every_language(language: str) -> None:
    reply = reply_to("codebase_sherpa", Ask("explain this", "x\n" * 99_000, language=language))

    assert LEFT_OUT[language] in reply.text
    assert f"code_context: {code.LINES + 1}-99000" in reply.text


def test_what_is_cut_is_counted() -> None:
    def cut() -> float:
        return REGISTRY.get_sample_value("codesherpa_code_cut_total", {"reason": "budget"}) or 0

    before = cut()

    SHERPAS["codebase_sherpa"].brief(Ask("explain this", "x = 1\n" * 30_000))

    assert cut() == before + 1


@pytest.mark.parametrize(
    ("limit", "most", "left_out"), [("LINES", 10, "11-100"), ("WORDS", 30, "11-100"), ("BUDGET", 60, "11-100")]
)
def test_lines_words_and_characters_are_bounded(
    monkeypatch: pytest.MonkeyPatch, limit: str, most: int, left_out: str
) -> None:
    monkeypatch.setattr(code, limit, most)

    found = code.read(Ask("explain", "x = 1\n" * 100), "explanation", code.BUDGET)

    assert found.left_out == (f"code_context: {left_out}",)
    assert list(found.sources[0].lines) == list(range(1, 11))


def test_pieces_of_code_are_bounded_and_few_of_them_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(code, "SOURCES", 3)
    text = "".join(f"```python f{n}.py\nx = {n}\n```\n" for n in range(100))

    found = code.read(Ask("explain", text), "explanation")

    assert [source.file for source in found.sources] == ["f0.py", "f1.py", "f2.py"]
    assert len(found.left_out) == code.NAMED_FILES + 1
    assert found.left_out[-1] == "… (+67)"


def test_of_a_very_long_text_whole_statements_of_the_beginning_are_parsed() -> None:
    text = "def f():\n    return 1\n" * MOST

    assert head("x\n" * (MOST - 1)) == "x\n" * (MOST - 1)
    assert head(text).count("\n") == MOST - 3
    assert head(text).endswith("return 1")


def test_the_beginning_of_sources_is_small_and_marked_as_cut() -> None:
    sources = [Source("a.py", dict.fromkeys(range(1, 151), "x = 1"), "python") for _ in range(3)]

    first = beginning(sources)

    assert [(len(source.lines), source.cut) for source in first] == [(150, False), (50, True)]
    assert beginning([Source("a.py", {1: "x" * 9_000}, "python")]) == []


def test_code_is_the_same_after_its_way_to_a_child_and_back() -> None:
    diff = "--- a/a.py\n+++ b/a.py\n@@ -1,2 +1,2 @@\n x = 1\n-y = 1\n+y = 2\n"
    found = code.read(Ask("look at this", diff), "review")

    assert found.removed
    assert Code.from_plain(found.as_plain()) == found


@pytest.mark.parametrize("sherpa", ["review_monk", "codebase_sherpa"])
def test_large_code_is_answered_as_in_this_process(monkeypatch: pytest.MonkeyPatch, sherpa: str) -> None:
    ask = Ask("look at this", LARGE)
    there = reply_to(sherpa, ask)
    monkeypatch.setattr(children, "SMALL", 10**6)
    monkeypatch.setattr(checking, "SMALL", 10**6)

    here = reply_to(sherpa, ask)

    assert there.text == here.text
    assert there.outcome == here.outcome


def test_an_explanation_is_plain_data() -> None:
    told = outline.explain([Source("a.py", {1: "def f(): pass"}, "python")])

    assert all(isinstance(told[key], str | list) for key in told)
