import http.client
import json
import threading

import pytest
import structlog

from codesherpa.concurrency import Cancellation
from codesherpa.errors import InputTooLong, ModelError
from codesherpa.providers.bedrock import BedrockProvider
from codesherpa.providers.bedrock.frames import Decoder
from codesherpa.providers.bedrock.request import Question
from codesherpa.providers.bedrock.stream import Answer
from codesherpa.providers.interface import Brief, End, Text, Tool, Turn, Usage
from tests.standins import bedrock, bedrock_answers

SONNET = "global.anthropic.claude-sonnet-4-6"
SYSTEM = "You are a patient reviewer of code. " * 120
TOOL = Tool("review", "Give the review.", {"type": "object", "properties": {"summary": {"type": "string"}}})
NAMED = {"tool": {"name": "review"}}
BRIEF = Brief("reply", SYSTEM, (Turn("user", "What is a list?"),), context="Answer in English.")
REVIEW = Brief("review", SYSTEM, (Turn("user", "Review this."),), tool=TOOL)


@pytest.fixture(scope="module")
def server():
    with bedrock.running() as standin:
        yield standin


@pytest.fixture
def standin(server, monkeypatch):
    server.reset()
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    return server


@pytest.fixture
def make(standin):
    """Make a provider, as a function of what is special about it."""
    made = []

    def maker(model_id=SONNET, **differences):
        made.append(BedrockProvider("us-east-1", model_id, **differences))
        return made[-1]

    yield maker
    for provider in made:
        provider.close()


@pytest.fixture
def provider(make):
    return make(read_timeout=2, backoff=0.01)


def answer(provider, brief=BRIEF):
    *pieces, end = provider.stream(brief, Cancellation())
    assert all(isinstance(piece, Text) and piece.text for piece in pieces)
    assert isinstance(end, End)
    return "".join(piece.text for piece in pieces), end


def asked(standin):
    return standin.requests()[-1]["body"]


def test_an_answer_is_its_text_its_reason_and_its_usage(provider, standin):
    counted = {"inputTokens": 12, "outputTokens": 34, "cacheReadInputTokens": 56, "cacheWriteInputTokens": 78}
    standin.script({"text": "A list is नमस्ते 🙂.\n\n```python\n[]\n```", "usage": counted})

    text, end = answer(provider)

    assert text == "A list is नमस्ते 🙂.\n\n```python\n[]\n```"
    assert end == End("end", Usage(12, 34, 56, 78))


def test_text_comes_as_it_is_made(provider, standin):
    standin.script({"tokens": 20, "tokens_per_second": 200})

    pieces = [item for item in provider.stream(BRIEF, Cancellation()) if isinstance(item, Text)]

    assert len(pieces) >= 10


def test_what_came_at_once_is_a_few_pieces(provider, standin):
    standin.script({"tokens": 200})

    pieces = [item for item in provider.stream(BRIEF, Cancellation()) if isinstance(item, Text)]

    assert len(pieces) <= 6


def test_the_request_says_what_the_brief_says(provider, standin):
    turns = (Turn("user", "One?"), Turn("assistant", "One."), Turn("user", "Two?"))
    answer(provider, Brief("reply", SYSTEM, turns, context="Hindi.", temperature=0.3, max_tokens=99))

    body = asked(standin)

    assert standin.requests()[-1]["model"] == SONNET
    assert body["system"] == [{"text": SYSTEM}, {"cachePoint": {"type": "default"}}, {"text": "Hindi."}]
    assert [turn["role"] for turn in body["messages"]] == ["user", "assistant", "user"]
    assert body["messages"][1]["content"] == [{"text": "One."}]
    assert body["inferenceConfig"] == {"maxTokens": 99, "temperature": 0.3}
    assert "toolConfig" not in body


def test_max_tokens_are_always_set_and_never_above_the_models_own(provider, standin):
    answer(provider)
    assert asked(standin)["inferenceConfig"] == {"maxTokens": 4096}

    answer(provider, Brief("reply", "", BRIEF.turns, model_id="cohere.command-r-v1:0", max_tokens=90_000))
    assert asked(standin)["inferenceConfig"] == {"maxTokens": 4096}


