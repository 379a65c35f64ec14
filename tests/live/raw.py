"""A WebSocket client that does what no library lets it do."""

from __future__ import annotations

import base64
import json
import os
import socket
import struct
from collections.abc import Iterator
from typing import Any

PATIENCE = 30.0
TEXT, BINARY, CLOSE = 1, 2, 8


class Raw:
    """One connection, frame by frame."""

    def __init__(self, port: int, *, receive_buffer: int = 0) -> None:
        self.socket = socket.socket()
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(PATIENCE)
        self.socket.connect(("127.0.0.1", port))
        key = base64.b64encode(os.urandom(16)).decode()
        self.socket.sendall(
            f"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: Upgrade\r\n"
            f"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n"
            "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n".encode()
        )
        self.file = self.socket.makefile("rb")
        self.closed_with: int | None = None
        self.head = b""
        while not self.head.endswith(b"\r\n\r\n"):
            self.head += self.file.readline()

    def frame(self, payload: bytes, opcode: int = TEXT, final: bool = True, length: int | None = None) -> None:
        """Send a frame; `length` says that it is longer than it is."""
        size = len(payload) if length is None else length
        head = bytes([(128 if final else 0) | opcode])
        if size < 126:
            head += bytes([128 | size])
        else:
            head += bytes([254]) + struct.pack("!H", size) if size < 65536 else bytes([255]) + struct.pack("!Q", size)
        self.socket.sendall(head + bytes(4) + payload)

    def send(self, text: str) -> None:
        self.frame(text.encode())

    def join(self, token: str | None) -> Raw:
        self.send("40/ws," + json.dumps({"token": token}))
        return self

    def emit(self, id: int, event: str, payload: Any) -> None:
        self.send(f"42/ws,{id}" + json.dumps([event, payload]))

    def messages(self) -> Iterator[str]:
        """Give what comes until the connection is closed."""
        while True:
            try:
                head = self.file.read(2)
                if len(head) < 2:
                    return
                if head[0] & 15 == CLOSE:
                    self.closed_with = int.from_bytes(self.file.read(2), "big")
                    return
                size = head[1] & 127
                if size >= 126:
                    size = int.from_bytes(self.file.read(2 if size == 126 else 8), "big")
                yield self.file.read(size).decode()
            except (ConnectionError, BrokenPipeError):
                return

    def until(self, beginning: str) -> str:
        return self.all_until(beginning)[-1]

    def all_until(self, beginning: str) -> list[str]:
        """Return what comes up to the first message that begins so, and that one."""
        seen = []
        for message in self.messages():
            seen.append(message)
            if message.startswith(beginning):
                return seen
        raise AssertionError(f"closed before {beginning}")

    def answer(self, id: int) -> Any:
        return json.loads(self.until(f"43/ws,{id}[").removeprefix(f"43/ws,{id}"))[0]

    def wait_for_the_end(self) -> None:
        for _ in self.messages():
            pass

    def close(self) -> None:
        self.file.close()
        self.socket.close()
