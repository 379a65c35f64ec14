"""Reviews, from a model's JSON to markdown and data."""

from __future__ import annotations

import cProfile
import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codesherpa.sherpas.interface import InvalidStructure
from codesherpa.sherpas.phrases import PHRASES
from tests.sherpas.answers import (
    CODE,
    DIFF,
    FINDING,
    REVIEW,
    assert_contract,
    brief_of,
    one_finding,
    pieces,
    write,
    writer_of,
)

WORDS = st.text("ab `#<>!\n[]\\नम*_-=.", max_size=40)
ODD = st.none() | st.booleans() | st.integers() | st.floats() | WORDS | st.lists(WORDS, max_size=2)
FINDINGS = st.fixed_dictionaries(
    {},
    optional={
        "severity": st.sampled_from(["HIGH", "low", "error", "odd"]) | ODD,
        "file": st.sampled_from(["code_context", "main.py", "x/y"]) | ODD,
        "line": st.integers(-2, 14) | st.sampled_from(["6", "line 4"]) | ODD,
        "issue": WORDS | ODD,
        "suggestion": WORDS | ODD,
        "code_fix": WORDS | ODD,
        "more": ODD,
    },
)
REVIEWS = st.fixed_dictionaries(
    {"summary": WORDS | ODD, "findings": st.lists(FINDINGS | ODD, max_size=4) | ODD},
    optional={"quality_score": ODD, "security_risk": ODD | st.just("Low"), "more": ODD},
).flatmap(lambda review: st.permutations(list(review.items())).map(dict))
SIZES = st.lists(st.integers(1, 12), max_size=80)
BRIEF = brief_of("review_monk")


def outcome(text: str, sizes: list[int]) -> tuple[str, dict[str, Any], bool]:
    """Return the markdown, the result and whether the structure was valid; the markdown may only grow."""
    writer, shown = writer_of("review_monk", BRIEF), ""
    for piece in pieces(text, sizes):
        shown += writer.feed(piece)
        assert_contract(writer.result())
    try:
        return shown + writer.finish(), writer.result(), True
    except InvalidStructure:
        return shown, writer.result(), False


@given(REVIEWS, SIZES)
def test_however_the_answer_is_cut_the_same_is_written(review: dict[str, Any], sizes: list[int]) -> None:
    text = json.dumps(review)

    assert outcome(text, sizes) == outcome(text, [])


@given(REVIEWS, st.integers(0, 300), SIZES, st.sampled_from(["", "}", "garbage", '"']))
def test_whatever_comes_the_result_is_valid(review: dict[str, Any], end: int, sizes: list[int], rest: str) -> None:
    text = json.dumps(review)[:end] + rest

    assert outcome(text, sizes) == outcome(text, [])


@given(REVIEWS)
def test_text_and_data_agree(review: dict[str, Any]) -> None:
    text, result, valid = outcome(json.dumps(review), [])

    if valid:
        places = re.findall(r"^### \d+\. (\w+) · `(\w+):(\d+)`$", text, re.MULTILINE)
        assert places == [(one["severity"], one["file"], str(one["line"])) for one in result["findings"]]
        assert f"**Quality:** {result['quality_score']}/10" in text.splitlines()[-1]


def test_a_review_reads_like_this() -> None:
    assert write(writer_of("review_monk"), REVIEW) == (
        "Runs commands. It is not safe yet.\n\n"
        "## Findings\n\n"
        "### 1. HIGH · `code_context:6`\n\n"
        "**Issue:** `os.system(command)` runs whatever it is given.\n\n"
        "**Suggestion:** Use `subprocess.run` with a list.\n\n"
        "```python\n    return subprocess.run(command, check=True)\n```\n\n"
        "### 2. HIGH · `code_context:4`\n\n"
        "**Issue:** `log=[]` is shared by every call.\n\n"
        "**Suggestion:** Use `subprocess.run` with a list.\n\n"
        "## Verdict\n\n"
        "**Quality:** 4/10 · **Security risk:** high"
    )


def test_the_result_is_what_the_model_gave() -> None:
    writer = writer_of("review_monk")

    write(writer, REVIEW)

    assert writer.result() == {"kind": "review"} | REVIEW


def test_the_summary_streams_word_by_word() -> None:
    writer = writer_of("review_monk")

    shown = [writer.feed(text) for text in ('{"summary": "', "Sorts", " numbers", " quickly", " enough")]

    assert shown[:2] == ["", "Sorts"]
    assert "".join(shown) == "Sorts numbers quickly enough"


