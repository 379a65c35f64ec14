"""Answers in prose: whatever is asked, and what came when a structure was asked for in vain."""

from __future__ import annotations

from typing import Any

from codesherpa.providers.interface import Brief
from codesherpa.sherpas import prompts
from codesherpa.sherpas.briefs import footer, prepare
from codesherpa.sherpas.interface import Ask, Writer
from codesherpa.sherpas.markdown import clean, fence
from codesherpa.sherpas.phrases import phrases
from codesherpa.sherpas.prose import Prose, unclosed
from codesherpa.sherpas.veil import Veil

CLOSING = "Answer the request above."


class GeneralChat:
    """Talks about anything, in prose."""

    name = "general_chat"

    def brief(self, ask: Ask) -> Brief:
        """Ask for prose."""
        return prepare(ask, "reply", prompts.CHAT, CLOSING)

    def writer(self, brief: Brief) -> Writer:
        """Let prose through."""
        return ReplyWriter(brief)


class ReplyWriter:
    """Lets prose through as it comes, without control characters and without our own instructions."""

    def __init__(self, brief: Brief) -> None:
        self._veil = Veil(brief.system)
        self._footer = footer(brief)
        self._parts: list[str] = []

    def feed(self, text: str) -> str:
        """Return the text, a word later where it must."""
        return self._add(self._veil.feed(clean(text)))

    def finish(self, cut: bool = False) -> str:
        """Return what waited, the end of a fence that stayed open, and what was left out of the ask."""
        rest = self._add(self._veil.close())
        rest += self._add(unclosed("".join(self._parts)))
        return rest + (self._add(f"\n\n{self._footer}") if self._footer and not cut else "")

    def result(self) -> dict[str, Any]:
        """Return the reply so far."""
        return {"kind": "reply", "reply": "".join(self._parts)}

    def _add(self, text: str) -> str:
        self._parts.append(text)
        return text


def as_reply(raw: str, brief: Brief) -> tuple[str, dict[str, Any]]:
    """Return text that was to be a structure and is none as markdown, marked, and as the contract's `result`."""
    veil, prose = Veil(brief.system), Prose()
    text = veil.feed(clean(raw)) + veil.close()
    shown = fence(text, "json") if text.lstrip().startswith(("{", "[")) else prose.feed(text) + prose.close()
    reply = f"{phrases(brief.language).unreadable}\n\n{shown}".strip()
    return reply, {"kind": "reply", "reply": reply}
