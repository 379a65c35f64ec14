"""The client of docs/realtime.md, as it stands there, against a real server whose connections are cut."""

from __future__ import annotations

import json
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jwt
import pytest

from tests.chaos.client import COMPILER, code, compiled
from tests.chaos.relay import Relay
from tests.conftest import SETTINGS, skip_or_fail
from tests.live.conftest import HERE, Server
from tests.standins import bedrock

LIFE = 8  # Seconds that the first access token has left.


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not COMPILER.exists():
        skip_or_fail("no TypeScript: run `npm ci` in tests/live")
    return compiled(tmp_path_factory.mktemp("client"))


def test_the_client_has_sixty_lines_at_most() -> None:
    assert len(code().splitlines()) <= 60


@pytest.fixture
def page(client: Path, tmp_path: Path, empty_sqlite: Path) -> Iterator[Page]:
    shutil.copy(empty_sqlite, tmp_path / "live.db")
    settings = {"DATABASE_URL": f"sqlite:///{tmp_path / 'live.db'}", "MODEL_PROVIDER": "bedrock"}
    with bedrock.running() as standin:
        server = Server(tmp_path, **settings, **standin.environment)
        with Relay(server.port) as relay:
            tokens = server.sign_in("page@example.com")
            page = Page(client, relay, tokens | {"access_token": short(tokens["access_token"])})
            yield page
            page.close()
        server.stop()


def short(token: str) -> str:
    """Return the same access token with little time left."""
    claims = jwt.decode(token, options={"verify_signature": False})
    return jwt.encode(claims | {"exp": datetime.now(UTC) + timedelta(seconds=LIFE)}, SETTINGS["SECRET_KEY"], "HS256")


class Page:
    """The client in Node, and the relay between it and the server."""

    def __init__(self, client: Path, relay: Relay, tokens: dict[str, Any]) -> None:
        self.relay, self.ends_at = relay, time.monotonic() + LIFE
        command = ["node", str(HERE / "page.mjs"), str(client), relay.url, json.dumps(tokens)]
        self.node = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def at(self, place: str) -> dict[str, Any]:
        """Wait until the client says where it is; one that says nothing is ended."""
        assert self.node.stdout
        patience = threading.Timer(60, self.node.kill)
        patience.start()
        said: dict[str, Any] = json.loads(self.node.stdout.readline() or "{}")
        patience.cancel()
        assert said.get("at") == place
        return said

    def go_on(self) -> None:
        assert self.node.stdin
        self.node.stdin.write("\n")
        self.node.stdin.flush()

    def close(self) -> None:
        self.node.kill()
        self.node.communicate()


@pytest.mark.xdist_group("bedrock")
def test_the_client_of_the_page_loses_nothing(page: Page) -> None:
    page.at("words")
    page.relay.cut()
    page.go_on()

    resumed = page.at("resumed")
    assert (resumed["status"], resumed["grown"], resumed["whole"]) == ("complete", True, True)
    assert "disconnect: transport close" in resumed["events"] or "disconnect: transport error" in resumed["events"]
    assert page.at("repeated")["status"] == "complete"

    stopped = page.at("stopped")
    assert stopped["status"] == "stopped"
    assert stopped["shown"] == stopped["text"] != ""

    assert "session_expiring" in page.at("expiring")["events"]
    time.sleep(max(0.0, page.ends_at + 1 - time.monotonic()))  # Until the token that it began with has ended.
    page.go_on()
    renewed = page.at("renewed")
    assert renewed["status"] == "complete"
    assert "session_expired" not in renewed["events"]
