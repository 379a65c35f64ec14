"""A project, made, listed, changed and deleted."""

from typing import Any

from flask.views import MethodView
from flask_jwt_extended import current_user

from codesherpa.api import ApiBlueprint
from codesherpa.paging import Page, PageArguments
from codesherpa.projects import schemas, service
from codesherpa.projects.models import Project

blueprint = ApiBlueprint("projects", __name__, description="Projects: what a user works on.")


@blueprint.route("")
class Projects(MethodView):
    @blueprint.arguments(PageArguments, location="query")
    @blueprint.response(200, schemas.ProjectPage, message="Your projects.")
    def get(self, wanted: dict[str, Any]) -> Page:
        """List your projects, newest first."""
        return service.list(current_user, **wanted)

    @blueprint.arguments(schemas.NewProject)
    @blueprint.response(201, schemas.Project, message="The project has been made.")
    def post(self, values: dict[str, Any]) -> Project:
        """Make a project."""
        return service.create(current_user, **values)


@blueprint.route("/<id:id>")
class OneProject(MethodView):
    @blueprint.response(200, schemas.Project, message="The project.")
    def get(self, id: int) -> Project:
        """Show a project."""
        return service.find(current_user, id)

    @blueprint.arguments(schemas.ProjectChanges)
    @blueprint.response(200, schemas.Project, message="The project has been changed.")
    def put(self, changes: dict[str, Any], id: int) -> Project:
        """Change the fields of a project that are sent."""
        return service.change(current_user, id, changes)

    @blueprint.response(200, message="The project has been deleted.")
    def delete(self, id: int) -> None:
        """Delete a project; its chats stay."""
        service.delete(current_user, id)
