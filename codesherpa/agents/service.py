"""What a user can do with agents."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select
from sqlalchemy.orm.attributes import set_committed_value

from codesherpa.agents.models import Agent
from codesherpa.errors import NotFound
from codesherpa.extensions import db
from codesherpa.paging import Listing, Page
from codesherpa.user.models import User

LISTING = Listing(Agent, Agent.name, Agent.id.desc())


def find(user: User, id: int) -> Agent:
    """Return a user's own agent. Raises NotFound, for somebody else's too."""
    found = db.session.scalar(select(Agent).where(Agent.id == id, Agent.user_id == user.id))
    if found is None:
        raise NotFound("There is no such agent.")
    return found


def list(user: User, page: int, page_size: int, q: str = "") -> Page:
    """Return a page of a user's agents, newest first, whose name contains `q`."""
    return LISTING.page(user, page, page_size, q)


def create(user: User, **values: Any) -> Agent:
    """Make an agent."""
    made = Agent(user_id=user.id, **values)
    db.session.add(made)
    db.session.commit()
    set_committed_value(made, "is_writing", False)  # Nobody has asked it anything yet.
    return made


def change(user: User, id: int, changes: dict[str, Any]) -> Agent:
    """Change what `changes` names. Raises NotFound."""
    found = find(user, id)
    for name, value in changes.items():
        setattr(found, name, value)
    db.session.commit()
    return found


def delete(user: User, id: int) -> None:
    """Delete an agent; its chats stay. Raises NotFound."""
    db.session.delete(find(user, id))
    db.session.commit()