def test_a_history_that_is_not_valid_is_made_so(provider, standin):
    turns = (
        Turn("assistant", "I begin."),
        Turn("user", "One"),
        Turn("user", "and two?"),
        Turn("assistant", "  "),
        Turn("assistant", "Both."),
        Turn("user", "\n"),
        Turn("user", "Three?"),
        Turn("assistant", "Half an ans"),
    )

    answer(provider, Brief("reply", "", turns))

    said = [(turn["role"], turn["content"][0]["text"]) for turn in asked(standin)["messages"]]
    assert said == [("user", "One\n\nand two?"), ("assistant", "Both."), ("user", "Three?")]
    assert "system" not in asked(standin)


@pytest.mark.parametrize(
    ("model_id", "temperature", "cache", "choice"),
    [
        ("us.anthropic.claude-3-haiku-20240307-v1:0", True, False, NAMED),
        ("us.anthropic.claude-sonnet-4-20250514-v1:0", True, True, NAMED),
        ("global.anthropic.claude-opus-4-7", False, False, NAMED),
        ("global.anthropic.claude-opus-5-5", False, True, {"auto": {}}),
        ("us.amazon.nova-pro-v1:0", True, True, NAMED),
        ("mistral.mistral-large-2407-v1:0", True, False, {"any": {}}),
        ("qwen.qwen3-32b-v1:0", True, False, {"auto": {}}),
    ],
)
def test_a_model_is_sent_only_what_it_takes(provider, standin, model_id, temperature, cache, choice):
    brief = Brief("review", SYSTEM, REVIEW.turns, tool=TOOL, model_id=model_id, temperature=0.5)

    text, _ = answer(provider, brief)

    body = asked(standin)
    assert json.loads(text) == {"summary": "stand-in"}
    assert len(standin.requests()) == 1
    assert ("temperature" in body["inferenceConfig"]) is temperature
    assert ({"cachePoint": {"type": "default"}} in body["system"]) is cache
    assert body["toolConfig"]["toolChoice"] == choice


def test_a_short_prompt_has_no_cache_point(provider, standin):
    answer(provider, Brief("reply", "Be brief.", BRIEF.turns))

    assert asked(standin)["system"] == [{"text": "Be brief."}]


def test_a_tools_input_comes_as_json_text(provider, standin):
    review = {"summary": 'Fine, "mostly".\n', "findings": [{"line": 3}], "note": "नमस्ते"}
    standin.script({"tool_input": review, "prose": "Let me look.", "reasoning": "Hmm, a list."})

    text, end = answer(provider, REVIEW)

    assert json.loads(text) == review
    assert text.startswith('{"summary"')
    assert end.reason == "end"
    spec = asked(standin)["toolConfig"]["tools"][0]["toolSpec"]
    assert spec == {"name": "review", "description": TOOL.description, "inputSchema": {"json": TOOL.schema}}


def test_reasoning_is_no_part_of_a_reply(provider, standin):
    standin.script({"text": "Four.", "reasoning": "Two and two."})

    assert answer(provider)[0] == "Four."


def test_only_the_first_tool_that_is_called_counts():
    def delta(block, said):
        return bedrock_answers.event("contentBlockDelta", {"contentBlockIndex": block, "delta": said})

    frames = [delta(1, {"toolUse": {"input": '{"a": 1}'}}), delta(2, {"toolUse": {"input": '{"b": 2}'}})]
    stop = bedrock_answers.event("messageStop", {"stopReason": "tool_use"})
    answer = Answer(Question("converse_stream", {"messages": [], "toolConfig": {}}))

    text = "".join(answer.take(Decoder().feed(b"".join([delta(0, {"text": "Well."}), *frames, stop]))))

    assert text == '{"a": 1}'
    assert answer.reason() == "end"


def test_prose_in_the_place_of_a_tool_is_given_after_all(provider, standin):
    standin.script({"text": "I would rather talk.", "tool": False})

    assert answer(provider, REVIEW)[0] == "I would rather talk."


