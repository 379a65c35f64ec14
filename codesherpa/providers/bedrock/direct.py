"""ConverseStream asked directly: one POST on a connection of botocore's pool, with a head that botocore wrote before.

botocore builds and signs each request from the ground up, which costs three times as much CPU as sending it. Between
two requests to one model nothing differs but the body, the time, the id of the call and the credentials. So botocore
sends the first request of a kind, with all of its rules for endpoints, regions, proxies and signatures; later ones are
written from the head of that one. This holds only where the head that is written here is the one that botocore sent,
byte for byte with its signature. Where it is not, or a request goes through a proxy, botocore sends them all.
Credentials stay botocore's: each request asks it for those that are valid now.
"""

from __future__ import annotations

import contextlib
import hmac
import os
import re
import time
import uuid
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, NamedTuple
from urllib.parse import quote

import orjson
from botocore.awsrequest import HeadersDict
from botocore.exceptions import ConnectionClosedError, EndpointConnectionError
from urllib3.exceptions import HTTPError

from codesherpa.providers.bedrock.frames import dechunk
from codesherpa.providers.bedrock.stream import timely
from codesherpa.providers.bedrock.wire import Call

OPERATION = "ConverseStream"
MOST = 256  # Kinds of requests that are remembered: agents may name many models.
LONGEST_HEAD = 65_536  # Bytes of an answer's head.
LONGEST_FAULT = 1_048_576  # Bytes of an answer that says what went wrong.
# Headers that are the same in every request. Those below, the length and the authorization are written for each.
SAME = {"host", "accept-encoding", "content-type", "user-agent", "amz-sdk-request"}
DATE, TOKEN, INVOCATION = "x-amz-date", "x-amz-security-token", "amz-sdk-invocation-id"
V4_NAME = "AWS4-HMAC-SHA256"
V4 = re.compile(
    r"AWS4-HMAC-SHA256 Credential=[^/]+/\d{8}/([\w-]+)/([\w-]+)/aws4_request, "
    r"SignedHeaders=([\w;-]+), Signature=[\da-f]{64}"
)


class Identity(NamedTuple):
    """What a request is signed with: keys and their session's token, or a bearer token alone."""

    access_key: str = ""
    secret_key: str = ""
    token: str | None = None
    bearer: str | None = None


@dataclass(frozen=True, slots=True)
class Head:
    """The head of a request, to be written again with another time and body, and signed.

    `names` are the headers in their order, `same` the values of those that stay. `region` and `service` are those of
    the signature, `signed` the headers that it covers.
    """

    target: str
    names: tuple[str, ...]
    same: dict[str, str]
    region: str = ""
    service: str = ""
    signed: tuple[str, ...] = ()

    @property
    def by_bearer(self) -> bool:
        return not self.signed

    def write(self, body: bytes, date: str, invocation: str, identity: Identity) -> bytes:
        """Return the head for a body; `date` as in X-Amz-Date."""
        values = self.same | {DATE: date, INVOCATION: invocation, "content-length": str(len(body))}
        if identity.token is not None:
            values[TOKEN] = identity.token
        values["authorization"] = self.authorization(body, date, identity, values)
        lines = [f"{name}: {values[name.lower()]}" for name in self.names]
        return "\r\n".join([f"POST {self.target} HTTP/1.1", *lines, "", ""]).encode("latin-1")

    def authorization(self, body: bytes, date: str, identity: Identity, values: dict[str, str]) -> str:
        """Return a signature of version 4, or the bearer token that stands in its place."""
        if identity.bearer is not None:
            return f"Bearer {identity.bearer}"
        signed = ";".join(self.signed)
        lines = [f"{name}:{' '.join(values[name].split())}" for name in self.signed]
        asked = ["POST", quote(self.target, safe="/~"), "", *lines, "", signed, sha256(body).hexdigest()]
        scope = f"{date[:8]}/{self.region}/{self.service}/aws4_request"
        digest = sha256("\n".join(asked).encode()).hexdigest()
        key = f"AWS4{identity.secret_key}".encode()
        for part in scope.split("/"):
            key = hmac.digest(key, part.encode(), "sha256")
        signature = hmac.digest(key, f"{V4_NAME}\n{date}\n{scope}\n{digest}".encode(), "sha256").hex()
        parts = (f"Credential={identity.access_key}/{scope}", f"SignedHeaders={signed}", f"Signature={signature}")
        return f"{V4_NAME} {', '.join(parts)}"


