"""One busy client does not hold up the others. What is compared is the order of the answers, never the time.

The worker is stopped while the requests of the busy client and those of a patient one are sent, so that all of them
are there when it goes on. The patient client asks for /metrics, which says how much of the other's was done before.
"""

from __future__ import annotations

import os
import resource
import shutil
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest

from tests.live.conftest import Server
from tests.live.raw import Raw
from tests.live.test_abuse import worker
from tests.patience import eventually

REQUESTS, EVENTS, FRAMES = 240, 240, 2000
TURNS = 20  # Requests of the patient client.
SEVERAL = 10  # Connections that it has where one could keep the worker to itself.


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, empty_sqlite: Path) -> Iterator[Server]:
    """An event loop that answers the second request of a user, and every later one, with 429.

    Only an event loop has to see to it that its clients take turns; the system sees to it between threads.
    """
    folder = tmp_path_factory.mktemp("fairness")
    shutil.copy(empty_sqlite, folder / "live.db")
    url = f"sqlite:///{folder / 'live.db'}"
    server = Server(folder, ASYNC_MODE="eventlet", DATABASE_URL=url, RATE_LIMIT_DEFAULT="1/day")
    yield server
    server.stop()


class Connection:
    """A keep-alive connection that can send several requests before it reads an answer."""

    def __init__(self, server: Server) -> None:
        self.socket = socket.create_connection(("127.0.0.1", server.port), timeout=30)
        self._file = self.socket.makefile("rb")

    def send(self, path: str, token: str = "", times: int = 1) -> None:
        self.socket.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n".encode() * times)

    def answer(self) -> tuple[int, str]:
        """Read the next answer: its status and its body."""
        status, length = int(self._file.readline().split()[1]), 0
        while (line := self._file.readline().lower()) != b"\r\n":
            if line.startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        return status, self._file.read(length).decode()

    def get(self, path: str, token: str = "") -> tuple[int, str]:
        self.send(path, token)
        return self.answer()

    def close(self) -> None:
        self._file.close()
        self.socket.close()


Connect = Callable[[Server], Connection]


@pytest.fixture
def connect() -> Iterator[Connect]:
    """Open connections, closed at the end."""
    opened: list[Connection] = []

    def open_one(server: Server) -> Connection:
        opened.append(Connection(server))
        return opened[-1]

    yield open_one
    for one in opened:
        one.close()


