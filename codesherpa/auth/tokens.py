"""Tokens: what they carry, and whom they let in, over HTTP and sockets alike."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from flask import current_app, g, request
from flask_jwt_extended import create_access_token, create_refresh_token, decode_token
from flask_jwt_extended.exceptions import JWTExtendedException
from jwt.exceptions import PyJWTError
from sqlalchemy import bindparam, select

from codesherpa import limits
from codesherpa.api import ApiBlueprint, answering
from codesherpa.auth.models import AuthSession
from codesherpa.database import now
from codesherpa.errors import AccountDisabled, TokenRevoked, Unauthorized, kind_of
from codesherpa.extensions import jwt
from codesherpa.rows import first
from codesherpa.shown import shown
from codesherpa.user.models import User

# A request by these changes nothing, so SQLite need not keep writers away from it.
READS = ("GET", "HEAD")
# A session with its user; made once, since every signed-in request asks it.
GLANCE = (
    select(*shown(User), AuthSession.id.label("session_id"), AuthSession.ended_at)
    .join(AuthSession.user)
    .where(AuthSession.id == bindparam("session_id"))
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
    g.auth_session, claims = admit(bearer(), wanted, counted=not getattr(view, "counted", False))
    # As verify_jwt_in_request does, but that it reads a token's header once more at each request, which costs
    # as much as the query for the session: this is where current_user and get_jwt look.
    g._jwt_extended_jwt, g._jwt_extended_jwt_user = claims, {"loaded_user": g.auth_session.user}


def bearer() -> str:
    """Return the token that a request carries, "" where it carries none."""
    scheme, _, token = request.headers.get("Authorization", "").strip().partition(" ")
    return token if scheme.lower() == "bearer" else ""


def claims_of(token: str, wanted: str) -> dict[str, Any]:
    """Return the claims of a token of the type that is wanted. Raises Unauthorized and TokenExpired."""
    try:
        claims: dict[str, Any] = decode_token(token)
    except (JWTExtendedException, PyJWTError) as fault:
        raise kind_of(fault) from fault
    if claims["type"] != wanted:
        raise Unauthorized
    return claims


@dataclass(frozen=True, slots=True)
class Glance:
    """What a request knows of its session. Its `user` is a row, whose times are text: to change it, load it."""

    id: int
    user_id: int
    user: User


def admit(token: str, wanted: str, *, counted: bool = True) -> tuple[Glance, dict[str, Any]]:
    """Return the live session of a token, and what the token claims.

    A token that is refused counts against its address. Whoever is known to be over a rate is refused before the
    database is asked: where the request is `counted` against RATE_LIMIT_DEFAULT, the user whom the token names, and a
    token that was refused before. Raises Unauthorized, TokenExpired, TokenRevoked, AccountDisabled or RateLimited.
    """
    ended = None
    try:
        claims = claims_of(token, wanted)
        ended = f"session:{claims.get('sid')}"
        limits.refuse_spent(ended, *([f"user:{claims['sub']}"] if counted else []))
        session = glance(claims.get("sid"))
        owner(session, claims)
    except (Unauthorized, AccountDisabled):
        limits.count_refused(ended)
        raise
    return session, claims


def identify(token: str) -> tuple[Glance, datetime]:
    """As `admit` for an access token, but return when the token ends instead of its claims."""
    session, claims = admit(token, "access")
    return session, datetime.fromtimestamp(claims["exp"], now().tzinfo)


@jwt.user_lookup_loader
def user_of(_header: dict[str, Any], claims: dict[str, Any]) -> User:
    """Find who holds a token. A refresh token that is spent passes here: the rotation judges it."""
    g.auth_session = session = glance(claims.get("sid"))
    return owner(session, claims)


def owner(session: Glance, claims: dict[str, Any]) -> User:
    """Return the user of a session, who must be the one that the token names."""
    if str(session.user_id) != claims["sub"]:
        raise TokenRevoked
    return session.user


def glance(id: Any) -> Glance:
    """Return a session that has not ended, of an active user. Raises TokenRevoked and AccountDisabled."""
    found = first(GLANCE, session_id=id) if isinstance(id, int) else None
    if found is None:
        raise TokenRevoked
    user = cast(User, found)
    if not user.is_active:  # First: to deactivate an account ends its sessions too, and this is why.
        raise AccountDisabled
    if found.ended_at:
        raise TokenRevoked
    return Glance(found.session_id, user.id, user)
