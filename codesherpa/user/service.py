"""What can be done with an account."""

from __future__ import annotations

from typing import Any

from blinker import Signal
from sqlalchemy import delete as delete_rows
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from codesherpa.errors import EmailTaken, ValidationError
from codesherpa.extensions import db
from codesherpa.user import audit, passwords
from codesherpa.user.models import User

deleting = Signal()  # Sent with a user before its account goes, so that what runs for it can end.


def create(name: str, email: str, password: str) -> User:
    """Make an account. Raises EmailTaken."""
    if find(email):
        db.session.commit()
        raise EmailTaken
    db.session.commit()  # Hashing takes long; nothing waits inside a transaction.
    user = User(name=name, email=email, email_key=email.casefold(), password_hash=passwords.hash(password))
    db.session.add(user)
    commit_email()
    audit.record(user.id, "registered")
    db.session.commit()
    return user


def find(email: str) -> User | None:
    """Return the user with that address, in whatever case it is written."""
    return db.session.scalar(select(User).where(User.email_key == email.strip().casefold()))


def change(user: User, changes: dict[str, Any]) -> User:
    """Change what `changes` names of a user's own profile. Raises EmailTaken."""
    for name, value in changes.items():
        setattr(user, name, value)
    user.email_key = user.email.casefold()
    commit_email()
    return user


def delete(user: User, password: str) -> None:
    """Delete an account with all that belongs to it. Raises ValidationError for a wrong password."""
    check_password(user, "password", password)
    deleting.send(user)
    db.session.execute(delete_rows(User).where(User.id == user.id))
    db.session.commit()


def check_password(user: User, field: str, password: str) -> None:
    """Raise ValidationError of that field unless the password is the user's."""
    db.session.commit()  # Hashing takes long; nothing waits inside a transaction.
    if not passwords.matches(password, user.password_hash):
        raise ValidationError({field: ["This is not your password."]})


def commit_email() -> None:
    try:
        db.session.commit()
    except IntegrityError as error:
        db.session.rollback()
        raise EmailTaken from error
