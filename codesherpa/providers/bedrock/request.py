"""A brief as Converse wants it: only what the model takes, and a history that is always valid."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, Literal, NamedTuple

from codesherpa.providers.interface import Brief, Turn
from codesherpa.providers.models import Family, estimate_tokens

CACHE_POINT = {"cachePoint": {"type": "default"}}


class Question(NamedTuple):
    """A method of boto3's client and what to call it with."""

    operation: Literal["converse", "converse_stream"]
    arguments: dict[str, Any]


def build(brief: Brief, model_id: str, family: Family, max_tokens: int, refused: frozenset[str]) -> Question:
    """Put a brief as a question; `refused` names parameters that this model is known not to take."""
    wanted = brief.max_tokens or max_tokens
    # Without maxTokens Bedrock reserves the model's maximum of the account's quota.
    config: dict[str, Any] = {"maxTokens": min(wanted, family.max_output)}
    if brief.temperature is not None and family.temperature and "temperature" not in refused:
        config["temperature"] = brief.temperature
    tools = _tools(brief, family, refused)
    context = brief.context
    if brief.tool and not tools:
        context += f"\n\nAnswer with one JSON object and nothing else. It fits this schema:\n{_schema(brief)}"
    request: dict[str, Any] = {"modelId": model_id, "messages": _messages(brief.turns), "inferenceConfig": config}
    if tools:
        request["toolConfig"] = tools
    if not family.system or "system" in refused:
        _say_first(request["messages"], f"{brief.system}\n\n{context}")
    elif system := _system(brief, context, family, refused):
        request["system"] = system
    streamed = not tools or (family.streamed_tools and "streamed_tools" not in refused)
    return Question("converse_stream" if streamed else "converse", request)


def _system(brief: Brief, context: str, family: Family, refused: frozenset[str]) -> list[dict[str, Any]]:
    """Put the cache point between what is the same for every call of a sherpa and what varies."""
    blocks: list[dict[str, Any]] = [{"text": brief.system}] if brief.system.strip() else []
    if blocks and family.cache_minimum is not None and "cache" not in refused:
        # The tool's schema stands before the system prompt in what is cached.
        prefix = estimate_tokens(brief.system) + (estimate_tokens(_schema(brief)) if brief.tool else 0)
        blocks += [CACHE_POINT] if prefix >= family.cache_minimum else []
    return blocks + ([{"text": context}] if context.strip() else [])


def _tools(brief: Brief, family: Family, refused: frozenset[str]) -> dict[str, Any] | None:
    if brief.tool is None or not family.tools or "tools" in refused:
        return None
    tool = brief.tool
    spec = {"name": tool.name, "description": tool.description, "inputSchema": {"json": tool.schema}}
    choices = {"tool": {"tool": {"name": tool.name}}, "any": {"any": {}}}
    choice = None if "forced_tool" in refused else family.forced_tool
    return {"tools": [{"toolSpec": spec}], "toolChoice": choices[choice] if choice else {"auto": {}}}


def _schema(brief: Brief) -> str:
    return json.dumps(brief.tool.schema, ensure_ascii=False) if brief.tool else ""


def _messages(turns: Iterable[Turn]) -> list[dict[str, Any]]:
    """Merge turns of one side, leave out empty ones, and begin and end with the user's."""
    merged: list[Turn] = []
    for turn in turns:
        if not turn.text.strip() or (not merged and turn.role == "assistant"):
            continue
        same = bool(merged) and merged[-1].role == turn.role
        merged.append(Turn(turn.role, f"{merged.pop().text}\n\n{turn.text}") if same else turn)
    if merged and merged[-1].role == "assistant":
        merged.pop()
    return [{"role": turn.role, "content": [{"text": turn.text}]} for turn in merged]


def _say_first(messages: list[dict[str, Any]], text: str) -> None:
    """Say to the model in the first message what others take as a system prompt."""
    if messages and text.strip():
        messages[0]["content"].insert(0, {"text": text})


def input_tokens(question: Question) -> int:
    """Estimate what a question counts, where the model did not say."""
    request = question.arguments
    parts = [*request.get("system", []), *(part for turn in request["messages"] for part in turn["content"])]
    tools = json.dumps(request["toolConfig"], ensure_ascii=False) if "toolConfig" in request else ""
    return estimate_tokens(tools + "".join(part.get("text", "") for part in parts))
