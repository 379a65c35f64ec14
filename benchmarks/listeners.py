"""Many sockets in one process that speak Socket.IO and note when what they asked for comes.

Run by `benchmarks.streaming` and `benchmarks.message_cost`: takes the server's port and the message as arguments,
tokens by standard input, says "ready" when all are connected, sends at the next line, and prints what came as JSON.
That line may be a list of numbers: the seconds after which each socket sends. If the last argument is "first", a socket
has what it asked for at the first delta. Written on bare sockets, so that what is measured is the server and not its
clients.
"""
# ruff: noqa: T201  # It tells its parent.

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from typing import Any

PATIENCE = 120.0  # Seconds that a whole measurement may take.


class Listener(asyncio.Protocol):
    """One client: upgrades to a WebSocket, joins /ws, and reads to the last event of its reply."""

    def __init__(self, port: int, token: str, until: str) -> None:
        self.port, self.token, self.until, self.buffer = port, token, until, b""
        loop = asyncio.get_running_loop()
        self.joined: asyncio.Future[None] = loop.create_future()
        self.ended: asyncio.Future[None] = loop.create_future()
        self.noted: dict[str, Any] = {"sent": 0.0, "first": 0.0, "last": 0.0, "characters": 0, "events": 0, "end": ""}
        self.upgraded = False

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        lines = [
            "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1",
            f"Host: 127.0.0.1:{self.port}",
            "Upgrade: websocket",
            "Connection: Upgrade",
            "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Key: bGlzdGVuZXJzIGxpc3Rlbg==",
        ]
        transport.write("\r\n".join([*lines, "", ""]).encode())

    def connection_lost(self, error: Exception | None) -> None:
        if not self.joined.done():
            sys.exit(f"closed before it joined: {error}")
        if not self.ended.done():
            self.noted |= {"last": time.time(), "end": "closed"}
            self.ended.set_result(None)

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        if not self.upgraded:
            head, found, rest = self.buffer.partition(b"\r\n\r\n")
            if not found:
                return
            if b" 101 " not in head.split(b"\r\n")[0]:
                sys.exit(f"no WebSocket: {head[:200]!r}")
            self.upgraded, self.buffer = True, rest
        while (packet := self.packet()) is not None:
            self.take(packet)

    def packet(self) -> str | None:
        """Cut the next text off the buffer; a server's frames are not masked and not split."""
        if len(self.buffer) < 2:
            return None
        size, at = self.buffer[1], 2
        if size == 126:
            size, at = int.from_bytes(self.buffer[2:4], "big"), 4
        elif size == 127:
            size, at = int.from_bytes(self.buffer[2:10], "big"), 10
        if len(self.buffer) < at + size:
            return None
        text, self.buffer = self.buffer[at : at + size], self.buffer[at + size :]
        return text.decode()

    def take(self, packet: str) -> None:
        if packet.startswith("0"):
            self.send(f"40/ws,{json.dumps({'token': self.token})}")
        elif packet == "2":
            self.send("3")
        elif packet.startswith("40/ws"):
            self.joined.set_result(None)
        elif packet.startswith("44"):
            sys.exit(f"refused: {packet[:200]}")
        elif packet.startswith("42/ws,"):
            self.note(*json.loads(packet[6:]))

    def note(self, event: str, payload: dict[str, Any]) -> None:
        now, noted = time.time(), self.noted
        if event == "delta":
            noted["first"] = noted["first"] or now
            noted["characters"] += len(payload["content"])
            noted["events"] += 1
            if self.until == "first" and not self.ended.done():
                noted["last"], noted["end"] = now, "first"
                self.ended.set_result(None)
        elif event in ("response", "error") and not self.ended.done():
            noted["last"], noted["end"] = now, event
            self.ended.set_result(None)

    def ask(self, message: str) -> None:
        self.noted["sent"] = time.time()
        self.send(f"42/ws,{json.dumps(['message', {'message': message}])}")

    def send(self, text: str) -> None:
        """Send one masked frame."""
        data, mask = text.encode(), os.urandom(4)
        size = bytes([0x80 | len(data)]) if len(data) < 126 else bytes([0xFE]) + len(data).to_bytes(2, "big")
        masked = bytes(byte ^ mask[at % 4] for at, byte in enumerate(data))
        self.transport.write(b"\x81" + size + mask + masked)


async def listen(port: int, message: str, until: str, tokens: list[str]) -> list[dict[str, Any]]:
    loop = asyncio.get_running_loop()
    listeners = [Listener(port, token, until) for token in tokens]
    for listener in listeners:
        await loop.create_connection(lambda one=listener: one, "127.0.0.1", port)
    await asyncio.gather(*(listener.joined for listener in listeners))
    await asyncio.sleep(0.5)  # What a server does after a connect is not what is measured.
    print("ready", flush=True)
    told = await loop.run_in_executor(None, sys.stdin.readline)
    moments = json.loads(told) if told.startswith("[") else []
    for listener, seconds in zip(listeners, moments or [None] * len(tokens), strict=True):
        if seconds is None:
            listener.ask(message)
        else:
            loop.call_later(seconds, listener.ask, message)
    await asyncio.wait([listener.ended for listener in listeners], timeout=PATIENCE)
    return [listener.noted for listener in listeners]


if __name__ == "__main__":
    asked = int(sys.argv[1]), *sys.argv[2:4], json.loads(sys.stdin.readline())
    print(json.dumps(asyncio.run(listen(*asked))))
