"""Sessions: begun by a sign-in, carried on by refreshing, ended by signing out."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from flask import current_app
from sqlalchemy import delete, select, update

from codesherpa import edge
from codesherpa.auth import tokens
from codesherpa.auth.models import LIVE, AuthSession
from codesherpa.auth.tokens import Glance, Tokens
from codesherpa.database import LARGEST_KEY, now, reading
from codesherpa.errors import Conflict, InvalidCredentials, NotFound, TokenRevoked, ValidationError
from codesherpa.extensions import db
from codesherpa.user import audit, passwords
from codesherpa.user import service as users
from codesherpa.user.audit import AuditEvent
from codesherpa.user.models import User

# Two tabs may refresh at once, and an answer may be lost: a spent token still gives its successor for so long.
GRACE = timedelta(seconds=10)
MEMORY = timedelta(days=90)  # How long a network that signed in is known.
MOST_SESSIONS = 100  # Live sessions of a user; one more ends the one that was idle longest.
FORGOTTEN_AT_ONCE = 100
LAST_USED_FIRST = (AuthSession.last_used_at.desc(), AuthSession.id.desc())
UNSYNCHRONIZED = {"synchronize_session": False}


def login(email: str, password: str, user_agent: str, ip: str) -> Tokens:
    """Begin a session. Raises InvalidCredentials for an unknown address, a wrong password, a deactivated account."""
    user = users.find(email)
    db.session.commit()  # Hashing takes long; nothing waits inside a transaction.
    fits = passwords.matches(password, user.password_hash if user else None)
    if not fits or user is None or not holds(user):
        # For nobody too, so that it takes as long; whose account has gone meanwhile is nobody.
        [known] = users.hold(user.id if user else 0) or [None]
        audit.record(known, "sign_in_failed")
        audit.forget_old()
        db.session.commit()
        raise InvalidCredentials
    session = AuthSession(
        user=user,
        refresh_jti=tokens.fresh_id(),
        refresh_issued_at=now().replace(microsecond=0),
        user_agent=user_agent[:300],
        ip=ip,
    )
    make_room(user.id)
    forget_old()
    audit.forget_old()
    db.session.add(session)
    audit.record(user.id, "signed_in")
    db.session.commit()
    return tokens.issue(session)


def knows(key: str, network: str) -> bool:
    """Tell whether the account of an address's key was made or signed in to from a network within the last 90 days."""
    mine = select(AuditEvent.ip).join(User, User.id == AuditEvent.user_id).where(User.email_key == key).distinct()
    came_in = mine.where(AuditEvent.action.in_(("registered", "signed_in")), AuditEvent.created_at > now() - MEMORY)
    with reading():
        addresses = db.session.scalars(came_in).all()
        db.session.commit()
    return network in map(edge.network_of, addresses)


def holds(user: User) -> bool:
    """Tell whether a password that fitted still does, and keep it so until the transaction ends.

    While it was being checked the user may have changed it, or have been deactivated.
    """
    same = select(User.id).where(User.id == user.id, User.password_hash == user.password_hash, User.is_active)
    return db.session.scalar(same.with_for_update()) is not None


def refresh(session: Glance, jti: str) -> Tokens:
    """Spend a refresh token for its successor.

    Spent already, it gives the same successor within the grace while that is unspent; later it ends the
    session, since one of the two who hold it has stolen it. Raises TokenRevoked.
    """
    rotated = update(AuthSession).where(
        AuthSession.id == session.id, AuthSession.refresh_jti == jti, AuthSession.ended_at.is_(None)
    )
    moment = now()
    values = {
        "refresh_jti": tokens.fresh_id(),
        "refresh_issued_at": moment.replace(microsecond=0),
        "previous_jti": jti,
        "rotated_at": moment,
        "last_used_at": moment,
    }
    db.session.execute(rotated.values(values), execution_options={"synchronize_session": False})
    current = db.session.scalar(
        select(AuthSession).where(AuthSession.id == session.id).execution_options(populate_existing=True)
    )
    db.session.commit()
    if current is None or current.ended_at:
        raise TokenRevoked
    if current.previous_jti != jti or current.rotated_at is None or moment - current.rotated_at > GRACE:
        audit.record(current.user_id, "refresh_token_reused")
        end(current)
        raise TokenRevoked
    return tokens.issue(current)


def sessions(user: User) -> list[AuthSession]:
    """Return a user's live sessions, the one used last first, at most MOST_SESSIONS."""
    recent = select(AuthSession).where(*live(user.id)).order_by(*LAST_USED_FIRST).limit(MOST_SESSIONS)
    return list(db.session.scalars(recent))


