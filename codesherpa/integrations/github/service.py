"""What GitHub hands over, what users see of it, and what was never handed over."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from flask import current_app
from github import Github
from github.HookDelivery import HookDeliverySummary
from github.PaginatedList import PaginatedList
from sqlalchemy import exists, func, select

from codesherpa.database import now
from codesherpa.extensions import db
from codesherpa.integrations import jobs, runner
from codesherpa.integrations.github import access, client, events
from codesherpa.integrations.github.client import speaking
from codesherpa.integrations.github.models import Repository, Review
from codesherpa.integrations.models import Delivery
from codesherpa.paging import Page
from codesherpa.projects import service as projects
from codesherpa.user.models import User

SOURCE = "github"
PATH = "/api/github/webhook"


def receive(event: str, delivery: str, payload: dict[str, Any]) -> bool:
    """Take a delivery in, and have its work begun; False where it causes nothing or has been taken before."""
    taken = take(event, delivery, payload)
    if taken:
        runner.wake()
    return taken


def take(event: str, delivery: str, payload: dict[str, Any]) -> bool:
    """As `receive`, but leave the work to whoever serves."""
    wanted = events.wanted(event, payload)
    return bool(wanted) and jobs.receive(SOURCE, delivery, wanted)


@dataclass(frozen=True, slots=True)
class Reviews(Page):
    """A page of reviews; `viewer` is what lets its user see those of a private repository."""

    viewer: str | None = None


def reviews(user: User, project_id: int, page: int, page_size: int) -> Reviews:
    """Return a page of the reviews of a project's repository that its user may see. Raises NotFound.

    A repository that nobody knows and one that the user may not see look the same.
    """
    name = projects.find(user, project_id).repository
    seen = access.seen_by(user.id, name) if name else []
    mine = (Review.repository_id.in_(seen), Review.kind == "review")
    total = db.session.scalar(select(func.count(Review.id)).where(*mine)) or 0
    listed = select(Review).where(*mine).order_by(Review.id.desc()).limit(page_size).offset((page - 1) * page_size)
    found = db.session.scalars(listed).all()
    return Reviews(found, total, page, page_size, access.code(user.id, name) if name else None)


def reconcile(hours: int, repository: str | None = None) -> Iterator[tuple[str, str, str]]:
    """Take in what GitHub could not hand over: yields (time, event, what became of it). Raises Hopeless and Later."""
    since = now() - timedelta(hours=hours)
    for github, path in hooks(repository):
        with speaking():
            for told in PaginatedList(HookDeliverySummary, github.requester, path, None):
                if told.delivered_at and told.delivered_at < since:
                    break
                if is_missing(told):
                    yield str(told.delivered_at), str(told.event), take_in(github, path, told)


def hooks(repository: str | None) -> Iterator[tuple[Github, str]]:
    """Give where the API has the deliveries of the app, else of the webhook of each repository that we know."""
    if current_app.config["GITHUB_APP_ID"]:
        yield Github(auth=client.app().auth, **client.options()), "/app/hook/deliveries"
        return
    connection = client.connect(None)
    names = [repository] if repository else db.session.scalars(select(Repository.name)).all()
    db.session.commit()
    for name in names:
        with speaking():
            for hook in connection.github.get_repo(name).get_hooks():
                if str(hook.config.get("url", "")).rstrip("/").endswith(PATH):
                    yield connection.github, f"/repos/{name}/hooks/{hook.id}/deliveries"


def is_missing(told: HookDeliverySummary) -> bool:
    """Tell whether a delivery failed and never came through since."""
    if told.status_code and 200 <= told.status_code < 300:
        return False
    seen = db.session.scalar(select(exists().where(Delivery.source == SOURCE, Delivery.key == str(told.guid))))
    db.session.commit()
    return not seen


def take_in(github: Github, path: str, told: HookDeliverySummary) -> str:
    """Fetch a delivery and do as if it had just come."""
    whole = github.requester.requestJsonAndCheck("GET", f"{path}/{told.id}")[1]
    payload = (whole.get("request") or {}).get("payload")
    taken = isinstance(payload, dict) and take(str(told.event), str(told.guid), payload)
    return "taken" if taken else "causes nothing"
