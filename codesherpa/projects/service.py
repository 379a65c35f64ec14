"""What a user can do with projects."""

from __future__ import annotations

from typing import Any, cast

from sqlalchemy import bindparam, select

from codesherpa import checkpoints
from codesherpa.errors import NotFound
from codesherpa.extensions import db
from codesherpa.paging import Listing, Page
from codesherpa.projects.models import Project
from codesherpa.rows import first
from codesherpa.user import storage
from codesherpa.user.models import User

MISSING = "There is no such project."
LISTING = Listing(Project, Project.name, Project.id.desc())
# Made once: to build a statement takes longer than to run it.
PROJECTS = Project.__table__.c
MINE = select(*PROJECTS).where(PROJECTS.id == bindparam("id"), PROJECTS.user_id == bindparam("user_id"))


def find(user: User, id: int) -> Project:
    """Return a user's own project. Raises NotFound, for somebody else's too."""
    found = db.session.scalar(select(Project).where(Project.id == id, Project.user_id == user.id))
    if found is None:
        raise NotFound(MISSING)
    return found


def glance(user_id: int, id: int) -> Project | None:
    """Return a user's own project as a row, which is read and not changed; None where there is none."""
    return cast(Project | None, first(MINE, id=id, user_id=user_id))


def list(user: User, page: int, page_size: int, q: str = "") -> Page:
    """Return a page of a user's projects, newest first, whose name contains `q`."""
    return LISTING.page(user, page, page_size, q)


def create(user: User, **values: Any) -> Project:
    """Make a project. Raises StorageFull."""
    made = Project(user_id=user.id, **values)
    storage.reserve(user.id, size(made))
    db.session.add(made)
    db.session.commit()
    return made


def change(user: User, id: int, changes: dict[str, Any]) -> Project:
    """Change what `changes` names. Raises NotFound and StorageFull."""
    storage.hold(user.id)
    found = find(user, id)
    before = size(found)
    for name, value in changes.items():
        setattr(found, name, value)
    storage.reserve(user.id, size(found) - before)
    db.session.commit()
    return found


def delete(user: User, id: int) -> None:
    """Delete a project; its chats stay. Raises NotFound."""
    storage.hold(user.id)
    going = find(user, id)
    storage.book(user.id, -size(going))
    db.session.delete(going)
    db.session.commit()
    checkpoints.request()


def size(project: Project) -> int:
    """Return what a project counts for of what its user stores."""
    return storage.size(project.name, project.description, project.instructions, project.repository)
