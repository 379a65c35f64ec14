"""What child processes do for reviews: lint sources, and see what can be seen of code that is not linted.

It imports nothing of the application, which a child would have to load.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import astuple
from typing import Any

from codesherpa.analysis import lint, tokens
from codesherpa.analysis.lint import Finding
from codesherpa.analysis.phrases import Voice, code
from codesherpa.analysis.ruff import LintError, RuffCrashed, RuffMissing, RuffTimeout
from codesherpa.analysis.rules import SEVERITIES
from codesherpa.analysis.sources import Source

MOST_FINDINGS = 1_000
KINDS: tuple[type[LintError], ...] = (RuffMissing, RuffTimeout, RuffCrashed)


def survey(sources: Iterable[tuple[int, Source]], seconds: float, one: float, all_or_none: bool) -> dict[str, Any]:
    """Check sources one after the other, and return findings and faults as plain data."""
    findings: list[Finding] = []
    faults: list[tuple[int, int, str]] = []
    give_up = time.monotonic() + seconds
    for place, source in sources:
        if faults and all_or_none:
            break
        try:
            findings += lint.lint(source, timeout=_left(give_up, one))
        except LintError as fault:
            kind = next(number for number, kind in enumerate(KINDS) if isinstance(fault, kind))
            faults.append((place, kind, str(fault)))
    ranked = sorted(findings, key=lambda finding: SEVERITIES.index(finding.severity))
    return {
        "findings": [astuple(finding) for finding in ranked[:MOST_FINDINGS]],
        "faults": faults,
        "more": max(0, len(ranked) - MOST_FINDINGS),
    }


def _left(give_up: float, one: float) -> float:
    """Return how many seconds one source has. Raises RuffTimeout where there are none left."""
    if (left := give_up - time.monotonic()) <= 0:
        raise RuffTimeout("The offline reviewer's linter took too long.")
    return min(one, left)


def see(sources: Sequence[Source], language: str) -> list[str]:
    """Say what can be seen of code in other languages, and that it is not checked."""
    return [_seen(source, Voice(language)) for source in sources]


def _seen(source: Source, voice: Voice) -> str:
    known = tokens.known(source)
    names = list(tokens.read(source).defined)[:8] if known else []
    listed = f" ({', '.join(map(code, names))})" if names else ""
    language = tokens.title(source.language) if source.language else voice.say("unknown_language")
    lines = voice.count("lines", len(source.lines))
    return voice.say("not_linted", file=source.file, language=language, lines=lines, comments=listed)