@contextmanager
def paused(server: Server) -> Iterator[None]:
    """Stop the worker, so that all that is sent to it meanwhile is there when it goes on."""
    pid = worker(server)
    os.kill(pid, signal.SIGSTOP)
    try:
        assert eventually(lambda: Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T")
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def counted(metrics: str, name: str, **labels: str) -> int:
    """Return how many /metrics counts under a name and such labels."""
    wanted = [f'{label}="{value}"' for label, value in labels.items()]
    lines = [line for line in metrics.splitlines() if line.startswith(f"codesherpa_{name}_seconds_count{{")]
    return sum(int(float(line.split()[-1])) for line in lines if all(label in line for label in wanted))


def turns(server: Server, patient: list[Connection], send: Callable[[], None], name: str, **labels: str) -> list[int]:
    """Return how much of what is sent was done before each request of a patient client that asks as soon."""
    before = counted(patient[0].get("/metrics")[1], name, **labels)
    with paused(server):
        send()
        for one in patient:
            one.send("/metrics", times=TURNS // len(patient))
    answers = [one.answer()[1] for one in patient for _ in range(TURNS // len(patient))]
    done = sorted(counted(answer, name, **labels) - before for answer in answers)
    return [later - earlier for earlier, later in zip([0, *done], done, strict=False)]


@pytest.mark.parametrize(
    ("connections", "path", "status"), [(1, "/health", 200), (8, "/health", 200), (1, "/api/v1/user/me", 429)]
)
def test_busy_connections_take_turns_with_the_others(
    server: Server, connect: Connect, connections: int, path: str, status: int
) -> None:
    token = server.sign_in("busy@example.com")["access_token"]
    busy, patient = [connect(server) for _ in range(connections)], connect(server)
    for one in (*busy, busy[0]):  # From the second request on the user is over the limit.
        one.get(path, token)

    def send() -> None:
        for one in busy:
            one.send(path, token, REQUESTS // connections)

    done = turns(server, [patient], send, "request", route=path, status=str(status))
    statuses = {one.answer()[0] for one in busy for _ in range(REQUESTS // connections)}

    assert max(done) <= 2 * connections
    assert sum(done) >= TURNS // 5  # The patient client does not keep the worker to itself either.
    assert statuses == {status}


def masked(text: bytes, head: int = 0x81) -> bytes:
    """Return a short frame, a whole text unless `head` says otherwise; the mask changes nothing."""
    return bytes([head, 0x80 | len(text)]) + bytes(4) + text


@pytest.mark.parametrize(
    ("first", "frame", "last"),
    [
        (b"", masked(b"3"), b""),
        (b"", masked(b'42/ws,1["message",{}]'), b""),
        (b"", masked(b"43/ws,1[]"), b""),
        (b"", masked(b"", 0x89), b""),
        (b"", masked(b"", 0x8A), b""),
        (masked(b"3", 0x01), masked(b"", 0x00), masked(b"", 0x80)),
    ],
    ids=["3", "event", "acknowledgement", "ping", "pong", "empty fragments"],
)
def test_others_are_answered_before_a_strangers_flood_is_read(
    server: Server, connect: Connect, first: bytes, frame: bytes, last: bytes
) -> None:
    others, stranger = [connect(server) for _ in range(SEVERAL)], Raw(server.port)
    end = masked(b'40/ws,{"token":"none"}')

    with closing(stranger):
        flood = first + frame * FRAMES + last + end
        ends = turns(server, others, lambda: stranger.socket.sendall(flood), "event", event="connect")

    assert sum(ends) == 0


def test_others_are_answered_before_the_flood_of_a_user_is_handled(server: Server, connect: Connect) -> None:
    others = [connect(server) for _ in range(SEVERAL)]
    user = Raw(server.port).join(server.sign_in("flood@example.com")["access_token"])
    user.until('42/ws,["ready"')

    with closing(user):
        flood = masked(b'42/ws,1["stop",{"chat_id":1}]') * EVENTS
        done = turns(server, others, lambda: user.socket.sendall(flood), "event", event="stop")

    assert max(done) <= 2


def descriptors(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/fd"))


@contextmanager
def at_most(pid: int, files: int) -> Iterator[None]:
    """Let a process open so many files at most."""
    soft, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (files, hard))
    try:
        yield
    finally:
        with suppress(ProcessLookupError):  # It has not survived.
            resource.prlimit(pid, resource.RLIMIT_NOFILE, (soft, hard))


def is_answered(server: Server) -> bool:
    """Tell whether a new connection is answered."""
    with suppress(OSError, IndexError), closing(Connection(server)) as one:  # The latter where it is hung up on.
        one.socket.settimeout(5)
        return one.get("/health")[0] == 200
    return False


def test_a_worker_without_descriptors_accepts_again_when_there_are_some(
    tmp_path: Path, empty_sqlite: Path, mode: str, connect: Connect
) -> None:
    shutil.copy(empty_sqlite, tmp_path / "live.db")
    server = Server(tmp_path, ASYNC_MODE=mode, DATABASE_URL=f"sqlite:///{tmp_path / 'live.db'}")
    pid, first = worker(server), connect(server)
    first.get("/health")
    most = descriptors(pid) + 10

    try:
        with at_most(pid, most):
            crowd = [connect(server) for _ in range(20)]
            ran_out = eventually(lambda: descriptors(pid) >= most)
            statuses = [first.get("/health")[0] for _ in range(2)]  # By now one could not be accepted.
            for one in crowd:
                one.close()
            answered_again = eventually(lambda: is_answered(server))
        same = worker(server) == pid
    finally:
        server.stop()

    assert (ran_out, statuses, answered_again, same) == (True, [200, 200], True, True)
