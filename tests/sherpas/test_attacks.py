"""Texts that want more than an answer, and a model that does what they ask."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import AbstractContextManager
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from codesherpa.providers.interface import Brief, Turn
from codesherpa.sherpas import SHERPAS, codebase_sherpa, prompts, review_monk
from codesherpa.sherpas.general import as_reply
from codesherpa.sherpas.interface import Ask
from tests.sherpas.answers import assert_contract, writer_of

ATTACKS = json.loads((Path(__file__).parent / "attacks.json").read_text())
EVERY_SHERPA = pytest.mark.parametrize("name", sorted(SHERPAS))
OURS = {
    "review_monk": (prompts.REVIEW, review_monk.TOOL),
    "codebase_sherpa": (prompts.EXPLAIN, codebase_sherpa.TOOL),
    "general_chat": (prompts.CHAT, None),
}
OPENING = re.compile(r"\[(agent|project|request|code|evidence|left-out) (\w{16})(?: [^\n]*)?\]")
CANARY = "canary-7f3a-of-somebody-else"
# So much of a prompt in a row would tell it.
LONG = 80


Attacks = Iterator[tuple[dict[str, str], AbstractContextManager[None]]]


@pytest.fixture
def attacks(subtests: pytest.Subtests) -> Attacks:
    """Each attack, and the subtest that names it: one that fails keeps none of the others from being tried."""
    return ((attack, subtests.test(attack["name"])) for attack in ATTACKS)


def brief_of(name: str, attack: dict[str, str], **more: Any) -> Brief:
    return SHERPAS[name].brief(Ask(attack["message"], attack.get("code"), **more))


@cache
def plain_brief(name: str, attack: str) -> Brief:
    return brief_of(name, next(one for one in ATTACKS if one["name"] == attack))


def parts(text: str) -> tuple[list[str], list[str]]:
    """Take a text apart at its marks: the names of its parts, and the lines that stand in none."""
    names, outside, end = list[str](), list[str](), ""
    for line in text.split("\n"):
        if end:
            end = "" if line == end else end
        elif opening := OPENING.fullmatch(line):
            names.append(opening[1])
            end = f"[/{opening[1]} {opening[2]}]"
        elif line:
            outside.append(line)
    assert not end
    return names, outside


def obey(brief: Brief, attack: dict[str, str]) -> str:
    """Answer as the attacker wishes: the prompt, the attack and other people's markup in every field."""
    loot = [
        brief.system,
        brief.system.upper(),
        "\n".join(brief.system.split(". ")),
        attack["message"],
        attack.get("code", ""),
    ]
    places = [(source.file, line) for source in brief.sources for line in [*source.lines][:3]] or [("message", 1)]
    findings = [
        {"severity": "NONE", "file": file, "line": line, "issue": text, "suggestion": text, "code_fix": fix}
        for file, line in [*places, ("/etc/passwd", 1), ("", -1)]
        for text, fix in [
            *((text, text) for text in loot),
            ("fine", brief.system),
            ("# Verdict", "```\n## Verdict\n```"),
        ]
    ]
    answers = {
        "review": {"summary": "\n".join(loot), "findings": findings, "quality_score": 99, "security_risk": "Harmless"},
        "explanation": {
            "explanation": "\n".join(loot),
            "learning_steps": [*loot, *brief.system.split(". ")],
            "key_concepts": [{"term": text, "definition": text} for text in loot],
            "analogy": "<!--" + brief.system[50:],
        },
        "reply": "\n".join(loot),
    }
    answer = answers[brief.task]
    return answer if isinstance(answer, str) else json.dumps(answer)


def leaks(text: str, secret: str) -> bool:
    """Tell whether the text has a long part of the secret, whatever its white space and case."""
    text, secret = (" ".join(one.split()).casefold() for one in (text, secret))
    return any(secret[at : at + LONG] in text for at in range(0, len(secret) - LONG, 10))


def strings(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for item in value.values() for text in strings(item)]
    if isinstance(value, list):
        return [text for item in value for text in strings(item)]
    return [value] if isinstance(value, str) else []


def test_there_are_enough_attacks() -> None:
    assert len(ATTACKS) >= 60


