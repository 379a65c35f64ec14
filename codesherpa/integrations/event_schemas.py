"""The events of /ws that integrations send, as schemas, beside those of the chat."""

from codesherpa.chat.event_schemas import Event
from codesherpa.integrations.github.schemas import ReviewEvent

FROM_SERVER = (
    Event("review", "A review of a repository that one of your projects names has begun or ended.", (ReviewEvent,)),
)
