"""Tokens: nobody is let in by one that we have not made, over HTTP or a socket."""

from __future__ import annotations

import os
import random

import pytest
from flask import Flask

from codesherpa.extensions import socketio
from tests.auth.forgery import decode as read
from tests.auth.forgery import forgeries, mutations, sign
from tests.conftest import SETTINGS, Caller

# `make fuzz` asks for 10,000. Each run has a seed of its own, unless FUZZ_SEED repeats an earlier one.
MUTATIONS = int(os.environ.get("FUZZ_MUTATIONS", "1000"))
SEED = int(os.environ.get("FUZZ_SEED") or random.randrange(10**8))


def opens_http(caller: Caller, token: str) -> bool:
    """Tell whether a token is let in; what a header cannot hold no client can send."""
    try:
        answer = caller.get("/user/me", token=token or " ")
    except ValueError:
        return False
    assert answer.status_code in (200, 401), answer.text
    return answer.status_code == 200


def opens_socket(app: Flask, token: str) -> bool:
    browser = socketio.test_client(app, namespace="/ws", auth={"token": token})
    is_open: bool = browser.is_connected("/ws")
    if is_open:
        browser.disconnect("/ws")
    return is_open


def test_a_good_token_is_let_in_by_both_doors(app: Flask, ada: Caller) -> None:
    assert opens_http(ada, ada.access)
    assert opens_socket(app, ada.access)


def test_no_forged_token_is_let_in(app: Flask, ada: Caller, bob: Caller) -> None:
    forged = forgeries(ada.access, ada.refresh, SETTINGS["SECRET_KEY"])

    assert len(forged) >= 60
    assert [name for name, token in forged.items() if opens_http(ada, token)] == []
    assert [name for name, token in forged.items() if opens_socket(app, token)] == []


def test_no_forged_token_carries_a_socket_over(app: Flask, ada: Caller) -> None:
    browser = socketio.test_client(app, namespace="/ws", auth={"token": ada.access})

    def carried(token: str) -> bool:
        answer = browser.emit("authenticate", {"token": token}, namespace="/ws", callback=True)
        return bool(answer["success"])

    forged = forgeries(ada.access, ada.refresh, SETTINGS["SECRET_KEY"])
    assert carried(ada.access)
    assert [name for name, token in forged.items() if carried(token)] == []
    browser.disconnect("/ws")


def test_no_forged_token_refreshes(ada: Caller) -> None:
    forged = forgeries(ada.refresh, ada.access, SETTINGS["SECRET_KEY"])
    # Turned the other way round these are what is wanted, or nothing that a refresh asks for.
    for same in ("a refresh token's type, sealed with our key", "a refresh token's type, sealed as it was"):
        forged.pop(same)

    def refreshes(token: str) -> bool:
        try:
            return bool(ada.post("/auth/refresh", token=token or " ").status_code == 200)
        except ValueError:
            return False

    assert [name for name, token in forged.items() if refreshes(token)] == []
    assert refreshes(ada.refresh)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)  # None of them is asked about there.
def test_no_mutation_of_a_token_is_let_in_by_either_door(app: Flask, ada: Caller) -> None:
    print(f"FUZZ_SEED={SEED}")  # noqa: T201 (pytest shows it where the test fails)
    mutated = list(mutations(ada.access, MUTATIONS, SEED))

    assert [token for token in mutated if opens_http(ada, token)] == []
    assert [token for token in mutated if opens_socket(app, token)] == []


def test_a_token_says_who_made_it_for_whom_and_until_when(ada: Caller) -> None:
    for token, kind in ((ada.access, "access"), (ada.refresh, "refresh")):
        header, claims = (read(part) for part in token.split(".")[:2])
        assert header == {"alg": "HS256", "typ": "JWT"}
        assert (claims["iss"], claims["aud"], claims["type"]) == ("codesherpa", "codesherpa", kind)
        assert claims["exp"] - claims["iat"] == {"access": 30 * 60, "refresh": 7 * 24 * 3600}[kind]
        assert sign(header, claims, SETTINGS["SECRET_KEY"]).count(".") == 2
