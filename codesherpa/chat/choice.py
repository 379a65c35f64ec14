"""Who answers a chat: its agent's kind, its words, or a model where the words leave it open."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

import structlog

from codesherpa import sherpas
from codesherpa.agents.models import Agent
from codesherpa.chat.models import Chat
from codesherpa.concurrency import Cancellation
from codesherpa.errors import ModelFault
from codesherpa.providers.interface import Brief, End, Provider, Text, Usage
from codesherpa.sherpas import router
from codesherpa.sherpas.interface import Routing, Sherpa

PATIENCE = 6.0  # Seconds that a model may take to route; the person waits meanwhile.

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Choice:
    """Who answers, why (None where an agent decides), and what it cost to find out."""

    sherpa: Sherpa
    routing: Routing | None = None
    usage: Usage = field(default_factory=Usage)


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
    routing, usage = router.route(*asked), Usage()
    if routing is None and provider.model(None) is not None:
        told, usage = ask(provider, router.brief(*asked), cancellation)
        routing = router.parse(told, *asked)
    routing = routing or router.fallback(*asked)
    return Choice(sherpas.SHERPAS[routing.target_agent], routing, usage)


def ask(provider: Provider, brief: Brief, cancellation: Cancellation) -> tuple[str, Usage]:
    """Return what the model says, "" where it fails, is stopped or takes too long, and what it spent."""
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
                return "".join(pieces) if piece.reason == "end" else "", piece.usage
    except ModelFault as fault:
        log.warning("the model could not route a message", code=fault.code)
        return "", fault.usage or Usage()
    finally:
        timer.cancel()
    return "", Usage()
