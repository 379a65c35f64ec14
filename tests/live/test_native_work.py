"""Large code in a worker: everybody has a share of the children, and none outlives the worker."""

from __future__ import annotations

import shutil
import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live.conftest import Server
from tests.patience import eventually

LARGE = "f(1)\n" * 6_000  # Half a second in a child.
WAITING = 'codesherpa_native_waiting{place="process"}'
DONE = 'codesherpa_child_jobs_total{outcome="done"}'


@pytest.fixture
def alone(mode: str, tmp_path: Path, empty_sqlite: Path) -> Iterator[Server]:
    shutil.copy(empty_sqlite, tmp_path / "live.db")
    server = Server(tmp_path, ASYNC_MODE=mode, DATABASE_URL=f"sqlite:///{tmp_path / 'live.db'}")
    yield server
    server.stop()


def below(pid: int) -> list[int]:
    """Return the processes that a process has started, and those that they have."""
    listed = subprocess.run(["ps", "--ppid", str(pid), "-o", "pid="], capture_output=True, text=True, check=False)
    started = [int(word) for word in listed.stdout.split()]
    return [*started, *(other for one in started for other in below(one))]


def test_one_users_large_code_delays_nobody_and_no_child_is_left(alone: Server) -> None:
    ada, bob = (alone.sign_in(f"{name}@example.com")["access_token"] for name in ("ada", "bob"))
    done: list[str] = []

    def explain(name: str, token: str, code: str | None) -> None:
        body = {"message": "explain this" if code else "hello", "code_context": code}
        status, answer = alone.call("POST", "/api/v1/chat", body, token)
        assert (status, answer["data"]["status"]) == (201, "complete")
        done.append(name)

    threads = [threading.Thread(target=explain, args=(f"ada {n}", ada, LARGE)) for n in range(4)]
    for thread in threads:
        thread.start()
    assert eventually(lambda: alone.counted(WAITING) >= 2)  # One has a child; the others wait for theirs.

    explain("bob's hello", bob, None)
    explain("bob's code", bob, LARGE)
    for thread in threads:
        thread.join(60)

    assert len(done) == 6
    assert done.index("bob's hello") < done.index("bob's code") < 5
    assert alone.counted(DONE) == 10  # Each was read, and explained.
    assert alone.counted(WAITING) == 0

    started = below(alone.process.pid)
    assert len(started) >= 2  # The worker and a child.
    alone.process.send_signal(signal.SIGTERM)
    assert alone.process.wait(30) == 0
    assert eventually(lambda: not any(Path(f"/proc/{pid}").exists() for pid in started))
