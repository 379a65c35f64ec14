"""The events of /ws as they are sent and received: the table that the documents and the types are made from."""

from __future__ import annotations

from dataclasses import dataclass

from marshmallow import Schema, fields, validate

from codesherpa.chat.results import Result
from codesherpa.chat.schemas import Chat, Message, Resume, Routing, Stop, Token
from codesherpa.schema import ErrorData, Id, Whole
from codesherpa.user.schemas import User


def always(word: str) -> fields.String:
    """A field that has one value."""
    return fields.String(required=True, validate=validate.Equal(word))


def seconds(description: str) -> Whole:
    return Whole(required=True, least=0, most=2**31, metadata={"description": description})


def seq(description: str, least: int = 0) -> Whole:
    return Whole(required=True, least=least, most=2**31, metadata={"description": description})


class Writing(Schema):
    """A reply that is being written, or waits its turn."""

    chat_id = Id(required=True)
    seq = seq("Of the last delta that was sent; 0: none yet")


class Ready(Schema):
    """Who the socket is, and what is being written."""

    user = fields.Nested(User, required=True)
    active = fields.List(fields.Nested(Writing), required=True)
    expires_in = seconds("Seconds until the access token ends")


class Status(Schema):
    """How far a reply is."""

    type = always("status")
    chat_id = Id(required=True)
    conversation_id = Id(required=True)
    content = fields.String(required=True, validate=validate.OneOf(["thinking", "streaming"]))
    agent = fields.String(required=True, allow_none=True, metadata={"description": "Who answers"})
    routing = fields.Nested(Routing, required=True, allow_none=True)
    left_out = fields.Integer(
        validate=validate.Range(min=1),
        metadata={"description": "How many old chats of the conversation were too much for the model; absent for none"},
    )


class Delta(Schema):
    """The next words of a reply; all contents joined are the chat's response."""

    type = always("delta")
    chat_id = Id(required=True)
    seq = seq("1, 2, 3, ... for each chat", least=1)
    content = fields.String(required=True, validate=validate.Length(min=1))


class ReplyEnded(Schema):
    """The last event of a reply that is complete or stopped."""

    type = always("response")
    chat_id = Id(required=True)
    content = Result(required=True)
    chat = fields.Nested(Chat, required=True)


class ReplyFailed(Schema):
    """The last event of a reply that failed or was interrupted; the text so far is in its chat."""

    type = always("error")
    chat_id = Id(required=True)
    code = fields.String(required=True, metadata={"description": "A word for machines"})
    content = fields.String(required=True, metadata={"description": "A sentence for a person"})
    retryable = fields.Boolean(required=True, metadata={"description": "Whether to ask the same again may help"})
    chat = fields.Nested(Chat, required=True)


class PayloadRefused(Schema):
    """A payload was refused, and the client had asked for no acknowledgement."""

    type = always("error")
    code = fields.String(required=True, metadata={"description": "A word for machines"})
    content = fields.String(required=True, metadata={"description": "A sentence for a person"})
    errors = fields.Dict(
        keys=fields.String(), values=fields.List(fields.String()), metadata={"description": "Sentences by field"}
    )
    retry_after = fields.Integer(metadata={"description": "Whole seconds"})


class SessionExpiring(Schema):
    """The session ends soon: fetch a new access token and send `authenticate`."""

    expires_in = seconds("Seconds until the access token ends")


class SessionExpired(Schema):
    """The session has ended; the connection is closed next."""


class Stored(Schema):
    """The message is stored; its reply follows in events."""

    chat = fields.Nested(Chat, required=True)


class Stopped(Schema):
    """The reply has ended, with the text so far."""

    chat = fields.Nested(Chat, required=True)


class Missed(Schema):
    """What came of a reply after a delta; the deltas from seq + 1 on follow live."""

    chat = fields.Nested(Chat, required=True)
    seq = seq("Of the last delta that `content` holds")
    content = fields.String(required=True)


class Renewed(Schema):
    """The socket lives on with the new access token."""

    expires_in = seconds("Seconds until the access token ends")


class ConnectRefused(ErrorData):
    """The `data` of a `connect_error`."""

    message = fields.String(required=True)


@dataclass(frozen=True, slots=True)
class Event:
    """An event's name, what it is for, the shapes its payload may have, and that of its acknowledgement's data."""

    name: str
    why: str
    payloads: tuple[type[Schema], ...]
    acknowledged: type[Schema] | None = None


FROM_CLIENT = (
    Event("message", "Ask. A repeated client_message_id gives the first chat again.", (Message,), Stored),
    Event("stop", "End a reply; its text so far is kept.", (Stop,), Stopped),
    Event("resume", "Fetch what was missed of a reply.", (Resume,), Missed),
    Event("authenticate", "Let the socket live on with a new access token.", (Token,), Renewed),
)
FROM_SERVER = (
    Event("ready", "After every connect.", (Ready,)),
    Event("status", "A reply has been given to somebody, or its first words come.", (Status,)),
    Event("delta", "The next words of a reply.", (Delta,)),
    Event("response", "A reply is complete or was stopped: once, last.", (ReplyEnded,)),
    Event(
        "error",
        "A reply failed or was interrupted: once, last; or a payload was refused.",
        (ReplyFailed, PayloadRefused),
    ),
    Event("session_expiring", "60 seconds ahead, or at once where fewer are left.", (SessionExpiring,)),
    Event("session_expired", "Just before the connection is closed.", (SessionExpired,)),
)