def test_a_model_without_tools_is_asked_for_json(provider, standin):
    standin.script({"text": '{"summary": "ok"}'})

    text, _ = answer(provider, Brief("review", SYSTEM, REVIEW.turns, tool=TOOL, model_id="us.deepseek.r1-v1:0"))

    assert text == '{"summary": "ok"}'
    assert "toolConfig" not in asked(standin)
    assert '"summary"' in asked(standin)["system"][-1]["text"]


def test_a_model_that_cannot_stream_tools_answers_in_one_piece(provider, standin):
    standin.script({"tool_input": {"summary": "whole"}})
    model_id = "us.meta.llama4-maverick-17b-instruct-v1:0"

    text, end = answer(provider, Brief("review", SYSTEM, REVIEW.turns, tool=TOOL, model_id=model_id))

    assert json.loads(text) == {"summary": "whole"}
    assert standin.requests()[-1]["operation"] == "converse"
    assert end.usage.output_tokens
    assert not end.usage.estimated


def test_a_model_without_a_system_prompt_is_told_in_the_first_message(provider, standin):
    answer(provider, Brief("reply", "Be kind.", BRIEF.turns, model_id="mistral.mistral-7b-instruct-v0:2"))

    body = asked(standin)
    assert "system" not in body
    assert body["messages"][0]["content"][0]["text"].startswith("Be kind.")


@pytest.mark.parametrize(
    ("parameter", "sentence", "gone"),
    [
        ("temperature", "The model returned the following errors: `temperature` is deprecated for this model.", "0.5"),
        ("temperature", "`temperature` and `top_p` cannot both be specified for this model.", "0.5"),
        ("cachePoint", bedrock_answers.CACHE_SENTENCE, "cachePoint"),
        ("toolChoice", "This model doesn't support the toolConfig.toolChoice.tool field. Remove it.", '"tool": {'),
        ("tools", "This model doesn't support tool use.", "toolConfig"),
    ],
)
def test_what_a_model_refuses_is_left_out_from_then_on(provider, standin, parameter, sentence, gone):
    standin.script({"refuses": {parameter: sentence}, "text": "{}", "tool_input": {}})
    brief = Brief("review", SYSTEM, REVIEW.turns, tool=TOOL, temperature=0.5)

    with structlog.testing.capture_logs() as logs:
        answer(provider, brief)
        answer(provider, brief)

    bodies = [json.dumps(request["body"]) for request in standin.requests()]
    assert [gone in body for body in bodies] == [True, False, False]
    assert [(entry["log_level"], entry["model"]) for entry in logs] == [("warning", SONNET)]


def test_a_refusal_that_two_answers_meet_at_once_is_warned_of_once(provider, standin):
    standin.script({"refuses": {"temperature": "no temperature"}, "delay": 0.2})
    brief = Brief("reply", "", BRIEF.turns, temperature=0.5)

    with structlog.testing.capture_logs() as logs:
        both = [threading.Thread(target=answer, args=(provider, brief)) for _ in range(2)]
        for one in both:
            one.start()
        for one in both:
            one.join()

    assert len(standin.requests()) == 4
    assert len(logs) == 1


def test_a_tool_that_cannot_be_streamed_is_asked_for_whole(provider, standin):
    standin.script({"refuses": {"streamingTools": "This model doesn't support tool use in streaming mode."}})

    answer(provider, REVIEW)
    answer(provider, REVIEW)

    operations = [request["operation"] for request in standin.requests()]
    assert operations == ["converse-stream", "converse", "converse"]


def test_several_refusals_are_met_one_after_another(provider, standin):
    standin.script({"refuses": {"temperature": "no temperature", "cachePoint": bedrock_answers.CACHE_SENTENCE}})

    answer(provider, Brief("reply", SYSTEM, BRIEF.turns, temperature=0.5))

    assert len(standin.requests()) == 3


def test_a_refusal_that_leaves_nothing_to_drop_is_an_error(provider, standin):
    standin.script({"fault": "ValidationException", "message": "The temperature of the discussion is too high."})

    with pytest.raises(ModelError):
        answer(provider)

    assert len(standin.requests()) == 1


