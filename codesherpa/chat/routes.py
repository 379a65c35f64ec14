"""Ask a sherpa and read what was said, over HTTP."""

from functools import wraps
from typing import Any

from flask import request
from flask.views import MethodView
from flask_jwt_extended import current_user
from marshmallow import ValidationError

from codesherpa.api import ApiBlueprint, View, loads
from codesherpa.chat import conversations, models, schemas, service
from codesherpa.paging import Page, PageArguments
from codesherpa.schema import enveloped

blueprint = ApiBlueprint("chat", __name__, description="Ask a sherpa and read what was said.")


def or_sent_before(view: View) -> View:
    """Have what is not a message's shape be answered with the first chat, where that message was sent before."""

    @wraps(view)
    def answer(*args: Any, **kwargs: Any) -> Any:
        try:
            return view(*args, **kwargs)
        except ValidationError:
            chat = service.sent_before(current_user, loads(request.get_data()))
            if chat is None:
                raise
            return service.await_end(current_user, chat), 200

    return answer


@blueprint.route("")
class Chats(MethodView):
    @blueprint.arguments(schemas.HistoryArguments, location="query")
    @blueprint.response(200, schemas.History, message="Your chats.")
    def get(self, wanted: dict[str, Any]) -> service.History:
        """List your chats, oldest first; `before` goes back in time."""
        return service.history(current_user, **wanted)

    @blueprint.response(201, schemas.Chat, message="The sherpa has answered.")
    @blueprint.alt_response(200, schema=enveloped(schemas.Chat), description="Sent before", success=True)
    @or_sent_before
    @blueprint.arguments(schemas.NewChat)
    def post(self, message: dict[str, Any]) -> tuple[models.Chat, int]:
        """Send a message and wait for the reply."""
        chat, is_new = service.answer(current_user, **message)
        return chat, 201 if is_new else 200


@blueprint.route("/<id:id>")
class OneChat(MethodView):
    @blueprint.response(200, schemas.Chat, message="The chat.")
    def get(self, id: int) -> models.Chat:
        """Show a chat."""
        return service.find(current_user, id)

    @blueprint.response(200, message="The chat has been deleted.")
    def delete(self, id: int) -> None:
        """Delete a chat; a reply that is being written is stopped first."""
        service.delete(current_user, id)


@blueprint.post("/<id:id>/stop")
@blueprint.response(200, schemas.Chat, message="The reply has been stopped.")
def stop(id: int) -> models.Chat:
    """Stop a reply that is being written; its text so far is kept."""
    return service.stop(current_user, id)


@blueprint.post("/<id:id>/retry")
@blueprint.response(201, schemas.Chat, message="The sherpa has answered again.")
def retry(id: int) -> models.Chat:
    """Send the same message again and wait for the reply."""
    return service.answer_again(current_user, id)


@blueprint.route("/conversations")
class Conversations(MethodView):
    @blueprint.arguments(PageArguments, location="query")
    @blueprint.response(200, schemas.ConversationPage, message="Your conversations.")
    def get(self, wanted: dict[str, Any]) -> Page:
        """List your conversations, the one with the last chat first."""
        return conversations.list(current_user, **wanted)


@blueprint.route("/conversations/<id:id>")
class OneConversation(MethodView):
    @blueprint.response(200, schemas.Conversation, message="The conversation.")
    def get(self, id: int) -> models.Conversation:
        """Show a conversation."""
        return conversations.find(current_user, id)

    @blueprint.arguments(schemas.ConversationChanges)
    @blueprint.response(200, schemas.Conversation, message="The conversation has been changed.")
    def put(self, changes: dict[str, Any], id: int) -> models.Conversation:
        """Change a conversation's title."""
        return conversations.change(current_user, id, changes)

    @blueprint.response(200, message="The conversation has been deleted.")
    def delete(self, id: int) -> None:
        """Delete a conversation with its chats."""
        conversations.delete(current_user, id)
