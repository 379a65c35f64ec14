"""The signed-in user's own account."""

from typing import Any

from flask import Response, stream_with_context
from flask.views import MethodView
from flask_jwt_extended import current_user, get_current_user

from codesherpa.api import ApiBlueprint
from codesherpa.limits import by_address, by_user, sent
from codesherpa.user import export, schemas, service
from codesherpa.user.models import User

blueprint = ApiBlueprint("user", __name__, description="The signed-in user's own account.")


def changes_email() -> bool:
    """Return True if the request would give the account another address: it needs the password, and is counted."""
    return service.changes_email(current_user, sent("email"))


@blueprint.route("/me")
class Me(MethodView):
    @blueprint.response(200, schemas.User, message="This is you.")
    def get(self) -> User:
        """Show the signed-in user."""
        user: User = get_current_user()
        return user

    @by_address("RATE_LIMIT_AUTH", where=changes_email)
    @by_user("RATE_LIMIT_LOGIN", where=changes_email)
    @blueprint.arguments(schemas.Profile)
    @blueprint.response(200, schemas.User, message="Your account has been changed.")
    def put(self, changes: dict[str, Any]) -> User:
        """Change the signed-in user's name, email or language; another email needs the current password."""
        return service.change(current_user, changes)

    @by_user("RATE_LIMIT_LOGIN")
    @blueprint.arguments(schemas.Password)
    @blueprint.response(200, message="Your account and all that belonged to it are gone.")
    def delete(self, sent: dict[str, Any]) -> None:
        """Delete the signed-in user's account with all that belongs to it."""
        service.delete(current_user, sent["password"])


@blueprint.get("/me/export")
@blueprint.response(200, schemas.Export)
def export_everything() -> Response:
    """Download all that is stored about the signed-in user, one download at a time."""
    pieces, end = export.begin(current_user)
    headers = {"Content-Disposition": "attachment; filename=codesherpa.json"}
    response = Response(stream_with_context(pieces), mimetype="application/json", headers=headers)
    response.call_on_close(end)
    return response
