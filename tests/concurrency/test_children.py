"""Large work in child processes: what they may take, and how they end."""

from __future__ import annotations

import json
import os
import pickle
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import REGISTRY

from codesherpa.concurrency import Cancellation, child, children
from codesherpa.concurrency.children import MEBIBYTE, JobFailed, Overrun, Pool
from codesherpa.concurrency.fairness import Cancelled, working_for
from codesherpa.errors import ModelUnavailable
from tests.concurrency import jobs
from tests.patience import eventually

ROOT = Path(__file__).parents[2]
# A parent that gives a child a job without an end, as Child does, and dies.
PARENT = """
import os, pickle, socket, struct, subprocess, sys
ours, theirs = socket.socketpair()
command = [sys.executable, "-I", "codesherpa/concurrency/child.py", str(os.getpid()), str(1 << 28)]
process = subprocess.Popen(command, stdin=theirs.fileno(), start_new_session=True)
job = pickle.dumps(("tests.concurrency.jobs", "forever", (), 60))
ours.sendall(struct.pack("!I", len(job)) + job)
print(process.pid, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def pool() -> Iterator[Pool]:
    made = Pool(places=2, share=1, memory=256 * MEBIBYTE)
    yield made
    pids = made.pids()
    made.close()
    assert eventually(lambda: not any(map(is_there, pids)))


def is_there(pid: int) -> bool:
    """Tell whether there is a process of that id, a zombie too."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def ended(outcome: str) -> float:
    return REGISTRY.get_sample_value("codesherpa_child_jobs_total", {"outcome": outcome}) or 0


def in_background(pool: Pool, cancellation: Cancellation | None = None) -> tuple[threading.Thread, list[Exception]]:
    """Start a job that does not end, and return once a child is at it."""
    faults: list[Exception] = []

    def run() -> None:
        with working_for("a", cancellation or Cancellation()):
            try:
                pool.run(jobs.forever)
            except (Overrun, Cancelled) as fault:
                faults.append(fault)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    assert eventually(lambda: any(one._works for one in pool._busy))
    return thread, faults


def test_a_child_does_one_job_after_the_other(pool: Pool) -> None:
    before = ended("done")

    pids = {pool.run(jobs.pid) for _ in range(3)}

    assert pids == set(pool.pids())
    assert os.getpid() not in pids
    assert ended("done") == before + 3


def test_a_child_has_neither_the_application_nor_the_servers_environment(pool: Pool) -> None:
    found = pool.run(jobs.surroundings)

    assert found["modules"] == []
    assert set(found["environment"]) <= {"LC_CTYPE"}  # Python sets it itself.


def test_any_text_comes_back_as_it_was(pool: Pool) -> None:
    assert pool.run(jobs.odd_text) == jobs.odd_text()


def test_a_job_that_takes_too_much_memory_is_ended_and_the_next_one_done(pool: Pool) -> None:
    before = ended("memory")

    with pytest.raises(Overrun, match="memory"):
        pool.run(jobs.too_much)

    assert ended("memory") == before + 1
    assert pool.run(jobs.pid)


def test_a_job_that_takes_too_long_is_ended_with_all_that_it_started(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker, other = pool.run(jobs.pid), pool.run(jobs.start_another)
    monkeypatch.setattr(children, "DEADLINE", 0.1)

    with pytest.raises(Overrun, match="time"):
        pool.run(jobs.forever)

    assert not is_there(worker)  # Nor is it a zombie.
    assert eventually(lambda: not is_there(other) or b"Z" in Path(f"/proc/{other}/stat").read_bytes().split()[2:3])


def test_the_kernel_ends_a_job_that_computes_too_long(pool: Pool) -> None:
    assert 0 < pool.run(jobs.seconds_left, seconds=3) <= 4

    thread, faults = in_background(pool)
    os.kill(pool.pids()[0], signal.SIGXCPU)
    thread.join(20)

    assert [fault.args for fault in faults] == [("time",)]


def test_a_child_that_is_killed_from_outside_is_replaced(pool: Pool) -> None:
    thread, faults = in_background(pool)
    (pid,) = pool.pids()

    os.kill(pid, signal.SIGKILL)
    thread.join(20)

    assert [fault.args for fault in faults] == [("crash",)]
    assert pool.run(jobs.pid) != pid
    assert not is_there(pid)


def test_a_child_that_died_between_two_jobs_is_replaced(pool: Pool) -> None:
    pid = pool.run(jobs.pid)
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: not pool._idle[0].alive)

    assert pool.run(jobs.pid) != pid


def test_cancelling_a_reply_ends_its_job_at_once(pool: Pool) -> None:
    cancellation = Cancellation()
    thread, faults = in_background(pool, cancellation)
    (pid,) = pool.pids()

    cancellation.cancel()
    thread.join(20)

    assert [type(fault) for fault in faults] == [Cancelled]
    assert not is_there(pid)
    assert pool.pids() == []


