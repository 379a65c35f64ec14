"""What compose.yaml puts together: nginx in front of two workers, with PostgreSQL and Redis."""

from __future__ import annotations

import http.client
import json
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from functools import partial
from ipaddress import IPv6Address
from pathlib import Path
from typing import Any

import pytest

from codesherpa.edge import ONLY_HTTPS, network_of
from config import ROOT
from tests.conftest import emptied, skip_or_fail
from tests.live import front, malformed
from tests.live.conftest import Browser, Server, started_at_once
from tests.security.test_headers import UNLESS_SAID_OTHERWISE, WANTED

pytestmark = pytest.mark.xdist_group("deployment")


class Front(Server):
    """The same calls as to a server, through nginx."""

    def __init__(self, port: int) -> None:
        self.port, self.url = port, f"http://127.0.0.1:{port}"


@pytest.fixture(scope="module")
def workers(tmp_path_factory: pytest.TempPathFactory, postgres: str) -> Iterator[tuple[Server, Server]]:
    for needed, found in (("nginx", front.NGINX), ("redis-server", front.REDIS)):
        if not found:
            skip_or_fail(f"no {needed} here")
    folder = tmp_path_factory.mktemp("workers")
    with front.redis(folder) as redis, emptied(postgres):
        start = partial(Server, folder, DATABASE_URL=postgres, REDIS_URL=redis, TRUSTED_PROXIES="1", LOG_FORMAT="json")
        both = started_at_once(start, start)
        yield both[0], both[1]
        for one in both:
            one.stop()


