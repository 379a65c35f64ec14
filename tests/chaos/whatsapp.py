"""The drill of WhatsApp's messages: `python -m tests.chaos.whatsapp --database sqlite`, or `make deliveries`."""

from __future__ import annotations

import json
import random
import threading
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from queue import SimpleQueue
from typing import Any

from codesherpa.chat.models import Chat
from codesherpa.integrations.signatures import HEADER, sign
from codesherpa.integrations.whatsapp import inbox
from codesherpa.integrations.whatsapp.markup import from_markdown
from codesherpa.integrations.whatsapp.phrases import say
from tests.chaos import deliveries, services
from tests.chaos.deliveries import TIMES, Drill
from tests.chaos.senders import Delivery, Sender
from tests.standins import whatsapp as standin

EACH = 100  # Messages of one phone.
BATCH = 3  # Messages of one delivery, at most.
GATHERED = 100  # Statuses of one delivery, at most.
STRANGERS, HELLOS = 10, 5
SECRET = "the app's secret"
ANSWERED = """SELECT m.wamid, c.message, c.status, c.response, c.error
    FROM whatsapp_messages m JOIN chats c ON c.id = m.chat_id WHERE m.state = 'done'"""
IN_ORDER = """SELECT c.conversation_id, c.response FROM whatsapp_messages m JOIN chats c ON c.id = m.chat_id
    WHERE c.status = 'complete' ORDER BY m.id"""


class Worker(services.Worker):
    command = ("gunicorn", "-c", "gunicorn.conf.py", "tests.chaos.whatsapp_wsgi:app")