def test_cancelling_a_reply_leaves_the_next_ones_job_alone(pool: Pool, tmp_path: Path) -> None:
    first, told = Cancellation(), list[int]()
    with working_for("a", first):
        pid = pool.run(jobs.pid)
    thread = threading.Thread(target=lambda: told.append(pool.run(jobs.until, str(tmp_path / "go"))), daemon=True)
    thread.start()
    assert eventually(lambda: any(one._works for one in pool._busy))

    first.cancel()
    (tmp_path / "go").touch()
    thread.join(20)

    assert told == [pid]


def test_a_child_that_was_cancelled_as_its_answer_came_does_no_other_job(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    cancellation, received = Cancellation(), children.receive

    def cancelled_meanwhile(*args: Any) -> bytes:
        answer = received(*args)
        cancellation.cancel()
        return answer

    with monkeypatch.context() as patch, working_for("a", cancellation):
        patch.setattr(children, "receive", cancelled_meanwhile)
        first = pool.run(jobs.pid)

    assert pool.run(jobs.pid) != first


def test_a_job_that_is_cancelled_before_it_begins_is_not_done(pool: Pool) -> None:
    cancelled = Cancellation()
    cancelled.cancel()

    with working_for("a", cancelled), pytest.raises(Cancelled):
        pool.run(jobs.forever)


def test_a_job_that_fails_costs_no_child(pool: Pool) -> None:
    pid = pool.run(jobs.pid)

    with pytest.raises(JobFailed, match="a fault of ours"):
        pool.run(jobs.fail)

    assert pool.run(jobs.pid) == pid


def test_an_answer_that_is_too_large_is_not_taken(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(children, "ANSWER", 1000)

    with pytest.raises(Overrun, match="crash"):
        pool.run(jobs.large, 1000)


def test_a_child_is_replaced_after_many_jobs(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(children, "MOST_JOBS", 2)

    assert len({pool.run(jobs.pid) for _ in range(4)}) == 2


def test_a_child_that_has_grown_is_replaced(pool: Pool) -> None:
    pid = pool.run(jobs.keep, 100 * MEBIBYTE)

    assert pool.pids() == []
    assert not is_there(pid)


def test_a_child_that_has_nothing_to_do_is_ended_in_the_end(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(children, "IDLE", 0.05)

    pid = pool.run(jobs.pid)

    assert eventually(lambda: pool.pids() == [] and not is_there(pid))


def test_a_child_writes_no_file(pool: Pool, tmp_path: Path) -> None:
    with pytest.raises((JobFailed, Overrun)):
        pool.run(jobs.write, str(tmp_path / "x"))

    assert (tmp_path / "x").read_text() == ""


def test_closing_ends_a_child_at_work_and_starts_no_other(pool: Pool) -> None:
    thread, faults = in_background(pool)
    pids = pool.pids()

    pool.close()
    thread.join(20)

    assert [fault.args for fault in faults] == [("crash",)]
    assert not any(map(is_there, pids))
    with pytest.raises(Overrun):
        pool.run(jobs.pid)


def test_a_child_ends_with_the_process_that_it_works_for() -> None:
    command = [sys.executable, "-c", PARENT]
    parent = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    with parent:
        pid = int(parent.stdout.readline())
        parent.kill()

    assert eventually(lambda: not is_there(pid))


def test_who_waits_too_long_for_a_child_is_asked_to_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(children, "PATIENCE", 0)
    pool, before = Pool(places=1, share=1), ended("refused")
    thread, _ = in_background(pool)

    with working_for("b", Cancellation()), pytest.raises(ModelUnavailable) as refusal:
        pool.run(jobs.pid)

    assert refusal.value.data["retry_after"] == 10
    assert ended("refused") == before + 1
    pool.close()
    thread.join(20)


def test_small_work_stays_in_this_process_and_large_work_does_not(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(children, "pool", lambda: pool)

    assert children.compute(jobs.pid, size=children.SMALL) == os.getpid()
    assert children.compute(jobs.pid, size=children.SMALL + 1) in pool.pids()


def test_who_finds_no_process_to_be_had_is_asked_to_come_back(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_args: object, **_settings: object) -> None:
        raise OSError("no more processes")

    monkeypatch.setattr(children.subprocess, "Popen", refuse)

    with pytest.raises(ModelUnavailable):
        pool.run(jobs.pid)


def test_a_job_is_answered_in_plain_data(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child, "limit_time", lambda seconds: None)  # It would be this process's own.

    def answered(job: object, *arguments: object) -> list[object]:
        told: list[object] = json.loads(child.answer(pickle.dumps((jobs.__name__, job, arguments, 60))))
        return told[:2]

    assert answered("large", 3) == ["done", "xxx"]
    kind, why = answered("fail")
    assert kind == "failed"
    assert "a fault of ours" in str(why)
