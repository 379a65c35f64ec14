"""The rules over the ideas of a message, from `rules.toml`, and the few patterns that tell where it points."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

REVIEW, EXPLAIN, CHAT = AGENTS = "review_monk", "codebase_sherpa", "general_chat"
TABLES: dict[str, Any] = tomllib.loads((Path(__file__).parent / "rules.toml").read_text(encoding="utf-8"))


@dataclass(frozen=True, slots=True)
class Rule:
    """A pattern over the ideas of a message that speaks for an agent; `rules.toml` says what each field means."""

    agent: str
    weight: float
    pattern: re.Pattern[str]
    because: str
    about: str = ""


def compiled(pattern: str | list[str]) -> re.Pattern[str]:
    """Compile a pattern, or several that are alternatives, over a line of ideas with a blank at both ends."""
    text = pattern if isinstance(pattern, str) else "|".join(pattern)
    text = re.sub(r"<([A-Z]+)>", lambda part: str(TABLES["parts"][part[1]]), text)
    return re.compile(r"(?<= )(?:" + re.sub(r" ~(\d)", r"(?: [^ .]+){0,\1}", text) + r")(?= )")


REWRITES = tuple((compiled(pattern), instead) for pattern, instead in TABLES["rewrites"])
RULES = tuple(
    Rule(agent, **fields | {"pattern": compiled(fields["pattern"])}) for agent in AGENTS for fields in TABLES[agent]
)

# Words that point at something: at code by name, or at whatever is at hand.
POINTING_AT_CODE = re.compile(r" (?:FILE|PR|LINK|REPO|CODE) ")
POINTING = re.compile(
    r" (?:THIS(?! [^\sA-Z.,?]\S* WHAT)|FILE|PR|LINK|REPO|MY (?:\S+ ){0,2}(?:CODE|REPO|PROJECT|WROTE)|CODE \d+) "
)
WHOLE = re.compile(r" (?:CODE|REPO|FILE|THIS|NOW) ")
# Nothing but courtesy, and the part of it that only says "go on".
COURTESY = re.compile(r"(?: (?:GREET|THANKS|BYE|ACK|OK|YOU|BE|DET|AND|AAYA|GAYA|for|all|much|to|bahut|हुआ|बहुत|[.,?]))+ ")
ACKNOWLEDGED = re.compile(r"(?: (?:ACK|OK|AND|BE|to|[.,?]))+ ")
# The conversation goes on, or turns.
ON_AND_ON = re.compile(r" (?:MORE|ELSE|REF|MEAN) |^ \. (?:(?:ACK|OK) , )?(?:AND|OR) ")
TURNING = re.compile(r" (?:TURN|GREET|THANKS|BYE|FUN) ")