@pytest.mark.parametrize(
    "sentence",
    [
        "Input is too long for requested model.",
        "The model returned the following errors: prompt is too long: 215432 tokens > 200000 maximum",
        "The model returned the following errors: input length and `max_tokens` exceed context limit: 1 + 2 > 2",
        "The model returned the following errors: Input Tokens Exceeded: Number of input tokens exceeds maximum.",
        "This model's maximum context length is 8192 tokens. Please reduce the length of the prompt",
        "Too many input tokens. Max input tokens: 8192, request input token count: 11000",
    ],
)
def test_input_that_is_too_long_is_told_apart(provider, standin, sentence):
    standin.script({"input_limit": 200, "message": sentence})

    with pytest.raises(InputTooLong) as raised:
        answer(provider, Brief("reply", "", (Turn("user", "long " * 100),)))
    text, _ = answer(provider)

    assert raised.value.code == "model_error"
    assert text


def test_max_tokens_end_an_answer(provider, standin):
    standin.script({"fault": "max_tokens", "at": "middle"})

    text, end = answer(provider)

    assert text == "Hello from the"
    assert end.reason == "max_tokens"


def test_a_full_window_ends_an_answer_too(provider, standin):
    standin.script({"fault": "model_context_window_exceeded", "at": "middle"})

    assert answer(provider)[1].reason == "max_tokens"


def test_usage_is_estimated_where_bedrock_gave_none(provider, standin):
    standin.script({"text": "word " * 30, "no_usage": True})

    _, end = answer(provider)

    assert end.reason == "end"
    assert end.usage.estimated
    assert end.usage.output_tokens == 50
    assert end.usage.input_tokens > 1000


def test_connections_are_used_again(provider, standin):
    before = standin.connections()["total"]

    for brief in (BRIEF, REVIEW, BRIEF):
        answer(provider, brief)

    assert standin.connections()["total"] - before == 1


def test_a_server_that_closes_after_each_answer_is_served_too(provider, standin):
    standin.script({"close": True})

    assert answer(provider)[1].reason == "end"
    assert answer(provider)[1].reason == "end"


def test_nul_never_reaches_the_database(provider, standin):
    standin.script({"text": "a\0b"})

    assert answer(provider)[0] == "ab"


def test_complete_gives_a_small_answer_whole(provider, standin):
    text, usage = provider.complete(REVIEW, Cancellation())

    assert json.loads(text) == {"summary": "stand-in"}
    assert usage.output_tokens


def test_the_brief_may_name_its_model(provider, standin):
    answer(provider, Brief("reply", "", BRIEF.turns, model_id="us.amazon.nova-lite-v1:0"))

    assert standin.requests()[-1]["model"] == "us.amazon.nova-lite-v1:0"
    assert provider.model(None) == SONNET
    assert provider.model("x") == "x"
    assert provider.window(None) == 1_000_000 - 4096


def test_an_arn_is_a_model_too(make, standin):
    arn = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc123"
    provider = make(arn, aliases={arn: "global.anthropic.claude-opus-4-7"})

    answer(provider, Brief("reply", "", BRIEF.turns, temperature=1.0))

    assert standin.requests()[-1]["model"] == arn
    assert "temperature" not in asked(standin)["inferenceConfig"]


def test_one_client_serves_every_thread(provider):
    assert provider.client() is provider.client()


def test_half_a_surrogate_is_no_fault():
    half = bedrock_answers.event("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": "a\ud83d"}})

    assert "".join(Answer(Question("converse_stream", {})).take(Decoder().feed(half))) == "a\ud83d"


def test_a_question_is_sent_in_one_piece(provider, standin, monkeypatch):
    """Head and body apart would wake the other end twice."""
    sent = []
    send = http.client.HTTPConnection.send

    def note(connection, data):
        sent.append(data)
        send(connection, data)

    monkeypatch.setattr(http.client.HTTPConnection, "send", note)

    answer(provider)

    (whole,) = sent
    assert whole.startswith(b"POST /model/")
    assert json.loads(whole.partition(b"\r\n\r\n")[2])["messages"]
