"""Whose number is whose: a code goes to the number and comes back from it."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from datetime import datetime, timedelta

from flask import current_app
from sqlalchemy import delete, or_, select, update

from codesherpa.database import now
from codesherpa.errors import Conflict, RateLimited
from codesherpa.extensions import db
from codesherpa.integrations.jobs import insert_once
from codesherpa.integrations.whatsapp import client, outbox
from codesherpa.integrations.whatsapp.models import Link
from codesherpa.integrations.whatsapp.phrases import say
from codesherpa.limits import parsed
from codesherpa.user import audit
from codesherpa.user import service as users
from codesherpa.user.models import User

LIFE = timedelta(minutes=10)
TRIES = 5
CODES = parsed("3/hour")  # For a user, and for a number: nobody is pestered with codes.


@users.number_wanted.connect
def start(user: User, number: str | None) -> None:
    """Send a code to a number, or take a user's number away where it is None.

    Raises Conflict where WhatsApp is not switched on, RateLimited for the fourth code within an hour.
    """
    if number is None:
        db.session.execute(delete(Link).where(Link.user_id == user.id))
        audit.record(user.id, "whatsapp_unlinked")
        db.session.commit()
        return
    if client.of(current_app) is None:
        raise Conflict("WhatsApp is not switched on here.")
    digits = number.removeprefix("+")
    count_code(f"user:{user.id}", f"number:{digits}")
    send_code(user, digits)


def count_code(*keys: str) -> None:
    """Count a code against all of the keys. Raises RateLimited."""
    counter = current_app.extensions["counter"]
    waits = [counter.hit(CODES, "whatsapp_codes", key) for key in keys]
    if any(waits):
        raise RateLimited("Too many codes were asked for. Try again later.", retry_after=max(waits))


def send_code(user: User, number: str) -> None:
    """Remember a fresh code and have it sent, in one transaction."""
    code = f"{secrets.randbelow(10**6):06}"
    insert_once(Link, user_id=user.id, tries=0, thread=1)  # Two requests at once share the one row.
    link = db.session.scalars(select(Link).where(Link.user_id == user.id).with_for_update()).one()
    link.pending_number, link.code_hash = number, keyed(user.id, code)
    link.code_expires_at, link.tries = now() + LIFE, 0
    template = current_app.config["WHATSAPP_CODE_TEMPLATE"]
    told = say("code", user.language, code=code, account=masked(user.email))
    body = client.code(template, user.language, code) if template else client.text(told)
    outbox.put(number, [body], user_id=user.id, link_id=link.id)
    audit.record(user.id, "whatsapp_code_sent")
    db.session.commit()
    outbox.wake()


def keyed(user_id: int, code: str) -> str:
    """Hash a code so that the database alone does not give it away."""
    secret = current_app.config["SECRET_KEY"].encode()
    return hmac.new(secret, f"whatsapp:{user_id}:{code}".encode(), hashlib.sha256).hexdigest()


def masked(email: str) -> str:
    """Show an address so that its owner knows it: `a***@example.com`."""
    name, _, host = email.rpartition("@")
    return f"{name[:1]}***@{host}"


def owner(number: str) -> tuple[User, Link] | None:
    """Return the active user to whom a number belongs."""
    mine = select(User, Link).join(Link, Link.user_id == User.id).where(Link.number == number, User.is_active)
    found = db.session.execute(mine).first()
    return (found[0], found[1]) if found else None


def confirm(number: str, text: str) -> tuple[str, User] | None:
    """Take a text for a code where one is waited for: the key of what to say, and to whom; None where it is none.

    Anybody may ask for a code to any number, and several may wait at once. A code that has ended is known again, so
    that its owner hears why it links nothing; any other text of six digits is a message then. The caller commits.
    """
    if not (len(text) == 6 and text.isascii() and text.isdigit()):
        return None
    pending = waiting_for(number)
    named = [(link, user) for link, user in pending if names(link, text)]
    for link, user in named:
        if alive(link):
            give(number, link)
            return "linked", user
    living = [(link, user) for link, user in pending if alive(link)]
    for link, _ in living:
        link.tries += 1
    told = named or living
    return ("wrong_code", told[0][1]) if told else None


def waiting_for(number: str) -> list[tuple[Link, User]]:
    """Return who waits for a code from a number, the latest first, and lock their links and that of its owner.

    Two confirmations lock in the same order, so neither gives the number away while the other does.
    """
    either = or_(Link.pending_number == number, Link.number == number)
    locked = select(Link, User).join(User).where(either, User.is_active).order_by(Link.id).with_for_update(of=Link)
    found = db.session.execute(locked, execution_options={"populate_existing": True}).all()
    pending = [(link, user) for link, user in found if link.pending_number == number and link.code_expires_at]
    return sorted(pending, key=lambda one: one[0].code_expires_at or now(), reverse=True)


def names(link: Link, code: str) -> bool:
    """Return True if a code is the one that was sent for a link, whether it still counts or not."""
    return hmac.compare_digest(link.code_hash or "", keyed(link.user_id, code))


def forget(before: datetime) -> None:
    """Forget the numbers of codes that ended before a time. The caller commits."""
    ended = update(Link).where(Link.code_expires_at < before)
    db.session.execute(ended.values(pending_number=None, code_hash=None, code_expires_at=None, tries=0))


def alive(link: Link) -> bool:
    return link.code_expires_at is not None and link.code_expires_at > now() and link.tries < TRIES


def give(number: str, link: Link) -> None:
    """Make a number a user's; whoever had it before has it no more."""
    before = update(Link).where(Link.number == number, Link.id != link.id).values(number=None)
    db.session.execute(before)
    link.number, link.linked_at = number, now()
    link.pending_number = link.code_hash = link.code_expires_at = None
    audit.record(link.user_id, "whatsapp_linked")
