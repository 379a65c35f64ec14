"""What each feature adds to a user's export, in the order of the document."""

from __future__ import annotations

from flask import Flask

from codesherpa.agents import schemas as agents
from codesherpa.agents.models import Agent
from codesherpa.auth import schemas as auth
from codesherpa.auth.models import AuthSession
from codesherpa.chat import schemas as chat
from codesherpa.chat.models import Chat, Conversation
from codesherpa.chat.service import UNSEEN
from codesherpa.projects import schemas as projects
from codesherpa.projects.models import Project
from codesherpa.user import schemas as users
from codesherpa.user.audit import AuditEvent
from codesherpa.user.export import init_app, part


def register(app: Flask) -> None:
    """Make every feature's rows part of the export."""
    init_app(app)
    part("sessions", auth.Session(), AuthSession)
    part("agents", agents.Agent(), Agent)
    part("projects", projects.Project(), Project)
    part("conversations", chat.Conversation(), Conversation)
    part("chats", chat.Chat(), Chat, without=UNSEEN)
    part("audit", users.AuditEvent(), AuditEvent)