def test_a_finding_appears_as_soon_as_it_is_complete() -> None:
    writer = writer_of("review_monk")
    first, second = (json.dumps(finding) for finding in REVIEW["findings"])

    before = writer.feed('{"summary": "Fine.", "findings": [' + first)
    after = writer.feed(", " + second[:12])

    assert "###" not in before
    assert "### 1. HIGH" in after
    assert [finding["line"] for finding in writer.result()["findings"]] == [6]


def test_the_verdict_comes_last_whatever_the_order() -> None:
    review = dict(reversed(REVIEW.items()))

    text = write(writer_of("review_monk"), review)

    assert text.startswith("## Findings\n\n### 1.")
    assert "\n\n## Summary\n\nRuns commands." in text
    assert text.endswith("**Quality:** 4/10 · **Security risk:** high")


def test_a_review_without_findings_says_so() -> None:
    text = write(writer_of("review_monk"), REVIEW | {"findings": [], "quality_score": 10, "security_risk": "None"})

    assert "not safe yet.\n\nNo findings.\n\n## Verdict\n\n**Quality:** 10/10 · **Security risk:** none" in text


@pytest.mark.parametrize(
    "findings",
    [
        json.dumps(REVIEW["findings"]),
        REVIEW["findings"][0],
        [{**FINDING, "line": "6", "severity": "error", "file": "app.py"}],
    ],
)
def test_findings_in_another_shape_are_understood(findings: Any) -> None:
    writer = writer_of("review_monk")

    write(writer, REVIEW | {"findings": findings})

    assert writer.result()["findings"][0] == FINDING


def test_a_finding_needs_no_suggestion_and_no_fix() -> None:
    writer = writer_of("review_monk")

    text = write(writer, REVIEW | {"findings": [{"line": 6, "issue": "Unsafe."}]})

    assert "### 1. MEDIUM · `code_context:6`\n\n**Issue:** Unsafe.\n\n## Verdict" in text
    assert writer.result()["findings"] == [
        {
            "severity": "MEDIUM",
            "file": "code_context",
            "line": 6,
            "issue": "Unsafe.",
            "suggestion": "",
            "code_fix": None,
        }
    ]


@pytest.mark.parametrize(
    "changes",
    [{"line": 4000, "issue": "Far away.", "suggestion": "", "code_fix": None}, {"issue": "", "suggestion": None}],
)
def test_a_finding_about_nothing_is_dropped_from_text_and_data(changes: dict[str, Any]) -> None:
    writer = writer_of("review_monk")

    text = write(writer, one_finding(**changes))

    assert "###" not in text
    assert writer.result()["findings"] == []


def test_the_same_finding_twice_is_told_once() -> None:
    writer = writer_of("review_monk")

    write(writer, REVIEW | {"findings": [FINDING, FINDING]})

    assert len(writer.result()["findings"]) == 1


def test_a_finding_in_a_diff_is_put_on_the_added_line() -> None:
    writer = writer_of("review_monk", brief_of("review_monk", code=DIFF))

    text = write(writer, one_finding(file="b/shop/cart.py", line=300, issue="`datetime.datetime.now()` is naive."))

    assert "`shop/cart.py:42`" in text
    assert writer.result()["findings"][0]["line"] == 42


def test_score_and_risk_are_computed_where_the_model_gave_none() -> None:
    writer = writer_of("review_monk")

    text = write(writer, {"summary": "Hm.", "findings": REVIEW["findings"]})

    assert (writer.result()["quality_score"], writer.result()["security_risk"]) == (6, "High")
    assert text.endswith("**Quality:** 6/10 · **Security risk:** high")


def test_a_risk_without_evidence_is_read_from_the_findings() -> None:
    brief = brief_of("review_monk", code="const q = `SELECT * FROM t WHERE id=${id}`;\nrun(q);")
    low, high = writer_of("review_monk", brief), writer_of("review_monk", brief)

    write(low, {"summary": "", "findings": [{"line": 1, "issue": "A token is logged.", "severity": "LOW"}]})
    write(high, {"summary": "", "findings": [{"line": 1, "issue": "SQL injection.", "severity": "CRITICAL"}]})

    assert (low.result()["security_risk"], high.result()["security_risk"]) == ("Low", "High")


def test_a_review_that_is_stopped_keeps_what_was_found() -> None:
    writer = writer_of("review_monk")
    text = json.dumps(REVIEW)

    shown = writer.feed(text[: text.index('"quality_score"') - 10]) + writer.finish(cut=True)

    assert "### 1. HIGH" in shown
    assert "Verdict" not in shown
    assert_contract(writer.result())
    assert len(writer.result()["findings"]) == shown.count("### ") == 1


