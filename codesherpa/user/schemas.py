"""The user as it is sent and received."""

import unicodedata
from collections.abc import Mapping
from typing import Any

from marshmallow import Schema, ValidationError, fields, validate

from codesherpa.schema import Email, Id, Item, Text, Timestamp
from codesherpa.user import passwords
from codesherpa.user.models import LONGEST_NAME

LANGUAGES = ("en", "hi", "hinglish")
PASSWORD = {"format": "password", "minLength": 8, "maxLength": 72, "description": "8 to 72 bytes of UTF-8, not common"}


class NewPassword(Text):
    """A password to be: 8 to 72 bytes of UTF-8 in NFC, as bcrypt reads them; never cut, never trimmed, not common."""

    def __init__(self, **kwargs: Any) -> None:
        # White space is as good as letters. One with accents may be several characters before NFC makes it one.
        super().__init__(least=0, most=4 * passwords.MOST, load_only=True, metadata=PASSWORD, **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> str:
        text = unicodedata.normalize("NFC", super()._deserialize(value, attr, data, **kwargs))
        if not passwords.LEAST <= len(text.encode()) <= passwords.MOST:
            raise ValidationError(f"Must have {passwords.LEAST} to {passwords.MOST} bytes.")
        if passwords.is_common(text):
            raise ValidationError("This password is one of the most common. Choose another.")
        return text


class User(Item):
    """A user, as anybody who may see it sees it."""

    id = Id(required=True)
    name = fields.String(required=True)
    email = fields.String(required=True)
    is_active = fields.Boolean(required=True)
    language = fields.String(required=True, validate=validate.OneOf(LANGUAGES))
    created_at = Timestamp(required=True)
    updated_at = Timestamp(required=True)


class Profile(Schema):
    """What a user may change of itself."""

    name = Text(most=LONGEST_NAME, strip=True)
    email = Email()
    current_password = Text(
        least=0,
        most=1000,
        load_only=True,
        metadata={"format": "password", "description": "Required to change the email address; else not looked at."},
    )
    language = fields.String(validate=validate.OneOf(LANGUAGES))
    whatsapp_number = fields.String(
        allow_none=True,
        validate=validate.Regexp(r"\+[1-9][0-9]{7,14}\Z", error="Write it with its country code: +491701234567."),
        metadata={
            "pattern": r"^\+[1-9][0-9]{7,14}$",
            "description": "A code is sent there, to be sent back from there; null takes the number away.",
        },
    )


class Password(Schema):
    """The user's own password, asked for once more."""

    password = Text(required=True, least=0, most=1000, load_only=True)


class AuditEvent(Schema):
    """Something that happened to the account."""

    id = Id(required=True)
    action = fields.String(required=True)
    ip = fields.String(required=True)
    request_id = fields.String(required=True)
    created_at = Timestamp(required=True)


class Export(Schema):
    """All that is stored about a user; the lists hold what the other routes show."""

    user = fields.Nested(User, required=True)
    sessions = fields.List(fields.Nested("codesherpa.auth.schemas.Session"), required=True)
    agents = fields.List(fields.Nested("codesherpa.agents.schemas.Agent"), required=True)
    projects = fields.List(fields.Nested("codesherpa.projects.schemas.Project"), required=True)
    conversations = fields.List(fields.Nested("codesherpa.chat.schemas.Conversation"), required=True)
    chats = fields.List(fields.Nested("codesherpa.chat.schemas.Chat"), required=True)
    audit = fields.List(fields.Nested(AuditEvent), required=True)
