"""The log: no line that input has forged, no secret in any, whoever writes it."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Callable, Iterator

import pytest
import structlog
from flask import Flask
from structlog.stdlib import ProcessorFormatter

from codesherpa.observability import logs
from codesherpa.observability.lines import COLUMNS, withheld

FORGED = [
    "x\n2026-11-23T12:00:00Z [info     ] signed in    user=admin",
    "x\r\n[error] the end",
    "\x1b[2J\x1b[1;1Hall is well",
    "\x1b]0;title\x07",
    "\x9b31mred",
    "a\u2028b\u2029c\u0085d",
    "abc\u202egnp.exe",
    "a\u2066b\u2069c\u200bd\u200de\u2060f\ufeffg\xadh\u180ei\ufff9j\U000e0041k",
    "tab\tand\x0bmore\x00",
]
CANARIES = [
    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxIn0.c2VhbGVkLXdpdGgtc29tZXRoaW5nLXZlcnktbG9uZw",
    "$2b$12$abcdefghijklmnopqrstuuABCDEFGHIJKLMNOPQRSTUVWXYZ01234",
    "AKIAIOSFODNN7EXAMPLE",
    "ghp_0123456789abcdefghijABCDEFGHIJ012345",
    "Bearer c29tZS1zZWNyZXQtdG9rZW4",
    "postgresql://sherpa:hunter2-and-more@db/x",
    "redis://:hunter2-and-more@db/x",
]
# What a careless pattern would look at again and again: a million letters would take it hours.
LONG = ["eyJ" * 100_000, "://" + ":" * 1_000_000, "://" + "a:" * 500_000, "bearer " * 150_000, "$2b$12$" * 150_000]


@pytest.fixture(params=["console", "json"])
def form(request: pytest.FixtureRequest) -> str:
    form: str = request.param
    return form


@pytest.fixture
def lines(form: str) -> Iterator[Callable[[], list[str]]]:
    """What has been written since the start of the test, line by line."""
    before = logging.root.handlers[:], logging.root.level, logging.getLogger("codesherpa").level
    logs.configure("DEBUG", form)
    [handler] = logging.root.handlers
    written = io.StringIO()
    handler.setStream(written)  # type: ignore[attr-defined]
    yield lambda: written.getvalue().split("\n")[:-1]
    logging.root.handlers[:], logging.root.level = before[0], before[1]
    logging.getLogger("codesherpa").setLevel(before[2])


@pytest.mark.parametrize("text", FORGED)
def test_input_cannot_forge_a_line(lines: Callable[[], list[str]], form: str, text: str) -> None:
    structlog.get_logger("codesherpa.x").info(text, path=text, inner={"a": [text]})
    logging.getLogger("library").error("from %s", text)

    written = lines()
    assert len(written) == 2
    assert all(character.isprintable() for line in written for character in line)
    if form == "json":
        assert [json.loads(line)["level"] for line in written] == ["info", "error"]


@pytest.mark.parametrize("text", FORGED)
def test_no_line_of_a_traceback_can_be_taken_for_one_of_the_log(
    lines: Callable[[], list[str]], form: str, text: str
) -> None:
    try:
        raise ValueError(text)
    except ValueError:
        structlog.get_logger("codesherpa.x").error("crashed", exc_info=True)
        logging.getLogger("library").exception("crashed too")

    begun = [line for line in lines() if not line.startswith("    ")]
    assert len(begun) == 2
    assert all("crashed" in line for line in begun)
    assert all(character.isprintable() for line in lines() for character in line)


@pytest.mark.parametrize("secret", CANARIES)
def test_what_looks_like_a_secret_is_withheld(lines: Callable[[], list[str]], form: str, secret: str) -> None:
    log = structlog.get_logger("codesherpa.x")
    log.info("said", text=f"before {secret} after", inner=[{"token": secret}])
    logging.getLogger("library").warning("said %s", secret)
    try:
        raise ValueError(secret)
    except ValueError:
        log.exception("crashed")

    written = "\n".join(lines())
    hidden = secret.removeprefix("Bearer ").rpartition("://")[2].removesuffix("@db/x")
    assert hidden not in written
    assert written.count("[withheld]") >= 4


def test_a_library_s_colours_are_left_out_and_hide_nothing(lines: Callable[[], list[str]], form: str) -> None:
    logging.getLogger("werkzeug").warning("\x1b[31m\x1b[1mWARNING\x1b[0m: said %s\x1b[0m%s", "AKIAIOSF", "ODNN7EXAMPLE")

    [line] = lines()
    assert "WARNING: said [withheld]" in line
    assert "x1b" not in line
    assert "u001b" not in line


@pytest.mark.parametrize("text", LONG, ids=lambda text: text[:8])
def test_a_long_text_is_looked_through_once(text: str) -> None:
    assert withheld(text).startswith(text[:3])


def test_what_postgresql_tells_of_a_row_is_withheld(lines: Callable[[], list[str]], form: str) -> None:
    wrote = "what a user wrote"  # Not in the line that raises, which a traceback shows.
    try:
        raise ValueError(f"null value\nDETAIL:  Failing row contains (7, {wrote}).\n")
    except ValueError:
        structlog.get_logger("codesherpa.x").exception("crashed")

    assert wrote not in "\n".join(lines())


@pytest.mark.parametrize("library", ["botocore.endpoint", "urllib3.connectionpool", "sqlalchemy.engine", "engineio"])
def test_a_library_does_not_tell_in_debug_what_it_was_sent(
    lines: Callable[[], list[str]], form: str, library: str
) -> None:
    logging.getLogger(library).debug("Making request with body %s", "what a user wrote")
    structlog.get_logger("codesherpa.x").debug("ours")

    assert ["ours" in line for line in lines()] == [True]


@pytest.mark.parametrize(
    "line",
    [
        {
            "event": "reply",
            "level": "info",
            "logger": "a.b",
            "timestamp": "2026",
            "z": 1,
            "a": "x y",
            "n": None,
            "f": 1.5,
        },
        {
            "event": "r" * 40,
            "level": "critical",
            "z": {"a": 1},
            "quote": "it's",
            "same": "a=b",
            "empty": "",
            "true": True,
        },
        {"event": "", "level": "warning", "timestamp": "2026", "exception": "    Traceback\n    line"},
        {"a": "b"},
    ],
)
def test_a_line_for_eyes_is_structlog_s_own(line: dict[str, object]) -> None:
    theirs, ours = structlog.dev.ConsoleRenderer(colors=False), structlog.dev.ConsoleRenderer(columns=COLUMNS)

    assert ours(None, "", dict(line)) == theirs(None, "", dict(line))


def test_a_line_looks_for_no_thread_and_no_caller(
    lines: Callable[[], list[str]], form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On the hub the first line of a greenlet would list every live thread; nothing prints what that finds."""
    looked: list[object] = []
    monkeypatch.setattr("logging.threading.current_thread", lambda: looked.append("thread"))
    monkeypatch.setattr("logging.Logger.findCaller", lambda *_: looked.append("caller"))

    structlog.get_logger("codesherpa.x").info("ours")
    logging.getLogger("library").warning("theirs")

    assert len(lines()) == 2
    assert looked == []


def test_who_failed_to_sign_in_from_where_is_in_the_log_without_what_was_typed(
    make_app: Callable[..., Flask],
) -> None:
    client = make_app(LOG_LEVEL="DEBUG", LOG_FORMAT="json").test_client()
    [handler] = (one for one in logging.root.handlers if isinstance(one.formatter, ProcessorFormatter))
    written = io.StringIO()
    handler.setStream(written)  # type: ignore[attr-defined]

    client.post("/api/v1/auth/login", json={"email": "typed@example.com", "password": "typed-into-the-wrong-field"})

    told = [json.loads(line) for line in written.getvalue().splitlines()]
    [audit] = [line for line in told if line["event"] == "audit"]
    assert (audit["action"], audit["user_id"], audit["ip"]) == ("sign_in_failed", None, "127.0.0.1")
    assert audit["request_id"]
    assert "typed" not in json.dumps(told)
