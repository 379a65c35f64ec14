"""Chats and conversations as they are sent and received, over HTTP and sockets alike."""

from typing import Any

from marshmallow import EXCLUDE, Schema, ValidationError, fields, validate, validates_schema

from codesherpa.chat.models import ACTIVE, ENDED
from codesherpa.chat.results import Result
from codesherpa.paging import PageInfo
from codesherpa.schema import Id, IdText, Item, Stored, Text, Timestamp, Whole, WholeText


class NewChat(Schema):
    """A message to a sherpa."""

    message = Text(required=True, most=10_000)
    code_context = Text(least=0, most=200_000, allow_none=True)
    conversation_id = Id(allow_none=True)
    agent_id = Id(allow_none=True)
    project_id = Id(allow_none=True)
    client_message_id = Text(most=64, allow_none=True)


class Sent(Schema):
    """Which message it is, by its sender's own name, whatever else it says."""

    class Meta:
        unknown = EXCLUDE

    client_message_id = Text(required=True, most=64)


class Message(NewChat):
    """A message over a socket, where a client may name the conversation itself."""

    session_id = Text(most=64, allow_none=True)

    @validates_schema
    def one_conversation(self, data: dict[str, Any], **kwargs: Any) -> None:
        if data.get("session_id") and data.get("conversation_id"):
            raise ValidationError("Send session_id or conversation_id, not both.", "session_id")


class Routing(Schema):
    """Who answers, and why."""

    target_agent = fields.String(required=True)
    confidence = fields.Float(required=True)
    reasoning = fields.String(required=True)


class ChatError(Schema):
    """Why a reply is not whole."""

    code = fields.String(required=True)
    message = fields.String(required=True)


class Chat(Item):
    """A message and the reply to it."""

    id = Id(required=True)
    user_id = Id(required=True)
    conversation_id = Id(required=True)
    agent_id = Id(required=True, allow_none=True)
    project_id = Id(required=True, allow_none=True)
    message = fields.String(required=True)
    code_context = fields.String(required=True, allow_none=True)
    response = fields.String(required=True, metadata={"description": "Markdown, so far or whole"})
    result = Result(required=True, allow_none=True)
    status = fields.String(required=True, validate=validate.OneOf(ACTIVE + ENDED))
    agent = fields.String(attribute="sherpa", required=True, allow_none=True)
    routing = Stored(Routing, required=True, allow_none=True)
    provider = fields.String(required=True, allow_none=True)
    model_id = fields.String(required=True, allow_none=True)
    input_tokens = fields.Integer(required=True, allow_none=True)
    output_tokens = fields.Integer(required=True, allow_none=True)
    # Not Stored: what is kept beside it, such as retry_after, is for the answer alone.
    error = fields.Nested(ChatError, required=True, allow_none=True)
    client_message_id = fields.String(required=True, allow_none=True)
    created_at = Timestamp(required=True)
    completed_at = Timestamp(required=True, allow_none=True)


class HistoryArguments(Schema):
    """Which chats are wanted: the `limit` before the chat with the id `before`."""

    limit = WholeText(least=1, most=100, load_default=50)
    before = IdText()
    conversation_id = IdText()
    agent_id = IdText()
    project_id = IdText()
    q = Text(least=0, most=200)


class History(Item):
    """Some chats, oldest first; `next_before` leads to older ones, null where there are none."""

    chats = fields.List(fields.Nested(Chat), required=True)
    count = fields.Integer(required=True)
    next_before = Id(required=True, allow_none=True)


class Conversation(Item):
    """Chats that belong together."""

    id = Id(required=True)
    title = fields.String(required=True)
    agent_id = Id(required=True, allow_none=True)
    project_id = Id(required=True, allow_none=True)
    chat_count = fields.Integer(required=True)
    created_at = Timestamp(required=True)
    updated_at = Timestamp(required=True)


class ConversationPage(PageInfo):
    """A page of conversations, the one with the last chat first."""

    conversations = fields.List(fields.Nested(Conversation), required=True, attribute="items")


class ConversationChanges(Schema):
    """What can be changed of a conversation."""

    title = Text(most=120, strip=True)


class Stop(Schema):
    """Which reply is to end."""

    chat_id = Id(required=True)


class Resume(Schema):
    """Which reply, and after which of its deltas, is to go on."""

    chat_id = Id(required=True)
    after_seq = Whole(required=True, least=0, most=2**31)


class Token(Schema):
    """The access token that a socket lives on with."""

    token = Text(required=True, most=10_000)
