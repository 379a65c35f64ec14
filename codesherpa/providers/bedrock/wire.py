"""The client for the whole process, and one call's hold on the connection that carries it.

botocore hides the socket, and a read that waits for a model can only be woken through it: our connection
classes tell the call in hand which socket is its own. Cancelling shuts that socket down, which wakes the
reader at once, in native threads and under eventlet alike.
"""

from __future__ import annotations

import contextlib
import math
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any

import boto3
from botocore.awsrequest import (
    AWSHTTPConnection,
    AWSHTTPConnectionPool,
    AWSHTTPSConnection,
    AWSHTTPSConnectionPool,
)
from botocore.config import Config
from botocore.exceptions import BotoCoreError

from codesherpa import concurrency

_in_hand: ContextVar[Call | None] = ContextVar("_in_hand", default=None)


class Call:
    """One question to a model: its deadline, its socket, and the way to end it from another thread."""

    def __init__(self, seconds: float) -> None:
        self._ends = time.monotonic() + seconds
        self._lock = threading.Lock()
        self._woken = threading.Event()
        self._socket: socket.socket | None = None
        self.cut = False
        self.sent = False
        self.request = b""  # As botocore sent it last.

    def left(self) -> float:
        """Return the seconds until the deadline, never less than a moment, so that it can be a timeout."""
        return max(self._ends - time.monotonic(), 0.001)

    def expired(self) -> bool:
        return time.monotonic() >= self._ends

    @contextlib.contextmanager
    def in_hand(self) -> Iterator[None]:
        """Make this the call that connections opened by this thread belong to."""
        _in_hand.set(self)
        try:
            yield
        finally:
            _in_hand.set(None)

    def attach(self, carrier: socket.socket) -> None:
        """Take the socket that carries the call; refuse it when the call was cancelled meanwhile."""
        with self._lock:
            if self.cut:
                raise ConnectionAbortedError("the call was cancelled")
            self._socket, self.sent = carrier, True

    def detach(self) -> None:
        """Let go of the socket, before the pool gives it to somebody else's call."""
        with self._lock:
            self._socket = None

    def hurry(self, seconds: float) -> None:
        """Let the next read wait so long at most, and never past the deadline."""
        carrier, wait = self._socket, min(seconds, self.left())
        if carrier and wait < (carrier.gettimeout() or math.inf):
            carrier.settimeout(wait)

    def cancel(self) -> None:
        """End the call from another thread: wake its reader, or its wait before another try."""
        with self._lock:
            self.cut, carrier = True, self._socket
            if carrier:
                with contextlib.suppress(OSError):
                    carrier.shutdown(socket.SHUT_RDWR)
        self._woken.set()

    def pause(self, seconds: float) -> None:
        """Wait, unless the call is cancelled."""
        self._woken.wait(min(seconds, self.left()))


class _Tapped:
    """A connection that tells the call in hand which socket is its own, and sends a question in one piece."""

    sock: Any
    timeout: Any
    _gathered: list[bytes] | None = None

    def connect(self) -> None:
        super().connect()  # type: ignore[misc]
        self.tell()

    def request(self, *args: Any, **kwargs: Any) -> Any:
        if self.sock is not None:
            self.tell()
        self._gathered = []
        try:
            super().request(*args, **kwargs)  # type: ignore[misc]
        finally:
            gathered, self._gathered = self._gathered, None
        whole = b"".join(gathered)
        if call := _in_hand.get():
            call.request = whole
        super().send(whole)  # type: ignore[misc]

    def send(self, data: bytes) -> None:
        # urllib3 sends the head and the body apart, and whoever waits at the other end would be woken twice.
        if self._gathered is not None:
            self._gathered.append(data)
        else:
            super().send(data)  # type: ignore[misc]

    def getresponse(self) -> Any:
        if call := _in_hand.get():
            self.timeout = min(self.timeout or call.left(), call.left())
        return super().getresponse()  # type: ignore[misc]

    def tell(self) -> None:
        """Tell the call in hand that this is its socket."""
        if call := _in_hand.get():
            call.attach(self.sock)

    @property
    def is_connected(self) -> bool:
        """Tell whether a connection that waited in the pool is still open; urllib3 asks at each use."""
        silent = concurrency.is_silent(self.sock) if self.sock is not None else False
        return super().is_connected if silent is None else silent  # type: ignore[misc]


class _Connection(_Tapped, AWSHTTPConnection):
    pass


class _SecureConnection(_Tapped, AWSHTTPSConnection):
    pass


class _Releasing:
    """A pool that takes the connection away from the call in hand before others may have it."""

    def _put_conn(self, connection: Any) -> None:
        if call := _in_hand.get():
            call.detach()
        super()._put_conn(connection)  # type: ignore[misc]


class _Pool(_Releasing, AWSHTTPConnectionPool):
    ConnectionCls = _Connection


class _SecurePool(_Releasing, AWSHTTPSConnectionPool):
    ConnectionCls = _SecureConnection


def make_client(region: str, read_timeout: float, connect_timeout: float, max_pool_connections: int) -> Any:
    """Make the client; the endpoint, the proxy and the credentials are boto3's own business.

    It tries once: botocore's own retries sleep where no cancel wakes them and know no deadline.
    """
    config = Config(
        connect_timeout=connect_timeout,
        read_timeout=read_timeout,
        max_pool_connections=max_pool_connections,
        tcp_keepalive=True,
        retries={"mode": "standard", "total_max_attempts": 1},
        # Requests are of our own making, and both cost a tenth of a millisecond a call.
        parameter_validation=False,
        user_agent="codesherpa",
    )
    client = boto3.session.Session().client("bedrock-runtime", region_name=region, config=config)
    client.meta.events.register("before-parse.bedrock-runtime.ConverseStream", _keep_raw)
    # There is no public way in; a test cancels through the real client and fails when this one is gone.
    client._endpoint.http_session._pool_classes_by_scheme.update(http=_Pool, https=_SecurePool)
    return client


class Raw:
    """An answer that botocore opened, read past its parser: urllib3's response, its body unread."""

    def __init__(self, raw: Any) -> None:
        self._raw, self._original = raw, raw._original_response
        self.chunked: bool = raw.chunked
        self._source = self._original.fp if raw.chunked else self._original

    def read1(self, size: int) -> bytes:
        return bytes(self._source.read1(size))

    def leave(self, is_whole: bool) -> None:
        """Give the connection back to its pool where the answer was read to its end, else close it."""
        # urllib3 gives a connection back to its pool once the answer on it is closed.
        self._original.close() if is_whole else self._raw.close()
        self._raw.release_conn()


def _keep_raw(response_dict: dict[str, Any], customized_response_dict: dict[str, Any], **_: Any) -> None:
    """Hand out the answer's body unread, beside botocore's own reader of it."""
    customized_response_dict["raw"] = response_dict["body"]


def credentials() -> str | None:
    """Return where boto3 finds credentials for Bedrock, None where it finds none; asks no model."""
    if os.environ.get("AWS_BEARER_TOKEN_BEDROCK"):
        return "AWS_BEARER_TOKEN_BEDROCK"
    try:
        found = boto3.session.Session().get_credentials()
    except BotoCoreError:
        return None
    return str(found.method) if found else None
