"""What a user can do with agents."""

from __future__ import annotations

from typing import Any, cast

from sqlalchemy import bindparam, select
from sqlalchemy.orm.attributes import set_committed_value

from codesherpa import checkpoints
from codesherpa.agents.models import Agent
from codesherpa.errors import NotFound
from codesherpa.extensions import db
from codesherpa.paging import Listing, Page
from codesherpa.rows import first
from codesherpa.user import storage
from codesherpa.user.models import User

MISSING = "There is no such agent."
LISTING = Listing(Agent, Agent.name, Agent.id.desc())
# Made once: to build a statement takes longer than to run it.
AGENTS = Agent.__table__.c
MINE = select(*AGENTS).where(AGENTS.id == bindparam("id"), AGENTS.user_id == bindparam("user_id"))


def find(user: User, id: int) -> Agent:
    """Return a user's own agent. Raises NotFound, for somebody else's too."""
    found = db.session.scalar(select(Agent).where(Agent.id == id, Agent.user_id == user.id))
    if found is None:
        raise NotFound(MISSING)
    return found


def glance(user_id: int, id: int) -> Agent | None:
    """Return a user's own agent as a row, which is read and not changed; None where there is none."""
    return cast(Agent | None, first(MINE, id=id, user_id=user_id))


def list(user: User, page: int, page_size: int, q: str = "") -> Page:
    """Return a page of a user's agents, newest first, whose name contains `q`."""
    return LISTING.page(user, page, page_size, q)


def create(user: User, **values: Any) -> Agent:
    """Make an agent. Raises StorageFull."""
    made = Agent(user_id=user.id, **values)
    storage.reserve(user.id, size(made))
    db.session.add(made)
    db.session.commit()
    set_committed_value(made, "is_writing", False)  # Nobody has asked it anything yet.
    return made


def change(user: User, id: int, changes: dict[str, Any]) -> Agent:
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
    """Delete an agent; its chats stay. Raises NotFound."""
    storage.hold(user.id)
    going = find(user, id)
    storage.book(user.id, -size(going))
    db.session.delete(going)
    db.session.commit()
    checkpoints.request()


def size(agent: Agent) -> int:
    """Return what an agent counts for of what its user stores."""
    return storage.size(agent.name, agent.description, agent.system_prompt, agent.model_id)
