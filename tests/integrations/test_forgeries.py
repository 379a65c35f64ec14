"""Ten thousand forgeries at each webhook: none is let in, and none leaves anything behind."""

from __future__ import annotations

import io
import json
import random
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select
from werkzeug.test import create_environ, run_wsgi_app

from codesherpa.extensions import db
from codesherpa.integrations.models import Delivery, Job
from codesherpa.integrations.signatures import sign
from codesherpa.integrations.whatsapp.models import Message
from tests.standins import github, whatsapp
from tests.standins.github import World

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
SECRET = "a secret that is shared"
COUNT = 10_000
SETTINGS = {"GITHUB_WEBHOOK_SECRET": SECRET, "WHATSAPP_APP_SECRET": SECRET}
Sent = tuple[bytes, str]


def from_github() -> bytes:
    world = World()
    return json.dumps(github.pull_request(world.repo(), world.pull())).encode()


def from_whatsapp() -> bytes:
    return json.dumps(whatsapp.delivery(whatsapp.text("wamid.1", "491701234567", "hello"))).encode()


WEBHOOKS = {
    "github": ("/api/github/webhook", from_github, {"X-GitHub-Event": "pull_request", "X-GitHub-Delivery": "1"}, 202),
    "whatsapp": ("/api/whatsapp/webhook", from_whatsapp, {}, 200),
}


def forgeries(body: bytes, good: str, chance: random.Random) -> Iterator[Sent]:
    """Give what is signed wrongly: each bit of the signature flipped, then bits of either, and other tricks."""
    for bit in range(8 * len(good)):
        yield body, flipped(good.encode("latin-1"), bit).decode("latin-1")
    tricks: list[Callable[[], Sent]] = [
        lambda: (flipped(body, chance.randrange(8 * len(body))), good),
        lambda: (body, "sha256=" + chance.randbytes(32).hex()),
        lambda: (body, sign(flipped(SECRET.encode(), chance.randrange(8 * len(SECRET))).decode("latin-1"), body)),
        lambda: (body[: chance.randrange(len(body))], good),
        lambda: (body + chance.randbytes(1), good),
        lambda: (body, good[: chance.randrange(len(good))]),
        lambda: (body, good + chance.choice("0123456789abcdef")),
        lambda: (body, good.replace("sha256", chance.choice(("sha1", "sha512", "SHA256", "md5", "")))),
        lambda: (body, sign("", body)),
    ]
    while True:
        yield chance.choice(tricks)()


def flipped(raw: bytes, bit: int) -> bytes:
    return raw[: bit // 8] + bytes([raw[bit // 8] ^ 1 << bit % 8]) + raw[bit // 8 + 1 :]


@pytest.mark.parametrize("name", WEBHOOKS)
def test_of_ten_thousand_none_is_accepted(name: str, make_app: Callable[..., Flask]) -> None:
    app = make_app(**SETTINGS)
    path, payload, headers, accepted = WEBHOOKS[name]
    body, chance = payload(), random.Random(9)
    good = sign(SECRET, body)
    environ = create_environ(path, method="POST", headers=headers, content_type="application/json")

    def post(sent: bytes, signature: str) -> int:
        told: dict[str, Any] = {"wsgi.input": io.BytesIO(sent), "CONTENT_LENGTH": str(len(sent))}
        _, status, _ = run_wsgi_app(app.wsgi_app, environ | told | {"HTTP_X_HUB_SIGNATURE_256": signature})
        return int(status[:3])

    forged = forgeries(body, good, chance)
    assert Counter(post(*next(forged)) for _ in range(COUNT)) == {401: COUNT}
    assert stored(app) == 0
    assert post(body, good) == accepted
    assert stored(app) > 0


def stored(app: Flask) -> int:
    """Count what the webhooks have left in the database."""
    with app.app_context():
        return sum(db.session.scalar(select(func.count(kind.id))) or 0 for kind in (Delivery, Job, Message))
