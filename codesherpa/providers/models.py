"""What each family of models takes and costs, as data: the only place that tells models apart."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Literal

from codesherpa.providers.interface import Usage

MILLION = Decimal(1_000_000)


@dataclass(frozen=True, slots=True)
class Family:
    """Models that take the same parameters.

    `forced_tool` is the way to make the model call our one tool ("tool" by its name, "any"), None where it
    decides for itself; `cache_minimum` the shortest prefix in tokens that a cache point keeps, None where
    there are no cache points; `window` counts input and output together. Prices are dollars a million tokens.
    """

    name: str
    window: int = 128_000
    max_output: int = 8_192
    input_price: Decimal = Decimal(3)
    output_price: Decimal = Decimal(15)
    cache_read_price: Decimal = Decimal(0)
    cache_write_price: Decimal = Decimal(0)
    temperature: bool = True
    top_p_with_temperature: bool = True
    cache_minimum: int | None = None
    system: bool = True
    tools: bool = True
    streamed_tools: bool = True
    forced_tool: Literal["tool", "any"] | None = None
    needs_profile: bool = False


def _priced(family: Family, name: str, dollars_in: str, dollars_out: str, cache_minimum: int | None = None) -> Family:
    """Give a family its prices; cached input costs a tenth and caching it five quarters, as Claude's does."""
    read, write = Decimal(dollars_in) / 10, Decimal(dollars_in) * 5 / 4
    return replace(
        family,
        name=name,
        input_price=Decimal(dollars_in),
        output_price=Decimal(dollars_out),
        cache_read_price=read,
        cache_write_price=write,
        cache_minimum=cache_minimum,
    )


def _open(name: str, dollars_in: str, dollars_out: str, window: int, max_output: int, **differences: bool) -> Family:
    """Describe models with open weights: no cache points, and a tool only as they please."""
    prices = {"input_price": Decimal(dollars_in), "output_price": Decimal(dollars_out)}
    return Family(name, window, max_output, **prices, **differences)  # type: ignore[arg-type]


def _nova(name: str, dollars_in: str, dollars_out: str, window: int, cache_minimum: int | None = 1_000) -> Family:
    """Describe a Nova: cached input costs a quarter, caching it nothing."""
    prices = {"input_price": Decimal(dollars_in), "output_price": Decimal(dollars_out)}
    cached = {"cache_read_price": Decimal(dollars_in) / 4, "cache_minimum": cache_minimum}
    return Family(name, window, 10_000, forced_tool="tool", **prices, **cached)  # type: ignore[arg-type]


_CLAUDE_3 = Family("Claude 3", 200_000, 4_096, forced_tool="tool")
_CLAUDE_3_5 = replace(_CLAUDE_3, max_output=8_192)
_CLAUDE_4 = replace(_CLAUDE_3, max_output=64_000, needs_profile=True)
_CLAUDE_4_5 = replace(_CLAUDE_4, top_p_with_temperature=False)
_CLAUDE_4_6 = replace(_CLAUDE_4_5, window=1_000_000)
_CLAUDE_4_7 = replace(_CLAUDE_4_6, max_output=128_000, temperature=False)
# From 5.5 on (Fable: 5.1) Claude thinks before every answer, and a forced tool is an error.
_CLAUDE_5_5 = replace(_CLAUDE_4_7, forced_tool=None)

