"""The application for the drill of WhatsApp's messages: an echo answers, and nobody waits longer than needed."""

import time
from collections.abc import Iterator
from datetime import timedelta

from codesherpa.concurrency import Cancellation
from codesherpa.integrations.whatsapp import inbox, outbox
from codesherpa.providers.interface import Brief, End, Text, Usage

inbox.LEASE = outbox.LEASE = timedelta(seconds=8)
outbox.LONGEST_WAIT = 2


class Echo:
    """Says what it was asked, in two pieces, with time in between for a worker to die in."""

    name = "echo"

    def model(self, model_id: str | None) -> str | None:
        return "echo-1"

    def window(self, model_id: str | None) -> int:
        return 100_000

    def stream(self, brief: Brief, cancellation: Cancellation) -> Iterator[Text | End]:
        yield Text("You said: ")
        time.sleep(0.02)
        yield Text(brief.turns[-1].text)
        yield End("end", Usage(5, 5))


from wsgi import app  # noqa: E402

app.extensions["provider"] = Echo()
