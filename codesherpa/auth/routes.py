"""Register, sign in, stay signed in, sign out; and, beside the profile, the password and the sessions."""

from typing import Any

from flask import g
from flask_jwt_extended import current_user, get_jwt

from codesherpa import edge
from codesherpa.api import ApiBlueprint, public, refreshing
from codesherpa.auth import schemas, service
from codesherpa.auth.tokens import Tokens
from codesherpa.limits import by_account, by_address, by_user
from codesherpa.user import schemas as user_schemas
from codesherpa.user import service as users
from codesherpa.user.models import User
from codesherpa.user.routes import blueprint as user

blueprint = ApiBlueprint("auth", __name__, description="Register, sign in, stay signed in, sign out.")


@blueprint.post("/register")
@public
@by_address("RATE_LIMIT_AUTH")
@blueprint.arguments(schemas.Registration)
@blueprint.response(201, user_schemas.User, message="Welcome. You can sign in now.")
def register(registration: dict[str, Any]) -> User:
    """Make an account."""
    return users.create(**registration)


@blueprint.post("/login")
@public
@by_address("RATE_LIMIT_AUTH")
@by_account("RATE_LIMIT_LOGIN", service.knows)
@blueprint.arguments(schemas.Credentials)
@blueprint.response(200, schemas.SignIn, message="You are signed in.")
def login(credentials: dict[str, Any]) -> Tokens:
    """Begin a session."""
    return service.login(**credentials, user_agent=edge.user_agent(), ip=edge.address())


@blueprint.post("/refresh")
@refreshing
@by_address("RATE_LIMIT_AUTH")
@blueprint.response(200, schemas.Rotation, message="The session goes on.")
def refresh() -> Tokens:
    """Spend the refresh token for fresh tokens."""
    return service.refresh(g.auth_session, get_jwt()["jti"])


@blueprint.post("/logout")
@blueprint.response(200, message="You are signed out.")
def logout() -> None:
    """End this session."""
    service.end(g.auth_session)


@user.put("/me/password")
@by_user("RATE_LIMIT_LOGIN")
@user.arguments(schemas.PasswordChange)
@user.response(200, message="Your password has been changed; every other session has ended.")
def change_password(change: dict[str, Any]) -> None:
    """Change the password and end every other session."""
    service.change_password(g.auth_session, **change)


@user.get("/me/sessions")
@user.response(200, schemas.Sessions, message="Where you are signed in.")
def list_sessions() -> dict[str, Any]:
    """List where you are signed in."""
    found = service.sessions(current_user)
    return {"sessions": found, "count": len(found)}


@user.delete("/me/sessions/<id:id>")
@user.response(200, message="The session has ended.")
def end_session(id: int) -> None:
    """End one of your sessions."""
    service.end_one(current_user, id)
