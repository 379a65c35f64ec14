"""What a delivery asks for: everything that GitHub sends, read into the few jobs that we do."""

from __future__ import annotations

import re
from typing import Any

from codesherpa.integrations.github.said import by_the_author
from codesherpa.integrations.jobs import NewJob
from codesherpa.projects.schemas import LETTERS

KINDS = ("github.review", "github.explain")
ACTIONS = ("opened", "synchronize", "reopened", "ready_for_review")
# Seconds that a push waits for the next one before it is reviewed.
SETTLE = 5.0

NAME = re.compile(LETTERS)
SHA = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
LOGIN = re.compile(r"[A-Za-z0-9_-]{1,90}")
# At the beginning of a line: one that is set in is code, or belongs to something else.
COMMAND = re.compile(r"^@codesherpa[ \t]+(review|explain)\b[ \t]*(.*)$", re.IGNORECASE | re.MULTILINE)
LONGEST_QUESTION = 1_000


def wanted(event: str, payload: dict[str, Any]) -> list[NewJob]:
    """Return the jobs that a delivery causes; most cause none, and neither does one of an unknown shape."""
    try:
        match event:
            case "pull_request":
                return pushed(payload)
            case "issue_comment":
                return asked(payload)
    except (KeyError, TypeError, ValueError, AttributeError):
        return []
    return []


def pushed(payload: dict[str, Any]) -> list[NewJob]:
    """Read a pull request that is new, has new commits, or is ready."""
    pull = payload["pull_request"]
    if payload["action"] not in ACTIONS:
        return []
    head = matching(SHA, pull["head"]["sha"])
    told = common(payload, pull["number"]) | {"head": head, "updated_at": str(pull["updated_at"])[:40]}
    return [job("review", told, f"@{head}", SETTLE)]


def asked(payload: dict[str, Any]) -> list[NewJob]:
    """Read a new comment on a pull request that calls us."""
    comment, issue = payload["comment"], payload["issue"]
    command = COMMAND.search(by_the_author(comment["body"] or ""))
    from_a_bot = comment["user"]["type"] == "Bot"  # Two bots that talk to one another never end.
    if payload["action"] != "created" or "pull_request" not in issue or from_a_bot or not command:
        return []
    told = common(payload, issue["number"]) | {
        "asked_by": matching(LOGIN, comment["user"]["login"]),
        "comment_id": number(comment["id"]),
        "question": command[2].replace("\0", "").strip()[:LONGEST_QUESTION],
    }
    return [job(command[1].lower(), told, f"!{told['comment_id']}")]


def common(payload: dict[str, Any], pull: Any) -> dict[str, Any]:
    """Read what every job must know."""
    installation = payload.get("installation") or {}
    return {
        "repository": matching(NAME, payload["repository"]["full_name"]),
        "number": number(pull),
        "installation": number(installation["id"]) if installation else None,
    }


def job(command: str, told: dict[str, Any], what: str, delay: float = 0.0) -> NewJob:
    """Make the job: one for what it is about, and one at a time for its pull request."""
    lane = f"{told['repository'].lower()}#{told['number']}"
    return NewJob(f"github.{command}", f"{lane}{what}", f"github:{lane}", told, delay)


def matching(form: re.Pattern[str], text: str) -> str:
    if not form.fullmatch(text):
        raise ValueError
    return text


def number(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value < 2**63:
        raise ValueError
    return value
