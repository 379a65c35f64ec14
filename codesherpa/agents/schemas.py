"""An agent as it is sent and received."""

from marshmallow import Schema, fields, validate

from codesherpa.paging import PageInfo
from codesherpa.schema import Fraction, Id, Item, Text, Timestamp, Whole

STATUSES = ("active", "inactive")
KINDS = ("general", "review", "explain")


class AgentChanges(Schema):
    """What can be changed of an agent; null clears what may be empty."""

    name = Text(most=120, strip=True)
    description = Text(least=0, most=10_000, allow_none=True)
    status = fields.String(validate=validate.OneOf(STATUSES))
    kind = fields.String(validate=validate.OneOf(KINDS))
    system_prompt = Text(least=0, most=20_000, allow_none=True)
    model_id = Text(most=2048, strip=True, allow_none=True)
    temperature = Fraction(least=0, most=1, allow_none=True)
    max_tokens = Whole(least=1, most=200_000, allow_none=True)


class NewAgent(AgentChanges):
    """An agent to be."""

    name = Text(required=True, most=120, strip=True)


class Agent(Item):
    """An agent; `status` reads `processing` while a reply of it is being written."""

    id = Id(required=True)
    name = fields.String(required=True)
    description = fields.String(required=True, allow_none=True)
    status = fields.Function(
        lambda agent: "processing" if agent.is_writing else agent.status,
        required=True,
        metadata={"type": "string", "enum": [*STATUSES, "processing"]},
    )
    kind = fields.String(required=True, validate=validate.OneOf(KINDS))
    system_prompt = fields.String(required=True, allow_none=True)
    model_id = fields.String(required=True, allow_none=True)
    temperature = fields.Float(required=True, allow_none=True)
    max_tokens = fields.Integer(required=True, allow_none=True)
    user_id = Id(required=True)
    created_at = Timestamp(required=True)
    updated_at = Timestamp(required=True)


class AgentPage(PageInfo):
    """A page of agents, newest first."""

    agents = fields.List(fields.Nested(Agent), required=True, attribute="items")
