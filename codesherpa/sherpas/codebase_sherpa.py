"""Explains code and ideas, with steps to learn them by."""

from __future__ import annotations

from typing import Any

from codesherpa.providers.interface import Brief, Tool
from codesherpa.sherpas import prompts
from codesherpa.sherpas.briefs import footer, prepare
from codesherpa.sherpas.interface import Ask, Writer
from codesherpa.sherpas.loose import as_concept, as_step, is_text
from codesherpa.sherpas.markdown import inline
from codesherpa.sherpas.page import Listing, Page, Part, Passage
from codesherpa.sherpas.phrases import phrases
from codesherpa.sherpas.veil import hidden

CLOSING = "Explain what is asked above with the tool give_explanation."

CONCEPT = {
    "type": "object",
    "properties": {"term": {"type": "string"}, "definition": {"type": "string"}},
    "required": ["term", "definition"],
    "additionalProperties": False,
}
TOOL = Tool(
    "give_explanation",
    "Give the explanation that the turn asks for.",
    {
        "type": "object",
        "properties": {
            "explanation": {"type": "string", "description": "Markdown without a title."},
            "learning_steps": {"type": "array", "items": {"type": "string"}, "description": "In order, no numbers."},
            "key_concepts": {"type": "array", "items": CONCEPT},
            "analogy": {"type": "string", "description": "One picture from everyday life, and where it ends."},
        },
        "required": ["explanation", "learning_steps", "key_concepts", "analogy"],
        "additionalProperties": False,
    },
)


class CodebaseSherpa:
    """Explains, in the contract's structure."""

    name = "codebase_sherpa"

    def brief(self, ask: Ask) -> Brief:
        """Ask for an explanation."""
        return prepare(ask, "explanation", prompts.EXPLAIN, CLOSING, TOOL)

    def writer(self, brief: Brief) -> Writer:
        """Write the explanation as it comes."""
        return ExplanationWriter(brief)


class ExplanationWriter:
    """Writes explanation and analogy word by word, steps and concepts each when it is complete."""

    def __init__(self, brief: Brief) -> None:
        words = phrases(brief.language)
        self._secret = brief.system
        self._footer = footer(brief)
        self._explanation = Passage(words.explanation, brief.system)
        self._analogy = Passage(words.analogy, brief.system)
        self._steps: list[str] = []
        self._concepts: list[dict[str, str]] = []
        parts: dict[str, Part] = {
            "explanation": self._explanation,
            "learning_steps": Listing(words.steps, self._step),
            "key_concepts": Listing(words.concepts, self._concept),
            "analogy": self._analogy,
        }
        self._page = Page(parts, opening="explanation")

    def feed(self, text: str) -> str:
        """Take the next of the tool's JSON."""
        return self._page.feed(text)

    def finish(self, cut: bool = False) -> str:
        """Write the rest."""
        return self._page.finish(cut, {"explanation": is_text}) + self._page.block(self._footer)

    def result(self) -> dict[str, Any]:
        """Return the explanation so far."""
        return {
            "kind": "explanation",
            "explanation": self._explanation.text.strip(),
            "learning_steps": list(self._steps),
            "key_concepts": list(self._concepts),
            "analogy": self._analogy.text.strip(),
        }

    def _step(self, raw: Any, number: int) -> str:
        step = as_step(raw)
        if not step or hidden(step, self._secret):
            return ""
        self._steps.append(step)
        return f"{number}. {inline(step)}"

    def _concept(self, raw: Any, number: int) -> str:
        concept = as_concept(raw)
        if not concept["term"] or hidden(" ".join(concept.values()), self._secret):
            return ""
        self._concepts.append(concept)
        return f"- **{inline(concept['term'])}**: {inline(concept['definition'])}"
