"""What signing in takes and gives."""

from flask import g
from marshmallow import Schema, fields

from codesherpa.schema import Email, Id, Text, Timestamp
from codesherpa.user.models import LONGEST_NAME
from codesherpa.user.schemas import NewPassword, User


class Registration(Schema):
    """A new account."""

    name = Text(required=True, most=LONGEST_NAME, strip=True)
    email = Email(required=True)
    password = NewPassword(required=True)


class Credentials(Schema):
    """What signs a user in; any text will do, as only the right one is accepted."""

    email = Text(required=True, most=1000)
    password = Text(required=True, least=0, most=1000, load_only=True)


class Rotation(Schema):
    """Fresh tokens for a session."""

    access_token = fields.String(required=True)
    refresh_token = fields.String(required=True)
    token_type = fields.String(required=True)
    expires_in = fields.Integer(required=True)


class SignIn(Rotation):
    """The first tokens of a session, and whose it is."""

    user = fields.Nested(User, required=True)


class PasswordChange(Schema):
    """The password as it is, and as it is to be."""

    current_password = Text(required=True, least=0, most=1000, load_only=True)
    new_password = NewPassword(required=True)


class Session(Schema):
    """A signed-in device."""

    id = Id(required=True)
    created_at = Timestamp(required=True)
    last_used_at = Timestamp(required=True)
    user_agent = fields.String(required=True)
    ip = fields.String(required=True)
    current = fields.Function(
        lambda session: session.id == g.auth_session.id, required=True, metadata={"type": "boolean"}
    )


class Sessions(Schema):
    """The user's signed-in devices, the one used last first."""

    sessions = fields.List(fields.Nested(Session), required=True)
    count = fields.Integer(required=True)
