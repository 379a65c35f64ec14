"""The process's own worker: takes jobs from the database, a few at a time, and does them.

Why there is no queue library, and what Redis is for: docs/architecture.md.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from logging import INFO, WARNING

import structlog
from flask import Flask, current_app
from prometheus_client import Counter

from codesherpa.concurrency import Cancellation, spawn
from codesherpa.errors import ModelFault
from codesherpa.extensions import db
from codesherpa.integrations import backoff, jobs
from codesherpa.integrations.models import Job
from codesherpa.integrations.wakeup import WakeUp

AT_ONCE = 4  # Jobs of one process.
LOOK = 2.0  # Seconds between two looks for work.
BEAT = 5.0  # Seconds between two renewals of the leases.
DAY = timedelta(days=1).total_seconds()

log = structlog.get_logger(__name__)
ENDS = Counter("codesherpa_jobs_total", "Jobs that were tried, by how the try ended.", ["kind", "end"])


class Later(Exception):
    """The job cannot be done now; `seconds` is how long to wait at least, None for as long as the tries say."""

    def __init__(self, reason: str, seconds: float | None = None) -> None:
        super().__init__(reason)
        self.seconds = seconds


class Dropped(Exception):
    """There is nothing to do; the text says why."""


class Hopeless(Exception):
    """The job cannot be done, now or later; the text says why."""


class Lost(Exception):
    """The lease went to somebody else, who does the job."""


@dataclass(frozen=True, slots=True)
class Task:
    """A job as its handler sees it. `cancellation` is set when the lease is lost or the process ends."""

    job: Job
    owner: str
    cancellation: Cancellation

    def hold(self) -> None:
        """Make sure that the job is still ours, before what cannot be taken back. Raises Lost."""
        if self.cancellation.cancelled or not jobs.is_held(self.job.id, self.owner):
            raise Lost


Handler = Callable[[Task], None]
HANDLERS: dict[str, Handler] = {}


def handles(kind: str) -> Callable[[Handler], Handler]:
    """Have a function do the jobs of a kind.

    It may be called again for a job that it had half done. It returns when the job is done and raises Later,
    Dropped or Hopeless when it is not; what else it raises is tried again, up to jobs.MOST_TRIES.
    """

    def register(handler: Handler) -> Handler:
        HANDLERS[kind] = handler
        return handler

    return register


class Runner:
    """The jobs that this process does, by the owner in their leases: a name for each time that one is claimed."""

    def __init__(self, app: Flask) -> None:
        self.app = app
        self.wake = WakeUp(app.config["REDIS_URL"])
        self.live: dict[str, Cancellation] = {}
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()
        self._closed = False
        self._has_news = False
        self._renewed = self._forgot = 0.0

    def hear_of_work(self) -> None:
        """Look at once for work that has just come, and have the others look where there are no hands free."""
        self._has_news = True
        self.start()
        self.wake.ring()

    def start(self) -> None:
        """Look for work from now on; the second call does nothing."""
        with self._lock:
            if not self._threads and not self._closed:
                listener = self.wake.listen()
                self._threads = [spawn(self._run), *([listener] if listener else [])]

    def close(self, patience: float = 10) -> None:
        """Take no more work, cancel what is being done, and wait for it to settle, so many seconds at most."""
        self._closed = True
        self.wake.close()
        for cancellation in list(self.live.values()):
            cancellation.cancel()
        give_up = time.monotonic() + patience
        while self.live and time.monotonic() < give_up:
            time.sleep(0.01)
        for thread in self._threads:
            thread.join(max(0.0, give_up - time.monotonic()))

    def _run(self) -> None:
        while not self._closed:
            try:
                with self.app.app_context():
                    self._look_after()
                    self._take()
            except Exception:  # The database may be away for a while; this goes on.
                log.exception("jobs not looked after")
            self.wake.wait(LOOK)

    def _look_after(self) -> None:
        """Renew leases, and let go of jobs whose lease somebody else has by now."""
        if time.monotonic() - self._renewed < BEAT:
            return
        self._renewed = time.monotonic()
        doing = dict(self.live)
        for owner in doing.keys() - jobs.renew(doing.keys()):
            doing[owner].cancel()
        if time.monotonic() - self._forgot > DAY or not self._forgot:
            self._forgot = time.monotonic()
            jobs.forget_old()

    def _take(self) -> None:
        """Begin jobs while there are hands free; what is left is for the other processes."""
        while not self._closed and jobs.is_due():
            if len(self.live) >= AT_ONCE:
                self._pass_on()
                return
            owner = uuid.uuid4().hex
            if (job := jobs.claim(owner)) is None:
                return
            self.live[owner] = Cancellation()
            spawn(self._work, Task(job, owner, self.live[owner]))

    def _pass_on(self) -> None:
        """Wake the others, once for what is new: two that are both busy would wake one another without end."""
        if self._has_news:
            self._has_news = False
            self.wake.ring_others()

    def _work(self, task: Task) -> None:
        try:
            with self.app.app_context():
                self._do(task)
        except Exception:  # Its end could not be stored: the lease runs out and somebody does it again.
            log.exception("job not ended", job_id=task.job.id)
        finally:
            del self.live[task.owner]
            self.wake.ring()

    def _do(self, task: Task) -> None:
        """Do a job and store how it ended."""
        job, told = task.job, {"job_id": task.job.id, "kind": task.job.kind, "key": task.job.key}
        try:
            if job.tries > jobs.MOST_TRIES:
                raise Hopeless(job.reason or "Whoever tried this died of it.")
            HANDLERS[job.kind](task)
            end, reason = "done", None
        except Dropped as dropped:
            end, reason = "dropped", str(dropped)
        except Hopeless as hopeless:
            end, reason = "failed", str(hopeless)
        except Lost:
            end, reason = "lost", None
        except Exception as fault:  # noqa: BLE001 (whatever it is, the job is not lost)
            end, reason = self._later(task, fault)
        db.session.rollback()
        ENDS.labels(job.kind, end).inc()
        log.log(WARNING if end == "failed" else INFO, "job", end=end, reason=reason, tries=job.tries, **told)
        if end == "lost":
            jobs.put_off(job.id, task.owner, 0, "The process ended.")  # Changes nothing when somebody else has it.
        elif end != "later":
            jobs.end(job.id, task.owner, end, reason)

    def _later(self, task: Task, fault: Exception) -> tuple[str, str]:
        """Put a job off, or have it given up after too many tries; what nobody expected is logged.

        Returns how it ended, and why.
        """
        db.session.rollback()
        job = task.job
        expected = isinstance(fault, Later | ModelFault)
        if not expected:
            log.error("job failed", job_id=job.id, exc_info=fault)
        reason = str(fault) if expected else f"{type(fault).__name__}"
        if job.tries >= jobs.MOST_TRIES:
            return "failed", reason
        asked = fault.seconds if isinstance(fault, Later) else None
        jobs.put_off(job.id, task.owner, max(asked or 0.0, backoff.delay(job.tries)), reason)
        return "later", reason


def init_app(app: Flask) -> None:
    app.extensions["runner"] = Runner(app)


def here() -> Runner:
    """Return the worker of this process."""
    found: Runner = current_app.extensions["runner"]
    return found


def wake() -> None:
    """Have this process look for work now, and from now on."""
    here().hear_of_work()
