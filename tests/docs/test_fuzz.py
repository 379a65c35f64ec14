"""schemathesis against the whole application: what the document promises is what the routes do.

FUZZ_EXAMPLES is the number of generated requests for each operation, FUZZ_ROUNDS how often all of it is done, each time
with another seed and an empty database; FUZZ_SEED is the first of them. `make fuzz` asks for some 100,000 in all.
"""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import schemathesis
from flask import Flask
from hypothesis import strategies as st
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import Status, events, from_schema
from schemathesis.transport.wsgi import WSGITransport

from codesherpa.errors import ModelError, ModelThrottled
from tests.conftest import Caller
from tests.scripted import Scripted

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "2"))
ROUNDS = int(os.environ.get("FUZZ_ROUNDS", "1"))
FIRST = int(os.environ.get("FUZZ_SEED", "20261123"))

each_round = pytest.mark.parametrize("seed", range(FIRST, FIRST + ROUNDS))

# Long texts are what some of the cases are about.
pytestmark = pytest.mark.filterwarnings("ignore:Generating overly large repr")

# These end the session or the account that they are called with, which the other operations still need;
# `test_what_ends_a_session` calls each with a session of its own. There putMe may be refused for a wrong password too.
ENDING = ["logout", "deleteMe", "changePassword", "endSession", "putMe"]

# What may be answered to a request that is right, and to one that is wrong. Either may be too large: 200,000 letters,
# each of them escaped, are more than 1 MiB.
RIGHT = ["2xx", "401", "403", "404", "409", "413"]
WRONG = ["400", "401", "403", "404", "405", "409", "413", "415"]

# JSON Schema cannot say what a deliverable address is, nor count the bytes of a password.
words = st.text("abcdefghijklmnopqrstuvwxyz0123456789", min_size=1, max_size=12)
schemathesis.openapi.format("email", st.builds("{}@{}.example".format, words, words))
schemathesis.openapi.format("password", st.text([chr(code) for code in range(33, 127)], min_size=8, max_size=72))

IN_A_PASSWORD = re.compile(
    r"^Invalid component: in body - violates [^/]+ at /properties/(new_)?password$", re.MULTILINE
)


@pytest.fixture(autouse=True)
def no_sockets(monkeypatch: pytest.MonkeyPatch) -> None:
    """schemathesis 4.32 hands its probes' settings of sockets to the in-process client, which knows none."""
    send = WSGITransport.send

    def without(self: Any, case: Any, **kwargs: Any) -> Any:
        for name in ("max_redirects", "verify", "cert"):
            kwargs.pop(name, None)
        return send(self, case, **kwargs)

    monkeypatch.setattr(WSGITransport, "send", without)


def document(app: Flask) -> dict[str, Any]:
    """The application's own document, without `default`, so that an answer must stand in it by its status."""
    found = app.test_client().get("/api/v1/openapi.json").json
    for path in found["paths"].values():
        for method in path.keys() - {"parameters"}:
            del path[method]["responses"]["default"]
    return found


def schema_of(
    app: Flask, seed: int, phases: set[str], examples: int = EXAMPLES, right: list[str] = RIGHT, **settings: Any
) -> Any:
    config = {
        "seed": seed,
        "checks": {
            "positive_data_acceptance": {"expected-statuses": right},
            "negative_data_rejection": {"expected-statuses": WRONG},
        },
        "suppress-health-check": ["too_slow"],  # Other tests run beside these.
        # Every other round leaves the token alone, so that more of what it sends comes further than that.
        "generation": {
            "database": "none",
            "max-examples": examples,
            "with-security-parameters": (seed - FIRST) % 2 == 0,
        },
        "phases": {name: {"enabled": name in phases} for name in ("examples", "coverage", "fuzzing", "stateful")},
    }
    schema = schemathesis.openapi.from_dict(document(app), config=SchemathesisConfig.from_dict(config | settings))
    schema.app = app
    return schema


def of_one_operation(seed: int) -> set[str]:
    """The phases that look at an operation by itself; two of them send the same in every round."""
    return {"examples", "coverage", "fuzzing"} if seed == FIRST else {"fuzzing"}


def least(seed: int, requests: int) -> int:
    """How many requests there must be; some operations can be sent in one way only when the token is left alone."""
    return requests if seed == FIRST else EXAMPLES // 2


def faults(schema: Any) -> tuple[list[str], int]:
    """Run every phase; return what was found, and how many requests were made."""
    found, calls = [], 0
    for event in from_schema(schema).execute():
        if isinstance(event, events.NonFatalError | events.FatalError):
            found.append(str(getattr(event, "info", event)))
        if isinstance(event, events.ScenarioFinished):
            calls += len(event.recorder.interactions)
            for checks in event.recorder.checks.values():
                found += [
                    f"{event.phase.value} {event.recorder.label}: {check.failure_info.failure.title}: "
                    f"{check.failure_info.failure.message}\n{check.failure_info.code_sample}\n{before(event)}"
                    for check in checks
                    if check.status == Status.FAILURE
                    and not went_with_its_conversation(check.name, event)
                    and not is_long_enough_in_bytes(check)
                ]
    return found, calls


