"""Only what is signed with the secret is read; whatever else is sent is refused."""

from __future__ import annotations

import random

import pytest
from flask import Flask

from codesherpa.errors import NotConfigured, Unauthorized
from codesherpa.integrations.signatures import HEADER, matches, sign, signed_body

SECRET = "It's a Secret to Everybody"


def test_the_example_of_githubs_documentation_is_accepted() -> None:
    """https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries"""
    documented = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"

    assert matches(SECRET, b"Hello, World!", documented)


def test_of_ten_thousand_forged_signatures_none_is_accepted() -> None:
    chance = random.Random(9)
    body = chance.randbytes(200)
    good = sign(SECRET, body)

    def flipped(text: str) -> str:
        at, bit = chance.randrange(len(text)), 1 << chance.randrange(7)
        return text[:at] + chr(ord(text[at]) ^ bit) + text[at + 1 :]

    forgeries = [lambda: (body, flipped(good)), lambda: (bytes(flipped(body.decode("latin-1")), "latin-1"), good)]
    forgeries += [lambda: (body, "sha256=" + chance.randbytes(32).hex()), lambda: (body, sign(flipped(SECRET), body))]
    forgeries += [lambda: (body[:-1], good), lambda: (body, good[: chance.randrange(len(good))])]
    accepted = [sent for sent in (chance.choice(forgeries)() for _ in range(10_000)) if matches(SECRET, *sent)]

    assert accepted == []
    assert matches(SECRET, body, good)


@pytest.mark.parametrize("sent", ["", "sha256=", "sha1=x", "ÿ" * 71, "sha256=" + "é" * 64, "=" * 10_000])
def test_what_is_no_signature_at_all_is_refused_too(sent: str) -> None:
    assert not matches(SECRET, b"{}", sent)


@pytest.mark.sqlite_only
def test_a_request_is_checked_over_its_raw_bytes(app: Flask) -> None:
    body = b'{"a":\n1}\xff'

    with app.test_request_context(method="POST", data=body, headers={HEADER: sign(SECRET, body)}):
        assert signed_body(SECRET) == body
        with pytest.raises(Unauthorized):
            signed_body("another secret")
        for closed in (None, ""):
            with pytest.raises(NotConfigured):
                signed_body(closed)
