"""Durable jobs: each wanted once, each done by whoever is alive.

The database is the queue, with or without Redis: a job is stored in the same transaction as the delivery
that causes it, so neither can be lost without the other, and a lease that runs out hands it on.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from typing import Any

from sqlalchemy import Dialect, Table, and_, delete, exists, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import aliased

from codesherpa.database import now, reading
from codesherpa.extensions import Model, db
from codesherpa.integrations.models import ENDED, RUNNING, WAITING, Delivery, Job

LEASE = timedelta(seconds=30)
MOST_TRIES = 10
KEPT = timedelta(days=30)  # Longer than GitHub (3 days) and WhatsApp (7 days) deliver anything again.
FREE = {"lease_owner": None, "lease_expires_at": None}


@dataclass(frozen=True, slots=True)
class NewJob:
    """A job to be; `delay` are the seconds before it may begin."""

    kind: str
    key: str
    lane: str
    payload: dict[str, Any] = field(default_factory=dict)
    delay: float = 0.0


def receive(source: str, key: str, wanted: Sequence[NewJob] = ()) -> bool:
    """Store a delivery and the jobs that it causes, all or nothing; False for one that has come before."""
    is_new = insert_once(Delivery, source=source, key=key, received_at=now())
    if is_new:
        for job in wanted:
            enqueue(job)
    db.session.commit()
    return is_new


def enqueue(wanted: NewJob) -> None:
    """Add a job to the open transaction. One that had nothing to do, or failed, is given another chance."""
    due = now() + timedelta(seconds=wanted.delay)
    values = {"lane": wanted.lane, "payload": wanted.payload, "run_at": due}
    fresh = {"status": WAITING, "tries": 0}
    if insert_once(Job, kind=wanted.kind, key=wanted.key, created_at=now(), **fresh, **values):
        return
    again = update(Job).where(Job.kind == wanted.kind, Job.key == wanted.key, Job.status.in_(("dropped", "failed")))
    db.session.execute(again.values(reason=None, ended_at=None, **fresh, **values))


def insert_once(model: type[Model], **values: Any) -> bool:
    """Insert a row unless its unique key is there already, and tell which."""
    statement = insertion(model.__table__, db.engine.dialect, tuple(values))
    return db.session.connection().execute(statement, values).scalar() is not None


@cache
def insertion(table: Table, dialect: Dialect, names: tuple[str, ...]) -> Any:
    """Compile an insertion that passes over what is there.

    SQLAlchemy keeps no compiled form of it, and to make it anew takes longer than to run it.
    """
    insert = sqlite.insert if dialect.name == "sqlite" else postgresql.insert
    passing_over = insert(table).on_conflict_do_nothing().returning(*table.primary_key)
    return passing_over.compile(dialect=dialect, column_keys=list(names))


def is_due() -> bool:
    """Tell whether there is a job to claim; it writes nothing, so an idle process does not either."""
    with reading():
        found = db.session.scalar(select(exists().where(*due())))
        db.session.commit()
    return bool(found)


def due() -> tuple[Any, ...]:
    """Say which jobs may begin: those whose time has come or whose process has died, in a lane that is free."""
    other = aliased(Job)
    taken = exists().where(other.lane == Job.lane, other.status == RUNNING, other.id != Job.id)
    waits = and_(Job.status == WAITING, Job.run_at <= now())
    orphaned = and_(Job.status == RUNNING, Job.lease_expires_at < now())
    return or_(waits, orphaned), ~taken


def claim(owner: str) -> Job | None:
    """Take the lease of the job that has waited longest; None where there is none, or somebody else was faster.

    `owner` names this one claim: who lost a lease must not pass for who has it, were it the same process.
    """
    first = select(Job.id).where(*due()).order_by(Job.run_at, Job.id).limit(1).with_for_update(skip_locked=True)
    lease = {"status": RUNNING, "lease_owner": owner, "lease_expires_at": now() + LEASE, "tries": Job.tries + 1}
    try:
        id = db.session.scalar(first)
        mine = update(Job).where(Job.id == id).values(lease).returning(Job)
        job = db.session.scalar(mine, execution_options={"populate_existing": True}) if id else None
        db.session.commit()
    except IntegrityError:  # The lane was taken at the same moment.
        db.session.rollback()
        return None
    return job


def renew(owners: Collection[str]) -> set[str]:
    """Renew leases, and return those that still go on."""
    if not owners:
        return set()
    mine = update(Job).where(Job.lease_owner.in_(owners)).values(lease_expires_at=now() + LEASE)
    kept = db.session.scalars(mine.returning(Job.lease_owner), execution_options={"synchronize_session": False})
    found = {owner for owner in kept if owner}
    db.session.commit()
    return found


def is_held(id: int, owner: str) -> bool:
    """Tell whether the lease still goes on: what cannot be taken back is done only with it."""
    with reading():
        mine = exists().where(Job.id == id, Job.lease_owner == owner, Job.lease_expires_at > now())
        held = db.session.scalar(select(mine))
        db.session.commit()
    return bool(held)


def end(id: int, owner: str, status: str, reason: str | None = None) -> bool:
    """Store how a job ended; False where the lease was lost."""
    values = {"status": status, "reason": reason, "ended_at": now(), **FREE}
    return change(id, owner, values)


def put_off(id: int, owner: str, seconds: float, reason: str) -> bool:
    """Have a job tried again after some seconds; False where the lease was lost."""
    return change(
        id, owner, {"status": WAITING, "run_at": now() + timedelta(seconds=seconds), "reason": reason, **FREE}
    )


def change(id: int, owner: str, values: dict[str, Any]) -> bool:
    mine = update(Job).where(Job.id == id, Job.lease_owner == owner).values(values).returning(Job.id)
    found = db.session.scalar(mine, execution_options={"synchronize_session": False})
    db.session.commit()
    return found is not None


def is_overtaken(job: Job) -> bool:
    """Tell whether a later job waits in the same lane."""
    with reading():
        later = exists().where(Job.lane == job.lane, Job.kind == job.kind, Job.id > job.id, Job.status == WAITING)
        found = db.session.scalar(select(later))
        db.session.commit()
    return bool(found)


def recent(prefix: str, status: str | None = None, limit: int = 50) -> Sequence[Job]:
    """Return the newest jobs whose kind begins with `prefix`."""
    with reading():
        statement = select(Job).where(Job.kind.startswith(prefix, autoescape=True)).order_by(Job.id.desc()).limit(limit)
        found = db.session.scalars(statement.where(Job.status == status) if status else statement).all()
        db.session.commit()
    return found


def retry(prefix: str, ids: Sequence[int] = ()) -> list[int]:
    """Have jobs that ended without success begin again: these, or all that failed. Returns which do."""
    wanted = Job.id.in_(ids) & Job.status.in_(("failed", "dropped")) if ids else Job.status == "failed"
    again = update(Job).where(Job.kind.startswith(prefix, autoescape=True), wanted)
    values = {"status": WAITING, "tries": 0, "run_at": now(), "reason": None, "ended_at": None}
    found = sorted(db.session.scalars(again.values(values).returning(Job.id)))
    db.session.commit()
    return found


def forget_old() -> None:
    """Delete what ended, and what was delivered, so long ago that nobody delivers it again."""
    long_ago = now() - KEPT
    db.session.execute(delete(Job).where(Job.status.in_(ENDED), Job.ended_at < long_ago))
    db.session.execute(delete(Delivery).where(Delivery.received_at < long_ago))
    db.session.commit()
