"""What a model meant by a value that is not quite what was asked for."""

from __future__ import annotations

import json
import re
from typing import Any

from codesherpa.sherpas.markdown import clean

LARGEST = 10_000_000
NUMBER = re.compile(r"-?\d{1,9}(?:\.\d{1,9})?")
NUMBERING = re.compile(r"\A\s*(?:[-*•]|\d{1,4}[.)])\s+")
NOTHING = {"", "null", "none", "n/a", "nil"}
SEVERITIES = {
    "CRITICAL": "CRITICAL BLOCKER FATAL SEVERE P0",
    "HIGH": "HIGH ERROR MAJOR IMPORTANT P1",
    "MEDIUM": "MEDIUM WARNING WARN MODERATE NORMAL P2",
    "LOW": "LOW INFO INFORMATION INFORMATIONAL NOTE MINOR TRIVIAL NIT NITPICK STYLE SUGGESTION HINT P3 P4",
}
SEVERITY = {word: severity for severity, words in SEVERITIES.items() for word in words.split()}
RISKS = {"None": "none no", "Low": "low minor", "High": "medium moderate high critical severe"}
RISK = {word: risk for risk, words in RISKS.items() for word in words.split()}


def as_text(value: Any) -> str:
    """Return any value as text for a person, "" for none."""
    if value is None or isinstance(value, bool):
        return ""
    if isinstance(value, list):
        return "\n".join(as_text(item) for item in value)
    if isinstance(value, dict):
        return "\n".join(f"{key}: {as_text(item)}" for key, item in value.items())
    return clean(str(value))


def as_number(value: Any) -> int | None:
    """Return the first whole number that the value names, None where there is none of a sensible size."""
    if isinstance(value, list):
        value = value[0] if value else None
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    if isinstance(value, str):
        found = NUMBER.search(value)
        value = float(found[0]) if found else LARGEST
    return round(value) if -LARGEST < value < LARGEST else None


def as_items(text: str) -> list[Any]:
    """Return the items of a list that was written as text: as JSON, or one on each line."""
    try:
        items = json.loads(text)
    except (ValueError, RecursionError):
        items = [line for line in text.splitlines() if line.strip()]
    return items if isinstance(items, list) else [items]


def as_step(value: Any) -> str:
    """Return a step without the number or the dash that it came with."""
    return NUMBERING.sub("", as_text(value), count=1).strip()


def as_concept(value: Any) -> dict[str, str]:
    """Return a term and its definition, also from `term: definition`."""
    if isinstance(value, dict):
        return {key: as_text(value.get(key)).strip() for key in ("term", "definition")}
    term, _, definition = as_step(value).partition(": ")
    return {"term": term.strip("*` "), "definition": definition.strip()}


def is_list(value: Any) -> bool:
    """Tell whether the value can be read as a list of objects: one alone, none, and JSON in a string too."""
    if isinstance(value, str):
        return not value.strip() or any(isinstance(item, dict) for item in as_items(value)) or as_items(value) == []
    return value is None or isinstance(value, list | dict)


def is_text(value: Any) -> bool:
    """Tell whether the value says something."""
    return bool(as_text(value).strip())


def as_severity(value: Any) -> str:
    """Return the contract's severity for whatever word was used, MEDIUM for an unknown one."""
    return SEVERITY.get(as_text(value).strip().upper(), "MEDIUM")


def as_risk(value: Any) -> str | None:
    """Return the contract's security risk, None where the word is unknown."""
    return RISK.get(value.strip().lower()) if isinstance(value, str) else None


def as_score(value: Any) -> int | None:
    """Return a score of 1 to 10, None where no number was given."""
    number = as_number(value)
    return None if number is None else min(max(number, 1), 10)


def as_code(value: Any) -> str | None:
    """Return code without the fence that was put around it, None where there is none."""
    lines = as_text(value).strip("\n").split("\n")
    if len(lines) > 1 and lines[0].startswith("```") and lines[-1].strip() == "```":
        lines = lines[1:-1]
    text = "\n".join(lines)
    return None if text.strip().lower() in NOTHING else text
