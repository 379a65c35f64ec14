"""Amazon Bedrock as a provider: briefs in, text and usage out, every fault by its name."""

from __future__ import annotations

import contextlib
import random
import threading
from collections.abc import Generator, Iterator, Mapping
from typing import Any, Literal

import structlog

from codesherpa.concurrency import Cancellation
from codesherpa.observability import tracing
from codesherpa.providers.bedrock import faults, stream
from codesherpa.providers.bedrock.direct import Direct
from codesherpa.providers.bedrock.faults import Failure
from codesherpa.providers.bedrock.request import Question, build
from codesherpa.providers.bedrock.stream import Answer, Source
from codesherpa.providers.bedrock.wire import Call, Raw, make_client
from codesherpa.providers.interface import Brief, End, Text, Usage
from codesherpa.providers.models import family

Reason = Literal["end", "max_tokens", "cancelled"]

log = structlog.get_logger(__name__)


class BedrockProvider:
    """Speaks to one region of Bedrock, with one client for the process.

    Times are in seconds: `read_timeout` bounds the silence before each byte, `deadline` a whole answer with
    all its tries. `attempts` are made only before the first token, with random pauses of up to `backoff`,
    then twice that, and so on. The endpoint and the credentials come from boto3's own variables. `aliases`
    names the model behind an ARN that does not (see `models.family`).
    """

    name = "bedrock"

    def __init__(
        self,
        region: str,
        model_id: str,
        max_tokens: int = 4096,
        read_timeout: float = 60,
        connect_timeout: float = 5,
        max_pool_connections: int = 1000,
        deadline: float = 300,
        attempts: int = 3,
        backoff: float = 1,
        aliases: Mapping[str, str] | None = None,
    ) -> None:
        self.region, self.model_id, self.max_tokens = region, model_id, max_tokens
        self.read_timeout, self.connect_timeout = read_timeout, connect_timeout
        self.max_pool_connections, self.deadline = max_pool_connections, deadline
        self.attempts, self.backoff = attempts, backoff
        self.aliases = dict(aliases or {})
        self._refused: dict[str, frozenset[str]] = {}
        self._lock = threading.Lock()
        self._client: Any = None
        self._direct: Direct

    def client(self) -> Any:
        """Return boto3's client, made at the first call."""
        with self._lock:
            if self._client is None:
                times = (self.read_timeout, self.connect_timeout)
                self._client = make_client(self.region, *times, self.max_pool_connections)
                self._direct = Direct(self._client)
            return self._client

    def close(self) -> None:
        """Close the connections that wait in the pool; a later call opens new ones."""
        if self._client is not None:
            self._direct.forget()
            self._client.close()

    def model(self, model_id: str | None) -> str:
        """Return the id of the model that would answer."""
        return model_id or self.model_id

    def window(self, model_id: str | None) -> int:
        """Return how many tokens of input the model takes beside the room for its answer."""
        known = family(self.model(model_id), self.aliases)
        return known.window - min(self.max_tokens, known.max_output)

    def complete(self, brief: Brief, cancellation: Cancellation) -> tuple[str, Usage]:
        """Return a small answer whole: its text (so far, when cancelled) and what it cost."""
        parts: list[str] = []
        usage = Usage()
        for item in self.stream(brief, cancellation):
            if isinstance(item, Text):
                parts.append(item.text)
            else:
                usage = item.usage
        return "".join(parts), usage

    def stream(self, brief: Brief, cancellation: Cancellation) -> Iterator[Text | End]:
        """Yield the answer piece by piece, then one End; see `Provider.stream`.

        Tries again only before the first piece. Raises InputTooLong, a ModelError, where a shorter brief
        may succeed.
        """
        call = Call(self.deadline)
        cancellation.on_cancel(call.cancel)
        tried = 0
        while True:
            question = self._question(brief)
            answer = Answer(question)
            try:
                with contextlib.closing(self._traced(question, call, answer)) as pieces:
                    for piece in pieces:
                        yield Text(piece)
                reason: Reason | Exception = "cancelled" if call.cut else answer.reason()
            except Exception as error:  # noqa: BLE001 - what is no fault of the model's is raised again below.
                reason = "cancelled" if call.cut else error
            if not isinstance(reason, Exception):
                yield End(reason, answer.spent(call.sent))
                return
            failure = faults.failure(reason)
            if answer.written or not self._drop(failure, brief, question):
                tried += 1
                self._give_up_or_wait(failure, answer, call, tried)

    def _traced(self, question: Question, call: Call, answer: Answer) -> Generator[str]:
        attributes = {
            "gen_ai.provider.name": "aws.bedrock",
            "gen_ai.operation.name": "chat",
            "gen_ai.request.model": question.arguments["modelId"],
        }
        return tracing.follow(self._answer(question, call, answer), question.operation, **attributes)

    def _answer(self, question: Question, call: Call, answer: Answer) -> Generator[str]:
        """Ask once, and yield the text of the answer until it ends or the call is cancelled."""
        if call.cut:
            return
        with call.in_hand():
            if question.operation == "converse_stream":
                read = stream.read(self._opened(question.arguments, call), call, self.read_timeout, answer)
            else:
                read = answer.take_whole(self.client().converse(**question.arguments))
        try:
            with contextlib.closing(read):
                for piece in read:
                    if call.cut:
                        return
                    yield piece
        except Exception:
            # After messageStop nothing can be missing but the count of tokens.
            if answer.stop is None:
                raise

    def _opened(self, arguments: dict[str, Any], call: Call) -> Source:
        """Ask, and return the answer that begins: directly where it is known how, else through botocore."""
        client, direct = self.client(), self._direct
        if (opened := direct.ask(arguments, call, self.read_timeout)) is not None:
            return opened
        raw = client.converse_stream(**arguments)["raw"]
        source = Raw(raw)
        try:
            direct.learn(arguments, call, raw._pool)
        except BaseException:  # Credentials may not be had any more.
            call.detach()
            source.leave(is_whole=False)
            raise
        return source

    def _give_up_or_wait(self, failure: Failure, answer: Answer, call: Call, tried: int) -> None:
        """Raise what a failure is called here, or return when it is time for another try."""
        begun = bool(answer.written)
        fault = faults.fault(failure, begun)
        pause = self.backoff * random.random() * min(2 ** (tried - 1), 20)  # noqa: S311 - it guards nothing.
        if not begun and fault.again and tried < self.attempts and pause < call.left():
            call.pause(pause)
            return
        log.warning("the model failed", code=failure.code, detail=failure.detail, tries=tried)
        error = fault.error()
        error.usage = answer.usage or (answer.spent(call.sent) if begun else None)
        raise error from failure

    def _question(self, brief: Brief, refused: frozenset[str] = frozenset()) -> Question:
        model_id = self.model(brief.model_id)
        known = self._refused.get(model_id, frozenset())
        return build(brief, model_id, family(model_id, self.aliases), self.max_tokens, known | refused)

    def _drop(self, failure: Failure, brief: Brief, question: Question) -> bool:
        """Leave out from now on what the model refused; tell whether there is another question to ask."""
        name = faults.refused_parameter(failure)
        if name is None or self._question(brief, frozenset({name})) == question:
            return False
        model_id = self.model(brief.model_id)
        with self._lock:
            known = self._refused.get(model_id, frozenset())
            self._refused[model_id] = known | {name}
        if name not in known:
            log.warning("the model refuses a parameter, which is left out from now on", model=model_id, parameter=name)
        return True
