"""A stand-in for Amazon Bedrock's runtime endpoint: ConverseStream and Converse on loopback, scripted.

Run it alone with `python -m tests.standins.bedrock --port 0` (it prints its port), or in a test with
`running()`. It lives in a process of its own, so that it serves patched, threaded and benchmark clients
alike, and carries 300 paced streams in one thread.

Control surface (see `Reply` for what a reply may say):

    POST   /_script      {"model": part of the id?, "contains": part of the last message?, "replies": [...]}
    DELETE /_script      forget every script and every recorded request
    GET    /_requests    what was asked: body, headers, connection, what was sent, who closed it and when
    GET    /_connections {"open": n, "total": n}: connections that carried a model's call

The newest script that fits answers; its replies are used in order and the last one repeats, so that
"two failures, then success" is a list of three. `<<standin {"text": "..."}>>` in the last message of
the user scripts that one call.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import http.client
import json
import os
import shutil
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from tests.standins.bedrock_answers import (
    INLINE,
    SENTENCES,
    STATUS,
    STOPS,
    Answer,
    Reply,
    broken,
    chunk,
    complaint,
    last_message,
)


class Server:
    """The scripts and the record that all connections share."""

    def __init__(self) -> None:
        self.scripts: list[dict[str, Any]] = []
        self.requests: list[dict[str, Any]] = []
        self.open: set[Connection] = set()
        self.total = 0

    def reply(self, model: str, body: dict[str, Any]) -> Reply:
        message = last_message(body) if body.get("messages") else ""
        if inline := INLINE.search(message):
            return Reply(**json.loads(inline[1]))
        for script in reversed(self.scripts):
            if script.get("model", "") in model and script.get("contains", "") in message:
                replies = script["replies"]
                return Reply(**(replies.pop(0) if len(replies) > 1 else replies[0]))
        return Reply()

    def control(self, method: str, path: str, body: bytes) -> Any:
        if path == "/_connections":
            return {"open": len(self.open), "total": self.total}
        if path == "/_requests":
            return self.requests
        if method == "DELETE":
            self.scripts, self.requests = [], []
            return {}
        script = json.loads(body)
        known = {part.name for part in fields(Reply)}
        unknown = {name for reply in script["replies"] for name in reply} - known
        if unknown:
            return {"error": f"a reply knows no {sorted(unknown)}"}
        self.scripts.append({name: value for name, value in script.items() if value is not None})
        return {}


class Connection(asyncio.Protocol):
    """One client's connection: requests come one after another, each is answered as its script says."""

    def __init__(self, server: Server) -> None:
        self.server, self.buffer = server, b""
        self.record: dict[str, Any] = {}
        self.timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: asyncio.Transport = transport  # type: ignore[assignment]
        self.loop = asyncio.get_running_loop()

    def connection_lost(self, error: Exception | None) -> None:
        self.server.open.discard(self)
        if self.timer:
            self.timer.cancel()
        if self.record and self.record["outcome"] is None:
            self.finish("closed by client")

    def finish(self, outcome: str) -> None:
        self.record |= {"outcome": outcome, "ended_at": time.time()}

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        head, found, rest = self.buffer.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:])}
        length = int(headers.get("content-length", 0))
        if found and len(rest) >= length:
            self.buffer = rest[length:]
            method, target, _ = lines[0].split(" ")
            self.handle(method, unquote(target), headers, rest[:length])

    def handle(self, method: str, path: str, headers: dict[str, str], body: bytes) -> None:
        if path.startswith("/_"):
            self.send(200, self.server.control(method, path, body))
            return
        if self not in self.server.open:
            self.server.open.add(self)
            self.server.total += 1
            self.number = self.server.total
        model, _, operation = path.removeprefix("/model/").rpartition("/")
        self.record = {"model": model, "operation": operation, "headers": headers, "body": json.loads(body)}
        self.record |= {"connection": self.number, "at": time.time(), "ended_at": None, "outcome": None, "sent": 0}
        self.server.requests.append(self.record)
        reply = self.server.reply(model, self.record["body"])
        if reply.delay:
            self.timer = self.loop.call_later(reply.delay, self.answer, reply, model, operation)
        else:
            self.answer(reply, model, operation)

    def answer(self, reply: Reply, model: str, operation: str) -> None:
        body, streaming = self.record["body"], operation == "converse-stream"
        refused = complaint(body, streaming, reply, model)
        if "authorization" not in self.record["headers"]:
            refused = "MissingAuthenticationTokenException", "Missing Authentication Token"
        if refused:
            return self.refuse(*refused)
        if reply.at == "headers" and reply.fault in ("cut", "reset", "silence"):
            return self.fault(reply.fault, reply)
        if reply.fault == "html":
            self.finish("html")
            return self.send(reply.status or 502, b"<html><h1>Bad Gateway</h1></html>", {"Content-Type": "text/html"})
        if reply.fault in STATUS and (reply.at == "first" or not streaming):
            return self.refuse(reply.fault, reply.message or SENTENCES[reply.fault], reply.status)
        self.reply, self.said = reply, Answer(reply, body)
        if not streaming:
            self.finish("sent")
            return self.send(200, self.said.document())
        self.stream()

    def refuse(self, name: str, message: str, status: int | None = None) -> None:
        self.finish(name)
        kind = {"x-amzn-ErrorType": f"{name}:http://internal.amazon.com/coral/com.amazon.bedrock/"}
        self.send(status or STATUS.get(name, 403), {"message": message}, kind)

    def send(self, status: int, body: Any, headers: dict[str, str] | None = None) -> None:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        lines = {"Content-Type": "application/json", "Content-Length": len(data), "x-amzn-RequestId": "standin"}
        self.transport.write(self.head(status, lines | (headers or {})) + data)

    def head(self, status: int, headers: dict[str, Any]) -> bytes:
        date = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime())
        lines = [f"HTTP/1.1 {status} x", f"Date: {date}", *(f"{name}: {value}" for name, value in headers.items())]
        return "\r\n".join([*lines, "", ""]).encode()

    def stream(self) -> None:
        kind = "application/vnd.amazon.eventstream"
        headers = {"Content-Type": kind, "Transfer-Encoding": "chunked", "x-amzn-RequestId": "standin"}
        if self.reply.close:
            headers["Connection"] = "close"
        self.write(self.head(200, headers) + b"".join(map(chunk, self.said.head())))
        places = {"first": 0, "middle": len(self.said.parts) // 2, "last": len(self.said.parts)}
        at = self.reply.at
        faulty = self.reply.fault and at != "metadata"
        self.limit = (at if isinstance(at, int) else places[at]) if faulty else len(self.said.parts)
        self.started = self.loop.time()
        self.step()

    def step(self) -> None:
        """Send every token that is due, then wait for the next one."""
        rate, sent = self.reply.tokens_per_second, self.record["sent"]
        due = int((self.loop.time() - self.started) * rate) + 1 if rate else self.limit
        tokens = range(sent, min(due, self.limit))
        if tokens:
            self.write(b"".join([chunk(self.said.token(number)) for number in tokens]))
            self.record["sent"] = tokens.stop
        if self.record["sent"] < self.limit:
            self.timer = self.loop.call_at(self.started + self.record["sent"] / rate, self.step)
        elif self.reply.fault and self.reply.fault not in STOPS and self.reply.at != "metadata":
            self.fault(self.reply.fault, self.reply)
        else:
            self.complete()

    def complete(self) -> None:
        self.write(b"".join(map(chunk, self.said.tail())))
        if self.reply.fault and self.reply.at == "metadata":
            return self.fault(self.reply.fault, self.reply)
        if not self.reply.no_usage:
            self.write(chunk(self.said.metadata(self.record["sent"])))
        self.end("sent")

    def end(self, outcome: str) -> None:
        self.finish(outcome)
        self.write(b"0\r\n\r\n")
        if self.reply.close:
            self.transport.close()

    def write(self, data: bytes) -> None:
        if not self.transport.is_closing():
            self.transport.write(data)

    def fault(self, name: str, reply: Reply) -> None:
        """Do what the script says in the place of what comes next; silence is to do nothing."""
        if name == "silence":
            return None
        if name in ("cut", "reset"):
            self.finish(name)
            return self.transport.close() if name == "cut" else self.transport.abort()
        if name != "end":
            self.write(chunk(broken(name, reply.message)))
        return self.end(name)


class StandIn:
    """A test's hand on a running stand-in."""

    def __init__(self, port: int, tls: Path | None = None) -> None:
        self.port, self.tls = port, tls
        self.url = f"http{'s' if tls else ''}://127.0.0.1:{port}"

    @property
    def environment(self) -> dict[str, str]:
        """The variables with which boto3 finds this stand-in, and nothing else of the machine's."""
        here = {"AWS_ENDPOINT_URL_BEDROCK_RUNTIME": self.url, "AWS_EC2_METADATA_DISABLED": "true"}
        here |= {"AWS_ACCESS_KEY_ID": "standin", "AWS_SECRET_ACCESS_KEY": "standin"}
        here |= {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull, "NO_PROXY": "127.0.0.1"}
        return here | ({"AWS_CA_BUNDLE": str(self.tls)} if self.tls else {})

    def _ask(self, method: str, path: str, body: Any = None) -> Any:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        if self.tls:
            context = ssl.create_default_context(cafile=self.tls)
            connection = http.client.HTTPSConnection("127.0.0.1", self.port, timeout=5, context=context)
        try:
            connection.request(method, path, json.dumps(body) if body is not None else None)
            answer = json.load(connection.getresponse())
        finally:
            connection.close()
        if isinstance(answer, dict) and "error" in answer:
            raise ValueError(answer["error"])
        return answer

    def script(self, *replies: dict[str, Any], model: str = "", contains: str = "") -> None:
        """Answer with these, one after another; the last one repeats."""
        self._ask("POST", "/_script", {"model": model, "contains": contains, "replies": list(replies or [{}])})

    def reset(self) -> None:
        """Forget the scripts and the record."""
        self._ask("DELETE", "/_script")

    def requests(self) -> list[dict[str, Any]]:
        """Return what was asked since the last reset, oldest first."""
        return list(self._ask("GET", "/_requests"))

    def connections(self) -> dict[str, int]:
        """Count the connections that carry, or carried, a model's call."""
        return dict(self._ask("GET", "/_connections"))

    def wait(self, condition: Callable[[list[dict[str, Any]]], Any], timeout: float = 5) -> list[dict[str, Any]]:
        """Return the requests as soon as they fulfil the condition."""
        end = time.monotonic() + timeout
        while not condition(requests := self.requests()):
            if time.monotonic() > end:
                raise TimeoutError(f"the stand-in saw {[r['outcome'] for r in requests]}")
            time.sleep(0.005)
        return requests


def certificate(folder: Path) -> Path | None:
    """Make a certificate for 127.0.0.1 with its key, in one file; None where there is no openssl."""
    if not (openssl := shutil.which("openssl")):
        return None
    both, public = folder / "standin.pem", folder / "standin.crt"
    options = "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=standin -addext subjectAltName=IP:127.0.0.1"
    command = [openssl, *options.split(), "-keyout", str(both), "-out", str(public)]
    subprocess.run(command, check=True, capture_output=True)
    both.write_bytes(both.read_bytes() + public.read_bytes())
    return both


@contextlib.contextmanager
def running(tls: Path | None = None) -> Iterator[StandIn]:
    """Run a stand-in of one's own in a process of its own; `tls` is a file with a certificate and its key."""
    root = Path(__file__).parents[2]
    command = [sys.executable, "-m", "tests.standins.bedrock", "--port", "0", *(["--tls", str(tls)] if tls else [])]
    process = subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield StandIn(int(process.stdout.readline()), tls)
    finally:
        process.terminate()
        process.wait(5)
        process.stdout.close()


async def serve(port: int, tls: Path | None = None) -> None:
    """Serve until the process ends, after a line with the port."""
    shared, context = Server(), None
    if tls:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(tls)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(shared), "127.0.0.1", port, backlog=1000, ssl=context)
    print(server.sockets[0].getsockname()[1], flush=True)  # noqa: T201 - it is a program too.
    await server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="A stand-in for Amazon Bedrock's runtime endpoint.")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--tls", type=Path, help="a file with a certificate and its key")
    asked = parser.parse_args()
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(asked.port, asked.tls))