@pytest.fixture(scope="module")
def entrance(workers: tuple[Server, Server], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    with front.nginx(tmp_path_factory.mktemp("nginx"), (workers[0].port, workers[1].port)) as port:
        yield Front(port)


@pytest.mark.parametrize("transport", ["websocket", "polling"])
def test_a_socket_works_through_nginx(entrance: Front, browser: Callable[[], Browser], transport: str) -> None:
    token = entrance.sign_in(f"{transport}@example.com")["access_token"]
    tab = browser().connect(entrance.url, token, transports=[transport])
    tab.until("ready")

    tab.ask("message", {"message": "review", "code_context": "def f(a=[]):\n    return a\n"})

    assert tab.until("response")["payload"]["content"]["findings"][0]["line"] == 1


def test_what_one_worker_writes_reaches_a_tab_at_the_other(
    entrance: Front, workers: tuple[Server, Server], browser: Callable[[], Browser]
) -> None:
    token = entrance.sign_in("two@example.com")["access_token"]
    tabs = [browser().connect(worker.url, token, transports=["websocket"]) for worker in workers]
    for tab in tabs:
        tab.until("ready")

    entrance.call("POST", "/api/v1/chat", {"message": "hello"}, token)

    assert tabs[0].until("response")["payload"] == tabs[1].until("response")["payload"]


def test_both_workers_are_asked(entrance: Front, workers: tuple[Server, Server]) -> None:
    before = [asked(worker, "/") for worker in workers]
    for _ in range(20):
        entrance.call("GET", "/")

    after = [asked(worker, "/") for worker in workers]
    assert all(later > earlier for earlier, later in zip(before, after, strict=True))


def asked(worker: Server, route: str) -> float:
    """Return how often a worker has answered at a route, as it counts itself."""
    connection = http.client.HTTPConnection("127.0.0.1", worker.port, timeout=10)
    connection.request("GET", "/metrics")
    text = connection.getresponse().read().decode()
    connection.close()
    counted = [line for line in text.splitlines() if "request_seconds_count{" in line and f'route="{route}",' in line]
    return sum(float(line.rsplit(" ", 1)[1]) for line in counted)


def test_the_metrics_are_not_for_the_world(entrance: Front) -> None:
    status, told = entrance.call("GET", "/metrics")

    assert (status, told["data"]["code"]) == (404, "not_found")


def test_who_calls_is_what_nginx_sees_and_not_what_the_caller_claims(entrance: Front) -> None:
    tokens = entrance.sign_in("address@example.com")
    claim = {"Authorization": f"Bearer {tokens['access_token']}", "X-Forwarded-For": "203.0.113.9"}
    body = json.dumps({"email": "address@example.com", "password": "correct horse battery"})

    send(entrance, "POST", "/api/v1/auth/login", claim | {"Content-Type": "application/json"}, body.encode())
    _, _, sessions = send(entrance, "GET", "/api/v1/user/me/sessions", claim)

    assert {session["ip"] for session in sessions["data"]["sessions"]} == {"127.0.0.1"}


def send(
    entrance: Front, method: str, path: str, headers: dict[str, str], body: bytes | None = None
) -> tuple[int, dict[str, str], Any]:
    connection = http.client.HTTPConnection("127.0.0.1", entrance.port, timeout=30)
    connection.request(method, path, body, headers)
    answer = connection.getresponse()
    told = answer.status, dict(answer.getheaders()), json.load(answer)
    connection.close()
    return told


@pytest.mark.parametrize("size", [1024 * 1024 + 1, 3 * 1024 * 1024])
def test_what_is_too_large_is_refused_in_the_envelope(entrance: Front, size: int) -> None:
    """The first size is the application's to refuse, the second nginx' own."""
    headers = {"Content-Type": "application/json"}

    status, _, told = send(entrance, "POST", "/api/v1/auth/login", headers, b'{"a": "' + b"x" * size + b'"}')

    assert (status, told["success"], told["data"]["code"]) == (413, False, "payload_too_large")


def test_a_callers_own_request_id_comes_back_and_a_mad_one_does_not(entrance: Front) -> None:
    for sent, kept in (("mine-1", True), ("bad id\t!", False)):
        _, headers, _ = send(entrance, "GET", "/health", {"X-Request-ID": sent})
        assert (headers["X-Request-ID"] == sent) is kept


def test_a_body_that_stops_coming_never_reaches_a_worker(entrance: Front, workers: tuple[Server, Server]) -> None:
    """nginx waits for the whole body; the workers answer others meanwhile and hear nothing of it."""
    before = [asked(worker, "/api/v1/auth/login") for worker in workers]
    with socket.create_connection(("127.0.0.1", entrance.port), timeout=30) as slow:
        slow.sendall(b"POST /api/v1/auth/login HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
        assert entrance.call("GET", "/health")[0] == 200
        with suppress(ConnectionResetError):
            assert slow.recv(4096)[9:12] in (b"", b"408")

    assert [asked(worker, "/api/v1/auth/login") for worker in workers] == before


def connect(port: int, source: str = "127.0.0.1") -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=30, source_address=(source, 0))


def the_rest(connection: socket.socket) -> bytes:
    """Return all that comes until nginx hangs up."""
    came = b""
    with suppress(ConnectionResetError):
        while more := connection.recv(65_536):
            came += more
    return came


def test_a_header_that_crawls_is_not_waited_for(entrance: Front) -> None:
    with connect(entrance.port) as slow:
        slow.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\nX-Slow: ")
        slow.settimeout(0.1)
        with suppress(ConnectionResetError, BrokenPipeError):
            while True:  # It has a second for all of it, not from one byte to the next.
                slow.sendall(b"x")
                with suppress(TimeoutError):
                    assert slow.recv(1) in (b"", b"H")
                    break

    assert entrance.call("GET", "/health")[0] == 200


def test_who_does_not_read_an_answer_is_cut_off(entrance: Front) -> None:
    with socket.socket() as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        deaf.settimeout(30)
        deaf.connect(("127.0.0.1", entrance.port))
        deaf.sendall(20 * b"GET /api/v1/docs/swagger-ui-bundle.js HTTP/1.1\r\nHost: x\r\n\r\n")  # 30 MB together.
        length = int(head(deaf)["content-length"])
        time.sleep(3)  # More than a second without a byte.

        assert len(the_rest(deaf)) < 20 * length


def head(connection: socket.socket) -> dict[str, str]:
    """Read the head of an answer, byte by byte, and return its headers."""
    came = b""
    while not came.endswith(b"\r\n\r\n"):
        came += connection.recv(1)
    lines = came.decode().split("\r\n")[1:-2]
    return {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}


@pytest.mark.parametrize(
    ("path", "most"), [("/api/v1/auth/login", 200), ("/socket.io/?EIO=4&transport=polling&sid=x", 1000)]
)
def test_one_address_has_so_many_connections_and_others_are_free(
    workers: tuple[Server, Server], tmp_path: Path, path: str, most: int
) -> None:
    begun = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{{".encode()
    with (
        front.nginx(tmp_path / "front", (workers[0].port, workers[1].port), patience="120s") as port,
        ExitStack() as all,
    ):
        for _ in range(most):
            all.enter_context(connect(port)).sendall(begun)

        def answered(source: str) -> bytes:
            one = all.enter_context(connect(port, source))
            one.sendall(begun + b"x" * 99)
            return one.recv(12)

        # One that comes last may be read first, and has gone again when nginx has read them all.
        assert b"HTTP/1.1 429" in (answered("127.0.0.1") for _ in range(50))
        assert answered("127.0.0.2") != b"HTTP/1.1 429"
        assert Front(port).call("GET", "/health")[0] == 200


# What nginx refuses by itself, and what the application answers through it.
SAID: dict[str, tuple[str, str, dict[str, str], bytes | None]] = {
    "not for the world": ("GET", "/metrics", {}, None),
    "too large": ("POST", "/api/v1/auth/login", {"Content-Type": "application/json"}, b"x" * (3 * 1024 * 1024)),
    "the application's own": ("GET", "/health", {}, None),
    "the application's refusal": ("GET", "/api/v1/user/me", {}, None),
}


@pytest.mark.parametrize("what", SAID)
def test_every_answer_carries_the_security_headers_once(entrance: Front, what: str) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", entrance.port, timeout=30)
    method, path, headers, body = SAID[what]
    connection.request(method, path, body, headers)
    answer = connection.getresponse()
    connection.close()

    for name, value in (WANTED | UNLESS_SAID_OTHERWISE).items():
        assert answer.headers.get_all(name) == [value], name
    assert len(answer.headers.get_all("X-Request-ID")) == 1
    assert "/" not in answer.headers["Server"]


def refused(answer: tuple[int, list[tuple[str, str]], Any], statuses: tuple[int, ...]) -> str:
    """Check that an answer is an error in the envelope with every header, and return its code."""
    status, headers, told = answer
    assert status in statuses
    assert (set(told), told["success"]) == ({"success", "data", "message"}, False)
    wanted = WANTED | UNLESS_SAID_OTHERWISE | {"Content-Type": "application/json"}
    for name, value in wanted.items():
        assert [said for called, said in headers if called == name.lower()] == [value], name
    assert [said for called, said in headers if called == "x-request-id"] == [told["data"]["request_id"]]
    return str(told["data"]["code"])


@pytest.mark.parametrize("what", malformed.UNREADABLE | malformed.BAD_HOSTS)
def test_a_request_that_cannot_be_read_is_refused_in_the_envelope(entrance: Front, what: str) -> None:
    request = (malformed.UNREADABLE | malformed.BAD_HOSTS)[what]

    with connect(entrance.port) as connection:
        assert refused(malformed.ask(connection, request), (400, 501)) == "bad_request"


@pytest.mark.parametrize("what", malformed.UNREADABLE)
def test_a_worker_by_itself_refuses_it_in_the_envelope_too(workers: tuple[Server, Server], what: str) -> None:
    """It reads some of them, and finds nothing there."""
    with connect(workers[0].port) as connection:
        code = refused(malformed.ask(connection, malformed.UNREADABLE[what]), (400, 404, 405, 501))

    assert code in ("bad_request", "not_found", "method_not_allowed")


def test_the_callers_id_is_kept_where_the_head_could_be_read(entrance: Front) -> None:
    request = b"GET /health HTTP/1.1\r\nHost: x\r\nX-Request-ID: mine-2\r\nTransfer-Encoding: gzip\r\n\r\n"

    with connect(entrance.port) as connection:
        status, _, told = malformed.ask(connection, request)

    assert (status, told["data"]["request_id"]) == (501, "mine-2")


# Whatever nginx may find wrong by itself, now or when more of it is switched on, and the status that is told. It
# answers a 408 only where it waits for a body.
ERRORS = {
    **dict.fromkeys((400, 414, 421, 431, 494, 495, 496, 497, 505), (400, "bad_request")),
    **dict.fromkeys((401, 402, 403), (403, "forbidden")),
    404: (404, "not_found"),
    **dict.fromkeys((405, 501), (501, "bad_request")),
    413: (413, "payload_too_large"),
    429: (429, "rate_limited"),
    **dict.fromkeys((500, 502, 503, 504, 507, 508), (503, "internal_error")),
}


def test_every_error_of_nginx_has_an_answer_in_the_envelope(workers: tuple[Server, Server], tmp_path: Path) -> None:
    made = "".join(f"location = /made/{status} {{ return {status}; }}\n" for status in ERRORS)

    with front.nginx(tmp_path / "front", (workers[0].port, workers[1].port), made) as port:
        for status, (told, code) in ERRORS.items():
            for method in (b"GET", b"POST"):
                request = method + b" /made/%d HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n" % status
                with connect(port) as connection:
                    assert refused(malformed.ask(connection, request), (told,)) == code, status


@pytest.mark.parametrize(
    ("target", "host", "path", "status"),
    [
        (b"/health?q=private", b"a b", "/health", 400),  # It cannot be read.
        (b"/%C2%9B31m%E2%80%AE?q=private", b"x", "/%C2%9B31m%E2%80%AE", 404),
        ("/\u009b31m\u202e?q=private".encode(), b"x", "(not ASCII)", 404),
        (b"/a%zz", b"x", "", 400),
    ],
)
def test_the_log_has_the_path_as_it_was_sent_without_its_query_and_steers_no_terminal(
    workers: tuple[Server, Server], tmp_path: Path, target: bytes, host: bytes, path: str, status: int
) -> None:
    with front.nginx(tmp_path / "front", (workers[0].port, workers[1].port)) as port, connect(port) as connection:
        malformed.ask(connection, b"GET %b HTTP/1.1\r\nHost: %b\r\n\r\n" % (target, host))

    written = (tmp_path / "front" / "access.log").read_text().rstrip("\n")
    line = json.loads(written)
    assert written.isprintable()
    assert (line["path"], line["status"]) == (path, status)


# Addresses whose text begins its run of zeros before, within and behind the /64.
ADDRESSES = [
    "192.0.2.1", "::ffff:192.0.2.1", "::1", "::2", "::1.2.3.4", "2001:db8::1", "2001:db8:0:0:1::", "2001:db8::1:2:3:4",
    "2001:db8:0:1::1", "2001:db8:0:1:2:3:4:5", "2001::5:1:2:3:4", "2001:0:0:5::1", "2001::5:0:0:3:4", "2001:0:1::1",
    "0:0:5:6::1", "::5:6:1:2:3:4", "0:0:0:6::", "::6:1:2:3:4", "0:5::1", "0:5:0:0:1::", "::5:0:1:2:3:4", "0:0:5::1",
    "::5:0:0:1:2:3", "2001:db8:1:2:3:4:5:6", "fe80::1", "1:2:3::", "1:2:3:0:4::", "1::", "::",
]  # fmt: skip
BY_A_HEADER = "set_real_ip_from 127.0.0.1; real_ip_header X-Address;\n"


def test_an_address_of_ipv6_counts_as_its_network_however_it_is_written(
    workers: tuple[Server, Server], tmp_path: Path
) -> None:
    """As the application counts it, so both limit the same clients."""
    extra = BY_A_HEADER + "location = /network { return 200 $network; }\n"

    with front.nginx(tmp_path / "front", (workers[0].port, workers[1].port), extra) as port:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        counted = {}
        for address in ADDRESSES:
            connection.request("GET", "/network", headers={"X-Address": address})
            counted[address] = connection.getresponse().read().decode()
        connection.close()

    assert {address: as_network(network) for address, network in counted.items()} == {
        address: network_of(address) for address in ADDRESSES
    }
    # Each network has one spelling, or it would be counted twice.
    assert len(set(counted.values())) == len({network_of(address) for address in ADDRESSES})


def as_network(counted: str) -> str:
    return f"{IPv6Address(counted + '::')}/64" if ":" in counted else counted


def test_all_of_a_network_of_ipv6_share_its_connections(workers: tuple[Server, Server], tmp_path: Path) -> None:
    def begin(connection: socket.socket, address: str, sent: int) -> None:
        head = f"POST /api/v1/auth/login HTTP/1.1\r\nHost: x\r\nX-Address: {address}\r\nContent-Length: 100\r\n\r\n"
        connection.sendall(head.encode() + b"{" * sent)

    def answered(address: str) -> bytes:
        with connect(port) as one:
            begin(one, address, 100)
            return one.recv(12)

    ports = (workers[0].port, workers[1].port)
    with front.nginx(tmp_path / "front", ports, BY_A_HEADER, patience="120s") as port, ExitStack() as all:
        for number in range(200):
            address = f"2001:db8:0:1::{number:x}" if number % 2 else f"2001:db8:0:1:{number:x}::"
            begin(all.enter_context(connect(port)), address, 1)

        # nginx may read one that comes last before it has read them all.
        assert b"HTTP/1.1 429" in (answered("2001:db8:0:1:1:2:3:4") for _ in range(1000))
        assert answered("2001:db8:0:2::1") != b"HTTP/1.1 429"


def test_a_worker_that_is_gone_is_not_noticed(workers: tuple[Server, Server], tmp_path: Path) -> None:
    with front.nginx(tmp_path / "front", (workers[0].port, front.free_port())) as port:
        answers = [Front(port).call("GET", "/health")[0] for _ in range(10)]

    assert answers == [200] * 10


def test_no_worker_at_all_is_told_in_the_envelope(tmp_path: Path, workers: tuple[Server, Server]) -> None:
    with front.nginx(tmp_path / "front", (front.free_port(), front.free_port())) as port:
        status, told = Front(port).call("GET", "/api/v1/user/me")

    assert (status, told["data"]["code"], told["data"]["retry_after"]) == (503, "internal_error", 2)


def test_the_example_for_tls_serves_https_alone(tmp_path: Path, workers: tuple[Server, Server]) -> None:
    if not shutil.which("openssl"):
        skip_or_fail("no openssl here")
    make = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1 -subj /CN=localhost"
    keys = ["-keyout", str(tmp_path / "privkey.pem"), "-out", str(tmp_path / "fullchain.pem")]
    subprocess.run([*make.split(), *keys], check=True, capture_output=True)
    secure = front.free_port()
    extra = (ROOT / "deploy" / "tls.conf.example").read_text()
    extra = extra.replace("listen 443", f"listen 127.0.0.1:{secure}").replace("/etc/nginx/server.d", str(tmp_path))

    with front.nginx(tmp_path / "front", (workers[0].port, workers[1].port), extra) as port:
        plain = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        plain.request("GET", "/health")
        trusting = ssl.create_default_context(cafile=str(tmp_path / "fullchain.pem"))
        https = http.client.HTTPSConnection("localhost", secure, timeout=10, context=trusting)
        https.request("GET", "/health")
        healthy = https.getresponse()
        healthy.read()
        https.request("GET", "/metrics")
        answer = https.getresponse()
        answer.read()
        for spoken in (port, secure):  # Neither led to https, nor told so by a page of nginx' own.
            for request in (b"get / HTTP/1.1\r\nHost: x\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"):
                with connect(spoken) as connection:
                    assert refused(malformed.ask(connection, request), (400,)) == "bad_request"
        with connect(secure) as connection:
            over_tls = malformed.ask(connection, b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")

        assert plain.getresponse().status == 308
        assert refused(over_tls, (400,)) == "bad_request"
        assert healthy.status == 200
        assert answer.headers.get_all("Strict-Transport-Security") == [ONLY_HTTPS]
        plain.close()
        https.close()
