"""What is said on GitHub, as text; a hidden first line tells later reviews what it is."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from codesherpa.analysis import languages
from codesherpa.integrations.github import hostile

SUMMARY = "<!-- codesherpa:summary -->"
FINDING = re.compile(r"<!-- codesherpa:finding ([0-9a-f]{20})( fixed)? -->\n")
ANSWER = "<!-- codesherpa:answer {} -->"
LONGEST = 60_000  # GitHub takes 65,536.
MOST_LISTED = 100
SEVERITIES = ("CRITICAL", "HIGH", "MEDIUM", "LOW")

Finding = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a review stands beside the ones before it: places by fingerprint."""

    fresh: dict[str, list[Finding]] = field(default_factory=dict)
    known: dict[str, list[Finding]] = field(default_factory=dict)
    elsewhere: list[Finding] = field(default_factory=list)
    fixed: list[str] = field(default_factory=list)


def line_comment(fingerprint: str, findings: Sequence[Finding]) -> str:
    """Say what was found on one line."""
    return f"<!-- codesherpa:finding {fingerprint} -->\n" + "\n\n".join(map(one, findings))


def as_fixed(body: str, head: str) -> str:
    """Mark a comment of ours as fixed, by the commit that did it."""
    found = FINDING.match(body)
    if not found or found[2]:
        return body
    rest = body[found.end() :]
    return f"<!-- codesherpa:finding {found[1]} fixed -->\n**Fixed** as of {head[:10]}.\n\n{rest}"


def one(finding: Finding) -> str:
    """Say one finding."""
    blocks = [f"**{finding['severity']}:** {hostile.prose(finding['issue'])}"]
    if finding["suggestion"]:
        blocks.append(hostile.prose(finding["suggestion"]))
    if finding["code_fix"]:
        blocks.append(hostile.fence(finding["code_fix"], languages.by_name(finding["file"])))
    return "\n\n".join(blocks)


def summary(
    result: Mapping[str, Any], standing: Standing, unread: Sequence[str], head: str, notes: Iterable[str]
) -> str:
    """Say what a review came to."""
    blocks = [SUMMARY, f"### CodeSherpa: {result['quality_score']}/10, security risk {result['security_risk']}"]
    blocks += [hostile.passage(result["summary"], 6_000), counts(standing)]
    listed = ranked([one for places in (standing.fresh, standing.known) for found in places.values() for one in found])
    blocks.append(listing("Findings", [row(finding) for finding in listed]))
    blocks.append(listing("Beside the added lines", [row(finding) for finding in ranked(standing.elsewhere)]))
    blocks.append(listing("Not read", [hostile.code(name) for name in unread]))
    blocks += [hostile.prose(note) for note in notes]
    blocks.append(f"<sub>Read at {head[:10]}. `@codesherpa review` asks for it again, `@codesherpa explain` why.</sub>")
    return cut("\n\n".join(block for block in blocks if block))


def counts(standing: Standing) -> str:
    told = [f"{len(standing.fresh)} new", f"{len(standing.known)} known", f"{len(standing.fixed)} fixed"]
    return f"**{', '.join(told)}.** New ones are said on their lines, known ones are not said twice."


def listing(title: str, rows: Sequence[str]) -> str:
    """Return a list under a title, "" where there is nothing to list."""
    if not rows:
        return ""
    more = [f"- and {len(rows) - MOST_LISTED} more"] if len(rows) > MOST_LISTED else []
    return "\n".join([f"**{title}**", "", *(f"- {row}" for row in rows[:MOST_LISTED]), *more])


def row(finding: Finding) -> str:
    place = hostile.code(f"{finding['file']}:{finding['line']}")
    return f"{finding['severity']} {place} {hostile.prose(finding['issue'], 300)}"


def ranked(findings: Iterable[Finding]) -> list[Finding]:
    return sorted(findings, key=lambda finding: SEVERITIES.index(finding["severity"]))


def explanation(comment_id: int, result: Mapping[str, Any], head: str) -> str:
    """Say an explanation."""
    if result["kind"] != "explanation":
        return cut(f"{ANSWER.format(comment_id)}\n\n{hostile.passage(result.get('reply', ''))}")
    steps = [f"{number}. {hostile.prose(step)}" for number, step in enumerate(result["learning_steps"], 1)]
    terms = [
        f"- **{hostile.prose(one['term'])}:** {hostile.prose(one['definition'])}" for one in result["key_concepts"]
    ]
    blocks = [ANSWER.format(comment_id), hostile.passage(result["explanation"])]
    blocks += ["\n".join(steps), "\n".join(terms), hostile.passage(result["analogy"], 4_000)]
    return cut("\n\n".join([*filter(None, blocks), f"<sub>Read at {head[:10]}.</sub>"]))


def cut(body: str) -> str:
    """Return the body as long as GitHub takes it; a fence that the cut leaves open is closed."""
    if len(body) <= LONGEST:
        return body
    kept = body[:LONGEST].rsplit("\n", 1)[0]
    ticks = [line for line in kept.split("\n") if line.startswith("```")]
    closing = f"\n{ticks[-1].split(' ')[0].rstrip('abcdefghijklmnopqrstuvwxyz+#-.')}" if len(ticks) % 2 else ""
    return f"{kept}{closing}\n\n(There was more than a comment holds.)"
