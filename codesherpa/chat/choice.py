"""Who answers a chat: its agent's kind, its words, or a model where the words leave it open."""

from __future__ import annotations

import threading
from dataclasses import dataclass

import structlog

from codesherpa import sherpas
from codesherpa.agents.models import Agent
from codesherpa.chat.models import Chat
from codesherpa.concurrency import Cancellation
from codesherpa.errors import ModelFault
from codesherpa.providers.interface import Brief, End, Provider, Text
from codesherpa.sherpas import router
from codesherpa.sherpas.interface import Routing, Sherpa

PATIENCE = 6.0  # Seconds that a model may take to route; the person waits meanwhile.

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Choice:
    """Who answers, and why (None where an agent decides)."""

    sherpa: Sherpa
    routing: Routing | None = None


def choose(
    chat: Chat, agent: Agent | None, previous: str | None, provider: Provider, cancellation: Cancellation
) -> Choice:
    """Let the agent's kind decide, else the words, else the model that will answer.

    `previous` is who answered last in the conversation. A model that fails to route costs no reply: the words
    decide as well as they can.
    """
    if agent:
        return Choice(sherpas.for_kind(agent.kind))
    asked = (chat.message, chat.code_context, previous)
    routing = router.route(*asked)
    if routing is None and provider.model(None) is not None:
        routing = router.parse(ask(provider, router.brief(*asked), cancellation), *asked)
    routing = routing or router.fallback(*asked)
    return Choice(sherpas.SHERPAS[routing.target_agent], routing)


def ask(provider: Provider, brief: Brief, cancellation: Cancellation) -> str:
    """Return what the model says, "" where it fails, is stopped or takes too long."""
    impatience = Cancellation()
    cancellation.on_cancel(impatience.cancel)
    timer = threading.Timer(PATIENCE, impatience.cancel)
    timer.daemon = True
    timer.start()
    pieces: list[str] = []
    try:
        for piece in provider.stream(brief, impatience):
            if isinstance(piece, Text):
                pieces.append(piece.text)
            elif isinstance(piece, End):
                return "".join(pieces) if piece.reason == "end" else ""
    except ModelFault as fault:
        log.warning("the model could not route a message", code=fault.code)
        return ""
    finally:
        timer.cancel()
    return ""