def head_of(sent: bytes, body: bytes, identity: Identity) -> Head | None:
    """Return the head of a request that was sent, None where it cannot be written again as it was."""
    first, *lines = sent.decode("latin-1").removesuffix("\r\n\r\n").split("\r\n")
    pairs = [line.partition(": ")[::2] for line in lines]
    values = {name.lower(): value for name, value in pairs}
    method, target, version = first.split(" ")
    if (method, version) != ("POST", "HTTP/1.1") or "?" in target or len(values) != len(pairs):
        return None
    same = {name: value for name, value in values.items() if name in SAME}
    names = tuple(name for name, _ in pairs)
    signature = V4.fullmatch(values.get("authorization", ""))
    region, service, signed = signature.groups() if signature else ("", "", "")
    head = Head(target, names, same, region, service, tuple(signed.split(";")) if signed else ())
    try:
        again = head.write(body, values.get(DATE, ""), values.get(INVOCATION, ""), identity)
    except KeyError:  # There is a header, or one is signed, that is not known here.
        return None
    return head if again == sent else None


class Direct:
    """Sends a client's requests for ConverseStream, once it has seen how botocore does."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._known: OrderedDict[tuple[str, frozenset[str]], tuple[Head, Any]] = OrderedDict()
        # A plugin may have changed anything in the client.
        self._is_plain = not os.environ.get("BOTOCORE_EXPERIMENTAL__PLUGINS")

    def ask(self, arguments: dict[str, Any], call: Call, read_timeout: float) -> Opened | None:
        """Send a request and return its answer, None where botocore is to send it.

        Raises botocore's ClientError for a refusal, and OSError or botocore's ConnectionError where none comes.
        """
        kind = kind_of(arguments)
        if (known := self._known.get(kind)) is None:
            return None
        head, pool = known
        try:
            body, identity = written(arguments), self._identity(head.by_bearer)
        except TypeError:  # What JSON cannot hold, half a surrogate say.
            return None
        if pool.pool is None or bool(identity.token) != (TOKEN in map(str.lower, head.names)):
            self._known.pop(kind, None)
            return None
        date = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        opened = Opened.send(pool, head.write(body, date, str(uuid.uuid4()), identity) + body, call, read_timeout)
        if opened.status >= 300:
            raise self._refusal(opened, call, read_timeout)
        return opened

    def learn(self, arguments: dict[str, Any], call: Call, pool: Any) -> None:
        """Remember the head of a request that botocore sent and that was answered, where it can be written again."""
        sent, found, body = call.request.partition(b"\r\n\r\n")
        call.request = b""
        if not found or not self._is_plain or pool is None or pool.proxy is not None:
            return
        try:
            is_ours = orjson.loads(body) == orjson.loads(written(arguments))
        except (TypeError, ValueError):
            return
        identity = self._identity(b"\r\nAuthorization: Bearer " in sent)
        if is_ours and (head := head_of(sent + found, body, identity)) is not None:
            self._known[kind_of(arguments)] = head, pool
            if len(self._known) > MOST:
                self._known.popitem(last=False)

    def forget(self) -> None:
        """Let go of the pools, so that their connections close with botocore's client."""
        self._known.clear()

    def _identity(self, by_bearer: bool) -> Identity:
        """Return what is signed with now; botocore renews what is about to expire."""
        signer = self._client._request_signer
        if by_bearer:
            token = signer._auth_token
            return Identity(bearer=getattr(token, "get_frozen_token", lambda: token)().token)
        frozen = signer._credentials.get_frozen_credentials()
        return Identity(frozen.access_key, frozen.secret_key, frozen.token)

    def _refusal(self, opened: Opened, call: Call, read_timeout: float) -> Exception:
        """Return a refusal as botocore raises it."""
        body = opened.whole(call, read_timeout)
        shape = self._client.meta.service_model.operation_model(OPERATION).output_shape
        answer = {"status_code": opened.status, "headers": HeadersDict(opened.headers), "body": body, "context": {}}
        parsed = self._client._response_parser.parse(answer, shape)
        error: Exception = self._client.exceptions.from_code(parsed.get("Error", {}).get("Code"))(parsed, OPERATION)
        return error


