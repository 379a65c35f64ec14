"""How much speaks for each agent: by the rules, by the code in sight, and by who answered last."""

from __future__ import annotations

import re
from typing import NamedTuple

from codesherpa.sherpas.routing import rules
from codesherpa.sherpas.routing.reading import BESIDE, DIFF, TRACE, line_of, read
from codesherpa.sherpas.routing.rules import AGENTS, CHAT, EXPLAIN, REVIEW
from codesherpa.sherpas.routing.vocabulary import FUNCTION_WORDS


class Sense(NamedTuple):
    """What the rules look at.

    `line` are the ideas; `length` how many; `here`, `beside`: code in the message, or next to it; `named`: the words
    point at code; `follows`: they bring up nothing that the conversation does not have.
    """

    line: str
    length: int
    here: bool
    beside: bool
    diff: bool
    trace: bool
    named: bool
    follows: bool
    previous: str | None

    @property
    def code(self) -> bool:
        """Tell whether there is code at all."""
        return self.here or self.beside


class Weight(NamedTuple):
    """How much speaks for an agent, and what speaks loudest."""

    score: float
    agent: str
    because: str


def weigh(message: str, code_context: str | None, previous: str | None) -> list[Weight]:
    """Weigh the agents for a message, the heaviest first."""
    sense = sense_of(message, code_context, previous)
    scores, reasons, asked = _rules(sense)
    for agent, score, because in (*_code(sense, bool(asked)), *_conversation(sense, asked), *_courtesy(sense)):
        if score > scores[agent]:
            reasons[agent] = because
        scores[agent] += score
    return sorted((Weight(scores[agent], agent, reasons[agent]) for agent in AGENTS), reverse=True)


def _rules(sense: Sense) -> tuple[dict[str, float], dict[str, str], str]:
    """Weigh by the words: the strongest rule of each agent, a little for others, and who is asked first."""
    scores, reasons = dict.fromkeys(AGENTS, 0.0), dict.fromkeys(AGENTS, "")
    counts = _counts(sense)
    least = _least(sense)
    asked: tuple[int, str] | None = None
    for rule in rules.RULES:
        if rule.weight < least[rule.agent] or not counts[rule.about] or not (found := rule.pattern.search(sense.line)):
            continue
        before = scores[rule.agent]
        scores[rule.agent] = max(before, rule.weight) + (0.2 if before and rule.weight >= 2 else 0)
        if rule.weight > before:
            reasons[rule.agent] = rule.because
        if rule.weight >= 2.5:
            asked = min(asked or (2 * len(sense.line), ""), (_place(sense.line, found.start()), rule.agent))
    if asked:
        scores[asked[1]] += 0.6
    return scores, reasons, asked[1] if asked else ""


def _counts(sense: Sense) -> dict[str, bool]:
    """Say which rules count, by what they are about."""
    points = sense.code or sense.named or (sense.follows and sense.previous != CHAT)
    talk = not points or (sense.beside and not sense.here and not sense.named)
    return {"": True, "code": points, "talk": talk, "trace": sense.trace}


def _least(sense: Sense) -> dict[str, float]:
    """Say how strong rules must be: "why is that serious?" after a review asks about the review, not about code."""
    after_review = sense.previous == REVIEW and not sense.code and not rules.POINTING_AT_CODE.search(sense.line)
    return {REVIEW: 0.0, EXPLAIN: 2.5 if after_review else 0.0, CHAT: 0.0}


def _place(line: str, start: int) -> int:
    """Return when a request comes: what follows a "first" comes before all that stands in front of it."""
    turn = line.find(" FIRST ")
    return start - len(line) if 0 <= turn <= start and not line.startswith(" FIRST .", turn) else start


def _code(sense: Sense, asked: bool) -> list[tuple[str, float, str]]:
    """Say what code speaks for by itself: much without words, little beside a request."""
    if not sense.code:
        return []
    score = (1.6 if sense.length <= 4 else 0.8 if sense.length <= 10 else 0.3) / (4 if asked else 1)
    if sense.trace:
        return [(EXPLAIN, score, "brings a traceback")]
    if sense.diff:
        return [(REVIEW, score + (0.2 if asked else 0.8), "brings a diff")]
    if sense.previous == EXPLAIN:
        score = max(0.0, score - 0.6)
    return [(REVIEW, score, "brings code" if sense.here else "has code beside it")]


def _conversation(sense: Sense, asked: str) -> list[tuple[str, float, str]]:
    """Say how much speaks for who answered last."""
    agent, line, length = sense.previous, sense.line, sense.length
    if agent not in AGENTS or rules.TURNING.search(line) or (sense.here and agent == CHAT):
        return []
    near = 2.6 if length <= 3 else 1.8 if length <= 7 else 0.8 if length <= 12 else 0.3
    if sense.here:
        score = 1.8 if length <= 3 else 0.4
    elif length <= 8 and rules.ON_AND_ON.search(line):
        begins = line.startswith(" . AND WHAT ") and agent == EXPLAIN
        score = near + sense.follows + 1.0 + (0.9 if " REF " in line or begins else 0)
    elif " EXPLAIN " in line and not rules.WHOLE.search(line) and length <= 5:
        score = near + sense.follows + 1.0
    else:
        score = min(near, 2.2) if asked not in ("", agent) else near + sense.follows
    return [(agent, score - (1.2 if " NOW " in line else 0), "goes on with what was answered before")]


def _courtesy(sense: Sense) -> list[tuple[str, float, str]]:
    """Say whether there is nothing but courtesy; "ok" and "are you sure?" in a conversation go on with it."""
    line = sense.line
    if not sense.length or sense.here or not rules.COURTESY.fullmatch(line):
        return []
    asks = "?" in line and not rules.TURNING.search(line)
    if (asks and (sense.previous or sense.beside)) or (sense.previous and rules.ACKNOWLEDGED.fullmatch(line)):
        return []
    return [(CHAT, 4.0, "is a greeting or a courtesy")]


def sense_of(message: str, code_context: str | None, previous: str | None) -> Sense:
    """Take a message in."""
    said = read(message)
    beside = (code_context or "")[:BESIDE].strip()
    line = line_of(said.words)
    ideas = [idea for idea in line.split() if idea not in ".,?"]
    subjects = [idea for idea in ideas if idea.islower() and idea not in FUNCTION_WORDS]
    pointing = rules.POINTING_AT_CODE if previous == CHAT and not (said.code or beside) else rules.POINTING
    return Sense(
        line=line,
        length=len(ideas),
        here=said.code,
        beside=bool(beside),
        diff=said.diff or (not said.code and bool(DIFF.search(beside))),
        trace=said.trace or bool(TRACE.search(beside)),
        named=bool(pointing.search(line)) or _speaks_of(beside, subjects),
        follows=previous in AGENTS and not subjects and not rules.TURNING.search(line),
        previous=previous,
    )


def _speaks_of(code: str, words: list[str]) -> bool:
    """Tell whether any of the words is a name in the code."""
    return bool(code and words) and not set(re.findall(r"[a-z]+", code)).isdisjoint(words)
