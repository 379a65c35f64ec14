"""Tokens: what they carry, and whom they let in, over HTTP and sockets alike."""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask import current_app, g, request
from flask_jwt_extended import create_access_token, create_refresh_token, decode_token, verify_jwt_in_request
from flask_jwt_extended.exceptions import JWTExtendedException
from jwt.exceptions import PyJWTError
from sqlalchemy import bindparam, select

from codesherpa.api import ApiBlueprint, answering
from codesherpa.auth.models import AuthSession
from codesherpa.database import LARGEST_KEY, now, reading
from codesherpa.errors import AccountDisabled, TokenRevoked, Unauthorized, kind_of
from codesherpa.extensions import db, jwt
from codesherpa.user.models import User

# A request by these changes nothing, so SQLite need not keep writers away from it.
READS = ("GET", "HEAD")
# With its user, in one query; made once, since every signed-in request asks it.
SESSION = select(AuthSession).where(AuthSession.id == bindparam("id"))


# Three parts in the one spelling that base64url has for them; PyJWT would take `=` at the end as well. The last
# letter of 32 bytes carries four bits, so only sixteen letters can stand there.
SPELLING = re.compile(r"(?:[A-Za-z0-9_-]{1,900}\.){2}[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]")
HEADER = {"alg": "HS256", "typ": "JWT"}
CLAIMS: dict[str, type] = {"sub": str, "jti": str, "iss": str, "aud": str, "type": str, "sid": int} | dict.fromkeys(
    ("iat", "nbf", "exp"), int
)


@dataclass(frozen=True, slots=True)
class Tokens:
    """What a sign-in or a refresh gives; `expires_in` are the access token's seconds."""

    access_token: str
    refresh_token: str
    expires_in: int
    user: User
    token_type: str = "bearer"  # noqa: S105 (the scheme's name)


def fresh_id() -> str:
    return str(uuid.uuid4())


def issue(session: AuthSession) -> Tokens:
    """Make tokens for a session. Its refresh token comes out the same each time until it is spent."""
    config = current_app.config
    identity, carried = str(session.user_id), {"sid": session.id}
    issued = session.refresh_issued_at
    refresh = carried | {
        "jti": session.refresh_jti,
        "iat": issued,
        "nbf": issued,
        "exp": issued + config["JWT_REFRESH_TOKEN_EXPIRES"],
    }
    return Tokens(
        access_token=create_access_token(identity, additional_claims=carried),
        refresh_token=create_refresh_token(identity, additional_claims=refresh),
        expires_in=int(config["JWT_ACCESS_TOKEN_EXPIRES"].total_seconds()),
        user=session.user,
    )


def guard() -> None:
    """Refuse a request to the API without the right token, before anything of it is read."""
    view = answering()
    if view is None or not isinstance(current_app.blueprints.get(request.blueprint or ""), ApiBlueprint):
        return
    wanted = getattr(view, "guard", "access")
    if wanted is None or request.method == "OPTIONS":
        return
    g.reading = request.method in READS
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme != "Bearer" or not SPELLING.fullmatch(token):
        raise Unauthorized
    try:
        verify_jwt_in_request(refresh=wanted == "refresh")
    except (JWTExtendedException, PyJWTError) as fault:
        raise kind_of(fault) from fault


def identify(token: str) -> tuple[AuthSession, datetime]:
    """Return the live session of an access token, and when the token ends.

    Raises Unauthorized, TokenExpired, TokenRevoked or AccountDisabled.
    """
    if not SPELLING.fullmatch(token):
        raise Unauthorized
    try:
        claims = decode_token(token)
    except (JWTExtendedException, PyJWTError) as fault:
        raise kind_of(fault) from fault
    if claims["type"] != "access":
        raise Unauthorized
    return session_of(claims), datetime.fromtimestamp(claims["exp"], now().tzinfo)


@jwt.decode_key_loader
def key_for(header: dict[str, Any], claims: dict[str, Any]) -> str:
    """Return the key of a token that has the form of ours, before its seal, times and issuer are checked.

    Raises Unauthorized for any other: PyJWT checks the claims that are there and does not miss those that are not.
    """
    ours = header == HEADER and all(type(claims.get(name)) is kind for name, kind in CLAIMS.items())
    if not ours or claims["type"] not in ("access", "refresh") or not 0 < claims["sid"] <= LARGEST_KEY:
        raise Unauthorized
    key: str = current_app.config["JWT_SECRET_KEY"]
    return key


@jwt.user_lookup_loader
def user_of(_header: dict[str, Any], claims: dict[str, Any]) -> User:
    """Find who holds a token. A refresh token that is spent passes here: the rotation judges it."""
    g.auth_session = session = session_of(claims)
    return session.user


def session_of(claims: dict[str, Any]) -> AuthSession:
    """Return the session that a token belongs to. Raises TokenRevoked and AccountDisabled."""
    session = live_session(claims.get("sid"))
    if str(session.user_id) != claims["sub"]:
        raise TokenRevoked
    return session


def live_session(id: Any) -> AuthSession:
    """Return a session that has not ended, of an active user. Raises TokenRevoked and AccountDisabled."""
    with reading():
        session = db.session.scalar(SESSION, {"id": id}) if isinstance(id, int) else None
        db.session.commit()  # The body is read after this, and nothing waits inside a transaction.
    if session is None or session.ended_at:
        raise TokenRevoked
    if not session.user.is_active:
        raise AccountDisabled
    return session
