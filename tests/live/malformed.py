"""Requests that cannot be read, as they come from scanners and broken clients, and what may answer them."""

from __future__ import annotations

import json
import socket
from contextlib import suppress
from typing import Any

HOST = b"Host: x\r\n"
LOGIN = b"POST /api/v1/auth/login HTTP/1.1\r\n" + HOST

# nginx refuses all of these itself.
UNREADABLE: dict[str, bytes] = {
    "a path out of the root": b"GET /app/..%2f..%2fconfig.py HTTP/1.1\r\n" + HOST + b"\r\n",
    "a plain path out of the root": b"GET /../../etc/passwd HTTP/1.1\r\n" + HOST + b"\r\n",
    "half an escape": b"GET /%zz HTTP/1.1\r\n" + HOST + b"\r\n",
    "an escaped NUL": b"GET /%00 HTTP/1.1\r\n" + HOST + b"\r\n",
    "a control character": b"GET /\x01 HTTP/1.1\r\n" + HOST + b"\r\n",
    "a path with a space": b"GET /a b HTTP/1.1\r\n" + HOST + b"\r\n",
    "a path without a slash": b"GET health HTTP/1.1\r\n" + HOST + b"\r\n",
    "a path of 64 KB": b"GET /" + b"a" * 65_536 + b" HTTP/1.1\r\n" + HOST + b"\r\n",
    "a query of 64 KB": b"GET /?" + b"a" * 65_536 + b" HTTP/1.1\r\n" + HOST + b"\r\n",
    "a method in lower case": b"get / HTTP/1.1\r\n" + HOST + b"\r\n",
    "a method in mixed case": b"Get / HTTP/1.1\r\n" + HOST + b"\r\n",
    "a method with a sign": b"G@T / HTTP/1.1\r\n" + HOST + b"\r\n",
    "CONNECT": b"CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n\r\n",
    "CONNECT with a path": b"CONNECT / HTTP/1.1\r\n" + HOST + b"\r\n",
    "TRACE": b"TRACE / HTTP/1.1\r\n" + HOST + b"\r\n",
    "the preface of HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "a version that does not exist": b"GET / HTTP/12.1\r\n" + HOST + b"\r\n",
    "HTTP/2 in the version": b"GET / HTTP/2.0\r\n" + HOST + b"\r\n",
    "another protocol": b"GET / HTPP/1.1\r\n" + HOST + b"\r\n",
    "no protocol at all": b"hello\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 200 + b"\r\n\r\n",
    "an unknown transfer encoding": LOGIN + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "two transfer encodings": LOGIN + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "a transfer encoding twice": LOGIN + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "a transfer encoding behind a control character": LOGIN + b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
    "a length beside chunks": LOGIN + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
    "chunks that are none": LOGIN + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n\r\n",
    "a length that is none": LOGIN + b"Content-Length: x\r\n\r\n",
    "a length below zero": LOGIN + b"Content-Length: -1\r\n\r\n",
    "two lengths": LOGIN + b"Content-Length: 0\r\nContent-Length: 5\r\n\r\n",
    "a header of 20 KB": b"GET / HTTP/1.1\r\n" + HOST + b"X-A: " + b"a" * 20_000 + b"\r\n\r\n",
    "headers of 90 KB": b"GET / HTTP/1.1\r\n" + HOST + 6 * (b"X-A: " + b"a" * 15_000 + b"\r\n") + b"\r\n",
    "a header with a space in its name": b"GET / HTTP/1.1\r\n" + HOST + b"X A: b\r\n\r\n",
    "a header with NUL": b"GET / HTTP/1.1\r\n" + HOST + b"X-A: b\0c\r\n\r\n",
    "a header over two lines": b"GET / HTTP/1.1\r\n" + HOST + b"X-A: b\r\n c\r\n\r\n",
}
# gunicorn does not look at the host, and the application does not use it.
BAD_HOSTS: dict[str, bytes] = {
    "no host": b"GET / HTTP/1.1\r\n\r\n",
    "an empty host": b"GET / HTTP/1.1\r\nHost:\r\n\r\n",
    "two hosts": b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    "a host with a path": b"GET /health HTTP/1.1\r\nHost: a/b\r\n\r\n",
    "a host with a user": b"GET / HTTP/1.1\r\nHost: a@b\r\n\r\n",
    "a host of markup": b"GET /health HTTP/1.1\r\nHost: <script>\r\n\r\n",
    "half an IPv6 address": b"GET /socket.io/ HTTP/1.1\r\nHost: [::1\r\n\r\n",
    "a port that is none": b"GET / HTTP/1.1\r\nHost: a:b\r\n\r\n",
}


def ask(connection: socket.socket, request: bytes) -> tuple[int, list[tuple[str, str]], Any]:
    """Send bytes and return the status, the headers and the envelope that come back."""
    connection.settimeout(30)
    with suppress(BrokenPipeError, ConnectionResetError):  # It may refuse before it has read all.
        connection.sendall(request)
    came = b""
    while b"\r\n\r\n" not in came or len(came.partition(b"\r\n\r\n")[2]) < length(came):
        more = connection.recv(65_536)
        assert more, came
        came += more
    head, _, body = came.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    headers = [(name.lower(), value) for name, value in (line.split(": ", 1) for line in lines)]
    return int(first.split()[1]), headers, json.loads(body)


def length(came: bytes) -> int:
    """Return how long the body is, by the head that has come."""
    head = came.partition(b"\r\n\r\n")[0].lower()
    return int(head.partition(b"content-length: ")[2].split(b"\r\n")[0])
