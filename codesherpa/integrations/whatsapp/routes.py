"""WhatsApp's webhook: Meta's verification, and its deliveries."""

from __future__ import annotations

import hmac
from typing import Any

from flask import Blueprint, Response, current_app, request

from codesherpa.api import envelope, loads
from codesherpa.errors import Forbidden, NotConfigured
from codesherpa.integrations.signatures import MOST_VALUES, signed_body
from codesherpa.integrations.whatsapp import deliveries, outbox
from codesherpa.limits import count_refused, unlimited

blueprint = Blueprint("whatsapp", __name__, url_prefix="/api/whatsapp")


@blueprint.get("/webhook")
@unlimited
def verify() -> Response:
    """Show Meta that this webhook is ours."""
    token = current_app.config["WHATSAPP_VERIFY_TOKEN"]
    if not token:
        raise NotConfigured("WhatsApp is not switched on here: WHATSAPP_VERIFY_TOKEN is not set.")
    sent = request.args.get("hub.verify_token", "")
    if request.args.get("hub.mode") != "subscribe" or not hmac.compare_digest(sent.encode(), token.encode()):
        count_refused()
        raise Forbidden("This is not the token that was agreed on.")
    return Response(request.args.get("hub.challenge", "")[:200], mimetype="text/plain")


@blueprint.post("/webhook")
@unlimited  # Deliveries are signed, and come in bursts from few addresses.
def take() -> dict[str, Any]:
    """Keep what Meta delivers; the work does not make it wait."""
    body = signed_body(current_app.config["WHATSAPP_APP_SECRET"])
    new = deliveries.keep(loads(body, MOST_VALUES))
    outbox.wake()
    return envelope({"new": new}, "Taken.")
