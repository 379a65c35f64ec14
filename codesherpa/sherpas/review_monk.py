"""Reviews code and diffs: findings that point at lines, a score, a risk."""

from __future__ import annotations

from typing import Any

from codesherpa.providers.interface import Brief, Tool
from codesherpa.sherpas import prompts
from codesherpa.sherpas.briefs import footer, prepare
from codesherpa.sherpas.findings import Findings, danger, score
from codesherpa.sherpas.grounding import Ground
from codesherpa.sherpas.interface import Ask, Writer
from codesherpa.sherpas.loose import as_risk, as_score, is_list
from codesherpa.sherpas.page import Listing, Page, Part, Passage, Value
from codesherpa.sherpas.phrases import phrases

CLOSING = "Review the code above with the tool give_review."

FINDING = {
    "type": "object",
    "properties": {
        "severity": {"type": "string", "enum": ["CRITICAL", "HIGH", "MEDIUM", "LOW"]},
        "file": {"type": "string", "description": "The file's name, exactly as the [code] line gives it."},
        "line": {"type": "integer", "minimum": 1, "description": "The number before the bar of the row in question."},
        "issue": {"type": "string", "description": "What goes wrong, when, and with what result."},
        "suggestion": {"type": "string", "description": "What to do instead, and why."},
        "code_fix": {"type": ["string", "null"], "description": "The lines that replace the wrong ones, or null."},
    },
    "required": ["severity", "file", "line", "issue", "suggestion", "code_fix"],
    "additionalProperties": False,
}
TOOL = Tool(
    "give_review",
    "Give the review of the code in the turn.",
    {
        "type": "object",
        "properties": {
            "summary": {"type": "string", "description": "Two to four sentences."},
            "findings": {"type": "array", "items": FINDING, "description": "The most severe first, or none."},
            "quality_score": {"type": "integer", "minimum": 1, "maximum": 10},
            "security_risk": {"type": "string", "enum": ["None", "Low", "High"]},
        },
        "required": ["summary", "findings", "quality_score", "security_risk"],
        "additionalProperties": False,
    },
)


class ReviewMonk:
    """Reviews, in the contract's structure."""

    name = "review_monk"

    def brief(self, ask: Ask) -> Brief:
        """Ask for a review, with what ruff found as evidence."""
        return prepare(ask, "review", prompts.REVIEW, CLOSING, TOOL)

    def writer(self, brief: Brief) -> Writer:
        """Write the review as it comes."""
        return ReviewWriter(brief)


class ReviewWriter:
    """Writes the summary word by word, each finding when it is complete and stands, the verdict last."""

    def __init__(self, brief: Brief) -> None:
        self._words = phrases(brief.language)
        self._evidence = brief.evidence or ()
        self._footer = footer(brief)
        self._findings = Findings(Ground(brief.sources), brief.system, self._words)
        self._summary = Passage(self._words.summary, brief.system)
        self._score, self._risk = Value(), Value()
        parts: dict[str, Part] = {
            "summary": self._summary,
            "findings": Listing(self._words.findings, self._findings.render, gap="\n\n"),
            "quality_score": self._score,
            "security_risk": self._risk,
        }
        self._page = Page(parts, opening="summary")

    def feed(self, text: str) -> str:
        """Take the next of the tool's JSON."""
        return self._page.feed(text)

    def finish(self, cut: bool = False) -> str:
        """Write the rest and the verdict; of a review that was cut, no verdict that the model did not give."""
        shown = self._page.finish(cut, {"findings": is_list})
        if not (cut or self._findings.kept):
            shown += self._page.block(self._words.no_findings)
        if not cut or as_score(self._score.value) is not None:
            shown += self._page.block(self._verdict())
        return shown + self._page.block(self._footer)

    def result(self) -> dict[str, Any]:
        """Return the review so far."""
        return {
            "kind": "review",
            "summary": self._summary.text.strip() or self._count(),
            "findings": list(self._findings.kept),
            "quality_score": self._quality(),
            "security_risk": self._danger(),
        }

    def _verdict(self) -> str:
        words, risk = self._words, self._words.risks[self._danger()]
        return f"## {words.verdict}\n\n**{words.quality}:** {self._quality()}/10 · **{words.risk}:** {risk}"

    def _count(self) -> str:
        """Return a summary where the model gave none."""
        count = len(self._findings.kept)
        return self._words.counted.format(count) if count else self._words.no_findings

    def _quality(self) -> int:
        """Return the model's score, or the one that the findings come to."""
        given = as_score(self._score.value)
        return score(self._findings.kept) if given is None else given

    def _danger(self) -> str:
        """Return the model's risk, or the one that the findings come to."""
        return as_risk(self._risk.value) or danger(self._findings.kept, self._evidence)
