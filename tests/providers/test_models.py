from decimal import Decimal

import pytest

from codesherpa.providers.interface import Usage
from codesherpa.providers.models import FAMILIES, UNKNOWN, cost, estimate_tokens, family

PROFILE = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc123"


@pytest.mark.parametrize(
    ("model_id", "name"),
    [
        ("anthropic.claude-3-haiku-20240307-v1:0", "Claude 3 Haiku"),
        ("anthropic.claude-3-5-sonnet-20240620-v1:0", "Claude 3.5 Sonnet"),
        ("us.anthropic.claude-3-7-sonnet-20250219-v1:0", "Claude 3.7 Sonnet"),
        ("apac.anthropic.claude-sonnet-4-20250514-v1:0", "Claude Sonnet 4"),
        ("us.anthropic.claude-opus-4-1-20250805-v1:0", "Claude Opus 4"),
        ("eu.anthropic.claude-sonnet-4-5-20250929-v1:0", "Claude Sonnet 4.5"),
        ("global.anthropic.claude-sonnet-4-6", "Claude Sonnet 4.6"),
        ("jp.anthropic.claude-opus-4-7", "Claude Opus 4.7"),
        ("global.anthropic.claude-opus-5", "Claude Opus 5"),
        ("global.anthropic.claude-opus-5-5", "Claude Opus 5.5"),
        ("global.anthropic.claude-fable-5-1", "Claude Fable 5.1"),
        ("global.anthropic.claude-saga-9", "Claude, newer"),
        ("amazon.nova-pro-v1:0", "Nova Pro"),
        ("global.amazon.nova-2-lite-v1:0", "Nova 2 Lite"),
        ("us.meta.llama3-3-70b-instruct-v1:0", "Llama 3, large"),
        ("us.meta.llama3-2-1b-instruct-v1:0", "Llama 3.2, small"),
        ("us.meta.llama4-scout-17b-instruct-v1:0", "Llama 4 Scout"),
        ("mistral.mistral-large-2407-v1:0", "Mistral Large"),
        ("mistral.mistral-large-3-675b-instruct", "Mistral Large 3"),
        ("cohere.command-r-plus-v1:0", "Command R+"),
        ("us.deepseek.r1-v1:0", "DeepSeek R1"),
        ("deepseek.v3-v1:0", "DeepSeek V3"),
        ("qwen.qwen3-32b-v1:0", "Qwen3"),
        ("openai.gpt-oss-120b-1:0", "gpt-oss 120B"),
        ("ai21.jamba-1-5-mini-v1:0", "Jamba Mini"),
        ("arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-micro-v1:0", "Nova Micro"),
        (
            "arn:aws:bedrock:eu-west-1:123456789012:inference-profile/eu.anthropic.claude-haiku-4-5-20251001-v1:0",
            "Claude Haiku 4.5",
        ),
    ],
)
def test_a_model_is_known_by_id_profile_and_arn(model_id, name):
    assert family(model_id).name == name


def test_an_unknown_model_has_a_default():
    assert family("acme.brand-new-v1:0") is UNKNOWN
    assert family(PROFILE) is UNKNOWN


@pytest.mark.parametrize("key", [PROFILE, "abc123"])
def test_an_application_profile_is_what_the_settings_say(key):
    aliases = {key: "global.anthropic.claude-opus-4-7"}

    assert family(PROFILE, aliases).name == "Claude Opus 4.7"


def test_every_row_of_the_table_can_be_reached_and_makes_sense():
    assert len({known.name for _, known in FAMILIES}) == len(FAMILIES)
    for _, known in FAMILIES:
        assert known.window > known.max_output > 0
        assert known.output_price >= known.input_price > 0
        assert known.cache_read_price <= known.input_price
        assert (known.forced_tool is None) or known.tools


def test_newer_claudes_take_less():
    sonnet, opus = family("global.anthropic.claude-sonnet-4-6"), family("global.anthropic.claude-opus-4-7")

    assert sonnet.temperature
    assert not sonnet.top_p_with_temperature
    assert sonnet.forced_tool == "tool"
    assert not opus.temperature
    assert opus.forced_tool == "tool"
    assert family("global.anthropic.claude-sonnet-5-5").forced_tool is None
    assert family("anthropic.claude-sonnet-4-20250514-v1:0").needs_profile
    assert not family("anthropic.claude-3-7-sonnet-20250219-v1:0").needs_profile


def test_a_cost_counts_cached_tokens_at_their_own_price():
    usage = Usage(input_tokens=1_000_000, output_tokens=100_000, cache_read_tokens=1_000_000, cache_write_tokens=10_000)

    assert cost(family("global.anthropic.claude-sonnet-4-6"), usage) == Decimal("4.8375")
    assert cost(UNKNOWN, Usage()) == 0


@pytest.mark.parametrize(
    ("text", "least", "most"),
    [
        ("", 0, 0),
        ("a", 1, 1),
        ("The quick brown fox jumps over the lazy dog.", 10, 16),
        ("def add(a, b):\n    return a + b\n", 10, 14),
        ("यह फ़ंक्शन दो संख्याओं को जोड़ता है", 20, 40),
        ("\ud800", 1, 2),
    ],
)
def test_tokens_are_estimated_rather_high(text, least, most):
    assert least <= estimate_tokens(text) <= most
