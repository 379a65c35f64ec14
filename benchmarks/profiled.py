"""The application with the CPU of its main thread counted by step, for `benchmarks.message_cost`.

`GET /_steps` returns the seconds that each step took, and how often it was entered, since the last call. A step that
calls another is not charged for it. A step whose greenlet waits is not charged for what other greenlets do meanwhile.
"""

from __future__ import annotations

import functools
import importlib
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import greenlet
from eventlet import hubs

# What a message passes through: the name of a step, and the functions that belong to it.
STEPS = {
    "read the packet": ["codesherpa.chat.wire:Wire._take"],
    "handle the event": ["codesherpa.chat.events:Events.on_message"],
    "store the message": ["codesherpa.chat.service:store"],
    "start the thread": ["codesherpa.chat.work:begin"],
    "prepare": ["codesherpa.chat.generation:prepare"],
    "choose the sherpa": ["codesherpa.chat.choice:choose"],
    "make the brief": ["codesherpa.sherpas.general:GeneralChat.brief"],
    "call the model": ["codesherpa.providers.bedrock.provider:BedrockProvider._opened"],
    "tell the status": ["codesherpa.chat.rooms:tell_status"],
    "send packets": ["codesherpa.chat.audience:send", "socketio:Server._send_packet"],
    "store the end": ["codesherpa.chat.generation:persist"],
    "tell the end": ["codesherpa.chat.rooms:tell_end"],
    "log": ["structlog._native:BoundLoggerFilteringAtNotset.info"],
    "read the answer, show it": ["codesherpa.chat.work:write_one", "codesherpa.chat.stream:Streams._beat"],
    "sockets": ["engineio.socket:Socket._websocket_handler"],
}
HUB, OTHER = "event loop", "everything else"


class Steps:
    """Charges CPU to the step that each greenlet is in."""

    def __init__(self) -> None:
        self.spent: Counter[str] = Counter()
        self.entered: Counter[str] = Counter()
        self.mark = time.thread_time()
        self.stack: list[str] = [OTHER]

    def charge(self) -> None:
        now = time.thread_time()
        self.spent[self.stack[-1]] += now - self.mark
        self.mark = now

    def switched(self, event: str, args: tuple[Any, Any]) -> None:
        """Follow the thread to another greenlet."""
        self.charge()
        target = args[1]
        stack = getattr(target, "steps", None)
        if stack is None:
            stack = target.steps = [HUB if target is hubs.get_hub().greenlet else OTHER]
        self.stack = stack

    def counted(self, name: str, work: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(work)
        def call(*args: Any, **kwargs: Any) -> Any:
            self.charge()
            self.entered[name] += 1
            stack = self.stack
            stack.append(name)
            try:
                return work(*args, **kwargs)
            finally:
                self.charge()
                stack.pop()

        return call

    def take(self) -> dict[str, list[float]]:
        self.charge()
        taken = {name: [seconds, self.entered[name]] for name, seconds in self.spent.items()}
        self.spent.clear()
        self.entered.clear()
        return taken


def install() -> None:
    """Count the steps; before the application is made, which keeps some of these functions by themselves."""
    for name, places in STEPS.items():
        for place in places:
            module, _, path = place.partition(":")
            *owners, last = path.split(".")
            owner = functools.reduce(getattr, owners, importlib.import_module(module))
            setattr(owner, last, steps.counted(name, getattr(owner, last)))
    greenlet.settrace(steps.switched)


steps = Steps()
install()

from wsgi import app  # noqa: E402


@app.get("/_steps")
def taken() -> dict[str, list[float]]:
    """Return what was charged since the last call."""
    return steps.take()
