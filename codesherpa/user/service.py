"""What can be done with an account."""

from __future__ import annotations

from typing import Any

import structlog
from blinker import Signal
from sqlalchemy import delete as delete_rows
from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError

from codesherpa import checkpoints, emails
from codesherpa.database import LARGEST_KEY
from codesherpa.edge import address
from codesherpa.errors import Conflict, EmailTaken, NotFound, TokenRevoked, ValidationError
from codesherpa.extensions import db
from codesherpa.observability.requests import request_id
from codesherpa.user import audit, passwords
from codesherpa.user.models import User

deleting = Signal()  # Sent with a user before its account goes, so that what runs for it can end.
number_wanted = Signal()  # Sent with a user and the `number` of its phone, None to be rid of it.

PROFILE = {"name", "email", "language"}

log = structlog.get_logger(__name__)


def create(name: str, email: str, password: str) -> User:
    """Make an account. Raises EmailTaken."""
    if find(email):
        db.session.commit()
        raise EmailTaken
    db.session.commit()  # Hashing takes long; nothing waits inside a transaction.
    user = User(name=name, email=email, email_key=emails.key(email), password_hash=passwords.hash(password))
    db.session.add(user)
    take_email()
    audit.record(user.id, "registered")
    db.session.commit()
    return user


def find(email: str) -> User | None:
    """Return the user with that address, however it is written."""
    return db.session.scalar(select(User).where(User.email_key == emails.key(email)))


def get(id: int) -> User | None:
    return db.session.get(User, id)


def hold(*ids: int) -> set[int]:
    """Keep accounts from going until the transaction ends; return those that have not gone yet."""
    # In order, so that of two who hold the same neither waits for the other.
    there = select(User.id).where(User.id.in_(ids)).order_by(User.id)
    return set(db.session.scalars(there.with_for_update(read=True, key_share=True)))


def named(account: str) -> User:
    """Return the user of that id or address. Raises NotFound."""
    is_id = account.isascii() and account.isdigit() and int(account) <= LARGEST_KEY
    found = get(int(account)) if is_id else find(account)
    if found is None:
        raise NotFound(f"There is no user {account}.")
    return found


def search(q: str, active: bool | None, limit: int) -> tuple[list[User], int]:
    """Return the newest users with `q` in name or address, at most `limit`, and how many there are in all."""
    wanted = select(User).where(User.name.icontains(q, autoescape=True) | User.email.icontains(q, autoescape=True))
    if active is not None:
        wanted = wanted.where(User.is_active.is_(active))
    total = db.session.scalar(select(func.count()).select_from(wanted.subquery())) or 0
    return list(db.session.scalars(wanted.order_by(User.id.desc()).limit(limit))), total


def activate(user: User) -> User:
    """Let a user sign in again. Raises Conflict when it may already."""
    if user.is_active:
        raise Conflict(f"{user.email} is active already; nothing was changed.")
    user.is_active = True
    audit.record(user.id, "activated")
    db.session.commit()
    return user


def change(user: User, changes: dict[str, Any]) -> User:
    """Change what `changes` names of a user's own profile; a phone's number waits for its owner's word.

    Another email address needs the `current_password` too. Raises EmailTaken, ValidationError, and what the phone's
    service says of the number.
    """
    moves = changes_email(user, changes.get("email"))
    if moves:  # Before all else, so that a wrong password leaves all as it was.
        check_password(user, "current_password", changes.get("current_password"))
    if "whatsapp_number" in changes:  # First, so that one that is refused leaves all as it was.
        number_wanted.send(user, number=changes["whatsapp_number"])
    stored = db.session.get(User, user.id, with_for_update={"key_share": True})
    if stored is None:
        raise TokenRevoked  # The account has just been deleted, and its sessions with it.
    if moves and stored.password_hash != user.password_hash:
        db.session.rollback()
        raise ValidationError({"current_password": ["It has been changed in the meantime."]})
    for name in changes.keys() & PROFILE:
        setattr(stored, name, changes[name])
    stored.email_key = emails.key(stored.email)
    take_email()
    if moves:
        audit.record(stored.id, "email_changed")
    db.session.commit()
    return stored


def changes_email(user: User, email: object) -> bool:
    """Return True if a value that was sent for a user's address is another address; in other case it is the same."""
    return isinstance(email, str) and not emails.same(emails.tidy(email), user.email)


def delete(user: User, password: str) -> None:
    """Delete an account with all that belongs to it. Raises ValidationError for a wrong password."""
    check_password(user, "password", password)
    remove(user)


def remove(user: User) -> None:
    """Delete an account with all that belongs to it, whoever asks."""
    deleting.send(user)
    db.session.execute(delete_rows(User).where(User.id == user.id))
    db.session.commit()
    checkpoints.request()
    # Its audit trail is gone with it, so the log is where this can be read.
    log.warning("account deleted", user_id=user.id, ip=address(), request_id=request_id())


def check_password(user: User, field: str, password: str | None) -> None:
    """Raise ValidationError of that field unless the password is the user's."""
    if password is None:
        raise ValidationError({field: ["Enter your password to change this."]})
    db.session.commit()  # Hashing takes long; nothing waits inside a transaction.
    if not passwords.matches(password, user.password_hash):
        audit.record(user.id, "password_refused")
        db.session.commit()
        raise ValidationError({field: ["This is not your password."]})


def take_email() -> None:
    """Write an account with its address, for the caller to commit. Raises EmailTaken."""
    try:
        db.session.flush()
    except IntegrityError as error:
        db.session.rollback()
        raise EmailTaken from error
