"""A job from start to end: may it, what is there to read, what does the sherpa say, and where is it said."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

import structlog
from flask import current_app

from codesherpa import providers, sherpas
from codesherpa.chat.reply import Reply
from codesherpa.concurrency import Cancellation
from codesherpa.concurrency.fairness import working_for
from codesherpa.extensions import db
from codesherpa.integrations import jobs
from codesherpa.integrations.github import client, comments, events, permissions, publishing, records
from codesherpa.integrations.github.client import Missing, Refused, speaking
from codesherpa.integrations.github.models import Review
from codesherpa.integrations.github.pulls import File, Pull, as_diff
from codesherpa.integrations.models import Job
from codesherpa.integrations.runner import Dropped, Hopeless, Later, Task, handles
from codesherpa.sherpas.interface import Ask
from codesherpa.usage.meter import Meter

LOOK = 2.0  # Seconds between two looks for a later push while the sherpa speaks.
LAG = 5.0  # Seconds that GitHub's API may need to know what its webhook told.
REVIEW = "Please review this pull request."
EXPLAIN = "Please explain what this pull request changes, and why one would."
TAKEN, REFUSED = "eyes", "confused"

log = structlog.get_logger(__name__)
Told = dict[str, Any]


@handles("github.review")
def review(task: Task) -> None:
    """Review a pull request."""
    do(task, "review", publish_review)


@handles("github.explain")
def explain(task: Task) -> None:
    """Explain a pull request to somebody who asked in a comment."""
    do(task, "explain", publish_explanation)


def do(task: Task, kind: str, publish: Callable[[Task, Pull, Review, list[File]], None]) -> None:
    told: Told = task.job.payload
    pull = Pull(client.connect(told["installation"]), told["repository"], told["number"])
    make_sure_it_is_the_last(pull, told)
    permissions.permit(pull, told.get("asked_by"))
    files = readable(pull)
    try:
        row = records.begin(f"{kind}:{task.job.key}", kind, pull, current_app.config["GITHUB_REVIEWS_PER_DAY"])
    except Dropped:
        react(pull, told, REFUSED)
        raise
    react(pull, told, TAKEN)
    try:
        if row.result is None:
            records.tell(row)
            ask_sherpa(task, pull, row, files)
        publish(task, pull, row, files)
    except Exception as fault:
        give_up(task, row, fault)
        raise
    records.end(row, "complete")


def give_up(task: Task, row: Review, fault: Exception) -> None:
    """Note that a review has failed, where it is not tried again."""
    db.session.rollback()
    if isinstance(fault, Dropped):
        records.end(row, "superseded")
    elif isinstance(fault, Hopeless) or task.job.tries >= jobs.MOST_TRIES:
        records.end(row, "failed")


def make_sure_it_is_the_last(pull: Pull, told: Told) -> None:
    """Go on with the last commit of a pull request alone. Raises Dropped for an earlier one.

    Deliveries arrive in any order, so GitHub is asked; and where it has not heard of this commit yet, Later.
    """
    if "head" not in told or told["head"] == pull.head:
        return
    if pull.updated_at < datetime.fromisoformat(told["updated_at"]):
        raise Later("GitHub's API does not know this commit yet", LAG)
    # Its own delivery may never come.
    newer = told | {"head": pull.head, "updated_at": pull.updated_at.isoformat()}
    jobs.enqueue(events.job("review", newer, f"@{pull.head}"))
    db.session.commit()
    raise Dropped(f"{pull.head[:10]} came after it")


def readable(pull: Pull) -> list[File]:
    """Return the files that a sherpa can read. Raises Dropped where there are none."""
    files = [file for file in pull.files if why_unread(pull, file) is None]
    if not files:
        raise Dropped("nothing in it can be read")
    return files


def why_unread(pull: Pull, file: File) -> str | None:
    if pull.preferences.skips(file.name):
        return "skipped in .codesherpa.toml"
    if file.patch is None:
        return "only renamed" if file.status == "renamed" else "binary, or too large for GitHub to show"
    return None if file.is_plain else "its name cannot be written in a diff"


def unread(pull: Pull) -> list[str]:
    """Name what nobody reads, and why."""
    named = [f"{file.name}: {why}" for file in pull.files if (why := why_unread(pull, file))]
    return named + ([f"{pull.unlisted} files that GitHub does not list"] if pull.unlisted else [])


def ask_sherpa(task: Task, pull: Pull, row: Review, files: list[File]) -> None:
    """Have the sherpa answer, and keep the answer. Raises Dropped when a later push overtakes it."""
    provider = providers.of(current_app)
    sherpa = sherpas.for_kind(row.kind)
    question = task.job.payload.get("question") or ""
    ask = Ask(
        message=f"{REVIEW if row.kind == 'review' else EXPLAIN} {question}".strip(),
        code_context=as_diff(files),
        language=pull.preferences.language,
        instructions=pull.preferences.instructions,
    )
    cancellation = Cancellation()
    task.cancellation.on_cancel(cancellation.cancel)
    meter = Meter(current_app.config["BEDROCK_MODEL_ALIASES"])
    with working_for(("github", row.repository_id), cancellation):
        brief = sherpa.brief(ask)
        reply = Reply(sherpa, meter.watch(provider, sherpa.name), brief, cancellation)
        overtaken = Overtaking(task.job, pull, row.head_sha, cancellation)
        for _ in reply:
            overtaken.look()
    records.spent(row, meter.usage)
    task.hold()
    left_out = [f"{name}: too much for one review" for name in getattr(brief, "left_out", ())]
    keep(row, reply, [*unread(pull), *left_out], provider.name, provider.model(None))


def keep(row: Review, reply: Reply, not_read: list[str], provider: str, model_id: str | None) -> None:
    """Keep an answer that is whole. Raises Later, Hopeless or Dropped for any other."""
    outcome = reply.outcome
    if outcome.status == "complete" and (row.kind == "explain" or (outcome.result or {}).get("kind") == "review"):
        records.answered(row, reply, not_read, provider, model_id)
        return
    if outcome.status == "stopped":
        raise Dropped("a later commit came while this one was read")
    told = outcome.error["message"] if outcome.error else "The model did not answer in the form of a review."
    raise Later(told) if outcome.status == "failed" and outcome.retryable else Hopeless(told)


class Overtaking:
    """Looks, while the sherpa speaks, whether a later push makes it speak in vain."""

    def __init__(self, job: Job, pull: Pull, head: str, cancellation: Cancellation) -> None:
        self._job, self._pull, self._head, self._cancellation = job, pull, head, cancellation
        self._looked = time.monotonic()

    def look(self) -> None:
        """Cancel the reply when the pull request has moved on; ask at most every LOOK seconds."""
        if time.monotonic() - self._looked < LOOK:
            return
        self._looked = time.monotonic()
        if jobs.is_overtaken(self._job) and self._pull.head_now() != self._head:
            self._cancellation.cancel()


def publish_review(task: Task, pull: Pull, row: Review, files: list[File]) -> None:
    if pull.head != row.head_sha or pull.head_now() != row.head_sha:
        raise Dropped("a later commit came while this one was read")
    notes = [pull.preferences.fault] if pull.preferences.fault else []
    publishing.publish(task, pull, row, notes)


def publish_explanation(task: Task, pull: Pull, row: Review, files: list[File]) -> None:
    id = task.job.payload["comment_id"]
    if publishing.own_comment(pull, comments.ANSWER.format(id)):
        return
    task.hold()
    body = {"body": comments.explanation(id, row.answer, row.head_sha)}
    with speaking():
        row.comment_id = int(pull.connection.send("POST", f"{pull.home}/issues/{pull.number}/comments", body)["id"])
    db.session.commit()


def react(pull: Pull, told: Told, content: str) -> None:
    """Show whoever asked that they were heard, where we may."""
    if "comment_id" not in told:
        return
    try:
        with speaking():
            path = f"{pull.home}/issues/comments/{told['comment_id']}/reactions"
            pull.connection.send("POST", path, {"content": content})
    except (Missing, Refused) as fault:
        log.info("no reaction", reason=str(fault))
