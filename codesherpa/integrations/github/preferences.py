"""What a repository wants of us: `.codesherpa.toml` of the base branch, never of the head."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Any

from codesherpa.user.schemas import LANGUAGES

FILE = ".codesherpa.toml"
FAIL_ON = ("none", "critical", "high")
MOST = 200
LONGEST = 10_000


@dataclass(frozen=True, slots=True)
class Preferences:
    """The table [review]. `fault` says in a sentence what of it could not be used."""

    enabled: bool = True
    drafts: bool = False
    bots: bool = False
    skip_paths: tuple[str, ...] = ()
    skip_labels: tuple[str, ...] = ()
    instructions: str | None = None
    language: str = "en"
    fail_on: str = "none"
    viewers: tuple[str, ...] = ()
    fault: str = ""

    def skips(self, path: str) -> bool:
        """Tell whether a file is not to be read; in a pattern `*` stands for anything, slashes too."""
        return any(fnmatchcase(path, pattern) for pattern in self.skip_paths)


def read(text: str | None) -> Preferences:
    """Read the file's text, None where there is none. What is wrong in it is told and passed over."""
    try:
        table = tomllib.loads(text or "").get("review", {})
    except (tomllib.TOMLDecodeError, RecursionError):
        return Preferences(fault=f"{FILE} is not TOML, so nothing of it was used.")
    if not isinstance(table, dict):
        return Preferences(fault=f"{FILE} has no table [review].")
    good, wrong = sort(table)
    told = f"{FILE} was used without {', '.join(wrong)}: not known, or not of the right form." if wrong else ""
    return replace(Preferences(), **good, fault=told)


def sort(table: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    good: dict[str, Any] = {}
    wrong: list[str] = []
    for name, value in table.items():
        try:
            good[name] = FORMS[name](value)
        except (KeyError, ValueError):
            wrong.append("".join(letter for letter in name if letter.isalnum() or letter in "_-")[:40])
    return good, wrong


def flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError
    return value


def words(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or len(value) > MOST or not all(isinstance(one, str) for one in value):
        raise ValueError
    return tuple(value)


def text(value: Any) -> str:
    if not isinstance(value, str) or len(value) > LONGEST or "\0" in value:
        raise ValueError
    return value


def one_of(*choices: str) -> Callable[[Any], str]:
    def read_one(value: Any) -> str:
        if value not in choices:
            raise ValueError
        return str(value)

    return read_one


FORMS: dict[str, Callable[[Any], Any]] = {
    "enabled": flag,
    "drafts": flag,
    "bots": flag,
    "skip_paths": words,
    "skip_labels": words,
    "instructions": text,
    "language": one_of(*LANGUAGES),
    "fail_on": one_of(*FAIL_ON),
    "viewers": words,
}
