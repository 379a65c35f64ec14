"""The review that needs no model: ruff's findings in words for a person."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import Literal

from codesherpa.analysis import fixes, fragment, ruff
from codesherpa.analysis.fragment import Fragment
from codesherpa.analysis.lines import indent, split
from codesherpa.analysis.ruff import Diagnostic
from codesherpa.analysis.rules import IN_TESTS, NO_SECRET, ORDER, RULES, SEVERITIES, Rule, Severity
from codesherpa.analysis.sources import Source
from codesherpa.concurrency import offload

_WEIGHT: Mapping[str, float] = {"CRITICAL": 3, "HIGH": 2, "MEDIUM": 1, "LOW": 0.25}
# Modules that code torn out of its file uses without their import: with it ruff knows what is called.
_MODULES = (
    *("asyncio", "ftplib", "functools", "hashlib", "httpx", "itertools", "jinja2", "json", "logging", "marshal", "os"),
    *("paramiko", "pickle", "random", "requests", "shelve", "shutil", "socket", "ssl", "subprocess", "sys", "tarfile"),
    *("telnetlib", "tempfile", "threading", "time", "warnings", "yaml"),
)
_IMPORTS = {module: f"import {module}" for module in _MODULES} | {
    "Path": "from pathlib import Path",
    "Flask": "from flask import Flask",
    "Decimal": "from decimal import Decimal",
    "date": "from datetime import date",
    "dt": "import datetime as dt",
    "lru_cache": "from functools import lru_cache",
    "sleep": "from time import sleep",
    "Thread": "from threading import Thread",
    "Lock": "from threading import Lock",
    "Popen": "from subprocess import Popen",
    "check_output": "from subprocess import check_output",
    "ET": "import xml.etree.ElementTree as ET",
    "mark_safe": "from django.utils.safestring import mark_safe",
    "dataclass": "from dataclasses import dataclass",
    "ContextVar": "from contextvars import ContextVar",
    "urlopen": "from urllib.request import urlopen",
}
_QUOTED = re.compile(r"[`\"]([^`\"]{1,80})[`\"]")


@dataclass(frozen=True, slots=True)
class Finding:
    """One fault, in one place: `line` counts in `file` as its Source does. `rule` is ruff's code."""

    severity: Severity
    file: str
    line: int
    issue: str
    suggestion: str
    code_fix: str | None
    rule: str


def lint(source: Source, timeout: float = ruff.TIMEOUT) -> tuple[Finding, ...]:
    """Review a Python source, the most severe first; of a diff only the lines that it adds.

    () for another language. Raises LintError where ruff is missing, breaks off or takes more than `timeout`
    seconds. What computes leaves the hub.
    """
    if source.language != "python" or not source.lines or source.added == frozenset():
        return ()
    built = offload(fragment.build, source)
    if built.fault and built.fault.message == fragment.DEEP:
        return (_syntax(source, built.fault),)
    if built.fault and not _confirmed(source, built.fault, timeout):
        built = fragment.plain(source) if source.added is None and not source.cut else replace(built, fault=None)
    found = _check(built.text, source, timeout)
    return offload(_tell, source, built, found)


def _confirmed(source: Source, fault: fragment.Fault, timeout: float) -> bool:
    """Ask ruff whether code is wrong, or only newer than the Python that runs here."""
    if source.added is None:
        text = fragment.plain(source).text
    else:
        line = source.lines[fault.line].strip()
        text = f"{line} pass" if line.endswith(":") else line
    return any(found.code == ruff.SYNTAX for found in ruff.check(text, ["E9"], timeout=timeout))


def _check(text: str, source: Source, timeout: float) -> list[Diagnostic]:
    """Run ruff, and once more with the imports that the code takes for granted."""
    base = PurePosixPath(source.file).name
    name = base if base == "__init__.py" else "source.pyi" if base.endswith(".pyi") else "source.py"
    found = ruff.check(text, RULES, name, timeout)
    if not (preamble := _preamble(text, found)):
        return found
    more = ruff.check(f"{preamble}\n{text}", [code for code in RULES if not RULES[code].whole], name, timeout)
    seen = {(one.code, one.start) for one in found}
    return found + [one for one in map(_up, more) if (one.code, one.start) not in seen and one.code != ruff.SYNTAX]


def _preamble(text: str, found: Iterable[Diagnostic]) -> str:
    """Return, in one line, the imports of well-known modules that are used and not there."""
    missing = {one.message.split("`")[1] for one in found if one.code == "F821" and "`" in one.message}
    imports = [statement for name, statement in _IMPORTS.items() if name in missing]
    if "datetime" in missing:
        module = re.search(r"\bdatetime\.(?:datetime|date|time|timezone|timedelta|UTC)\b", text)
        imports.append("import datetime" if module else "from datetime import datetime")
    return "; ".join(imports)


def _up(found: Diagnostic) -> Diagnostic:
    """Move what was found one row up, past the preamble."""
    edits = tuple(
        ruff.Edit((edit.start[0] - 1, edit.start[1]), (edit.end[0] - 1, edit.end[1]), edit.text) for edit in found.edits
    )
    start, end = found.start, found.end
    return Diagnostic(found.code, found.message, (start[0] - 1, start[1]), (end[0] - 1, end[1]), edits)


