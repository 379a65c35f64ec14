"""What the stand-in for Bedrock says: replies by script, in the real frames, and the real sentences of faults."""

from __future__ import annotations

import functools
import itertools
import json
import re
import struct
import zlib
from dataclasses import dataclass, field
from typing import Any

STATUS = {
    "AccessDeniedException": 403,
    "ConflictException": 400,
    "ExpiredTokenException": 403,
    "InternalServerException": 500,
    "InvalidSignatureException": 403,
    "ModelErrorException": 424,
    "ModelNotReadyException": 429,
    "ModelTimeoutException": 408,
    "ResourceNotFoundException": 404,
    "ServiceQuotaExceededException": 400,
    "ServiceUnavailableException": 503,
    "ThrottlingException": 429,
    "UnrecognizedClientException": 403,
    "ValidationException": 400,
}
SENTENCES = {
    "AccessDeniedException": "You don't have access to the model with the specified model ID.",
    "ExpiredTokenException": "The security token included in the request is expired",
    "InternalServerException": "The system encountered an unexpected error during processing. Try your request again.",
    "InvalidSignatureException": "The request signature we calculated does not match the signature you provided.",
    "ModelErrorException": "The system encountered an unexpected error during processing. Try your request again.",
    "ModelNotReadyException": "Model is not ready for inference. Please wait and try your request again.",
    "ModelTimeoutException": "Model has timed out in processing the request. Try your request again.",
    "ResourceNotFoundException": "This model version has reached the end of its life.",
    "ServiceQuotaExceededException": "Your request exceeds the service quota for your account.",
    "ServiceUnavailableException": "Bedrock is unable to process your request.",
    "ThrottlingException": "Too many requests, please wait before trying again.",
    "UnrecognizedClientException": "The security token included in the request is invalid.",
    "ValidationException": "Input is too long for requested model.",
    "modelStreamErrorException": "The model stream failed. Try your request again.",
}
STREAMED = {
    "internalServerException",
    "modelStreamErrorException",
    "serviceUnavailableException",
    "throttlingException",
    "validationException",
}
STOPS = {
    "content_filtered",
    "guardrail_intervened",
    "malformed_model_output",
    "malformed_tool_use",
    "max_tokens",
    "model_context_window_exceeded",
    "refusal",
    "stop_sequence",
}
CACHE_SENTENCE = (
    "You invoked an unsupported model or your request did not allow prompt caching. "
    "See the documentation for more information."
)
# What the real models refuse of their own accord, by model id.
REFUSALS = {
    r"claude-(opus-4-[789]|\w+-[5-9])": {
        "temperature": "The model returned the following errors: `temperature` is deprecated for this model."
    },
    r"claude-(opus|sonnet|fable)-5-[1-9]": {
        "toolChoice": "The model returned the following errors: tool_choice forces tool use is not supported."
    },
    r"llama|deepseek|qwen|gpt-oss": {"cachePoint": CACHE_SENTENCE},
    r"llama|mistral": {"streamingTools": "This model doesn't support tool use in streaming mode."},
}
NEEDS_PROFILE = re.compile(r"^anthropic\.claude-(opus|sonnet|haiku|fable)-[4-9]")
ON_DEMAND = (
    "Invocation of model ID {} with on-demand throughput isn't supported. Retry your request with the ID or "
    "ARN of an inference profile that contains this model."
)
INLINE = re.compile(r"<<standin (\{.*?\})>>", re.DOTALL)
ORDER = re.compile(r"(?:reply with|say|print|output|answer with)[: ]+[\"'`]?(.+?)[\"'`]?(?:[.\n]|$)", re.IGNORECASE)


@dataclass
class Reply:
    """One answer. Without anything it is a short sentence, or an input that fits the schema of a tool.

    `fault` is an exception of the service by name ("ThrottlingException": an HTTP error, or an event where
    `at` is later), an exception event ("throttlingException"), a stop reason ("guardrail_intervened"), or
    one of: cut, reset, silence, end (clean, without messageStop), corrupt, corrupt_prelude, truncated,
    bad_json, odd_json, oversized, error_event, html (a proxy's page, with `status`).
    `at` says when: "headers" (before any byte), "first" (before the first token), "middle", "last" (after
    the last token), "metadata" (after messageStop), or a number of tokens.
    """

    text: str | None = None
    tokens: int | None = None
    tokens_per_second: float = 0
    delay: float = 0
    tool_input: Any = None
    tool: bool = True
    prose: str = ""
    reasoning: str = ""
    stop_reason: str | None = None
    usage: dict[str, int] | None = None
    no_usage: bool = False
    close: bool = False
    obey: bool = False
    fault: str | None = None
    at: str | int = "first"
    message: str | None = None
    status: int | None = None
    refuses: dict[str, str] = field(default_factory=dict)
    input_limit: int | None = None


