"""schemathesis against the whole application: what the document promises is what the routes do.

FUZZ_EXAMPLES is the number of generated requests for each operation (`make fuzz` asks for some 100,000 in all).
"""

from __future__ import annotations

import itertools
import os
from typing import Any

import pytest
import schemathesis
from flask import Flask
from hypothesis import strategies as st
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import Status, events, from_schema
from schemathesis.transport.wsgi import WSGITransport

from tests.conftest import Caller
from tests.scripted import Scripted

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "2"))
SEED = 20261123

# Long texts are what some of the cases are about.
pytestmark = pytest.mark.filterwarnings("ignore:Generating overly large repr")

# These end the session or the account that they are called with, which the other operations still need;
# `test_what_ends_a_session` calls each with a session of its own.
ENDING = ["logout", "deleteMe", "changePassword", "endSession"]

# JSON Schema cannot say what a deliverable address is, nor count the bytes of a password.
words = st.text("abcdefghijklmnopqrstuvwxyz0123456789", min_size=1, max_size=12)
schemathesis.openapi.format("email", st.builds("{}@{}.example".format, words, words))
schemathesis.openapi.format("password", st.text([chr(code) for code in range(33, 127)], min_size=8, max_size=72))


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


def schema_of(app: Flask, settings: dict[str, Any]) -> Any:
    schemathesis_config = SchemathesisConfig.from_dict(
        {
            "seed": SEED,
            "generation": {"database": "none", "max-examples": EXAMPLES},
            **settings,
        }
    )
    schema = schemathesis.openapi.from_dict(document(app), config=schemathesis_config)
    schema.app = app
    return schema


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
                    f"{check.failure_info.failure.message}\n{check.failure_info.code_sample}"
                    for check in checks
                    if check.status == Status.FAILURE
                ]
    return found, calls


@pytest.fixture
def signed_in(ada: Caller, model: Scripted) -> dict[str, Any]:
    return {"auth": {"openapi": {"accessToken": {"bearer": ada.access}}}}


# One test for each feature, so that they run side by side.
@pytest.mark.parametrize("tag", ["auth", "user", "agents", "projects", "chat"])
def test_every_answer_is_one_that_the_document_allows(
    app: Flask, ada: Caller, signed_in: dict[str, Any], tag: str
) -> None:
    schema = schema_of(app, signed_in | {"phases": {"stateful": {"enabled": False}}})

    found, calls = faults(schema.include(tag=tag).exclude(operation_id=ENDING))

    assert not found, "\n\n".join(dict.fromkeys(found))
    assert calls > 3 * EXAMPLES
    assert ada.get("/user/me").status_code == 200


def test_what_is_made_can_be_worked_with_in_any_order(app: Flask, ada: Caller, signed_in: dict[str, Any]) -> None:
    alone = {name: {"enabled": False} for name in ("examples", "coverage", "fuzzing")}
    stateful = {"generation": {"max-examples": 3 * EXAMPLES}}
    schema = schema_of(app, signed_in | {"phases": alone | {"stateful": stateful}})

    found, calls = faults(schema.exclude(operation_id=ENDING))

    assert not found, "\n\n".join(dict.fromkeys(found))
    assert calls > 3 * EXAMPLES
    assert ada.get("/user/me").status_code == 200


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_what_ends_a_session_answers_as_the_document_says(app: Flask) -> None:
    # The document cannot know the user's password, so a well-formed one may be refused.
    checks = {"positive_data_acceptance": {"expected-statuses": ["2xx", "400", "404"]}}
    # No link is left among these four, which the stateful phase needs.
    schema = schema_of(app, {"checks": checks, "phases": {"stateful": {"enabled": False}}})
    numbers = itertools.count()

    @schema.auth(refresh_interval=None)
    class OwnSession:
        def get(self, case: Any, context: Any) -> str:
            return Caller(app.test_client(), f"user{next(numbers)}@example.com").access

        def set(self, case: Any, data: str, context: Any) -> None:
            case.headers = {**(case.headers or {}), "Authorization": f"Bearer {data}"}

    found, calls = faults(schema.include(operation_id=ENDING))

    assert not found, "\n\n".join(dict.fromkeys(found))
    assert calls > len(ENDING) * EXAMPLES
