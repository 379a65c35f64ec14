"""Deliveries and the jobs that they cause, as they are stored."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from codesherpa.database import NEVER_AGAIN, Key, Time, now
from codesherpa.extensions import Model

WAITING, RUNNING = "waiting", "running"
ENDED = ("done", "dropped", "failed")


class Delivery(Model):
    """Something that was delivered, by the sender's own id of it: what comes again is known."""

    __tablename__ = "deliveries"
    __table_args__ = (UniqueConstraint("source", "key"), NEVER_AGAIN)

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    source: Mapped[str] = mapped_column(String(20))
    key: Mapped[str] = mapped_column(String(200))
    received_at: Mapped[datetime] = mapped_column(Time, default=now, index=True)


class Job(Model):
    """Work that outlives the request that caused it, and the process that does it.

    `key` is what the work is for: there is one job of a kind for it. Of a `lane` one job runs at a time.
    Whoever runs it holds the lease; one that runs out tells that the process has died. `status` is
    waiting, running, done, dropped (there was nothing to do; `reason` says why) or failed (`reason` too).
    """

    __tablename__ = "jobs"
    __table_args__ = (UniqueConstraint("kind", "key"), NEVER_AGAIN)

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    kind: Mapped[str] = mapped_column(String(40))
    key: Mapped[str] = mapped_column(String(300))
    lane: Mapped[str] = mapped_column(String(300))
    payload: Mapped[dict[str, Any]] = mapped_column(JSON)
    status: Mapped[str] = mapped_column(String(8), default=WAITING)
    tries: Mapped[int] = mapped_column(default=0)
    run_at: Mapped[datetime] = mapped_column(Time, default=now)
    reason: Mapped[str | None] = mapped_column(Text)
    lease_owner: Mapped[str | None] = mapped_column(String(32))
    lease_expires_at: Mapped[datetime | None] = mapped_column(Time)
    created_at: Mapped[datetime] = mapped_column(Time, default=now)
    ended_at: Mapped[datetime | None] = mapped_column(Time, index=True)


LIVE = Job.status.in_((WAITING, RUNNING))
# What is to be done is little among all that was; each process looks for it again and again.
Index("ix_jobs_live", Job.run_at, Job.id, sqlite_where=LIVE, postgresql_where=LIVE)
# Two workers that look at the same moment meet here: the second finds the lane taken.
IN_A_LANE = Job.status == RUNNING
Index("uq_jobs_running_lane", Job.lane, unique=True, sqlite_where=IN_A_LANE, postgresql_where=IN_A_LANE)