def kind_of(arguments: dict[str, Any]) -> tuple[str, frozenset[str]]:
    """Return what requests have in common that differ in nothing but values."""
    return arguments["modelId"], frozenset(arguments)


def written(arguments: dict[str, Any]) -> bytes:
    """Return the body of a request: all of its arguments but the model, which is in the path."""
    return orjson.dumps({name: value for name, value in arguments.items() if name != "modelId"})


class Opened:
    """An answer whose head has been read, on the connection of a pool. `leave` gives that back, or closes it."""

    def __init__(self, pool: Any, connection: Any, status: int, headers: dict[str, str], rest: bytes) -> None:
        self._pool, self._connection, self._rest = pool, connection, rest
        self.status, self.headers = status, headers
        self.chunked = headers.get("transfer-encoding", "").lower() == "chunked"
        length = headers.get("content-length", "")
        self._left = int(length) if length.isdigit() and not self.chunked else None
        self._stays = headers.get("connection", "").lower() != "close" and (self.chunked or self._left is not None)

    @classmethod
    def send(cls, pool: Any, request: bytes, call: Call, read_timeout: float) -> Opened:
        """Send a request and read the head of its answer."""
        connection = pool._get_conn()
        try:
            connect(pool, connection)
            connection.sock.settimeout(min(read_timeout, call.left()))
            # Who refuses a request may close before all of it has come, and its answer is there to be read.
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                connection.sock.sendall(request)
            return cls(pool, connection, *read_head(connection.sock.recv, call))
        except BaseException:
            call.detach()
            connection.close()
            pool._put_conn(None)
            raise

    def read1(self, size: int) -> bytes:
        """Return what comes next of the body, b"" at its end."""
        if self._left == 0:
            return b""
        data, self._rest = self._rest or self._connection.sock.recv(size), b""
        if self._left is not None:
            if not data:
                raise EOFError("the connection ended in the middle of an answer")
            self._left = max(0, self._left - len(data))
        return bytes(data)

    def whole(self, call: Call, read_timeout: float) -> bytes:
        """Return a body that is not streamed, and leave the connection. Raises Failure at the call's deadline."""
        is_whole = False
        try:
            parts, size = [], 0
            for data in self.pieces(lambda: timely(self, call, read_timeout)):
                parts.append(data)
                size += len(data)
                if size > LONGEST_FAULT:
                    return b"".join(parts)
            is_whole = True
            return b"".join(parts)
        finally:
            call.detach()
            self.leave(is_whole)

    def pieces(self, more: Callable[[], bytes]) -> Iterator[bytes]:
        return dechunk(more) if self.chunked else iter(more, b"")

    def leave(self, is_whole: bool) -> None:
        """Give the connection back to its pool where the answer was read to its end, else close it."""
        connection = self._connection
        if not (is_whole and self._stays):
            connection.close()
        self._pool._put_conn(connection)


def connect(pool: Any, connection: Any) -> None:
    """Open a connection where it is not, and tell the call in hand."""
    try:
        if connection.is_closed:
            connection.timeout = pool.timeout.connect_timeout
            pool._validate_conn(connection)  # Which connects where TLS is spoken.
            if connection.is_closed:
                connection.connect()
        else:
            connection.tell()
    except HTTPError as error:
        raise EndpointConnectionError(endpoint_url=f"{pool.scheme}://{pool.host}:{pool.port}", error=error) from error


def read_head(receive: Callable[[int], bytes], call: Call) -> tuple[int, dict[str, str], bytes]:
    """Return the status and the headers of an answer, and what has come of its body."""
    data = b""
    while True:
        while b"\r\n\r\n" not in data:
            more = receive(16_384)
            if not more or len(data) > LONGEST_HEAD or call.expired():
                raise ConnectionClosedError(endpoint_url="", error="no whole head", request=None)
            data += more
        head, _, data = data.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        version, _, status = first.partition(" ")
        if not version.startswith("HTTP/1.") or not status[:3].isdigit():
            raise ConnectionClosedError(endpoint_url="", error="not HTTP", request=None)
        if int(status[:3]) >= 200:
            break
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    if version == "HTTP/1.0":
        headers["connection"] = "close"
    return int(status[:3]), headers, data