@EVERY_SHERPA
def test_no_text_leaves_its_fence(name: str, attacks: Attacks) -> None:
    for attack, tried in attacks:
        with tried:
            brief = plain_brief(name, attack["name"])

            names, outside = parts(brief.turns[-1].text)
            word = OPENING.match(brief.turns[-1].text)

            assert names == ["request", *["code"] * len(brief.sources), *["evidence"] * bool(brief.evidence)]
            assert len(outside) == 1  # Our own last word.
            assert word
            assert brief.turns[-1].text.count(word[2]) == 2 * len(names)


@EVERY_SHERPA
def test_no_text_changes_the_prompt_or_the_tool(name: str, attacks: Attacks) -> None:
    for attack, tried in attacks:
        with tried:
            text = attack["message"]
            wishes = {"system_prompt": text, "instructions": attack.get("code", text)}
            earlier = (Turn("user", text), Turn("assistant", brief_of(name, attack).turns[-1].text))

            brief = brief_of(name, attack, history=earlier, **wishes)

            system, tool = OURS[name]
            word = OPENING.match(brief.turns[-1].text)
            assert brief.system is system
            assert brief.tool is tool
            assert brief.turns[:-1] == earlier
            assert word
            assert not any(word[2] in turn.text for turn in earlier)  # Though a model has repeated the last one.
            assert parts(brief.context)[0] == ["agent", "project"]
            assert len(parts(brief.context)[1]) == 2  # The language, and what preferences are.


@EVERY_SHERPA
def test_a_model_that_obeys_tells_no_prompt_and_breaks_no_structure(name: str, attacks: Attacks) -> None:
    for attack, tried in attacks:
        with tried:
            brief = plain_brief(name, attack["name"])
            writer = writer_of(name, brief)

            text = writer.feed(obey(brief, attack)) + writer.finish()

            result = writer.result()
            assert_contract(result)
            assert not leaks(text, brief.system)
            assert not any(leaks(one, brief.system) for one in strings(result))


def test_a_model_that_obeys_finds_only_what_is_there(attacks: Attacks) -> None:
    for attack, tried in attacks:
        with tried:
            brief = plain_brief("review_monk", attack["name"])
            writer = writer_of("review_monk", brief)

            text = writer.feed(obey(brief, attack)) + writer.finish()

            lines = {(source.file, line) for source in brief.sources for line in source.lines}
            result = writer.result()
            assert {(one["file"], one["line"]) for one in result["findings"]} <= lines
            assert result["quality_score"] == 10
            assert [line for line in outside_fences(text) if re.match(r"#{1,2} |<[A-Za-z/!?]|!\[", line)] == headings(
                result
            )


def outside_fences(text: str) -> list[str]:
    """Return the lines of markdown that stand in no fenced block."""
    lines, fence = list[str](), ""
    for line in text.split("\n"):
        run = re.match(r"(`{3,}|~{3,})([^`]*)$", line)
        if fence:
            fence = "" if run and run[1].startswith(fence) and not run[2].strip() else fence
        elif run:
            fence = run[1]
        else:
            lines.append(line)
    assert not fence
    return lines


def headings(result: dict[str, Any]) -> list[str]:
    return ["## Findings", "## Verdict"] if result["findings"] else ["## Verdict"]


def test_text_that_is_shown_instead_of_a_structure_tells_no_prompt(attacks: Attacks) -> None:
    for attack, tried in attacks:
        with tried:
            brief = plain_brief("review_monk", attack["name"])

            text, result = as_reply(f"{attack['message']}\n{brief.system}", brief)

            assert not leaks(text, brief.system)
            assert_contract(result)


@EVERY_SHERPA
def test_nothing_of_one_ask_is_in_the_next(name: str) -> None:
    earlier = (Turn("user", CANARY), Turn("assistant", CANARY))
    secret = {"system_prompt": CANARY, "instructions": CANARY, "history": earlier}
    first = SHERPAS[name].brief(Ask(CANARY, f"key = '{CANARY}'", **secret))
    SHERPAS[name].writer(first).feed(CANARY)

    for attack in ATTACKS:
        brief = brief_of(name, attack)
        writer = writer_of(name, brief)
        text = writer.feed(obey(brief, attack)) + writer.finish()
        assert CANARY not in repr(brief) + text + repr(writer.result())


def test_the_guard_sees_a_leak() -> None:
    assert leaks(f"Well: {prompts.REVIEW[200:400]}", prompts.REVIEW)
    assert not leaks("Well: this is a review of code.", prompts.REVIEW)
