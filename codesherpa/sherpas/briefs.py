"""Briefs about code: what every sherpa tells a provider, whatever its task."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import structlog

from codesherpa.analysis import lint
from codesherpa.analysis.lint import Finding
from codesherpa.analysis.ruff import LintError
from codesherpa.analysis.sources import Source
from codesherpa.concurrency import offload
from codesherpa.providers.interface import Brief, Task, Tool, Turn
from codesherpa.sherpas import code, turns
from codesherpa.sherpas.code import Code
from codesherpa.sherpas.interface import Ask
from codesherpa.sherpas.markdown import code as span
from codesherpa.sherpas.phrases import phrases

# Seconds that ruff may take before the model is asked; it takes some 0.03 for a file.
PATIENCE = 5.0
SHORT = 2_000  # Characters.

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class CodeBrief(Brief):
    """A brief that also knows what was too much to put in."""

    left_out: tuple[str, ...] = ()


def prepare(ask: Ask, task: Task, system: str, closing: str, tool: Tool | None = None) -> CodeBrief:
    """Put an ask into words; `closing` is the sherpa's own last word after the person's.

    Python in question is linted for a review.
    """
    found = code.read(ask, task) if is_short(ask) else offload(code.read, ask, task)
    told, whole = _lint(found.sources) if task == "review" else ((), False)
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
        evidence=told if whole else None,
        left_out=found.left_out,
    )


def is_short(ask: Ask) -> bool:
    """Tell whether an ask is read in less time than it takes to hand it to another thread."""
    said = (ask.message, ask.code_context or "", *(turn.text for turn in ask.history))
    return sum(map(len, said)) <= SHORT


def footer(brief: Brief) -> str:
    """Return the block that names what was left out, "" where everything went in."""
    left_out = brief.left_out if isinstance(brief, CodeBrief) else ()
    rows = [f"- {span(row)}" for row in left_out]
    return "\n".join([phrases(brief.language).left_out, "", *rows]) if rows else ""


def _lint(found: Iterable[Source]) -> tuple[tuple[Finding, ...], bool]:
    """Return what ruff finds within PATIENCE, and whether it saw everything; a review is worth having without it."""
    told: list[Finding] = []
    give_up = time.monotonic() + PATIENCE
    for source in found:
        if (left := give_up - time.monotonic()) <= 0:
            return tuple(told), False
        try:
            told += lint.lint(source, timeout=left)
        except LintError as fault:
            log.warning("evidence is incomplete", reason=str(fault))
            return tuple(told), False
    return tuple(told), True


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