def went_with_its_conversation(check: str, event: events.ScenarioFinished) -> bool:
    """Tell whether what is missing may be a chat whose conversation was deleted, which the document cannot say."""
    made = event.recorder.interactions.values()
    return check == "ensure_resource_availability" and any(
        one.request.method == "DELETE" and "/chat/conversations/" in one.request.uri for one in made
    )


def is_long_enough_in_bytes(check: Any) -> bool:
    """Tell whether what was accepted is a password of too few characters, or of too many, that has 8 to 72 bytes."""
    return check.name == "negative_data_rejection" and bool(IN_A_PASSWORD.search(check.failure_info.failure.message))


@pytest.fixture
def app(make_app: Callable[..., Flask]) -> Flask:
    return make_app(ACCESS_TOKEN_EXPIRE_MINUTES="1440")  # A round may take longer than a token lives.


@pytest.fixture
def sent(record_property: Callable[[str, object], None]) -> Callable[[int], None]:
    """Note how many requests a test made; tests/docs/conftest.py adds them up."""
    return partial(record_property, "requests sent")


@pytest.fixture
def signed_in(ada: Caller, model: Scripted) -> dict[str, Any]:
    """Ada, who has chats of every kind already: a whole one, one that broke off, one that was never answered."""
    said = model.pieces
    for model.pieces in (said, [*said, ModelError()], [ModelThrottled(retry_after=3)]):
        ada.post("/chat", json={"message": "Hello"})
    model.pieces = said
    return {"auth": {"openapi": {"accessToken": {"bearer": ada.access}}}}


# One test for each feature, so that they run side by side.
@pytest.mark.parametrize("tag", ["auth", "user", "agents", "projects", "chat"])
@each_round
def test_every_answer_is_one_that_the_document_allows(
    app: Flask, ada: Caller, signed_in: dict[str, Any], tag: str, seed: int, sent: Callable[[int], None]
) -> None:
    schema = schema_of(app, seed, of_one_operation(seed), **signed_in)

    found, calls = faults(schema.include(tag=tag).exclude(operation_id=ENDING))

    sent(calls)
    assert not found, "\n\n".join(dict.fromkeys(found))
    assert calls > least(seed, 3 * EXAMPLES)
    assert ada.get("/user/me").status_code == 200


def before(event: events.ScenarioFinished) -> str:
    """All requests of a scenario of several, which tell what a failure came from."""
    made = event.recorder.interactions.values() if event.label is None else ()
    return "\n".join(
        f"{one.request.method} {one.request.uri} {one.response and one.response.status_code}" for one in made
    )


@each_round
def test_what_is_made_can_be_worked_with_in_any_order(
    app: Flask, ada: Caller, signed_in: dict[str, Any], seed: int, sent: Callable[[int], None]
) -> None:
    found: list[str] = []
    calls = 0

    # Where it cannot repeat what it has drawn, Hypothesis gives up, and schemathesis says nothing of it.
    for again in range(10):
        schema = schema_of(app, seed + 1000 * again, {"stateful"}, 3 * EXAMPLES, **signed_in)
        faulty, more = faults(schema.exclude(operation_id=ENDING))
        found, calls = found + faulty, calls + more
        if found or calls > 3 * EXAMPLES:
            break

    sent(calls)
    assert not found, "\n\n".join(dict.fromkeys(found))
    assert calls > 3 * EXAMPLES
    assert ada.get("/user/me").status_code == 200


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@each_round
def test_what_ends_a_session_answers_as_the_document_says(app: Flask, seed: int, sent: Callable[[int], None]) -> None:
    # The document cannot know the user's password, so a well-formed one may be refused.
    # No link is left among these, which the stateful phase needs.
    schema = schema_of(app, seed, of_one_operation(seed), right=["2xx", "400", "404", "409"])
    numbers = itertools.count()

    @schema.auth(refresh_interval=None)
    class OwnSession:
        def get(self, case: Any, context: Any) -> str:
            return Caller(app.test_client(), f"user{next(numbers)}@example.com").access

        def set(self, case: Any, data: str, context: Any) -> None:
            case.headers = {**(case.headers or {}), "Authorization": f"Bearer {data}"}

    found, calls = faults(schema.include(operation_id=ENDING))

    sent(calls)
    assert not found, "\n\n".join(dict.fromkeys(found))
    assert calls > least(seed, len(ENDING) * EXAMPLES)
