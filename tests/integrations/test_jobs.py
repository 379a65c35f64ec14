"""Jobs: each delivery once, each job once, in its lane, by whoever is alive."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from flask import Flask
from prometheus_client import REGISTRY
from sqlalchemy import select, update

from codesherpa import farewell
from codesherpa.concurrency import Cancellation
from codesherpa.database import now, reading
from codesherpa.extensions import db
from codesherpa.integrations import backoff, jobs, runner
from codesherpa.integrations.jobs import NewJob
from codesherpa.integrations.models import Delivery, Job
from codesherpa.integrations.runner import Dropped, Hopeless, Later, Runner, Task
from tests.conftest import REDIS, skip_or_fail

PATIENCE = 20


@pytest.fixture
def context(app: Flask) -> Iterator[Flask]:
    with app.app_context():
        yield app


@pytest.fixture
def handler(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[Task], None]], None]:
    """Have a function do the jobs of kind "test"."""
    monkeypatch.setattr(backoff, "FIRST", 0.01)
    monkeypatch.setattr(runner, "LOOK", 0.02)
    return lambda function: monkeypatch.setitem(runner.HANDLERS, "test", function)


def put(*keys: str, lane: str = "", kind: str = "test", **more: Any) -> None:
    for key in keys:
        assert jobs.receive("test", f"delivery of {key}", [NewJob(kind, key, lane or key, **more)])


def stored(key: str) -> Job:
    db.session.rollback()
    found = db.session.scalar(select(Job).where(Job.key == key).execution_options(populate_existing=True))
    db.session.commit()
    assert found
    return found


def expire(key: str) -> None:
    """Do as if the process that holds this job's lease had died a while ago."""
    db.session.execute(update(Job).where(Job.key == key).values(lease_expires_at=now() - timedelta(seconds=1)))
    db.session.commit()


def run_until_idle(app: Flask) -> None:
    """Let a process do what there is."""
    process: Runner = app.extensions["runner"]
    process.start()
    give_up = now() + timedelta(seconds=PATIENCE)
    live = select(Job.id).where(Job.status.in_(("waiting", "running"))).limit(1)
    with reading():
        while db.session.scalar(live) and now() < give_up:
            db.session.commit()
            threading.Event().wait(0.01)
        db.session.commit()


def begin_what_waits(app: Flask, handler: Callable[[Callable[[Task], None]], None]) -> threading.Event:
    """Have a process begin the job "key", which waits for its cancellation; return the event that tells of that."""
    begun, cancelled = threading.Event(), threading.Event()

    def wait(task: Task) -> None:
        task.cancellation.on_cancel(cancelled.set)
        begun.set()
        cancelled.wait(PATIENCE)
        task.hold()

    handler(wait)
    put("key")
    app.extensions["runner"].start()
    assert begun.wait(PATIENCE)
    return cancelled


def test_a_delivery_counts_once_however_often_and_at_once_it_comes(app: Flask) -> None:
    def deliver(number: int) -> bool:
        with app.app_context():
            return jobs.receive("test", f"id-{number % 4}", [NewJob("test", f"job-{number % 2}", "lane")])

    with ThreadPoolExecutor(8) as pool:
        taken = list(pool.map(deliver, range(40)))

    with app.app_context():
        assert taken.count(True) == 4
        assert len(db.session.scalars(select(Delivery)).all()) == 4
        assert sorted(db.session.scalars(select(Job.key))) == ["job-0", "job-1"]


def test_a_delivery_whose_jobs_cannot_be_stored_is_not_taken(context: Flask) -> None:
    with pytest.raises(Exception, match="not JSON serializable"):
        jobs.receive("test", "id", [NewJob("test", "key", "lane", {"a": object()})])
    db.session.rollback()

    assert jobs.receive("test", "id", [NewJob("test", "key", "lane")])


def test_two_workers_never_hold_one_job_or_one_lane(app: Flask) -> None:
    with app.app_context():
        put(*(f"job-{number}" for number in range(12)), lane="one")
        put(*(f"other-{number}" for number in range(12)))

    def take(number: int) -> list[str]:
        with app.app_context():
            return [job.key for _ in range(8) if (job := jobs.claim(f"worker-{number}"))]

    with ThreadPoolExecutor(6) as pool:
        taken = [key for keys in pool.map(take, range(6)) for key in keys]

    assert len(taken) == len(set(taken))
    assert len([key for key in taken if key.startswith("job-")]) == 1
    assert sum(key.startswith("other-") for key in taken) == 12


def test_what_a_dead_worker_held_is_taken_up_and_its_late_end_changes_nothing(context: Flask) -> None:
    put("key")
    first = jobs.claim("dead")
    assert first
    assert jobs.claim("alive") is None
    expire("key")

    second = jobs.claim("alive")

    assert second
    assert (second.id, second.tries, second.lease_owner) == (first.id, 2, "alive")
    assert not jobs.is_held(first.id, "dead")
    assert jobs.renew(["dead"]) == set()
    assert not jobs.end(first.id, "dead", "done")
    assert jobs.end(second.id, "alive", "done")