# Dollars a million tokens, on demand, through a `global.` profile or in us-east-1, as of October 2026: for
# estimates, not for invoices (regional profiles of Claude cost a tenth more). The first pattern found in
# the id decides. Sources: AWS's pages on supported models, prompt caching and prices; Anthropic's model pages.
FAMILIES: tuple[tuple[str, Family], ...] = (
    (
        r"claude-opus-5-[5-9]",
        replace(_priced(_CLAUDE_5_5, "Claude Opus 5.5", "4", "20", 512), cache_read_price=Decimal("0.2")),
    ),
    (r"claude-sonnet-5-[5-9]", _priced(_CLAUDE_5_5, "Claude Sonnet 5.5", "2", "10", 1_024)),
    (r"claude-haiku-5", _priced(_CLAUDE_5_5, "Claude Haiku 5", "1", "5", 4_096)),
    (r"claude-(fable|mythos)-5-[1-9]", _priced(_CLAUDE_5_5, "Claude Fable 5.1", "10", "50", 512)),
    (r"claude-(fable|mythos)-5", _priced(_CLAUDE_4_7, "Claude Fable 5", "10", "50", 512)),
    (r"claude-opus-5", _priced(_CLAUDE_4_7, "Claude Opus 5", "5", "25", 512)),
    (r"claude-sonnet-5", _priced(_CLAUDE_4_7, "Claude Sonnet 5", "2", "10", 1_024)),
    (r"claude-opus-4-[89]", _priced(_CLAUDE_4_7, "Claude Opus 4.8", "5", "25", 1_024)),
    (r"claude-opus-4-7", _priced(_CLAUDE_4_7, "Claude Opus 4.7", "5", "25", 2_048)),
    (r"claude-opus-4-6", _priced(replace(_CLAUDE_4_6, max_output=128_000), "Claude Opus 4.6", "5", "25", 4_096)),
    (r"claude-sonnet-4-6", _priced(_CLAUDE_4_6, "Claude Sonnet 4.6", "3", "15", 1_024)),
    (r"claude-opus-4-5", _priced(_CLAUDE_4_5, "Claude Opus 4.5", "5", "25", 4_096)),
    (r"claude-sonnet-4-5", _priced(_CLAUDE_4_5, "Claude Sonnet 4.5", "3", "15", 1_024)),
    (r"claude-haiku-4-5", _priced(_CLAUDE_4_5, "Claude Haiku 4.5", "1", "5", 4_096)),
    (r"claude-opus-4", _priced(replace(_CLAUDE_4, max_output=32_000), "Claude Opus 4", "15", "75", 1_024)),
    (r"claude-sonnet-4", _priced(_CLAUDE_4, "Claude Sonnet 4", "3", "15", 1_024)),
    (r"claude-3-7-sonnet", _priced(replace(_CLAUDE_3, max_output=64_000), "Claude 3.7 Sonnet", "3", "15", 1_024)),
    (r"claude-3-5-haiku", _priced(_CLAUDE_3_5, "Claude 3.5 Haiku", "0.8", "4", 2_048)),
    (r"claude-3-5-sonnet", _priced(_CLAUDE_3_5, "Claude 3.5 Sonnet", "6", "30")),
    (r"claude-3-opus", _priced(_CLAUDE_3, "Claude 3 Opus", "15", "75")),
    (r"claude-3-sonnet", _priced(_CLAUDE_3, "Claude 3 Sonnet", "3", "15")),
    (r"claude-3-haiku", _priced(_CLAUDE_3, "Claude 3 Haiku", "0.25", "1.25")),
    (r"claude", _priced(_CLAUDE_5_5, "Claude, newer", "5", "25", 1_024)),
    (r"nova-2-lite", replace(_nova("Nova 2 Lite", "0.33", "2.75", 1_000_000, None), max_output=64_000)),
    (r"nova-2-pro", replace(_nova("Nova 2 Pro", "1.25", "10", 1_000_000, None), max_output=64_000)),
    (r"nova-premier", _nova("Nova Premier", "2.5", "12.5", 1_000_000)),
    (r"nova-pro", _nova("Nova Pro", "0.8", "3.2", 300_000)),
    (r"nova-lite", _nova("Nova Lite", "0.06", "0.24", 300_000)),
    (r"nova-micro", _nova("Nova Micro", "0.035", "0.14", 128_000)),
    (r"titan-text", _open("Titan Text", "0.5", "1.5", 32_000, 3_072, tools=False, system=False)),
    (r"llama4-maverick", _open("Llama 4 Maverick", "0.24", "0.97", 1_000_000, 8_192, streamed_tools=False)),
    (r"llama4-scout", _open("Llama 4 Scout", "0.17", "0.66", 3_500_000, 8_192, streamed_tools=False)),
    (r"llama3-2-[13]b", _open("Llama 3.2, small", "0.15", "0.15", 128_000, 4_096, tools=False)),
    (r"llama3-1-405b", _open("Llama 3.1 405B", "2.4", "2.4", 128_000, 4_096, streamed_tools=False)),
    (r"llama3-[123]-(70|90)b", _open("Llama 3, large", "0.72", "0.72", 128_000, 4_096, streamed_tools=False)),
    (r"llama3-[12]-", _open("Llama 3, mid", "0.22", "0.22", 128_000, 4_096, streamed_tools=False)),
    (r"llama3-", _open("Llama 3", "0.3", "0.6", 8_000, 2_048, tools=False)),
    (r"mistral-large-3", _open("Mistral Large 3", "0.5", "1.5", 256_000, 8_192)),
    (
        r"mistral-large|pixtral",
        replace(_open("Mistral Large", "2", "6", 128_000, 8_192, streamed_tools=False), forced_tool="any"),
    ),
    (r"mistral-7b|mixtral", _open("Mistral 7B", "0.45", "0.7", 32_000, 8_192, tools=False, system=False)),
    (r"mistral-small", _open("Mistral Small", "1", "3", 32_000, 8_192, streamed_tools=False)),
    (r"magistral|ministral|devstral", _open("Mistral, small", "0.5", "1.5", 128_000, 8_192)),
    (r"command-r-plus", _open("Command R+", "3", "15", 128_000, 4_096)),
    (r"command-r", _open("Command R", "0.5", "1.5", 128_000, 4_096)),
    (r"deepseek\.r1", _open("DeepSeek R1", "1.35", "5.4", 128_000, 32_768, tools=False)),
    (r"deepseek", _open("DeepSeek V3", "0.62", "1.85", 163_840, 81_920)),
    (r"qwen3-(235b|coder-480b)", _open("Qwen3, large", "0.45", "1.8", 131_072, 65_536)),
    (r"qwen", _open("Qwen3", "0.15", "0.6", 131_072, 16_384)),
    (r"gpt-oss-20b", _open("gpt-oss 20B", "0.07", "0.3", 128_000, 16_384)),
    (r"gpt-oss", _open("gpt-oss 120B", "0.15", "0.6", 128_000, 16_384)),
    (r"jamba.*mini", _open("Jamba Mini", "0.2", "0.4", 256_000, 4_096)),
    (r"jamba-instruct", _open("Jamba Instruct", "0.5", "0.7", 256_000, 4_096, tools=False)),
    (r"jamba", _open("Jamba Large", "2", "8", 256_000, 4_096)),
    (r"kimi|minimax|glm|gemma|nemotron|palmyra", _open("Open weights", "0.6", "2.5", 128_000, 16_384)),
)
# What a model that nobody has described is asked for: the provider drops what it refuses.
UNKNOWN = Family("unknown", max_output=4_096, forced_tool="tool")


