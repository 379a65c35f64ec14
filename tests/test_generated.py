"""The documents and types for front-end developers are those of the running server, and valid."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import jsonschema_rs
import pytest

from codesherpa.chat.event_schemas import FROM_CLIENT
from codesherpa.chat.events import Events
from codesherpa.docs import asyncapi, generated
from codesherpa.docs.typescript import member
from tests.conformance import faults
from tests.conftest import skip_or_fail

ROOT = Path(__file__).parents[1]
MODULES = ROOT / "tests" / "live" / "node_modules"
PAGE = (ROOT / "docs" / "realtime.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^```json (\w+)\n(.+?)^```", PAGE, re.DOTALL | re.MULTILINE)


def installed(path: str) -> Path:
    if not (MODULES / path).exists():
        skip_or_fail(f"no {path}: run `npm ci` in tests/live")
    return MODULES / path


@pytest.mark.parametrize("path", generated.files(), ids=lambda path: str(path.name))
def test_a_generated_file_is_up_to_date(path: Path) -> None:
    assert path.read_text(encoding="utf-8") == generated.files()[path], f"{path.name} is stale: run `make types`"


def test_the_document_is_valid_asyncapi_3() -> None:
    schema = json.loads(installed("@asyncapi/specs/schemas/3.0.0-without-$id.json").read_text())

    assert [error.message for error in jsonschema_rs.Draft7Validator(schema).iter_errors(asyncapi.document())] == []


def test_every_event_that_the_server_takes_is_in_the_table() -> None:
    handled = {name.removeprefix("on_") for name in vars(Events) if name.startswith("on_")}

    assert handled - {"connect", "disconnect", "unknown"} == {event.name for event in FROM_CLIENT}


def test_the_page_has_an_example_of_every_event_with_a_payload() -> None:
    named = set(asyncapi.document()["components"]["messages"]) - {"session_expired"}

    assert {name for name, _ in EXAMPLES} >= {name for name in named if not name.endswith("_acknowledged")}


@pytest.mark.parametrize(("name", "example"), EXAMPLES)
def test_an_example_of_the_page_is_as_the_document_says(name: str, example: str) -> None:
    assert faults(name, json.loads(example)) == []


def test_the_types_compile_strictly(tmp_path: Path) -> None:
    compiler = installed("typescript/bin/tsc")

    done = subprocess.run(
        ["node", str(compiler), "--strict", "--noEmit", str(ROOT / "docs" / "codesherpa.d.ts")],
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )

    assert (done.stdout, done.returncode) == ("", 0)


@pytest.mark.parametrize(
    ("shape", "written"),
    [
        ({"type": "string"}, "  a: string;\n"),
        ({"type": ["integer", "null"]}, "  a: number | null;\n"),
        ({"type": "string", "enum": ["x", "y"]}, '  a: "x" | "y";\n'),
        ({"type": ["string", "null"], "enum": ["x"]}, '  a: "x" | null;\n'),
        ({"type": "array", "items": {"$ref": "#/components/schemas/Chat"}}, "  a: Array<Chat>;\n"),
        ({"type": "object", "additionalProperties": {"type": "boolean"}}, "  a: Record<string, boolean>;\n"),
        ({"anyOf": [{"$ref": "#/components/schemas/Chat"}, {"type": "null"}]}, "  a: Chat | null;\n"),
        ({"type": "string", "description": "Why */ not"}, "  /** Why * / not */\n  a: string;\n"),
    ],
)
def test_a_shape_is_written_as_the_type_that_it_is(shape: dict[str, object], written: str) -> None:
    assert member("a", shape, required=True) == written
    assert "  a?:" in member("a", shape, required=False)