class WhatsApp(Drill):
    """Phones that say something, send pictures and begin anew, and strangers; each is answered once."""

    worker, path = Worker, "/api/whatsapp/webhook"

    def __init__(self, count: int) -> None:
        self.phones = [f"4917{number:08}" for number in range(max(1, count // EACH))]
        self.strangers = [f"4915{number:08}" for number in range(STRANGERS)]
        self.messages = [say_something(self.phones[n % len(self.phones)], n) for n in range(count)]
        self.hellos = [
            standin.text(f"wamid.hello{n}", self.strangers[n % STRANGERS], "Hello?") for n in range(STRANGERS * HELLOS)
        ]
        self.statuses: SimpleQueue[dict[str, Any] | None] = SimpleQueue()
        self.ports: list[int] = []
        self.said_before: Counter[tuple[str, str]] = Counter()

    @contextmanager
    def serving(self) -> Iterator[dict[str, str]]:
        with standin.running() as self.standin:
            sender = Sender(SimpleQueue(), self.path, self.ports, 0)
            teller = threading.Thread(target=self._hand_over_statuses, args=(sender,))
            teller.start()
            try:
                yield self.standin.settings
            finally:
                sender.ended = True  # Nobody is there any more to be told.
                self.statuses.put(None)
                teller.join()

    def prepare(self, workers: Sequence[services.Worker]) -> None:
        """Link every phone, as its user would."""
        self.standin.after = self._tell_status
        self.ports += [worker.port for worker in workers]
        for number, phone in enumerate(self.phones):
            worker = workers[number % len(workers)]
            token = worker.sign_in(f"u{number}@example.com")["access_token"]
            assert worker.call("PUT", "/api/v1/user/me", {"whatsapp_number": f"+{phone}"}, token)[0] == 200
        self.standin.wait(len(self.phones), 60)
        codes = [
            standin.text(f"wamid.code{phone}", phone, self.standin.texts(phone)[0].split()[0]) for phone in self.phones
        ]
        linking = Sender(SimpleQueue(), self.path, self.ports, 0)
        linking.deliver(signed(standin.delivery(*codes)))
        linking.close()
        self.standin.wait(2 * len(self.phones), 60)
        self.said_before = self._said()

    def _tell_status(self, mark: str, recipient: str) -> None:
        self.statuses.put(standin.status(mark, "sent", recipient))

    def _hand_over_statuses(self, sender: Sender) -> None:
        """Deliver statuses until None comes, those that have gathered together, as Meta does."""
        while (one := self.statuses.get()) is not None:
            gathered = [one]
            while len(gathered) < GATHERED and not self.statuses.empty() and (one := self.statuses.get()) is not None:
                gathered.append(one)
            sender.deliver(signed(standin.delivery(statuses=gathered)))
            if one is None:
                break
        sender.close()

    def deliveries(self, chance: random.Random) -> list[Delivery]:
        """Put everything into batches, each time into others."""
        told = (self.messages + self.hellos) * TIMES
        chance.shuffle(told)
        found = []
        while told:
            batch = [told.pop() for _ in range(min(len(told), chance.randint(1, BATCH)))]
            found.append(signed(standin.delivery(*batch)))
        return found

    def left(self, url: str) -> Counter[str]:
        waiting = "SELECT 'to be read: ' || state, count(*) FROM whatsapp_messages WHERE state <> 'done' GROUP BY state"
        sending = "SELECT state, count(*) FROM whatsapp_replies WHERE state IN ('waiting', 'sending') GROUP BY state"
        return Counter(dict(services.rows(url, waiting))) + Counter(dict(services.rows(url, sending)))

    def faults(self, url: str) -> list[str]:
        (chats,), *_ = services.rows(url, "SELECT count(*) FROM chats")
        asked = sum(one.get("text", {}).get("body", "").startswith("@chat") for one in self.messages)
        found = [] if chats == asked else [f"{chats} chats of {asked} messages"]
        failed = services.rows(url, "SELECT count(*) FROM whatsapp_replies WHERE state = 'failed'")[0][0]
        found += [f"{failed} replies failed"] if failed else []
        wanted, said = self._wanted(url), self._said() - self.said_before
        found += [f"{phone}: not said: {text!r}, {count} times" for (phone, text), count in (wanted - said).items()]
        found += [f"{phone}: said too often: {text!r}, {count}" for (phone, text), count in (said - wanted).items()]
        return [*found, *self._out_of_order(url)]

    def _wanted(self, url: str) -> Counter[tuple[str, str]]:
        """Return what each number is to be told, by what is stored."""
        there = {row[0]: row[1:] for row in services.rows(url, ANSWERED)}
        wanted = Counter({(number, say("stranger")): 1 for number in self.strangers})
        for one in self.messages:
            phone, text = one["from"], one.get("text", {}).get("body", "")
            message, status, response, error = there.get(one["id"], (None,) * 4)
            if not text.startswith("@chat"):
                wanted[phone, say("new" if text else "text_only")] += 1
            elif message == text:
                error = json.loads(error) if isinstance(error, str) else error
                says = inbox.told(Chat(status=status, response=response, result=None, error=error))
                wanted.update((phone, page) for page in says)
            else:
                wanted[phone, f"an answer to {text}"] += 1
        return wanted

    def _out_of_order(self, url: str) -> Iterator[str]:
        """Give the conversations whose answers came in another order than their messages."""
        places = {one["text"]["body"]: place for place, one in enumerate(self.standin.sent)}
        came: dict[int, list[int]] = defaultdict(list)
        for conversation, response in services.rows(url, IN_ORDER):
            came[conversation].append(places.get(from_markdown(response), -1))
        yield from (f"conversation {id}: out of order" for id, found in came.items() if found != sorted(found))

    def _said(self) -> Counter[tuple[str, str]]:
        return Counter((one["to"], one["text"]["body"]) for one in self.standin.sent)


def say_something(phone: str, number: int) -> dict[str, Any]:
    """Return a message: mostly something to be answered, now and then a picture or a new conversation."""
    wamid = f"wamid.{number}"
    if number % 20 == 7:
        return {"from": phone, "id": wamid, "timestamp": "1", "type": "image", "image": {"id": "1"}}
    return standin.text(wamid, phone, "new" if number % 50 == 13 else f"@chat This is number {number}.")


def signed(payload: dict[str, Any]) -> Delivery:
    body = json.dumps(payload).encode()
    return Delivery({HEADER: sign(SECRET, body), "Content-Type": "application/json"}, body)


if __name__ == "__main__":
    deliveries.main(WhatsApp)
