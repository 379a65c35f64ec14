"""Which users may see which reviews.

A project may name any repository, so the name alone proves nothing. Reviews of a public repository can be
read on GitHub by anybody, and here as well. Reviews of a private one are seen by users whose code stands
under `viewers` in the `.codesherpa.toml` of its default branch: whoever can put it there can push to the
repository, and so can read it. A code is good for one user and one repository, so it is no secret.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable

from flask import current_app
from sqlalchemy import ColumnElement, func, select

from codesherpa.extensions import db
from codesherpa.integrations.github.models import Repository
from codesherpa.projects.models import Project
from codesherpa.user.models import User


def code(user_id: int, repository: str) -> str:
    """Return what a user puts into a repository to see its reviews."""
    told = f"github viewer {user_id} {repository.lower()}"
    return (
        "viewer-" + hmac.new(current_app.config["SECRET_KEY"].encode(), told.encode(), hashlib.sha256).hexdigest()[:32]
    )


def seen_by(user_id: int, name: str) -> list[int]:
    """Return the ids of the repositories of that name that a user may see: one, or none."""
    found = db.session.scalars(select(Repository).where(Repository.name_key == name.lower()))
    return [repository.id for repository in found if may_see(user_id, repository)]


def may_see(user_id: int, repository: Repository) -> bool:
    return not repository.private or code(user_id, repository.name) in repository.viewers


def watchers(repository: Repository) -> Iterable[tuple[int, int]]:
    """Return (user id, project id) of the projects that name a repository, of users who may see it."""
    named: ColumnElement[bool] = func.lower(Project.repository) == repository.name_key
    rows = db.session.execute(
        select(Project.user_id, Project.id).join(User, User.id == Project.user_id).where(named, User.is_active)
    )
    return [(user_id, id) for user_id, id in rows.all() if may_see(user_id, repository)]
