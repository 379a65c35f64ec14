"""What each feature adds to a user's export, in the order of the document."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import undefer

from codesherpa.agents import schemas as agents
from codesherpa.agents.models import Agent
from codesherpa.auth import schemas as auth
from codesherpa.auth.models import AuthSession
from codesherpa.chat import schemas as chat
from codesherpa.chat.models import Chat, Conversation
from codesherpa.projects import schemas as projects
from codesherpa.projects.models import Project
from codesherpa.user import schemas as users
from codesherpa.user.audit import AuditEvent
from codesherpa.user.export import part


def register() -> None:
    """Make every feature's rows part of the export."""
    counted = undefer(Conversation.chat_count)
    part("sessions", auth.Session(), lambda user: select(AuthSession).where(AuthSession.user_id == user.id))
    part("agents", agents.Agent(), lambda user: select(Agent).where(Agent.user_id == user.id))
    part("projects", projects.Project(), lambda user: select(Project).where(Project.user_id == user.id))
    part(
        "conversations",
        chat.Conversation(),
        lambda user: select(Conversation).where(Conversation.user_id == user.id).options(counted),
    )
    part("chats", chat.Chat(), lambda user: select(Chat).where(Chat.user_id == user.id))
    part("audit", users.AuditEvent(), lambda user: select(AuditEvent).where(AuditEvent.user_id == user.id))