def frame(headers: dict[str, str], payload: bytes) -> bytes:
    """Encode one message of an event stream, both checksums included."""
    head = b"".join(
        struct.pack(f"!B{len(n)}sBH{len(v)}s", len(n), n.encode(), 7, len(v), v.encode()) for n, v in headers.items()
    )
    prelude = struct.pack("!II", 16 + len(head) + len(payload), len(head))
    body = prelude + struct.pack("!I", zlib.crc32(prelude)) + head + payload
    return body + struct.pack("!I", zlib.crc32(body))


@functools.lru_cache(4096)
def delta(index: int, kind: str, text: str) -> bytes:
    content = {"toolUse": {"input": text}, "reasoningContent": {"text": text}, "text": text}[kind]
    return event("contentBlockDelta", {"contentBlockIndex": index, "delta": {kind: content}, "p": "abcdefghijkl"})


def event(name: str, payload: dict[str, Any]) -> bytes:
    headers = {":event-type": name, ":content-type": "application/json", ":message-type": "event"}
    return frame(headers, json.dumps(payload, separators=(",", ":")).encode())


def exception(name: str, message: str) -> bytes:
    headers = {":exception-type": name, ":content-type": "application/json", ":message-type": "exception"}
    return frame(headers, json.dumps({"message": message}).encode())