def _tell(source: Source, built: Fragment, found: Iterable[Diagnostic]) -> tuple[Finding, ...]:
    """Turn what ruff found into findings, one for each fault on a line."""
    rows = split(built.text)
    told: dict[tuple[int, str], Finding] = {}
    if fault := built.fault or _semantic(source, built, found):
        told[fault.line, ruff.SYNTAX] = _syntax(source, fault)
    whole = source.whole and not built.unread
    for one in sorted(found, key=lambda one: (ORDER.get(one.code, 0), one.start)):
        rule = RULES.get(one.code)
        line = _line(source, built, one) if rule else 0
        if not rule or not line or (rule.whole and not whole):
            continue
        finding = _finding(source, rule, one, line, rows)
        key = (line, rule.fault or finding.issue)
        if key not in told and _fits(rule, finding, source, line):
            told[key] = replace(finding, code_fix=fixes.lines_after(one, rows))
    return tuple(sorted(_once(told.values()), key=lambda finding: (SEVERITIES.index(finding.severity), finding.line)))


def _semantic(source: Source, built: Fragment, found: Iterable[Diagnostic]) -> fragment.Fault | None:
    """Return what only ruff's parser refuses in a whole file, such as a `nonlocal` that binds nothing."""
    first = next((one for one in found if one.code == ruff.SYNTAX), None)
    if first is None or not source.whole or built.unread:
        return None
    line = built.rows[min(first.start[0], len(built.rows)) - 1]
    return fragment.Fault(line, first.start[1], first.message) if line else None


def _syntax(source: Source, fault: fragment.Fault) -> Finding:
    said = fault.message[:1].lower() + fault.message[1:]
    issue = f"The code does not parse: line {fault.line}, column {fault.column}: {said}"
    mend = "Correct the syntax here: nothing runs until it parses."
    return Finding("HIGH", source.file, fault.line, issue, mend, None, ruff.SYNTAX)


def _line(source: Source, built: Fragment, found: Diagnostic) -> int:
    """Return the source's line that a finding is about, 0 where it is about none in question."""
    rows = built.rows[found.start[0] - 1 : max(found.end[0], found.start[0])]
    if not rows or not rows[0] or rows[0] in built.unread:
        return 0
    if source.added is None or rows[0] in source.added:
        return rows[0]
    return next((row for row in rows if row in source.added), 0)


def _finding(source: Source, rule: Rule, found: Diagnostic, line: int, rows: Sequence[str]) -> Finding:
    """Put what ruff found into words, without its fix."""
    calm = bool(rule.calm_issue) and "seems safe" in found.message
    words = _words(found, rows)
    issue = (rule.calm_issue if calm else rule.issue).format_map(words)
    severity = _severity(source, rule, found.code, calm)
    return Finding(severity, source.file, line, issue, rule.suggestion.format_map(words), None, found.code)


def _severity(source: Source, rule: Rule, code: str, calm: bool) -> Severity:
    if calm or (code == "F821" and source.file in ("message", "code_context")):
        # A snippet without a name is seldom all that there is.
        return "MEDIUM"
    return rule.tests if rule.tests and IN_TESTS.search(source.file) else rule.severity


def _words(found: Diagnostic, rows: Sequence[str]) -> dict[str, str]:
    """Return what an issue may name."""
    row = rows[found.start[0] - 1]
    end = found.end[1] - 1 if found.end[0] == found.start[0] else len(row)
    code = row[found.start[1] - 1 : min(end, found.start[1] + 100)].strip()
    quoted = _QUOTED.search(found.message)
    argument = re.search(r"(\w+)\s*(?::[^=]*)?=\s*$", row[max(0, found.start[1] - 100) : found.start[1] - 1])
    return {
        "code": code if len(code) <= 60 else f"{code[:57]}...",
        "name": quoted[1] if quoted else code[:60],
        "argument": argument[1] if argument else "an argument",
        "message": found.message[:200].replace("`", ""),
    }


def _fits(rule: Rule, finding: Finding, source: Source, line: int) -> bool:
    """Tell whether a rule that guesses by names guesses well here, and whether it holds for tests."""
    if (rule.tests == "" and IN_TESTS.search(source.file)) or (rule.block and not _sees_end(source, line)):
        return False
    if rule.fault == "secret":
        return not any(NO_SECRET.search(name) for name in _QUOTED.findall(finding.issue))
    if not rule.near:
        return True
    around = " ".join(source.lines.get(number, "")[:200] for number in range(line - 6, line + 2))
    return bool(re.search(rule.near, around, re.IGNORECASE))


def _sees_end(source: Source, line: int) -> bool:
    """Tell whether the block that begins on a line ends in what is known."""
    margin = indent(source.lines[line])
    while not source.whole and (after := source.lines.get(line := line + 1)) is not None:
        if after.strip() and indent(after) <= margin:
            return True
    return source.whole


def _once(found: Iterable[Finding]) -> list[Finding]:
    """Tell an undefined name once, where it is first used."""
    kept: list[Finding] = []
    names: set[str] = set()
    for finding in sorted(found, key=lambda finding: finding.line):
        if finding.rule == "F821" and finding.issue in names:
            continue
        names.add(finding.issue)
        kept.append(finding)
    return kept


def score(findings: Iterable[Finding]) -> int:
    """Return the quality from 1 to 10: ten less 3 for each CRITICAL, 2 for each HIGH, 1 for each MEDIUM and a
    quarter for each LOW, rounded down."""
    return max(1, int(10 - sum(_WEIGHT[finding.severity] for finding in findings)))


def security_risk(findings: Iterable[Finding]) -> Literal["None", "Low", "High"]:
    """Return `High` for any security fault that is CRITICAL or HIGH, `Low` for any other, else `None`."""
    severities = {finding.severity for finding in findings if finding.rule in RULES and RULES[finding.rule].security}
    if severities & {"CRITICAL", "HIGH"}:
        return "High"
    return "Low" if severities else "None"
