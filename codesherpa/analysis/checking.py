"""Lints all the sources of a message, where that holds nobody up."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from codesherpa.analysis import ruff
from codesherpa.analysis.lint import Finding
from codesherpa.analysis.ruff import LintError
from codesherpa.analysis.sources import Source, beginning
from codesherpa.analysis.survey import KINDS, survey
from codesherpa.concurrency.children import SMALL, Overrun, pool, small_work

BRIEFLY = 2.0  # Seconds for the beginning of code that took too long as a whole.
FEW = 20  # Sources that are checked in this process, a run of ruff or two each.


@dataclass(frozen=True, slots=True)
class Checked:
    """What ruff found, the most severe first, and how many `more` findings there are.

    `faults` says by a source's place why it could not be checked; `limited` tells that a limit of time or memory was
    reached, and that only the beginning was checked.
    """

    findings: tuple[Finding, ...] = ()
    faults: Mapping[int, LintError] = field(default_factory=dict)
    more: int = 0
    limited: bool = False


def check(
    sources: Sequence[Source], seconds: float, one: float = ruff.TIMEOUT, *, all_or_none: bool = False
) -> Checked:
    """Check the Python among sources, for so many seconds in all and at most `one` for each.

    `all_or_none` gives up at the first that cannot be checked. A child process does it where the sources are large.
    Raises Cancelled and ModelUnavailable.
    """
    python = [(place, source) for place, source in enumerate(sources) if source.language == "python"]
    if sum(source.size for _, source in python) <= SMALL and len(python) <= FEW:
        with small_work():
            return _checked(survey(python, seconds, one, all_or_none))
    try:
        return _checked(pool().run(survey, python, seconds, one, all_or_none))
    except Overrun:
        return _first(source for _, source in python)


def _first(python: Iterable[Source]) -> Checked:
    """Check the beginning of what is too much."""
    try:
        told = pool().run(survey, [*enumerate(beginning(python))], BRIEFLY, BRIEFLY, False, seconds=BRIEFLY)
    except Overrun:
        return Checked(limited=True)
    return replace(_checked(told), faults={}, limited=True)


def _checked(told: dict[str, Any]) -> Checked:
    faults = {place: KINDS[kind](message) for place, kind, message in told["faults"]}
    return Checked(tuple(Finding(*found) for found in told["findings"]), faults, told["more"])
