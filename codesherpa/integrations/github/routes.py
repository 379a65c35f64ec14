"""The webhook, and the reviews of a project's repository."""

from __future__ import annotations

import re
from typing import Any

from flask import Blueprint, current_app, jsonify, request
from flask.views import MethodView
from flask_jwt_extended import current_user
from marshmallow import Schema

from codesherpa import limits
from codesherpa.api import ApiBlueprint, envelope, loads
from codesherpa.errors import BadRequest, UnsupportedMediaType
from codesherpa.integrations.github import schemas, service
from codesherpa.integrations.github.service import PATH, Reviews
from codesherpa.integrations.signatures import MOST_VALUES, signed_body
from codesherpa.schema import WholeText

webhook = Blueprint("github", __name__)
blueprint = ApiBlueprint("reviews", __name__, path="projects", description="Reviews of pull requests on GitHub.")

DELIVERY = re.compile(r"[A-Za-z0-9-]{1,100}")


@webhook.post(PATH)
@limits.unlimited  # GitHub speaks for many from a few addresses, and whoever cannot sign is refused.
def deliver() -> Any:
    """Take in what happened on GitHub; the work that it causes does not keep GitHub waiting."""
    body = signed_body(current_app.config["GITHUB_WEBHOOK_SECRET"])
    if not request.is_json:
        raise UnsupportedMediaType("Set the webhook's content type to application/json.")
    delivery, event = request.headers.get("X-GitHub-Delivery", ""), request.headers.get("X-GitHub-Event", "")
    if not DELIVERY.fullmatch(delivery) or not event:
        raise BadRequest("X-GitHub-Delivery and X-GitHub-Event must say what this is.")
    payload = loads(body, MOST_VALUES)
    if event == "ping":
        return jsonify(envelope({"taken": False}, "CodeSherpa is listening."))
    if service.receive(event, delivery, payload):
        return jsonify(envelope({"taken": True}, "It will be looked at.")), 202
    return jsonify(envelope({"taken": False}, "There is nothing to do."))


class ReviewArguments(Schema):
    """Which page is wanted."""

    page = WholeText(least=1, most=1_000_000, load_default=1)
    page_size = WholeText(least=1, most=100, load_default=20)


@blueprint.route("/<id:id>/reviews")
class ProjectReviews(MethodView):
    @blueprint.arguments(ReviewArguments, location="query")
    @blueprint.response(200, schemas.ReviewPage, message="The reviews of the project's repository.")
    def get(self, wanted: dict[str, Any], id: int) -> Reviews:
        """List what was said about pull requests of a project's repository, newest first.

        Those of a private repository are listed when your `viewer` code stands under `viewers` in its
        `.codesherpa.toml`.
        """
        return service.reviews(current_user, id, **wanted)
