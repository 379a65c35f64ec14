"""A model's findings as the contract has them: on lines that exist, in words that it knows."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from codesherpa.analysis import lint
from codesherpa.analysis.lint import Finding
from codesherpa.sherpas.grounding import Ground, quotes
from codesherpa.sherpas.loose import as_code, as_number, as_severity, as_text
from codesherpa.sherpas.markdown import code, fence, inline
from codesherpa.sherpas.phrases import Phrases
from codesherpa.sherpas.veil import hidden

SECURITY = re.compile(
    r"inject|xss|csrf|ssrf|cross-site|secret|password|credential|token|traversal|deserial|exploit|attack|vulnerab"
    r"|insecur|security|suraksha|सुरक्षा|\beval\b|\bexec\b|pickle|hijack|escalat|unauthori[sz]ed|sanitis|sanitiz",
    re.IGNORECASE,
)

MOST = 500  # Findings of one review that are looked at: each costs a look at the code.


class Findings:
    """Takes findings one by one and keeps those that stand; `kept` are the contract's `findings`."""

    def __init__(self, ground: Ground, secret: str, words: Phrases) -> None:
        self.kept: list[dict[str, Any]] = []
        self._said: set[tuple[str, int, str]] = set()
        self._looked_at = 0
        self._ground = ground
        self._secret = secret
        self._words = words

    def render(self, raw: Any, number: int) -> str:
        """Keep a finding and return its markdown, "" where it points at nothing, says nothing or was said before."""
        self._looked_at += 1
        if self._looked_at > MOST:
            return ""
        raw = raw if isinstance(raw, dict) else {"issue": raw}
        suggestion, fix = as_text(raw.get("suggestion")).strip(), as_code(raw.get("code_fix"))
        issue = as_text(raw.get("issue")).strip() or suggestion
        file, number_given = as_text(raw.get("file")), as_number(raw.get("line"))
        place = self._ground.locate(file, number_given, quotes(issue, suggestion), fix or "")
        if not place or not issue or hidden("\n".join((issue, suggestion, fix or "")), self._secret):
            return ""
        source, line = place
        if (said := (source.file, line, issue)) in self._said:
            return ""
        self._said.add(said)
        finding = {"severity": as_severity(raw.get("severity")), "file": source.file, "line": line}
        finding |= {"issue": issue, "suggestion": suggestion, "code_fix": fix}
        self.kept.append(finding)
        return self._block(finding, number, source.language)

    def _block(self, finding: dict[str, Any], number: int, language: str) -> str:
        place = code(f"{finding['file']}:{finding['line']}")
        blocks = [f"### {number}. {finding['severity']} · {place}"]
        blocks.append(f"**{self._words.issue}:** {inline(finding['issue'])}")
        if finding["suggestion"]:
            blocks.append(f"**{self._words.suggestion}:** {inline(finding['suggestion'])}")
        if finding["code_fix"]:
            blocks.append(fence(finding["code_fix"], language))
        return "\n\n".join(blocks)


def score(kept: Iterable[dict[str, Any]]) -> int:
    """Return the quality, 1 to 10, that findings come to."""
    return lint.score(Finding(**finding, rule="") for finding in kept)


def danger(kept: Iterable[dict[str, Any]], evidence: Iterable[Finding]) -> str:
    """Return the security risk that findings come to, by what they say, and what ruff found, by its rules."""
    risks = {lint.security_risk(evidence)}
    for finding in kept:
        if SECURITY.search(f"{finding['issue']} {finding['suggestion']}"):
            risks.add("High" if finding["severity"] in ("CRITICAL", "HIGH") else "Low")
    return next(risk for risk in ("High", "Low", "None") if risk in risks)