def family(model_id: str, aliases: Mapping[str, str] | None = None) -> Family:
    """Return what is known of a model by its id, its inference profile's id, or the ARN of either.

    `aliases` says which model stands behind an ARN that does not name one (an application inference
    profile, provisioned throughput), by the whole ARN or by what follows its last slash.
    """
    known = aliases or {}
    return _by_name(known.get(model_id) or known.get(model_id.rpartition("/")[2]) or model_id)


@functools.lru_cache(256)
def _by_name(model_id: str) -> Family:
    name = model_id.rpartition("/")[2].lower()
    return next((found for pattern, found in FAMILIES if re.search(pattern, name)), UNKNOWN)


def cost(model: Family, usage: Usage) -> Decimal:
    """Estimate what a call cost, in US dollars; cached tokens are counted beside the input's, as Bedrock does."""
    dollars = (
        usage.input_tokens * model.input_price
        + usage.output_tokens * model.output_price
        + usage.cache_read_tokens * model.cache_read_price
        + usage.cache_write_tokens * model.cache_write_price
    )
    return dollars / MILLION


def estimate_tokens(text: str) -> int:
    """Guess how many tokens a text has, rather too many than too few: a token for three bytes of UTF-8.

    English and code have 3 to 4.5 characters a token; Devanagari, three bytes each, near one.
    """
    return (len(text.encode("utf-8", "surrogatepass")) + 2) // 3