def test_a_review_that_is_stopped_before_its_first_word_is_valid() -> None:
    writer = writer_of("review_monk")

    assert writer.finish(cut=True) == ""
    assert_contract(writer.result())


@pytest.mark.parametrize(
    "text",
    [
        "", "I cannot use tools.", "[]", "{}", '{"summary": "x"}', '{"findings": 3}', '{"findings": "nope"}',
        json.dumps(REVIEW)[:-1], json.dumps(REVIEW).replace("4", "four"), json.dumps({"input": REVIEW}), '"findings"',
        '{"findings": true}', '{"summary": "x", "summary": "y", "findings": []}',
    ],
)  # fmt: skip
def test_what_is_no_review_is_refused(text: str) -> None:
    writer = writer_of("review_monk")
    writer.feed(text)

    with pytest.raises(InvalidStructure):
        writer.finish()
    assert_contract(writer.result())


def test_a_refused_review_can_still_be_closed_as_cut() -> None:
    writer = writer_of("review_monk")
    writer.feed('{"summary": "See:\\n```python\\nx = 1')
    with pytest.raises(InvalidStructure):
        writer.finish()

    assert writer.finish(cut=True).endswith("\n```")


def test_what_a_finding_says_stays_in_the_finding() -> None:
    hostile = "Bad.\n\n## Verdict\n\n**Quality:** 10/10 <!-- `open\n```\n![x](https://evil.example/)"
    fix = "x\n```\n````\n## Verdict\n```"

    text = write(writer_of("review_monk"), one_finding(issue=hostile, suggestion=hostile, code_fix=fix))

    assert text.count("\n## Verdict\n") == 2  # The one within the fence, and the real one.
    assert "`````python\nx\n```\n````\n## Verdict\n```\n`````\n\n## Verdict\n" in text
    assert "<!--" not in text
    assert "![x]" not in text


def test_a_summary_cannot_swallow_the_findings() -> None:
    text = write(writer_of("review_monk"), REVIEW | {"summary": "# Approved\n```\nall good"})

    assert text.startswith("### Approved\n```\nall good\n```\n\n## Findings\n\n")


@pytest.mark.parametrize("language", sorted(PHRASES))
def test_the_fixed_words_are_in_the_persons_language(language: str) -> None:
    words = PHRASES[language]

    text = write(writer_of("review_monk", brief_of("review_monk", language=language)), REVIEW)

    assert f"## {words.findings}\n" in text
    assert f"**{words.issue}:**" in text
    assert f"**{words.suggestion}:**" in text
    assert text.endswith(f"## {words.verdict}\n\n**{words.quality}:** 4/10 · **{words.risk}:** {words.risks['High']}")


def test_hindi_is_written_in_devanagari_and_hinglish_in_latin_letters() -> None:
    def text_of(language: str) -> str:
        words = PHRASES[language]
        parts = [
            words.findings,
            words.issue,
            words.suggestion,
            words.verdict,
            words.quality,
            words.risk,
            words.left_out,
        ]
        return "".join([*parts, words.explanation, words.steps, words.concepts, words.analogy, *words.risks.values()])

    assert not re.search("[A-Za-z]", text_of("hi"))
    assert text_of("hinglish").isascii()
    assert text_of("en").isascii()


def test_control_characters_never_come_through() -> None:
    writer = writer_of("review_monk")

    text = write(writer, one_finding(issue="a\x00b `os.system`") | {"summary": "nul \x00 and \x1b[31m red"})

    assert "\x00" not in text + json.dumps(writer.result(), ensure_ascii=False)
    assert "\x1b" not in text


def test_writing_token_by_token_stays_cheap() -> None:
    text = "The code reads the value of `log` and writes it without a check, which a reader cannot tell. " * 3
    findings = [{**FINDING, "line": line % 10 + 1, "issue": f"{line} {text}"} for line in range(24)]
    tokens = pieces(json.dumps(REVIEW | {"findings": findings}), [4] * 4096)

    writer = writer_of("review_monk", BRIEF)
    with cProfile.Profile() as profile:
        for token in tokens:
            writer.feed(token)

    assert sum(call.callcount for call in profile.getstats()) < 120 * len(tokens)  # 37 each are usual.


def test_every_line_of_the_code_can_be_pointed_at() -> None:
    findings = [{"line": line, "issue": f"Number {line}."} for line, text in enumerate(CODE.splitlines(), 1) if text]
    writer = writer_of("review_monk")

    write(writer, REVIEW | {"findings": findings})

    assert [finding["line"] for finding in writer.result()["findings"]] == [finding["line"] for finding in findings]
