"""Who answers a chat: its agent's kind, its words, or a model where the words leave it open."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any

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


def plain(
    message: str, code_context: str | None, agent: Agent | None, previous: str | None, provider: Provider
) -> Choice | None:
    """Let the agent's kind decide, else the words; None where a model is to be asked.

    `previous` is who answered last in the conversation.
    """
    if agent:
        return Choice(sherpas.for_kind(agent.kind))
    asked = (message, code_context, previous)
    routing = router.route(*asked)
    if routing is None and provider.model(None) is None:
        routing = router.fallback(*asked)
    return Choice(sherpas.SHERPAS[routing.target_agent], routing) if routing else None


def choose(
    chat: Chat, agent: Agent | None, previous: str | None, provider: Provider, cancellation: Cancellation
) -> Choice:
    """Decide as `plain`, else let the model decide that will answer.

    A model that fails to route costs no reply: the words decide as well as they can.
    """
    asked = (chat.message, chat.code_context, previous)
    if chosen := plain(chat.message, chat.code_context, agent, previous, provider):
        return chosen
    routing = router.parse(ask(provider, router.brief(*asked), cancellation), *asked)
    return Choice(sherpas.SHERPAS[routing.target_agent], routing)


def stored(chosen: Choice, provider: Provider, agent: Agent | None) -> dict[str, Any]:
    """Return what a chat is stored with as soon as it is decided who answers."""
    routing = chosen.routing
    return {
        "sherpa": chosen.sherpa.name,
        "provider": provider.name,
        "model_id": provider.model(agent.model_id if agent else None),
        "routing": {slot: getattr(routing, slot) for slot in Routing.__slots__} if routing else None,
        "status": "streaming",
    }


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