def broken(fault: str, message: str | None) -> bytes:
    """Encode what stands in the place of the next frame: an exception event, or bytes that are none."""
    name = fault[0].lower() + fault[1:]
    if name in STREAMED:
        return exception(name, message or SENTENCES.get(name) or SENTENCES[name[0].upper() + name[1:]])
    whole = event("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": "broken"}})
    endless = struct.pack("!II", 2**31, 0)
    return {
        "corrupt": whole[:-6] + b"!!" + whole[-4:],
        "corrupt_prelude": whole[:8] + b"\0\0\0\0" + whole[12:],
        "truncated": whole[: len(whole) // 2],
        "bad_json": frame({":event-type": "contentBlockDelta", ":message-type": "event"}, b'{"delta": {"te'),
        "odd_json": event("contentBlockDelta", {"contentBlockIndex": 0, "delta": ["text"]}),
        "oversized": endless + struct.pack("!I", zlib.crc32(endless)),
        "error_event": frame({":message-type": "error", ":error-code": "500", ":error-message": "lost"}, b""),
    }[fault]


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def pieces(text: str) -> list[str]:
    """Cut a text the way that tokens do: a word with the space before it."""
    return re.findall(r"\s*\S{1,12}|\s+$", text)


def sample(schema: dict[str, Any], text: str = "stand-in") -> Any:
    """Make the smallest value that fits a JSON schema."""
    if "enum" in schema:
        return schema["enum"][0]
    kind = schema.get("type", "object")
    kind = kind[0] if isinstance(kind, list) else kind
    if kind == "object":
        return {name: sample(part, text) for name, part in schema.get("properties", {}).items()}
    if kind == "array":
        return [sample(schema.get("items", {"type": "string"}), text)]
    return {"integer": schema.get("minimum", 1), "number": schema.get("minimum", 1), "boolean": True}.get(kind, text)


def last_message(body: dict[str, Any]) -> str:
    return "\n".join(part.get("text", "") for part in body["messages"][-1]["content"])


def complaint(body: dict[str, Any], streaming: bool, reply: Reply, model: str) -> tuple[str, str] | None:
    """Say what the service would refuse about this request, as (exception, sentence)."""
    turns = body.get("messages", [])
    if not turns or turns[0]["role"] != "user":
        return "ValidationException", "A conversation must start with a user message."
    if any(one["role"] == two["role"] for one, two in itertools.pairwise(turns)):
        return "ValidationException", "A conversation must alternate between user and assistant roles."
    parts = [*body.get("system", []), *(part for turn in turns for part in turn["content"])]
    if any(not part.get("text", "x").strip() for part in parts):
        return "ValidationException", "The text field in the ContentBlock object is blank. Add text and try again."
    if NEEDS_PROFILE.match(model):
        return "ValidationException", ON_DEMAND.format(model)
    if reply.input_limit is not None and len(json.dumps(turns)) > reply.input_limit:
        return "ValidationException", reply.message or SENTENCES["ValidationException"]
    refusals = {k: v for pattern, part in REFUSALS.items() if re.search(pattern, model) for k, v in part.items()}
    config, tools = body.get("inferenceConfig", {}), body.get("toolConfig", {})
    sent = {
        "temperature": "temperature" in config,
        "top_p": "topP" in config,
        "cachePoint": any("cachePoint" in part for part in body.get("system", [])),
        "toolChoice": "tool" in tools.get("toolChoice", {}) or "any" in tools.get("toolChoice", {}),
        "tools": bool(tools),
        "streamingTools": bool(tools) and streaming,
    }
    for name, sentence in (refusals | reply.refuses).items():
        if sent[name]:
            return "AccessDeniedException" if sentence == CACHE_SENTENCE else "ValidationException", sentence
    return None


class Answer:
    """What a model says to one request: as events, or as one JSON document."""

    def __init__(self, reply: Reply, body: dict[str, Any]) -> None:
        tools = body.get("toolConfig", {}).get("tools", [])
        self.tool = tools[0]["toolSpec"] if tools and reply.tool else None
        text = reply.text if reply.text is not None else "Hello from the stand-in, word by word."
        if reply.tokens is not None:
            text = "".join(f" word{number % 100}" for number in range(reply.tokens)).lstrip()
        if reply.obey:
            found = ORDER.search(last_message(body))
            text = found[1] if found else last_message(body)
        given = reply.tool_input
        if self.tool and given is None:
            given = sample(self.tool["inputSchema"]["json"], text if reply.obey or reply.text else "stand-in")
        self.text = (given if isinstance(given, str) else json.dumps(given)) if self.tool else text
        self.reply, self.parts = reply, pieces(self.text)
        self.stop = reply.stop_reason or (reply.fault if reply.fault in STOPS else None)
        self.stop = self.stop or ("tool_use" if self.tool else "end_turn")
        self.input_tokens = len(json.dumps(body)) // 4

    def usage(self, written: int) -> dict[str, int]:
        made = {"inputTokens": self.input_tokens, "outputTokens": written, "totalTokens": self.input_tokens + written}
        return made | {"cacheReadInputTokens": 0, "cacheWriteInputTokens": 0} | (self.reply.usage or {})

    def head(self) -> list[bytes]:
        frames, index = [event("messageStart", {"role": "assistant"})], 0
        for kind, text in (("reasoningContent", self.reply.reasoning), ("text", self.reply.prose)):
            if text:
                frames += [delta(index, kind, part) for part in pieces(text)]
                frames.append(event("contentBlockStop", {"contentBlockIndex": index}))
                index += 1
        self.index = index
        if self.tool:
            start = {"toolUse": {"toolUseId": "tooluse_standin", "name": self.tool["name"]}}
            frames.append(event("contentBlockStart", {"contentBlockIndex": index, "start": start}))
            frames.append(delta(index, "toolUse", ""))
        return frames

    def token(self, number: int) -> bytes:
        return delta(self.index, "toolUse" if self.tool else "text", self.parts[number])

    def tail(self) -> list[bytes]:
        stop = event("messageStop", {"stopReason": self.stop})
        return [event("contentBlockStop", {"contentBlockIndex": self.index}), stop]

    def metadata(self, written: int) -> bytes:
        return event("metadata", {"metrics": {"latencyMs": 321}, "usage": self.usage(written)})

    def document(self) -> dict[str, Any]:
        use = (
            {"toolUseId": "tooluse_standin", "name": self.tool["name"], "input": json.loads(self.text)}
            if self.tool
            else {}
        )
        before = [{"text": self.reply.prose}] if self.reply.prose else []
        content = [*before, {"toolUse": use} if self.tool else {"text": self.text}]
        message = {"role": "assistant", "content": content}
        answer = {"output": {"message": message}, "stopReason": self.stop, "metrics": {"latencyMs": 321}}
        return answer if self.reply.no_usage else answer | {"usage": self.usage(len(self.parts))}
