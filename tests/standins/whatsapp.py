"""A stand-in for WhatsApp's Cloud API on loopback: takes messages, tells statuses, fails as the real one does.

Alone, `python -m tests.standins.whatsapp --port 0` prints its port, and then what is said to whom.
"""

from __future__ import annotations

import argparse
import json
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

PHONE = "106540352242922"
TOKEN = "EAAG a token of the stand-in"


@dataclass
class Fault:
    """One refusal: its HTTP status, Meta's code, and what else the answer says; `cut` answers nothing at all."""

    status: int = 500
    code: int = 131000
    headers: dict[str, str] = field(default_factory=dict)
    cut: bool = False


class Standin:
    """What was sent to whom, in order; `faults` are used up one by one, before anything is taken.

    `after` is called with the mark and the recipient of each message that was taken.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.sent: list[dict[str, Any]] = []
        self.faults: list[Fault] = []
        self.aliases: dict[str, str] = {}
        self.came = threading.Condition()
        self.after: Callable[[str, str], object] = lambda mark, recipient: None

    @property
    def settings(self) -> dict[str, str]:
        """What the application needs to speak to this stand-in."""
        return {
            "WHATSAPP_API_URL": self.url,
            "WHATSAPP_ACCESS_TOKEN": TOKEN,
            "WHATSAPP_PHONE_NUMBER_ID": PHONE,
            "WHATSAPP_APP_SECRET": "the app's secret",
            "WHATSAPP_VERIFY_TOKEN": "the token agreed on",
        }

    def texts(self, number: str) -> list[str]:
        """Return what was said to a number."""
        return [one["text"]["body"] for one in self.sent if one["to"] == number and one["type"] == "text"]

    def wait(self, count: int, seconds: float = 10) -> None:
        """Wait until so many messages were taken."""
        with self.came:
            assert self.came.wait_for(lambda: len(self.sent) >= count, seconds), f"{len(self.sent)} of {count} came"

    def take(self, asked: dict[str, Any]) -> dict[str, Any]:
        with self.came:
            self.sent.append(asked)
            self.came.notify_all()
            number = len(self.sent)
        self.after(asked.get("biz_opaque_callback_data", ""), asked["to"])
        contact = {"input": asked["to"], "wa_id": self.aliases.get(asked["to"], asked["to"])}
        return {"messaging_product": "whatsapp", "contacts": [contact], "messages": [{"id": f"wamid.OUT{number}"}]}


class Server(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of clients that are killed."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


@contextmanager
def running(port: int = 0) -> Iterator[Standin]:
    """Serve on a port, a free one without, until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"])
            body = self.rfile.read(length)
            if len(body) < length:  # Who asked is gone.
                self.close_connection = True
                return None
            asked = json.loads(body)
            if self.headers["Authorization"] != f"Bearer {TOKEN}" or f"/{PHONE}/messages" not in self.path:
                return self.answer(401, {"error": {"message": "Invalid OAuth access token.", "code": 190}})
            if standin.faults:
                return self.refuse(standin.faults.pop(0), asked)
            self.answer(200, standin.take(asked))

        def refuse(self, fault: Fault, asked: dict[str, Any]) -> None:
            if fault.cut:  # It was taken, but nobody is told.
                standin.take(asked)
                self.close_connection = True
                return None
            told = {"message": f"(#{fault.code}) Refused", "type": "OAuthException", "code": fault.code}
            return self.answer(fault.status, {"error": told | {"fbtrace_id": "A"}}, fault.headers)

        def answer(self, status: int, told: dict[str, Any], headers: dict[str, str] | None = None) -> None:
            body = json.dumps(told).encode()
            self.send_response(status)
            for name, value in {"Content-Type": "application/json", **(headers or {})}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: Any) -> None:
            pass

    server = Server(("127.0.0.1", port), Handler)
    standin = Standin(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield standin
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def text(wamid: str, sender: str, body: str) -> dict[str, Any]:
    """Return a text message as Meta delivers it."""
    return {"from": sender, "id": wamid, "timestamp": "1732363200", "type": "text", "text": {"body": body}}


def status(mark: str, told: str, recipient: str) -> dict[str, Any]:
    """Return a status as Meta delivers it."""
    found = {"id": "wamid.OUT", "status": told, "timestamp": "1732363201", "recipient_id": recipient}
    return found | {"biz_opaque_callback_data": mark}


def delivery(*messages: dict[str, Any], statuses: Sequence[dict[str, Any]] = (), phone: str = PHONE) -> dict[str, Any]:
    """Return a delivery: https://developers.facebook.com/docs/whatsapp/cloud-api/webhooks/payload-examples"""
    value: dict[str, Any] = {
        "messaging_product": "whatsapp",
        "metadata": {"display_phone_number": "15550783881", "phone_number_id": phone},
    }
    if messages:
        value["contacts"] = [{"profile": {"name": "Ada"}, "wa_id": one["from"]} for one in messages]
        value["messages"] = list(messages)
    if statuses:
        value["statuses"] = list(statuses)
    change = {"value": value, "field": "messages"}
    return {"object": "whatsapp_business_account", "entry": [{"id": "102290129340398", "changes": [change]}]}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    with running(parser.parse_args().port) as alone:
        print(alone.url.rsplit(":", 1)[1], flush=True)  # noqa: T201
        alone.after = lambda mark, number: print(f"to {number}: {alone.sent[-1]}", flush=True)  # noqa: T201
        threading.Event().wait()
