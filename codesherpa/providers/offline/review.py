"""The review that needs no model, in the contract's shape."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from codesherpa.analysis.checking import Checked, check
from codesherpa.analysis.lint import Finding, score, security_risk
from codesherpa.analysis.phrases import Voice, code
from codesherpa.analysis.ruff import LintError, RuffMissing, RuffTimeout
from codesherpa.analysis.rules import SEVERITIES
from codesherpa.analysis.sources import Source
from codesherpa.analysis.survey import see
from codesherpa.concurrency.children import Overrun, compute
from codesherpa.errors import ModelError, ModelTimeout
from codesherpa.providers.interface import Brief

_MOST_FILES = 100
_MOST_FINDINGS = 200
# Seconds for all files together, and the most for one.
_ALL = 20.0
_ONE = 10.0
# The score where nothing could be judged: the contract wants a number, and the summary says what it is worth.
_UNKNOWN = 5


@dataclass(slots=True)
class _Review:
    findings: list[Finding] = field(default_factory=list)
    more: int = 0
    checked: int = 0
    diffs: bool = False
    notes: list[str] = field(default_factory=list)
    late: LintError | None = None


def make(brief: Brief, voice: Voice) -> dict[str, Any]:
    """Return summary, findings (the most severe first), quality score and security risk.

    Checks the brief's sources unless that has been done. Raises ModelError where ruff is missing, ModelTimeout where
    it was too slow for every file, Cancelled and ModelUnavailable.
    """
    sources = brief.sources[:_MOST_FILES]
    if brief.evidence is not None:
        checked = Checked(brief.evidence, more=brief.more_evidence, limited=brief.limited)
    else:
        checked = check(sources, seconds=_ALL, one=_ONE)
    seen, limited = _see(sources, voice.language)
    done = _Review(list(checked.findings), checked.more)
    for place, source in enumerate(sources):
        _look(done, source, seen.get(place), checked, place, voice)
    if done.late and not done.checked:
        raise ModelTimeout(str(done.late)) from done.late
    if len(brief.sources) > _MOST_FILES:
        done.notes.append(voice.say("too_many", n=len(brief.sources) - _MOST_FILES))
    if limited or checked.limited or brief.limited:
        done.notes.insert(0, voice.say("too_large"))
    return _shape(done, bool(brief.sources) or brief.limited, voice)


def _look(done: _Review, source: Source, seen: str | None, checked: Checked, place: int, voice: Voice) -> None:
    """Count one file as checked, or say why it was not."""
    fault = checked.faults.get(place)
    if not _has_lines(source):
        done.notes.append(voice.say("nothing_added" if source.lines else "nothing_shown", file=source.file))
    elif source.language != "python":
        done.notes += [seen] if seen else []
    elif isinstance(fault, RuffMissing):
        raise ModelError(str(fault)) from fault
    elif fault:
        done.late = fault if isinstance(fault, RuffTimeout) else done.late
        done.notes.append(voice.say("not_checked", file=source.file, reason=str(fault)))
    elif not checked.limited:
        done.checked += 1
        done.diffs = done.diffs or source.added is not None


def _has_lines(source: Source) -> bool:
    return bool(source.lines) and source.added != frozenset()


def _see(sources: Sequence[Source], language: str) -> tuple[dict[int, str], bool]:
    """Say what can be seen of each source in another language, by its place, and whether a limit was reached."""
    others = [(place, one) for place, one in enumerate(sources) if _has_lines(one) and one.language != "python"]
    if not others:
        return {}, False
    try:
        told = compute(see, [one for _, one in others], language, size=sum(one.size for _, one in others))
    except Overrun:
        return {}, True
    return dict(zip((place for place, _ in others), told, strict=True)), False


def _shape(done: _Review, any_sources: bool, voice: Voice) -> dict[str, Any]:
    ranked = sorted(done.findings, key=lambda finding: SEVERITIES.index(finding.severity))
    shown = [{key: value for key, value in asdict(one).items() if key != "rule"} for one in ranked[:_MOST_FINDINGS]]
    return {
        "summary": " ".join([voice.say("offline_review"), *_summary(done, ranked, any_sources, voice)]),
        "findings": shown,
        "quality_score": score(ranked) if done.checked or ranked else _UNKNOWN,
        "security_risk": security_risk(ranked),
    }


def _summary(done: _Review, ranked: Sequence[Finding], any_sources: bool, voice: Voice) -> Iterator[str]:
    if not any_sources:
        yield voice.say("send_review")
    if done.checked:
        found = voice.count("findings", len(ranked) + done.more) if ranked else voice.say("no_findings")
        yield voice.say("reviewed", files=voice.count("files", done.checked), findings=found)
    if ranked:
        worst = ranked[0]
        yield voice.say("worst", issue=worst.issue, file=worst.file, line=worst.line)
    if done.diffs:
        yield voice.say("added_only")
    yield from done.notes
    if len(ranked) > _MOST_FINDINGS:
        yield voice.say("more_findings", n=len(ranked) + done.more - _MOST_FINDINGS)
    yield voice.say("limits" if done.checked or ranked else "score_of_nothing")


def markdown(review: dict[str, Any], voice: Voice) -> str:
    """Write a review for a person."""
    blocks = [review["summary"]]
    for finding in review["findings"]:
        place = code(f"{finding['file']}:{finding['line']}")
        blocks.append(f"**{finding['severity']}** · {place} · {finding['issue']}")
        blocks.append(voice.say("suggestion", suggestion=finding["suggestion"]))
        if finding["code_fix"]:
            blocks.append(f"~~~~python\n{finding['code_fix']}\n~~~~")
    verdict = {"score": review["quality_score"], "risk": review["security_risk"]}
    return "\n\n".join([*blocks, voice.say("verdict", **verdict)])
