"""The rules of the offline review: which of ruff's, how bad each is, and what a person is told."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Severity = Literal["CRITICAL", "HIGH", "MEDIUM", "LOW"]
SEVERITIES: tuple[Severity, ...] = ("CRITICAL", "HIGH", "MEDIUM", "LOW")


@dataclass(frozen=True, slots=True)
class Rule:
    """What is told of one of ruff's rules; `data/rules.toml` says what each field means."""

    severity: Severity
    issue: str
    suggestion: str
    fault: str = ""
    security: bool = False
    whole: bool = False
    block: bool = False
    calm_issue: str = ""
    near: str = ""
    tests: Severity | Literal[""] | None = None


def _load() -> dict[str, Rule]:
    text = (Path(__file__).parent / "data" / "rules.toml").read_text(encoding="utf-8")
    return {code: Rule(**fields) for code, fields in tomllib.loads(text).items()}


RULES = _load()
# In the order in which they are told where several see one fault.
ORDER = {code: place for place, code in enumerate(RULES)}
IN_TESTS = re.compile(r"(?:^|/)(?:tests?/|test_[^/]*\.py$|[^/]*_test\.py$|conftest\.py$)")
# A name that holds a word about a secret, not the secret: `token_type = "bearer"`.
NO_SECRET = re.compile(
    r"_(?:types?|fields?|names?|ur[il]s?|headers?|labels?|prefix|suffix|path|files?|env|params?|column|regex|pattern|format"
    r"|help|text|message|errors?|status|kind|scheme|endpoint|template|title|description|hint)$",
    re.IGNORECASE,
)
