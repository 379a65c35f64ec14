"""An agent, made, listed, changed and deleted."""

from typing import Any

from flask.views import MethodView
from flask_jwt_extended import current_user

from codesherpa.agents import schemas, service
from codesherpa.agents.models import Agent
from codesherpa.api import ApiBlueprint
from codesherpa.paging import Page, PageArguments

blueprint = ApiBlueprint("agents", __name__, description="Agents: who answers a user, and how.")


@blueprint.route("")
class Agents(MethodView):
    @blueprint.arguments(PageArguments, location="query")
    @blueprint.response(200, schemas.AgentPage, message="Your agents.")
    def get(self, wanted: dict[str, Any]) -> Page:
        """List your agents, newest first."""
        return service.list(current_user, **wanted)

    @blueprint.arguments(schemas.NewAgent)
    @blueprint.response(201, schemas.Agent, message="The agent has been made.")
    def post(self, values: dict[str, Any]) -> Agent:
        """Make an agent."""
        return service.create(current_user, **values)


@blueprint.route("/<id:id>")
class OneAgent(MethodView):
    @blueprint.response(200, schemas.Agent, message="The agent.")
    def get(self, id: int) -> Agent:
        """Show an agent."""
        return service.find(current_user, id)

    @blueprint.arguments(schemas.AgentChanges)
    @blueprint.response(200, schemas.Agent, message="The agent has been changed.")
    def put(self, changes: dict[str, Any], id: int) -> Agent:
        """Change the fields of an agent that are sent."""
        return service.change(current_user, id, changes)

    @blueprint.response(200, message="The agent has been deleted.")
    def delete(self, id: int) -> None:
        """Delete an agent; its chats stay."""
        service.delete(current_user, id)
