"""What is kept of repositories and reviews, and who is told when it changes."""

from __future__ import annotations

import structlog
from sqlalchemy import func, select, update

from codesherpa.chat import rooms
from codesherpa.chat.reply import Reply
from codesherpa.database import now, reading
from codesherpa.extensions import db
from codesherpa.integrations.github import access, schemas
from codesherpa.integrations.github.models import Repository, Review
from codesherpa.integrations.github.pulls import Pull
from codesherpa.integrations.jobs import insert_once
from codesherpa.integrations.runner import Dropped
from codesherpa.providers.interface import Usage

REVIEW = schemas.Review()
MOST_TEXT = 1_000

log = structlog.get_logger(__name__)


def begin(key: str, kind: str, pull: Pull, per_day: int) -> Review:
    """Return the review of a job, made at its first try. Raises Dropped when the repository's day is used up."""
    repository = remember(pull)
    review = db.session.scalar(select(Review).where(Review.key == key))
    if review is None:
        if today(repository) >= per_day:
            db.session.commit()
            raise Dropped(f"{per_day} reviews of this repository in a day are enough (GITHUB_REVIEWS_PER_DAY)")
        review = Review(key=key, kind=kind, number=pull.number, head_sha=pull.head, author=pull.author)
        review.repository = repository
        review.title, review.url = clean(pull.raw.title), clean(pull.raw.html_url)
        review.created_at, review.unread = now(), []
        review.input_tokens = review.output_tokens = 0
        db.session.add(review)
    elif review.result is None:
        review.head_sha = pull.head  # Nothing was read yet, so it is the last commit that will be.
    review.status, review.completed_at = "running", None
    db.session.commit()
    return review


def clean(text: str | None) -> str:
    return (text or "").replace("\0", "")[:MOST_TEXT]


def today(repository: Repository) -> int:
    """Count the reviews of a repository since midnight, UTC; its row is locked, so two workers count one by one."""
    midnight = now().replace(hour=0, minute=0, second=0, microsecond=0)
    since = select(func.count(Review.id)).where(Review.repository_id == repository.id, Review.created_at >= midnight)
    return db.session.scalar(since) or 0


def remember(pull: Pull) -> Repository:
    """Store what a repository is now, and lock its row."""
    told = pull.repository
    key = told.full_name.lower()
    values = {"name": told.full_name, "name_key": key, "private": bool(told.private)}
    dated = {"created_at": now(), "updated_at": now()}
    insert_once(Repository, github_id=told.id, viewers=[], **values, **dated)
    # A name that was given up may be somebody else's now: who proved the one may not see the other.
    others = update(Repository).where(Repository.name_key == key, Repository.github_id != told.id)
    db.session.execute(others.values(name_key="", viewers=[]), execution_options={"synchronize_session": False})
    mine = select(Repository).where(Repository.github_id == told.id).with_for_update()
    repository = db.session.scalars(mine, execution_options={"populate_existing": True}).one()
    for name, value in values.items():
        setattr(repository, name, value)
    if pull.raw.base.ref == told.default_branch:
        repository.viewers = list(pull.preferences.viewers)
    return repository


def answered(review: Review, reply: Reply, unread: list[str], provider: str, model_id: str | None) -> None:
    """Keep what the model said before any of it is told: a second try costs no second answer."""
    review.result, review.unread = reply.outcome.result, unread
    review.provider, review.model_id = provider, model_id
    db.session.commit()


def spent(review: Review, usage: Usage) -> None:
    """Add up what a review took, whatever came of it."""
    review.input_tokens += usage.input_tokens
    review.output_tokens += usage.output_tokens
    db.session.commit()


def end(review: Review, status: str) -> None:
    review.status, review.completed_at = status, now()
    db.session.commit()
    tell(review)


def last_summary(review: Review) -> int | None:
    """Return the id of the summary comment of a pull request, None where there is none yet."""
    earlier = select(Review.comment_id).where(
        Review.repository_id == review.repository_id,
        Review.number == review.number,
        Review.kind == "review",
        Review.comment_id.is_not(None),
    )
    with reading():
        found = db.session.scalar(earlier.order_by(Review.id.desc()).limit(1))
        db.session.commit()
    return found


def tell(review: Review) -> None:
    """Tell the users whose projects name the repository."""
    if review.kind != "review":
        return
    with reading():
        watchers = access.watchers(review.repository)
        db.session.commit()
    for user_id, project_id in watchers:
        payload = {"type": "review", "project_id": project_id, "review": REVIEW.dump(review)}
        try:
            rooms.tell(user_id, "review", payload)
        except Exception:  # Events are a hint; whoever missed one sees the review in the list.
            log.exception("review event not sent", review_id=review.id)
