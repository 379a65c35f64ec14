"""The Cloud API as it is called: the only module that knows its wire format and its errors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import requests
from flask import Flask

VERSION = "v23.0"
TIMEOUT = (5, 15)  # Seconds to connect, and between two bytes.
# https://developers.facebook.com/docs/whatsapp/cloud-api/support/error-codes: what passes by itself, and a token that
# has expired (190), which whoever runs this will mend.
PASSING = {1, 2, 4, 190, 80007, 130429, 131000, 131016, 131048, 131056, 131057, 133004}


class Refused(Exception):
    """The Cloud API will not take this message, however often it is asked; `code` is Meta's, 0 where it said none."""

    def __init__(self, why: str, code: int = 0) -> None:
        super().__init__(why)
        self.code = code


class Later(Exception):
    """The Cloud API could not take this message now; `seconds` is how long it wants to be left alone."""

    def __init__(self, why: str, seconds: int = 0, code: int = 0) -> None:
        super().__init__(why)
        self.seconds, self.code = seconds, code


@dataclass(frozen=True, slots=True)
class Sent:
    """A message that was taken: its id, and the recipient's number as WhatsApp writes it."""

    wamid: str
    recipient: str


class Client:
    """Sends from one number; `url` is `https://graph.facebook.com` outside of tests."""

    def __init__(self, url: str, phone_number_id: str, token: str) -> None:
        self._url = f"{url.rstrip('/')}/{VERSION}/{phone_number_id}/messages"
        self._session = requests.Session()
        self._session.headers["Authorization"] = f"Bearer {token}"
        self._session.mount(url, requests.adapters.HTTPAdapter(pool_maxsize=16))

    def send(self, recipient: str, body: dict[str, Any], mark: str) -> Sent:
        """Send one message; `mark` comes back in its statuses. Raises Refused and Later."""
        asked = {"messaging_product": "whatsapp", "recipient_type": "individual", "to": recipient, **body}
        try:
            answer = self._session.post(self._url, json=asked | {"biz_opaque_callback_data": mark}, timeout=TIMEOUT)
        except requests.RequestException as fault:
            raise Later(type(fault).__name__) from fault
        return read(answer, recipient)


def read(answer: requests.Response, recipient: str) -> Sent:
    """Read the API's answer. Raises Refused and Later."""
    try:
        told = answer.json()
        if answer.ok:
            contacts = told.get("contacts") or [{}]
            return Sent(str(told["messages"][0]["id"]), str(contacts[0].get("wa_id") or recipient))
        code, why = int(told["error"].get("code", 0)), str(told["error"].get("message", ""))[:200]
    except (ValueError, KeyError, IndexError, TypeError, AttributeError):
        code, why = 0, f"status {answer.status_code}"
    if answer.status_code == 429 or answer.status_code >= 500 or code in PASSING or answer.ok:
        seconds = answer.headers.get("Retry-After", "")
        raise Later(f"{why} ({code})", int(seconds) if seconds.isdigit() else 0, code)
    raise Refused(f"{why} ({code})", code)


def of(app: Flask) -> Client | None:
    """Return the application's client, None where the settings do not name a number and a token."""
    config = app.config
    if not (config["WHATSAPP_ACCESS_TOKEN"] and config["WHATSAPP_PHONE_NUMBER_ID"]):
        return None
    if "whatsapp_client" not in app.extensions:
        made = Client(config["WHATSAPP_API_URL"], config["WHATSAPP_PHONE_NUMBER_ID"], config["WHATSAPP_ACCESS_TOKEN"])
        app.extensions["whatsapp_client"] = made
    found: Client = app.extensions["whatsapp_client"]
    return found


def text(told: str) -> dict[str, Any]:
    """Return the body of a text message; links in it are not fetched."""
    return {"type": "text", "text": {"preview_url": False, "body": told}}


def code(template: str, language: str, digits: str) -> dict[str, Any]:
    """Return the body of an authentication template, which may open a conversation."""
    button = {"type": "button", "sub_type": "url", "index": "0", "parameters": [{"type": "text", "text": digits}]}
    parts = [{"type": "body", "parameters": [{"type": "text", "text": digits}]}, button]
    named = {"name": template, "language": {"code": "hi" if language == "hi" else "en"}, "components": parts}
    return {"type": "template", "template": named}