def live(user_id: int) -> tuple[Any, ...]:
    """Say which sessions of a user are live: they have not ended, and their refresh tokens have not expired."""
    oldest = now() - current_app.config["JWT_REFRESH_TOKEN_EXPIRES"]
    return AuthSession.user_id == user_id, LIVE, AuthSession.refresh_issued_at > oldest


def make_room(user_id: int) -> None:
    """End the sessions of a user that were idle longest, so that one more is not too many; the caller commits.

    The caller holds the user, so that two sign-ins at once count one after the other. One statement, however many
    there are.
    """
    idle = select(AuthSession.id).where(AuthSession.user_id == user_id, LIVE)
    surplus = idle.order_by(*LAST_USED_FIRST).offset(MOST_SESSIONS - 1)
    # SQLite takes no OFFSET without a LIMIT.
    if ended := end_where(AuthSession.id.in_(surplus.limit(LARGEST_KEY))):
        audit.record(user_id, "session_ended", ended)


def forget_old() -> None:
    """Delete some sessions that no token that is still good names; the caller commits.

    Each sign-in makes one session and deletes up to FORGOTTEN_AT_ONCE of anybody's, so the table does not grow for
    ever. An ended session is kept as long as its tokens would live: until then it tells why they are refused.
    """
    longest = max(current_app.config[f"JWT_{kind}_TOKEN_EXPIRES"] for kind in ("ACCESS", "REFRESH"))
    old = select(AuthSession.id).where(AuthSession.refresh_issued_at < now() - longest - GRACE)
    # Sign-ins that look for them at once share them; a session that is being changed is left alone.
    some = old.order_by(AuthSession.refresh_issued_at).limit(FORGOTTEN_AT_ONCE).with_for_update(skip_locked=True)
    forgotten = delete(AuthSession).where(AuthSession.id.in_(some))
    db.session.execute(forgotten, execution_options=UNSYNCHRONIZED)


def end_one(user: User, id: int) -> None:
    """End one of a user's sessions. Raises NotFound."""
    found = db.session.scalar(select(AuthSession).where(*live(user.id), AuthSession.id == id))
    if found is None:
        raise NotFound("There is no such session.")
    end(found)


def change_password(session: Glance, current_password: str, new_password: str) -> None:
    """Change a user's password and end every other session of it. Raises ValidationError."""
    user = session.user
    users.check_password(user, "current_password", current_password)
    hashed = passwords.hash(new_password)
    unchanged = update(User).where(User.id == user.id, User.password_hash == user.password_hash)
    if not db.session.execute(unchanged.values(password_hash=hashed)).rowcount:  # type: ignore[attr-defined]
        db.session.rollback()
        if not users.hold(user.id):
            raise TokenRevoked
        raise ValidationError({"current_password": ["It has been changed in the meantime."]})
    audit.record(user.id, "password_changed")
    end_all(user, but=session.id)


def set_password(user: User, password: str) -> int:
    """Give a user a new password, whoever asks, and end its sessions; return how many."""
    db.session.commit()  # Hashing takes long; nothing waits inside a transaction.
    user.password_hash = passwords.hash(password)
    audit.record(user.id, "password_set")
    return end_all(user)


def deactivate(user: User) -> int:
    """Keep a user out and end its sessions; return how many. Raises Conflict when it is kept out already."""
    if not user.is_active:
        raise Conflict(f"{user.email} is deactivated already; nothing was changed.")
    user.is_active = False
    audit.record(user.id, "deactivated")
    return end_all(user)


def end_all(user: User, but: int = 0) -> int:
    """End every session of a user but one, in as many statements whatever their number; return how many.

    Raises TokenRevoked where the account has gone meanwhile.
    """
    if not users.hold(user.id):
        raise TokenRevoked
    ended = end_where(*live(user.id), AuthSession.id != but)
    if ended:
        audit.record(user.id, "session_ended", ended)
    db.session.commit()
    return ended


users.deleting.connect(end_all)


def end(session: AuthSession | Glance) -> None:
    """End a session: its tokens are refused from now on, and every worker closes its sockets.

    Raises TokenRevoked where its account has gone meanwhile, and the session with it.
    """
    if not users.hold(session.user_id):  # Before the session, in the order in which a deletion takes them.
        raise TokenRevoked
    end_where(AuthSession.id == session.id)
    audit.record(session.user_id, "session_ended")
    db.session.commit()


def end_where(*which: Any) -> int:
    """End sessions in one statement, and return how many; the caller commits."""
    ended: Any = db.session.execute(
        update(AuthSession).where(*which).values(ended_at=now()), execution_options=UNSYNCHRONIZED
    )
    count: int = ended.rowcount
    return count
