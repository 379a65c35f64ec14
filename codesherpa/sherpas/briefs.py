"""Briefs about code: what every sherpa tells a provider, whatever its task."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import structlog
from prometheus_client import Counter

from codesherpa.analysis.checking import Checked, check
from codesherpa.analysis.lines import split
from codesherpa.analysis.lint import Finding
from codesherpa.analysis.sources import Source
from codesherpa.concurrency.children import SMALL, Overrun, compute, pool
from codesherpa.concurrency.fairness import Cancelled
from codesherpa.errors import ModelUnavailable
from codesherpa.providers.interface import Brief, Task, Tool, Turn
from codesherpa.sherpas import code, turns
from codesherpa.sherpas.code import Code
from codesherpa.sherpas.interface import Ask
from codesherpa.sherpas.markdown import code as span
from codesherpa.sherpas.phrases import phrases

# Seconds that ruff may take before the model is asked; it takes some 0.03 for a file.
PATIENCE = 5.0
SHORT = 2_000  # Characters.
BRIEFLY = 2.0  # Seconds for the beginning of code that took too long as a whole.

CUT = Counter("codesherpa_code_cut", "Messages of whose code a part was left out, by what was exceeded.", ["reason"])

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class CodeBrief(Brief):
    """A brief that also knows what was too much to put in."""

    left_out: tuple[str, ...] = ()


def prepare(ask: Ask, task: Task, system: str, closing: str, tool: Tool | None = None) -> CodeBrief:
    """Put an ask into words; `closing` is the sherpa's own last word after the person's.

    Python in question is linted for a review.
    """
    found, limited = _read(ask, task)
    checked = _check(found.sources) if task == "review" else None
    told = checked.findings if checked else ()
    earlier = turns.history(ask.history)
    return CodeBrief(
        task=task,
        system=system,
        context=turns.context(ask),
        turns=(*earlier, Turn("user", _turn(found, told, closing, earlier))),
        tool=tool,
        model_id=ask.model_id,
        temperature=ask.temperature,
        max_tokens=ask.max_tokens,
        sources=found.sources,
        question=found.question,
        language=ask.language,
        evidence=told if checked and not checked.faults else None,
        more_evidence=checked.more if checked else 0,
        limited=limited or bool(checked and checked.limited),
        left_out=found.left_out,
    )


def is_short(ask: Ask) -> bool:
    """Return True if an ask is read in less time than it takes to hand it to another thread."""
    said = (ask.message, ask.code_context or "", *(turn.text for turn in ask.history))
    return sum(map(len, said)) <= SHORT


def _read(ask: Ask, task: Task) -> tuple[Code, bool]:
    """Read the code of an ask, and return whether a limit kept us from reading all of it."""
    # Only what is looked at travels: the person's own turns, and none where code of an earlier turn is never meant.
    history = () if task == "reply" else tuple(turn for turn in ask.history if turn.role == "user")
    seen = Ask(ask.message, ask.code_context, history)
    if is_short(seen):
        return code.read(seen, task), False
    size = sum(len(text) for text in (ask.message, ask.code_context or "", *(turn.text for turn in history)))
    try:
        found = Code.from_plain(compute(code.read_plain, seen, task, size=size))
    except Overrun:
        CUT.labels("limit").inc()
        return _read_first(seen, task), True
    except Cancelled:  # The provider ends the reply; whatever it is asked.
        return Code(ask.message, ()), False
    CUT.labels("budget").inc(bool(found.left_out))
    return found, False


def _read_first(ask: Ask, task: Task) -> Code:
    """Read the beginning of what is too much, and name the rest as left out."""
    beside = ask.code_context or ""
    first = beside[:SMALL].rpartition("\n")[0] or beside[:SMALL]
    begin, end = (len(split(text)) for text in (first, beside)) if beside else (0, 0)
    rest = (f"code_context: {begin + 1}-{end}",) if end > begin else ()
    try:
        found = Code.from_plain(pool().run(code.read_plain, Ask(ask.message, first), task, seconds=BRIEFLY))
    except Overrun:
        return Code(ask.message, (), (f"code_context: 1-{end}",) if end else ())
    except Cancelled:
        return Code(ask.message, ())
    return replace(found, left_out=(*found.left_out, *rest))


def footer(brief: Brief) -> str:
    """Return the block that names what was left out, "" where everything went in."""
    left_out = brief.left_out if isinstance(brief, CodeBrief) else ()
    rows = [f"- {span(row)}" for row in left_out]
    return "\n".join([phrases(brief.language).left_out, "", *rows]) if rows else ""


def _check(found: Sequence[Source]) -> Checked | None:
    """Return what ruff finds within PATIENCE, None where nobody could look; a review is worth having without it."""
    try:
        checked = check(found, PATIENCE, all_or_none=True)
    except Cancelled:
        return Checked()
    except ModelUnavailable as full:
        log.warning("there is no evidence", reason=full.message)
        return None
    for fault in checked.faults.values():
        log.warning("evidence is incomplete", reason=str(fault))
    return checked


def _turn(found: Code, found_by_ruff: Sequence[Finding], closing: str, earlier: Sequence[Turn]) -> str:
    """Write the person's turn."""
    views = [(source, code.written(source, found.removed)) for source in found.sources]
    told = "\n".join(f"{one.file}:{one.line} {one.severity} {one.rule} {one.issue}" for one in found_by_ruff)
    left_out = "\n".join(found.left_out)
    texts = [text for source, view in views for text in (source.file, view)]
    word = turns.mark(found.question, told, left_out, *texts, *(turn.text for turn in earlier))
    parts = [turns.enclose("request", found.question or "(no words)", word)]
    parts += [turns.enclose("code", view, word, file=source.file, language=source.language) for source, view in views]
    parts += [turns.enclose(name, text, word) for name, text in (("evidence", told), ("left-out", left_out)) if text]
    return "\n\n".join([*parts, closing])
