"""What no log and no answer of any test may hold; tests/conftest.py has every test looked through."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from flask.testing import FlaskClient

PASSWORD = "correct horse battery"  # Of every user that the fixtures sign in.
KEY = "a key that is only good for tests, and long"
HASH = re.compile(r"\$2b\$\d\d\$[./A-Za-z0-9]{53}")
TOKEN = re.compile(r"eyJ[\w-]+\.eyJ[\w-]+\.[\w-]{43}")
# A test that shows what pytest captured of its own, and nothing of ours.
OURS = re.compile(r"^(?:\d{4}-\d\d-\d\dT|    |\{)")


def secrets_in(text: str) -> list[str]:
    found = [name for name, secret in (("a password", PASSWORD), ("the key", KEY)) if secret in text]
    return found + [name for name, pattern in (("a hash", HASH), ("a token", TOKEN)) if pattern.search(text)]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: Any) -> Iterator[Any]:
    """Fail a test whose log holds a secret."""
    report = yield
    logged = "\n".join(
        line for name, text in report.sections if "stderr" in name for line in text.splitlines() if OURS.match(line)
    )
    if report.passed and (found := secrets_in(logged)):
        report.outcome, report.longrepr = "failed", f"{', '.join(found)} in the log of {item.nodeid}"
    return report


@pytest.fixture(autouse=True)
def nothing_leaks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail a test that is answered with a secret; tokens are for whoever signs in."""
    call = FlaskClient.open

    def open_and_look(self: FlaskClient, *args: Any, **kwargs: Any) -> Any:
        answer = call(self, *args, **kwargs)
        if answer.is_json:
            given = {"a token"} if answer.request.path.startswith("/api/v1/auth/") else set()
            assert set(secrets_in(answer.get_data(as_text=True))) <= given, "an answer holds a secret"
        return answer

    monkeypatch.setattr(FlaskClient, "open", open_and_look)
