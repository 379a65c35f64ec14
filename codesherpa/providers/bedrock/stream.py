"""One answer of ConverseStream: from the frames on the wire to pieces of text, a reason and the usage."""

from __future__ import annotations

import json
import time
from collections.abc import Generator, Iterator
from typing import Any, Literal, Protocol

import orjson

from codesherpa.providers.bedrock.faults import Failure, named
from codesherpa.providers.bedrock.frames import Decoder, Message, dechunk
from codesherpa.providers.bedrock.request import Question, input_tokens
from codesherpa.providers.bedrock.wire import Call
from codesherpa.providers.interface import Usage
from codesherpa.providers.models import estimate_tokens

ENDS: dict[str, Literal["end", "max_tokens"]] = {
    "end_turn": "end",
    "max_tokens": "max_tokens",
    "stop_sequence": "end",
    "tool_use": "end",
}
# Bytes of one read: a hundred tokens, and what a stream that waits holds of memory.
READ = 16_384
# Seconds that the count of tokens may take after the last of the text.
AFTER_THE_END = 2


class Answer:
    """What one answer said so far, and how it ended.

    Where the question has a tool, the text is the input of the first that the model calls; prose is kept
    aside, and is the text after all where the model called none.
    """

    def __init__(self, question: Question) -> None:
        self._question = question
        self._tool = "toolConfig" in question.arguments
        self._block: int | None = None
        self._aside: list[str] = []
        self.written: list[str] = []
        self.stop: str | None = None
        self.usage: Usage | None = None

    def take(self, messages: Iterator[Message]) -> Iterator[str]:
        """Yield the text that these messages add; raise Failure for a fault among them."""
        parts: list[str] = []
        try:
            for kind, name, payload in messages:
                if name == "contentBlockDelta" and kind == "event":
                    if text := self._delta(_loads(payload)):
                        parts.append(text)
                elif name == "messageStop" and kind == "event":
                    self.stop = str(_loads(payload).get("stopReason"))
                    parts += self._instead()
                elif name == "metadata" and kind == "event":
                    self.usage = usage(_loads(payload).get("usage", {}))
                elif kind != "event":
                    raise named(name, payload.decode("utf-8", "replace"), 500)
        except (AttributeError, TypeError) as error:
            raise Failure("Corrupt", "a frame's payload is not of its form") from error
        finally:
            # What stood before a broken frame is part of the answer.
            if text := "".join(parts).replace("\0", ""):
                self.written.append(text)
                yield text

    def take_whole(self, told: dict[str, Any]) -> Generator[str]:
        """Yield the text of an answer that did not come as a stream."""
        blocks = told["output"]["message"]["content"]
        called = next((json.dumps(block["toolUse"]["input"]) for block in blocks if "toolUse" in block), None)
        text = called or "".join(block.get("text", "") for block in blocks)
        self.stop, self.usage = told["stopReason"], usage(told.get("usage", {}))
        if text := text.replace("\0", ""):
            self.written.append(text)
            yield text

    def _delta(self, payload: dict[str, Any]) -> str:
        said = payload.get("delta", {})
        if not self._tool:
            return str(said.get("text", ""))
        if "text" in said:
            self._aside.append(said["text"])
        if "toolUse" not in said:
            return ""
        index = payload.get("contentBlockIndex", 0)
        self._block = index if self._block is None else self._block
        return str(said["toolUse"].get("input", "")) if index == self._block else ""

    def _instead(self) -> list[str]:
        return self._aside if self._tool and self._block is None else []

    def spent(self, sent: bool) -> Usage:
        """Return what the answer cost: counted by Bedrock, else an estimate."""
        if self.usage:
            return self.usage
        asked = input_tokens(self._question) if sent else 0
        return Usage(asked, estimate_tokens("".join(self.written)), estimated=True)

    def reason(self) -> Literal["end", "max_tokens"]:
        """Return why a whole answer ended, as the interface names it; raise Failure for every other end."""
        if self.stop is None:
            raise Failure("NoEnd", "the stream ended without messageStop")
        # The window was full before the answer ended, which to a reader is the same as max_tokens.
        if self.stop == "model_context_window_exceeded" and self.written:
            return "max_tokens"
        if self.stop not in ENDS:
            raise Failure(self.stop, "stop reason")
        return ENDS[self.stop]


def usage(counted: dict[str, Any]) -> Usage:
    """Read Bedrock's count of tokens."""
    return Usage(
        input_tokens=counted.get("inputTokens") or 0,
        output_tokens=counted.get("outputTokens") or 0,
        cache_read_tokens=counted.get("cacheReadInputTokens") or 0,
        cache_write_tokens=counted.get("cacheWriteInputTokens") or 0,
    )


class Source(Protocol):
    """An answer whose head has been read. `leave` lets go of its connection, which is good for another if it is whole.

    Of a body that is `chunked`, `read1` gives the chunks as they are on the wire.
    """

    chunked: bool

    def read1(self, size: int) -> bytes: ...

    def leave(self, is_whole: bool) -> None: ...


def timely(source: Source, call: Call, seconds: float) -> bytes:
    """Return what comes next of an answer within these seconds and the call's deadline, b"" at its end.

    Raises Failure once the deadline has passed.
    """
    if call.expired():
        raise Failure("Deadline", "the answer was not whole in time")
    call.hurry(seconds)
    data = source.read1(READ)
    time.sleep(0)  # A model that sends without a pause must not keep others waiting: no read would switch to them.
    return data


def read(source: Source, call: Call, read_timeout: float, answer: Answer) -> Generator[str]:
    """Yield the text of an answer as it comes; what one read of the socket brings is one piece.

    Always leaves the connection either whole in the pool or closed, never open.
    """

    def more() -> bytes:
        return timely(source, call, read_timeout if answer.stop is None else AFTER_THE_END)

    whole = False
    try:
        decoder = Decoder()
        for data in dechunk(more) if source.chunked else iter(more, b""):
            yield from answer.take(decoder.feed(data))
        whole = True
    finally:
        call.detach()
        source.leave(whole)


def _loads(payload: bytes) -> dict[str, Any]:
    try:
        try:
            return dict(orjson.loads(payload))
        except orjson.JSONDecodeError:  # It takes no half of a surrogate, which a token may end in.
            return dict(json.loads(payload))
    except (ValueError, TypeError) as error:
        raise Failure("Corrupt", "a frame's payload is not JSON") from error
