"""The review that needs no model, in the contract's shape."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from codesherpa.analysis import tokens
from codesherpa.analysis.lint import Finding, lint, score, security_risk
from codesherpa.analysis.phrases import Voice, code
from codesherpa.analysis.ruff import LintError, RuffMissing, RuffTimeout
from codesherpa.analysis.rules import SEVERITIES
from codesherpa.analysis.sources import Source
from codesherpa.concurrency import offload
from codesherpa.errors import ModelError, ModelTimeout

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
    checked: int = 0
    diffs: bool = False
    notes: list[str] = field(default_factory=list)
    late: LintError | None = None


def make(
    sources: Sequence[Source], voice: Voice, stopped: threading.Event, evidence: Sequence[Finding] | None = None
) -> dict[str, Any]:
    """Return summary, findings (the most severe first), quality score and security risk.

    `evidence` is what ruff found in the sources, None where nobody has looked yet. Gives up between two files where
    `stopped` is set. Raises ModelError where ruff is missing, ModelTimeout
    where it was too slow for every file.
    """
    done = _Review()
    deadline = time.monotonic() + _ALL
    for source in sources[:_MOST_FILES]:
        if stopped.is_set():
            break
        _look(done, source, voice, deadline - time.monotonic(), known=evidence is not None)
    done.findings += evidence or ()
    if done.late and not done.checked:
        raise ModelTimeout(str(done.late)) from done.late
    if len(sources) > _MOST_FILES:
        done.notes.append(voice.say("too_many", n=len(sources) - _MOST_FILES))
    return _shape(done, bool(sources), voice)


def _look(done: _Review, source: Source, voice: Voice, seconds: float, *, known: bool) -> None:
    """Check one file unless its findings are `known`, or say why that cannot be done."""
    file = source.file
    if not source.lines or source.added == frozenset():
        done.notes.append(voice.say("nothing_added" if source.lines else "nothing_shown", file=file))
    elif source.language != "python":
        done.notes.append(offload(_seen, source, voice))
    else:
        try:
            done.findings += () if known else lint(source, timeout=max(0.1, min(_ONE, seconds)))
        except RuffMissing as missing:
            raise ModelError(str(missing)) from missing
        except LintError as failed:
            done.late = failed if isinstance(failed, RuffTimeout) else done.late
            done.notes.append(voice.say("not_checked", file=file, reason=str(failed)))
        else:
            done.checked += 1
            done.diffs = done.diffs or source.added is not None


def _seen(source: Source, voice: Voice) -> str:
    """Say what can be seen of code in another language, and that it is not checked."""
    known = tokens.known(source)
    names = list(tokens.read(source).defined)[:8] if known else []
    listed = f" ({', '.join(map(code, names))})" if names else ""
    language = tokens.title(source.language) if source.language else voice.say("unknown_language")
    lines = voice.count("lines", len(source.lines))
    return voice.say("not_linted", file=source.file, language=language, lines=lines, comments=listed)


def _shape(done: _Review, any_sources: bool, voice: Voice) -> dict[str, Any]:
    ranked = sorted(done.findings, key=lambda finding: SEVERITIES.index(finding.severity))
    shown = [{key: value for key, value in asdict(one).items() if key != "rule"} for one in ranked[:_MOST_FINDINGS]]
    return {
        "summary": " ".join([voice.say("offline_review"), *_summary(done, ranked, any_sources, voice)]),
        "findings": shown,
        "quality_score": score(ranked) if done.checked else _UNKNOWN,
        "security_risk": security_risk(ranked),
    }


def _summary(done: _Review, ranked: Sequence[Finding], any_sources: bool, voice: Voice) -> Iterator[str]:
    if not any_sources:
        yield voice.say("send_review")
    if done.checked:
        found = voice.count("findings", len(ranked)) if ranked else voice.say("no_findings")
        yield voice.say("reviewed", files=voice.count("files", done.checked), findings=found)
    if ranked:
        worst = ranked[0]
        yield voice.say("worst", issue=worst.issue, file=worst.file, line=worst.line)
    if done.diffs:
        yield voice.say("added_only")
    yield from done.notes
    if len(ranked) > _MOST_FINDINGS:
        yield voice.say("more_findings", n=len(ranked) - _MOST_FINDINGS)
    yield voice.say("limits" if done.checked else "score_of_nothing")


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
