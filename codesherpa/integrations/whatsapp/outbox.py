"""What goes out: kept with what caused it, sent once, in order for each number."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

import structlog
from flask import current_app
from prometheus_client import Counter
from sqlalchemy import exists, or_, select, update
from sqlalchemy.orm import aliased

from codesherpa.database import now
from codesherpa.extensions import db
from codesherpa.integrations.whatsapp.client import Client, Later, Refused, Sent
from codesherpa.integrations.whatsapp.models import Link, Reply

# A worker that dies while it sends leaves this long for the statuses to say whether it was sent.
LEASE = timedelta(seconds=60)
TRIES = 10
LONGEST_WAIT = 600
AT_ONCE = 8

OPEN = ("waiting", "sending")
log = structlog.get_logger(__name__)
SENDS = Counter(
    "codesherpa_whatsapp_sends_total",
    "Messages that were tried, by how the try ended and Meta's code.",
    ["end", "code"],
)


def wake() -> None:
    """Have this process look at once for what there is to do."""
    current_app.extensions["whatsapp"].wake()


def put(
    recipient: str, bodies: Iterable[dict[str, Any]], user_id: int | None = None, link_id: int | None = None
) -> None:
    """Have messages sent in this order. The caller commits, with what they answer."""
    db.session.add_all(
        Reply(recipient=recipient, body=body, user_id=user_id, link_id=link_id, due_at=now()) for body in bodies
    )


def claim(owner: str) -> list[Reply]:
    """Take what is due, the first for each number, for a process."""
    earlier = aliased(Reply)
    in_turn = ~exists().where(
        earlier.recipient == Reply.recipient, earlier.id < Reply.id, earlier.state.in_(OPEN)
    ).correlate(Reply)
    # Of a message that is being sent `due_at` is the end of the lease.
    due = select(Reply.id).where(Reply.state.in_(OPEN), Reply.due_at <= now(), in_turn).order_by(Reply.id)
    ids = db.session.scalars(due.limit(AT_ONCE)).all()
    taken = [one for id in ids if (one := take(id, owner)) is not None]
    db.session.commit()
    return taken


def take(id: int, owner: str) -> Reply | None:
    """Take one for a process, None where another was quicker."""
    still = (Reply.id == id, Reply.state.in_(OPEN), or_(Reply.lease_owner.is_(None), Reply.due_at <= now()))
    values = {"state": "sending", "lease_owner": owner, "due_at": now() + LEASE, "tries": Reply.tries + 1}
    statement = update(Reply).where(*still).values(values).returning(Reply)
    found: Reply | None = db.session.scalar(statement, execution_options={"populate_existing": True})
    return found


def send(reply: Reply, client: Client, owner: str) -> None:
    """Send one message and note what became of it."""
    try:
        sent = client.send(reply.recipient, reply.body or {}, str(reply.id))
    except Refused as fault:
        log.warning("whatsapp refused a message", reply_id=reply.id, reason=str(fault))
        SENDS.labels("failed", fault.code).inc()
        note(reply, owner, {"state": "failed", "body": None})
    except Later as fault:
        log.warning("whatsapp could not take a message", reply_id=reply.id, reason=str(fault), tries=reply.tries)
        seconds = max(fault.seconds, min(2**reply.tries, LONGEST_WAIT))
        again = {"state": "waiting", "due_at": now() + timedelta(seconds=seconds)}
        end = "later" if reply.tries < TRIES else "failed"
        SENDS.labels(end, fault.code).inc()
        note(reply, owner, again if end == "later" else {"state": "failed", "body": None})
    else:
        SENDS.labels("sent", 0).inc()
        note(reply, owner, {"state": "sent", "body": None})
        learn(reply, sent)
    db.session.commit()


def note(reply: Reply, owner: str, values: dict[str, Any]) -> None:
    mine = update(Reply).where(Reply.id == reply.id, Reply.lease_owner == owner)
    db.session.execute(mine.values(values | {"lease_owner": None}), execution_options={"synchronize_session": False})


def learn(reply: Reply, sent: Sent) -> None:
    """Keep a number as WhatsApp writes it, which for some countries is not as it is dialled."""
    if reply.link_id and sent.recipient != reply.recipient:
        mine = update(Link).where(Link.id == reply.link_id, Link.pending_number == reply.recipient)
        db.session.execute(mine.values(pending_number=sent.recipient[:20]))
