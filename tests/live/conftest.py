"""A real gunicorn, and real socket.io-client browsers that talk to it."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import pytest

from tests.conformance import faults
from tests.conftest import SETTINGS

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
PATIENCE = 30.0  # Seconds after which something that should have happened has not.
MODES = [os.environ["ASYNC_MODE"]] if os.environ.get("ASYNC_MODE") else ["eventlet", "threading"]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Server:
    """A gunicorn of this test's own, with its log."""

    command = ("gunicorn", "-c", "gunicorn.conf.py", "wsgi:app")

    def __init__(self, folder: Path, **settings: str) -> None:
        self.port, self.folder = int(settings.get("PORT", free_port())), folder
        self.url = f"http://127.0.0.1:{self.port}"
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "TEST_", "COV_"))}
        self.environ = clean | SETTINGS | {"PORT": str(self.port), "LOG_LEVEL": "INFO"} | settings
        self.log = folder / f"server-{self.port}.log"
        self.start()

    def start(self) -> None:
        command = [sys.executable, "-m", *self.command]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, cwd=ROOT, env=self.environ, stdout=log, stderr=log)
        give_up = time.monotonic() + 2 * PATIENCE  # Loading it computes, and the machine may be busy with others.
        while time.monotonic() < give_up:
            if self.process.poll() is not None:
                raise AssertionError(f"gunicorn ended: {self.log.read_text()}")
            try:
                urllib.request.urlopen(f"{self.url}/health", timeout=1).close()
            except OSError:
                time.sleep(0.05)
            else:
                return
        self.stop()
        raise AssertionError(f"gunicorn does not answer: {self.log.read_text()}")

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def call(self, method: str, path: str, body: Any = None, token: str | None = None) -> tuple[int, Any]:
        """Call the API and return the status and the envelope."""
        headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
        data = json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(f"{self.url}{path}", data, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)

    def counted(self, series: str) -> float:
        """Return what /metrics says of a series, 0 where it says nothing."""
        with urllib.request.urlopen(f"{self.url}/metrics", timeout=10) as answer:
            lines = answer.read().decode().splitlines()
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(f"{series} "))

    def sign_in(self, email: str) -> dict[str, Any]:
        """Return the tokens of an account, made when there is none yet."""
        password = {"email": email, "password": "correct horse battery"}
        self.call("POST", "/api/v1/auth/register", {"name": "Ada", **password})
        data: dict[str, Any] = self.call("POST", "/api/v1/auth/login", password)[1]["data"]
        return data


class DevelopmentServer(Server):
    """`flask run`, as a developer starts it."""

    command = ("flask", "run", "--no-reload")

    def __init__(self, folder: Path, **settings: str) -> None:
        port = str(free_port())
        super().__init__(folder, FLASK_RUN_PORT=port, PORT=port, **settings)


S = TypeVar("S", bound=Server)


def started_at_once(*starts: Callable[[], S]) -> list[S]:
    """Start servers in parallel: each computes for seconds on a core of its own. Where one fails, stop the others."""
    with ThreadPoolExecutor(len(starts)) as pool:
        starting = [pool.submit(start) for start in starts]
    if failed := [one for one in starting if one.exception()]:
        for one in starting:
            if one not in failed:
                one.result().stop()
        failed[0].result()  # It raises.
    return [one.result() for one in starting]


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database of either kind, for a test's servers."""
    if request.param == "sqlite":
        shutil.copy(request.getfixturevalue("empty_sqlite"), tmp_path / "live.db")
        return f"sqlite:///{tmp_path / 'live.db'}"
    url: str = request.getfixturevalue("postgres_of_servers")
    return url


