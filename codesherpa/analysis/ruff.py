"""Runs ruff on a text, away from any configuration and any file."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from codesherpa.concurrency import offload

TIMEOUT = 10.0
SYNTAX = "invalid-syntax"


class LintError(Exception):
    """The code could not be checked; the message says why, to a person."""


class RuffMissing(LintError):
    """There is no ruff to run."""


class RuffTimeout(LintError):
    """Ruff took too long."""


class RuffCrashed(LintError):
    """Ruff ended without an answer that can be read."""


@dataclass(frozen=True, slots=True)
class Edit:
    """Text that takes the place of what stands between two positions, both as (row, column) from 1."""

    start: tuple[int, int]
    end: tuple[int, int]
    text: str


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One thing that ruff found, from `start` to `end`; `edits` are its fix, () where it has none."""

    code: str
    message: str
    start: tuple[int, int]
    end: tuple[int, int]
    edits: tuple[Edit, ...] = ()


def check(text: str, codes: Collection[str], name: str = "source.py", timeout: float = TIMEOUT) -> list[Diagnostic]:
    """Run ruff's rules on a text.

    Comments in the text turn no rule off. Raises RuffMissing, RuffTimeout or RuffCrashed.
    """
    arguments = ["check", "--isolated", "--no-cache", "--ignore-noqa", "--exit-zero", "--no-fix", "--quiet"]
    arguments += ["--target-version", "py314", "--output-format", "json-lines"]
    arguments += ["--select", ",".join(sorted(codes)), "--stdin-filename", name, "-"]
    answer = _run(arguments, text.encode("utf-8", "replace"), timeout)
    try:
        return offload(_read_all, answer)
    except (ValueError, KeyError, TypeError) as unreadable:
        raise RuffCrashed("The offline reviewer's linter gave an answer that cannot be read.") from unreadable


def _read_all(answer: bytes) -> list[Diagnostic]:
    return [_read(json.loads(line)) for line in answer.split(b"\n") if line.strip()]


def find() -> str:
    """Return where ruff is. Raises RuffMissing."""
    try:
        from ruff import find_ruff_bin  # type: ignore[import-untyped]  # It ships no types.

        return str(find_ruff_bin())
    except (ImportError, FileNotFoundError) as missing:
        raise RuffMissing("The offline reviewer needs ruff, which is not installed.") from missing


def _run(arguments: list[str], text: bytes, timeout: float) -> bytes:
    command = [find(), *arguments]
    try:
        # An empty environment: no setting and no secret of the server's reaches it.
        done = subprocess.run(command, input=text, capture_output=True, timeout=timeout, env={}, check=False)  # noqa: S603
    except subprocess.TimeoutExpired as late:
        raise RuffTimeout("The offline reviewer's linter took too long.") from late
    except OSError as missing:
        raise RuffMissing("The offline reviewer's linter cannot be started.") from missing
    if done.returncode:
        raise RuffCrashed("The offline reviewer's linter broke off: the code may be nested too deeply.")
    return done.stdout


def _read(found: dict[str, Any]) -> Diagnostic:
    fix = found["fix"] or {}
    edits = fix.get("edits", ()) if fix.get("applicability") in ("safe", "unsafe") else ()
    return Diagnostic(
        found["code"] or SYNTAX,
        found["message"],
        _at(found["location"]),
        _at(found["end_location"]),
        tuple(Edit(_at(edit["location"]), _at(edit["end_location"]), edit["content"] or "") for edit in edits),
    )


def _at(position: dict[str, int]) -> tuple[int, int]:
    return position["row"], position["column"]
