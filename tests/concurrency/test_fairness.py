"""Work of many users that shares a few places: each has its turn, and nobody all of them."""

from __future__ import annotations

import threading

import pytest
from prometheus_client import REGISTRY

from codesherpa.concurrency import Cancellation
from codesherpa.concurrency.fairness import NOBODY, TASK, Cancelled, FairQueue, Full, Task, working_for
from tests.patience import eventually


class Work:
    """Threads that take a place, note their name, and give the place back when they are told to."""

    def __init__(self, queue: FairQueue) -> None:
        self.queue, self.begun, self.threads = queue, list[str](), list[threading.Thread]()
        self.may_end: dict[str, threading.Event] = {}

    def start(self, name: str) -> None:
        """Start work of the user whose letter the name begins with; return when it has a place or waits for one."""
        self.may_end[name] = threading.Event()
        self.threads.append(threading.Thread(target=self.run, args=(name,), daemon=True))
        self.threads[-1].start()
        assert eventually(lambda: len(self.begun) + self.queue.waiting() == len(self.threads))

    def run(self, name: str) -> None:
        with self.queue.place(Task(name[0])):
            self.begun.append(name)
            self.may_end[name].wait(20)

    def end_all(self) -> list[str]:
        """Let all work end one after the other, and return the order in which it began."""
        for count in range(len(self.threads)):
            assert eventually(lambda count=count: len(self.begun) > count)
            self.may_end[self.begun[count]].set()
        for thread in self.threads:
            thread.join(20)
        return self.begun


def test_users_who_wait_take_turns() -> None:
    work = Work(FairQueue("test", places=1, share=1, patience=20))
    for name in ("a1", "a2", "a3", "a4", "b1", "c1", "b2"):
        work.start(name)

    assert work.end_all() == ["a1", "a2", "b1", "c1", "a3", "b2", "a4"]


def test_one_user_never_has_all_the_places() -> None:
    work = Work(FairQueue("test", places=2, share=1, patience=20))
    for name in ("a1", "a2", "a3"):
        work.start(name)
    assert work.begun == ["a1"]

    work.start("b1")  # Comes last, and waits for nobody.

    assert work.begun == ["a1", "b1"]
    assert work.end_all() == ["a1", "b1", "a2", "a3"]


def test_work_that_is_cancelled_leaves_the_queue() -> None:
    queue, cancellation, ended = FairQueue("test", places=1, share=1, patience=600), Cancellation(), list[object]()

    def wait() -> None:
        try:
            with queue.place(Task("a", cancellation)):
                ended.append("begun")
        except Cancelled as cancelled:
            ended.append(cancelled)

    with queue.place(Task("a")):
        thread = threading.Thread(target=wait, daemon=True)
        thread.start()
        assert eventually(queue.waiting)
        cancellation.cancel()
        thread.join(20)

        assert [type(end) for end in ended] == [Cancelled]
        assert queue.waiting() == 0
    with queue.place(Task("a")):  # The place was given back to nobody.
        pass


def test_work_that_waits_in_vain_is_refused_and_counted() -> None:
    def refused() -> float:
        return REGISTRY.get_sample_value("codesherpa_native_refused_total", {"place": "test"}) or 0

    queue, before = FairQueue("test", places=1, share=1, patience=0), refused()

    with queue.place(Task("a")), pytest.raises(Full), queue.place(Task("b")):
        pass

    assert refused() == before + 1
    assert queue.waiting() == 0


def test_a_place_is_given_back_when_the_work_fails() -> None:
    queue = FairQueue("test", places=1, share=1, patience=0)

    with pytest.raises(ZeroDivisionError), queue.place(NOBODY):
        raise ZeroDivisionError

    with queue.place(NOBODY):
        pass


def test_work_belongs_to_whoever_it_is_done_for() -> None:
    cancellation = Cancellation()

    with working_for(7, cancellation):
        assert TASK.get() == Task(7, cancellation)

    assert TASK.get() is NOBODY