def test_a_job_is_done_once_and_not_again(
    app: Flask, context: Flask, handler: Callable[[Callable[[Task], None]], None]
) -> None:
    seen: list[str] = []
    handler(lambda task: seen.append(task.job.payload["say"]))
    put("a", "b", payload={"say": "hello"})

    run_until_idle(app)
    jobs.receive("test", "again", [NewJob("test", "a", "a")])
    run_until_idle(app)

    assert (seen, stored("a").status, stored("b").status) == (["hello", "hello"], "done", "done")


def ended(how: str) -> float:
    """What the metrics count of tries that ended so."""
    return REGISTRY.get_sample_value("codesherpa_jobs_total", {"kind": "test", "end": how}) or 0.0


def test_what_fails_is_tried_again_later_and_given_up_after_the_last_try(
    app: Flask, context: Flask, handler: Callable[[Callable[[Task], None]], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "MOST_TRIES", 3)
    tries: list[str] = []
    faults = {"later": Later("GitHub asks to wait", 0.01), "bug": RuntimeError("a secret: hunter2")}

    def fail(task: Task) -> None:
        tries.append(task.job.key)
        if task.job.key != "flaky" or tries.count("flaky") < 2:
            raise faults.get(task.job.key, faults["later"])

    handler(fail)
    put("later", "bug", "flaky")
    before = ended("failed"), ended("later")
    run_until_idle(app)

    assert (ended("failed") - before[0], ended("later") - before[1]) == (2, 5)
    assert {key: tries.count(key) for key in tries} == {"later": 3, "bug": 3, "flaky": 2}
    assert [(stored(key).status, stored(key).reason) for key in ("later", "bug")] == [
        ("failed", "GitHub asks to wait"),
        ("failed", "RuntimeError"),
    ]
    assert (stored("flaky").status, stored("flaky").reason) == ("done", None)


def test_a_job_waits_at_least_as_long_as_it_was_asked_to(
    app: Flask, context: Flask, handler: Callable[[Callable[[Task], None]], None]
) -> None:
    def wait(task: Task) -> None:
        raise Later("slow down", 600)

    handler(wait)
    put("key")
    process: Runner = app.extensions["runner"]
    job = jobs.claim("me")
    assert job
    process._do(Task(job, "me", Cancellation()))

    assert stored("key").run_at > now() + timedelta(seconds=590)
    assert jobs.claim("anybody") is None


@pytest.mark.parametrize(("end", "status"), [(Dropped("a draft"), "dropped"), (Hopeless("not allowed"), "failed")])
def test_what_ended_without_success_is_not_tried_again_but_may_be_wanted_again(
    app: Flask,
    context: Flask,
    handler: Callable[[Callable[[Task], None]], None],
    end: Exception,
    status: str,
) -> None:
    tries: list[int] = []

    def raise_first(task: Task) -> None:
        tries.append(1)
        if len(tries) == 1:
            raise end

    handler(raise_first)
    put("key")
    run_until_idle(app)
    assert (tries, stored("key").status, stored("key").reason) == ([1], status, str(end))

    jobs.receive("test", "another delivery", [NewJob("test", "key", "key")])
    run_until_idle(app)

    assert (tries, stored("key").status, stored("key").reason) == ([1, 1], "done", None)


def test_a_job_that_kills_whoever_tries_it_is_given_up(
    app: Flask, context: Flask, handler: Callable[[Callable[[Task], None]], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "MOST_TRIES", 2)
    tried: list[int] = []
    handler(lambda task: tried.append(1))
    put("key")
    for _ in range(2):
        assert jobs.claim("victim")
        expire("key")

    run_until_idle(app)

    assert (tried, stored("key").status) == ([], "failed")


def test_a_process_that_ends_hands_its_job_on_at_once(
    app: Flask, context: Flask, handler: Callable[[Callable[[Task], None]], None]
) -> None:
    begin_what_waits(app, handler)
    app.extensions["runner"].close()

    taken = jobs.claim("another")
    assert taken
    assert taken.key == "key"


def test_a_worker_that_takes_its_leave_hands_its_job_on_at_once(
    app: Flask, context: Flask, handler: Callable[[Callable[[Task], None]], None]
) -> None:
    begin_what_waits(app, handler)

    farewell.leave(app, SimpleNamespace(busy=0), 1.0)  # type: ignore[arg-type]

    assert (stored("key").status, stored("key").lease_owner) == ("waiting", None)


def test_a_lease_that_is_lost_cancels_the_work(
    app: Flask,
    context: Flask,
    handler: Callable[[Callable[[Task], None]], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(runner, "BEAT", 0.0)
    cancelled = begin_what_waits(app, handler)
    db.session.execute(update(Job).values(lease_owner="another"))
    db.session.commit()

    assert cancelled.wait(PATIENCE)
    app.extensions["runner"].close()
    assert (stored("key").status, stored("key").lease_owner) == ("running", "another")


def test_a_process_that_claims_its_own_job_again_stops_its_first_try(
    app: Flask,
    context: Flask,
    handler: Callable[[Callable[[Task], None]], None],
) -> None:
    """It was away for longer than its lease, and does not know it."""
    tries: list[str] = []
    begun, go_on, ended = threading.Event(), threading.Event(), threading.Event()

    def work(task: Task) -> None:
        first = not tries
        tries.append("first" if first else "second")
        if first:
            begun.set()
            go_on.wait(PATIENCE)
            try:
                task.hold()
                tries.append("first wrote")
            finally:
                ended.set()

    handler(work)
    put("key")
    app.extensions["runner"].start()
    assert begun.wait(PATIENCE)
    expire("key")
    run_until_idle(app)
    go_on.set()
    assert ended.wait(PATIENCE)

    assert tries == ["first", "second"]
    assert stored("key").status == "done"


def test_a_busy_process_wakes_an_idle_one_over_redis(
    make_app: Callable[..., Flask], monkeypatch: pytest.MonkeyPatch
) -> None:
    from redis import Redis, RedisError

    try:
        Redis.from_url(REDIS).ping()
    except RedisError:
        skip_or_fail("no Redis")
    busy, idle = make_app(REDIS_URL=REDIS), make_app(REDIS_URL=REDIS)
    heard = threading.Event()
    wake = idle.extensions["runner"].wake
    monkeypatch.setattr(wake, "ring", heard.set)
    wake.listen()

    give_up = now() + timedelta(seconds=PATIENCE)
    while not heard.is_set() and now() < give_up:  # It may not have subscribed yet.
        busy.extensions["runner"].wake.ring_others()
        heard.wait(0.05)

    assert heard.is_set()


def test_two_busy_processes_do_not_wake_one_another_without_end(
    app: Flask,
    context: Flask,
    handler: Callable[[Callable[[Task], None]], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each is rung for by the other, and has no hands free for what it is rung for."""
    monkeypatch.setattr(runner, "LOOK", PATIENCE)
    process: Runner = app.extensions["runner"]
    rung, looked, go_on = threading.Semaphore(0), threading.Semaphore(0), threading.Event()
    monkeypatch.setattr(process.wake, "ring_others", rung.release)
    is_due = jobs.is_due
    monkeypatch.setattr(jobs, "is_due", lambda: (is_due(), looked.release())[0])
    handler(lambda task: go_on.wait(PATIENCE))
    put(*map(str, range(runner.AT_ONCE + 1)))

    runner.wake()
    assert rung.acquire(timeout=PATIENCE)
    for _ in range(3):
        while looked.acquire(blocking=False):
            pass
        process.wake.ring()
        assert looked.acquire(timeout=PATIENCE)
    go_on.set()
    run_until_idle(app)

    assert not rung.acquire(blocking=False)


def test_without_redis_the_others_are_not_woken_and_nothing_breaks(make_app: Callable[..., Flask]) -> None:
    make_app(REDIS_URL="redis://127.0.0.1:1/0").extensions["runner"].wake.ring_others()


def test_old_deliveries_and_ended_jobs_are_forgotten(context: Flask) -> None:
    put("old", "waiting", "new")
    for job in (jobs.claim("me"), jobs.claim("me"), jobs.claim("me")):
        assert job
        if job.key != "waiting":
            jobs.end(job.id, "me", "done")
    long_ago = now() - jobs.KEPT - timedelta(days=1)
    db.session.execute(update(Job).where(Job.key == "old").values(ended_at=long_ago))
    db.session.execute(update(Job).where(Job.key == "waiting").values(created_at=long_ago))
    db.session.execute(update(Delivery).where(Delivery.key == "delivery of old").values(received_at=long_ago))
    db.session.commit()

    jobs.forget_old()

    assert sorted(db.session.scalars(select(Job.key))) == ["new", "waiting"]
    assert sorted(db.session.scalars(select(Delivery.key))) == ["delivery of new", "delivery of waiting"]


@pytest.mark.parametrize(
    ("headers", "least", "most"),
    [
        ({"retry-after": "7"}, 7, 7),
        ({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}, 0, 0),
        ({"retry-after": "Wed, 21 Oct 2099 07:28:00 GMT"}, 10**9, 10**10),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "4096000000"}, 10**9, 10**10),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "1"}, 1, 1),
    ],
)
def test_an_answer_says_how_long_to_wait(headers: dict[str, str], least: float, most: float) -> None:
    asked = backoff.asked_for(headers)

    assert asked is not None
    assert least <= asked <= most


@pytest.mark.parametrize("headers", [{}, {"retry-after": "soon"}, {"x-ratelimit-remaining": "12"}])
def test_an_answer_that_asks_for_nothing_gives_nothing(headers: dict[str, str]) -> None:
    assert backoff.asked_for(headers) is None


def test_each_try_waits_longer_up_to_a_limit() -> None:
    waits = [backoff.delay(tries) for tries in range(1, 30)]

    assert backoff.FIRST / 2 <= waits[0] <= backoff.FIRST
    assert all(backoff.LONGEST / 2 <= wait <= backoff.LONGEST for wait in waits[10:])