class Browser:
    """socket.io-client in Node; remembers every event in order."""

    def __init__(self) -> None:
        self.node = subprocess.Popen(
            ["node", str(HERE / "client.mjs")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.seen: list[dict[str, Any]] = []
        self._arriving: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self._asked: dict[int, str] = {}
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    def _listen(self) -> None:
        assert self.node.stdout
        for line in self.node.stdout:
            self._arriving.put(json.loads(line))
        self._arriving.put(None)

    def order(self, **order: Any) -> None:
        assert self.node.stdin
        self.node.stdin.write(json.dumps(order) + "\n")
        self.node.stdin.flush()

    def connect(self, url: str, token: str | None, **options: Any) -> Browser:
        self.order(do="connect", url=f"{url}/ws", options={"auth": {"token": token}, "reconnection": False, **options})
        return self

    def emit(self, event: str, payload: Any, *, silent: bool = False) -> int:
        id = len(self._asked)
        self._asked[id] = event
        self.order(do="emit", id=id, event=event, payload=payload, silent=silent)
        return id

    def ask(self, event: str, payload: Any) -> dict[str, Any]:
        """Emit and return the acknowledgement."""
        id = self.emit(event, payload)
        answer: dict[str, Any] = self.until("acknowledged", id=id)["answer"]
        return answer

    def until(self, event: str, **where: Any) -> dict[str, Any]:
        """Wait for an event, one that was seen before included, and return it."""
        wanted = {"event": event, **where}
        return self._wait(lambda seen: wanted.items() <= seen.items(), str(wanted))

    def told(self, event: str, fits: Callable[[Any], bool] = lambda payload: True, **where: Any) -> Any:
        """Wait for an event with such a payload, one that was seen before included, and return the payload."""

        def is_it(seen: dict[str, Any]) -> bool:
            payload = seen.get("payload")
            return seen["event"] == event and where.items() <= payload.items() and fits(payload)

        return self._wait(is_it, f"{event} {where}")["payload"]

    def _wait(self, fits: Callable[[dict[str, Any]], bool], wanted: str) -> dict[str, Any]:
        for seen in self.seen:
            if fits(seen):
                return seen
        give_up = time.monotonic() + PATIENCE
        while time.monotonic() < give_up:
            try:
                seen = self._arriving.get(timeout=max(0.01, give_up - time.monotonic()))
            except queue.Empty:
                break
            if seen is None:
                break
            self.seen.append(seen)
            if fits(seen):
                return seen
        raise AssertionError(f"no {wanted} among {[seen['event'] for seen in self.seen]}")

    def payloads(self, event: str) -> list[Any]:
        return [seen["payload"] for seen in self.seen if seen["event"] == event and "payload" in seen]

    def faults(self) -> list[str]:
        """Return what was seen that docs/asyncapi.yaml does not promise."""
        found = [fault for seen in self.seen if "payload" in seen for fault in faults(seen["event"], seen["payload"])]
        for seen in self.seen:
            if seen["event"] == "acknowledged":
                found += faults(f"{self._asked[seen['id']]}_acknowledged", seen["answer"])
            elif seen["event"] == "connect_error" and seen.get("data"):
                found += faults("ConnectRefused", seen["data"])
        return found

    def close(self) -> None:
        if self.node.poll() is None:
            self.node.kill()
        self.node.wait()
        self._listener.join(PATIENCE)
        for pipe in (self.node.stdin, self.node.stdout):
            if pipe:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()


@pytest.fixture(scope="session", params=MODES)
def mode(request: pytest.FixtureRequest) -> str:
    mode: str = request.param
    return mode


@pytest.fixture(scope="session")
def server(mode: str, tmp_path_factory: pytest.TempPathFactory, empty_sqlite: Path) -> Iterator[Server]:
    """A server on SQLite that the tests of one mode share."""
    folder = tmp_path_factory.mktemp(mode)
    shutil.copy(empty_sqlite, folder / "live.db")
    server = Server(folder, ASYNC_MODE=mode, DATABASE_URL=f"sqlite:///{folder / 'live.db'}")
    yield server
    server.stop()
    # A poll that meets a closed session is an error to engineio, and no fault of ours.
    ours = [line for line in server.log.read_text().splitlines() if "[error" in line and "[codesherpa" in line]
    assert ours == []


@pytest.fixture
def browser() -> Iterator[Callable[[], Browser]]:
    """Open browsers, closed at the end; whatever they saw has to be as docs/asyncapi.yaml says."""
    opened: list[Browser] = []

    def open_one() -> Browser:
        opened.append(Browser())
        return opened[-1]

    yield open_one
    for one in opened:
        one.close()
    assert [fault for one in opened for fault in one.faults()] == []
