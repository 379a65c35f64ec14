"""What a review leaves on GitHub. Every step looks first at what is there, so it can be done again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import structlog

from codesherpa.extensions import db
from codesherpa.integrations.github import comments, fingerprints, records
from codesherpa.integrations.github.client import Invalid, Missing, Refused, speaking
from codesherpa.integrations.github.comments import FINDING, SEVERITIES, Finding, Standing
from codesherpa.integrations.github.models import Review
from codesherpa.integrations.github.pulls import Pull
from codesherpa.integrations.runner import Dropped, Task

MOST_LINES = 25  # Line comments of one review; the summary has the rest.
CHECK = "CodeSherpa"

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Said:
    """A line comment of ours that is there: its fingerprint, its file, the commit that it was written for."""

    id: int
    fingerprint: str
    body: str
    path: str
    head: str
    is_fixed: bool


def publish(task: Task, pull: Pull, review: Review, notes: Iterable[str]) -> None:
    """Say a review on GitHub: on its lines, in the summary, and as a check where we may."""
    places = fingerprints.of_lines(pull.files)
    said = said_before(pull)
    by_place, elsewhere = placed(review.answer["findings"], places, {file.name for file in pull.files})
    fresh = {
        place: found for place, found in by_place.items() if said.get(place, NOTHING).head in ("", review.head_sha)
    }
    task.hold()
    say_on_lines(pull, review.head_sha, {place: found for place, found in fresh.items() if place not in said}, places)
    fixed = mark_fixed(task, pull, review, said, by_place, set(places.values()))
    known = {place: found for place, found in by_place.items() if place not in fresh}
    standing = Standing(fresh, known, elsewhere, fixed)
    body = comments.summary(review.answer, standing, review.unread, review.head_sha, notes)
    task.hold()
    review.comment_id = put_summary(pull, review, body)
    db.session.commit()
    if pull.connection.is_app:
        task.hold()
        put_check(pull, review, body)


NOTHING = Said(0, "", "", "", "", False)


def said_before(pull: Pull) -> dict[str, Said]:
    """Return our own line comments by fingerprint; nobody else's, whatever they look like."""
    found: dict[str, Said] = {}
    with speaking():
        for comment in pull.raw.get_review_comments():
            mark = FINDING.match(comment.body or "")
            if mark and comment.user and comment.user.login == pull.connection.login:
                head = comment.original_commit_id or ""
                one = Said(comment.id, mark[1], comment.body, comment.path, head, bool(mark[2]))
                found.setdefault(mark[1], one)
    return found


def placed(
    findings: Iterable[Finding], places: Mapping[tuple[str, int], str], names: set[str]
) -> tuple[dict[str, list[Finding]], list[Finding]]:
    """Sort findings into those on added lines, by fingerprint, and others; one of no file of the diff is left out."""
    on_lines: dict[str, list[Finding]] = {}
    elsewhere: list[Finding] = []
    for finding in findings:
        if place := places.get((finding["file"], finding["line"])):
            on_lines.setdefault(place, []).append(finding)
        elif finding["file"] in names:
            elsewhere.append(finding)
    return on_lines, elsewhere


def say_on_lines(
    pull: Pull, head: str, fresh: Mapping[str, Sequence[Finding]], places: Mapping[tuple[str, int], str]
) -> None:
    """Comment on added lines, all in one request."""
    where = {fingerprint: place for place, fingerprint in places.items()}
    ranked = sorted(fresh.items(), key=lambda one: min(SEVERITIES.index(found["severity"]) for found in one[1]))
    lines = [
        {"path": where[place][0], "line": where[place][1], "side": "RIGHT", "body": comments.line_comment(place, found)}
        for place, found in ranked[:MOST_LINES]
    ]
    if not lines:
        return
    review = {"commit_id": head, "event": "COMMENT", "body": "", "comments": lines}
    try:
        with speaking():
            pull.connection.send("POST", f"{pull.path}/reviews", review)
    except Invalid as refused:
        if pull.head_now() != head:
            raise Dropped("a later commit came while this one was read") from refused
        log.warning("line comments refused", url=pull.raw.html_url, reason=str(refused))


def mark_fixed(
    task: Task, pull: Pull, review: Review, said: Mapping[str, Said], found: Mapping[str, Any], there: set[str]
) -> list[str]:
    """Mark what stood on lines that are gone as fixed, and what came back as open; return all that is fixed.

    A line that is still there and was not found again is left alone: the model may just not have said it. So
    is one of a file that could not be read this time.
    """
    unread = {file.name for file in pull.files if file.patch is None}
    for place, one in said.items():
        if one.is_fixed and place in found:
            edit(task, pull, one, comments.line_comment(place, found[place]))
        elif not one.is_fixed and place not in there and one.path not in unread and not pull.unlisted:
            edit(task, pull, one, comments.as_fixed(one.body, review.head_sha))
    return [place for place, one in said.items() if place not in there or (one.is_fixed and place not in found)]


def edit(task: Task, pull: Pull, said: Said, body: str) -> None:
    task.hold()
    try:
        with speaking():
            pull.connection.send("PATCH", f"{pull.home}/pulls/comments/{said.id}", {"body": body})
    except Missing:
        log.info("a comment is gone", comment_id=said.id)


def put_summary(pull: Pull, review: Review, body: str) -> int:
    """Write the summary over the one that is there, else anew; return its id."""
    id = records.last_summary(review) or own_comment(pull, comments.SUMMARY)
    try:
        with speaking():
            if id:
                pull.connection.send("PATCH", f"{pull.home}/issues/comments/{id}", {"body": body})
                return id
    except Missing:
        log.info("the summary is gone", comment_id=id)
    with speaking():
        return int(pull.connection.send("POST", f"{pull.home}/issues/{pull.number}/comments", {"body": body})["id"])


def own_comment(pull: Pull, begins: str) -> int | None:
    """Return the id of our own comment that begins so, None where there is none."""
    with speaking():
        for comment in pull.raw.get_issue_comments():
            if comment.user and comment.user.login == pull.connection.login and (comment.body or "").startswith(begins):
                return int(comment.id)
    return None


def put_check(pull: Pull, review: Review, body: str) -> None:
    """Give the commit a check with the score, where the app may."""
    title = f"{review.answer['quality_score']}/10, security risk {review.answer['security_risk']}"
    output = {"title": title, "summary": body.removeprefix(comments.SUMMARY).strip()}
    check = {"name": CHECK, "head_sha": review.head_sha, "external_id": review.key, "status": "completed"}
    check |= {"conclusion": conclusion(review.answer, pull.preferences.fail_on)}
    path = f"{pull.home}/check-runs"
    try:
        with speaking():
            there = pull.connection.get(f"{pull.home}/commits/{review.head_sha}/check-runs", check_name=CHECK)
            mine = [run["id"] for run in there["check_runs"] if run.get("external_id") == review.key]
            if mine:
                pull.connection.send("PATCH", f"{path}/{mine[0]}", check | {"output": output})
            else:
                pull.connection.send("POST", path, check | {"output": output})
    except (Refused, Missing):
        log.info("the app may not write checks", url=pull.raw.html_url)


def conclusion(result: Mapping[str, Any], fail_on: str) -> str:
    """Return `failure` only where the repository wants that, `neutral` where there is something to look at."""
    found = {finding["severity"] for finding in result["findings"]}
    failing = {"none": set(), "critical": {"CRITICAL"}, "high": {"CRITICAL", "HIGH"}}[fail_on]
    if found & failing:
        return "failure"
    return "neutral" if found & {"CRITICAL", "HIGH"} else "success"
