"""A real Chromium that uses the page as a person does, against a real gunicorn."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import queue
import re
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from codesherpa.web import routes
from tests.conftest import skip_or_fail
from tests.live.conftest import PATIENCE, Server
from tests.standins import bedrock

HERE = Path(__file__).parent
RESULTS = HERE.parent.parent / "test-results" / "web"
PASSWORD = "correct horse battery"
DONE = "[data-status=complete]"


class Chromium:
    """One browser in Node, driven by playwright-core; orders go in by line, answers come out by line."""

    def __init__(self, executable: str) -> None:
        command = ["node", str(HERE / "driver.mjs")]
        environment = os.environ | {"CHROMIUM": executable}
        self.node = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)
        self._numbers = itertools.count()
        self._answers: dict[int, queue.Queue[dict[str, Any]]] = {}
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    def _listen(self) -> None:
        assert self.node.stdout
        for line in self.node.stdout:
            answer = json.loads(line)
            self._answers[answer["id"]].put(answer)

    def order(self, on: str, call: str, *args: Any) -> Any:
        assert self.node.stdin
        id = next(self._numbers)
        self._answers[id] = queue.Queue()
        self.node.stdin.write(json.dumps({"id": id, "on": on, "call": call, "args": args}) + "\n")
        self.node.stdin.flush()
        answer = self._answers[id].get(timeout=2 * PATIENCE)
        if "error" in answer:
            raise AssertionError(f"{on}.{call}{args}: {answer['error']}")
        return answer.get("result")

    def close(self) -> None:
        assert self.node.stdin
        assert self.node.stdout
        self.node.stdin.close()
        try:
            self.node.wait(10)
        except subprocess.TimeoutExpired:
            self.node.kill()
            self.node.wait()
        self._listener.join(PATIENCE)
        self.node.stdout.close()


class Page:
    """A tab: `page.click("text=Send")` is Playwright's page.click, and so is every other name."""

    def __init__(self, chromium: Chromium, url: str, name: str) -> None:
        self.chromium, self.url, self.name = chromium, url, name

    def __getattr__(self, call: str) -> Callable[..., Any]:
        camel = re.sub(r"_(\w)", lambda found: found[1].upper(), call)
        return lambda *args: self.chromium.order(self.name, camel, *args)

    def show(self, place: str = "") -> Page:
        self.goto(f"{self.url}/app{place}")
        return self

    def see(self, selector: str) -> Page:
        """Wait until it can be seen."""
        self.wait_for_selector(selector)
        return self

    def gone(self, selector: str) -> Page:
        """Wait until it cannot be seen."""
        self.wait_for_selector(selector, {"state": "hidden"})
        return self

    def register(self, email: str, name: str = "Ada Lovelace", state: str = "online") -> Page:
        """Make an account as a person would, and arrive."""
        self.show().click("button.link")
        for field, value in {"name": name, "email": email, "password": PASSWORD}.items():
            self.fill(f"form [name={field}]", value)
        self.click("form [type=submit]")
        return self.see(".welcome").see(f"[data-state={state}]")

    def sign_in(self, email: str) -> Page:
        self.show().fill("form [name=email]", email)
        self.fill("form [name=password]", PASSWORD)
        self.click("form [type=submit]")
        return self.see("[data-state=online]")

    def write(self, words: str) -> Page:
        """Write a message and send it."""
        self.fill(".composer textarea", words)
        self.press("Enter")
        return self

    def text(self, selector: str) -> str:
        found: str = self.inner_text(selector)
        return found

    def count(self, selector: str) -> int:
        found: int = self.evaluate(f"document.querySelectorAll({selector!r}).length")
        return found

    def keep(self, name: str) -> None:
        """Keep a screenshot among the results of the run."""
        self.screenshot({"path": str(RESULTS / f"{name}.png")})


@pytest.fixture(scope="session")
def chromium() -> Iterator[Chromium]:
    """The browser, or the reason why there is none."""
    executable = shutil.which("chromium") or shutil.which("google-chrome")
    if not executable:
        skip_or_fail("no chromium: apt-get install chromium")
    if not shutil.which("node") or not (HERE / "node_modules" / "playwright-core").is_dir():
        skip_or_fail("no playwright-core: npm ci --prefix tests/web")
    if not routes.installed():
        skip_or_fail("the page's packages are not installed: npm ci --prefix web")
    RESULTS.mkdir(parents=True, exist_ok=True)
    assert executable
    chromium = Chromium(executable)
    yield chromium
    chromium.close()


@pytest.fixture(scope="session")
def offline(tmp_path_factory: pytest.TempPathFactory, empty_sqlite: Path) -> Iterator[Server]:
    """A server whose provider is the offline one."""
    with served(tmp_path_factory.mktemp("offline"), empty_sqlite) as server:
        yield server


@pytest.fixture(scope="session")
def model() -> Iterator[bedrock.StandIn]:
    with bedrock.running() as standin:
        yield standin


@pytest.fixture(scope="session")
def online(model: bedrock.StandIn, tmp_path_factory: pytest.TempPathFactory, empty_sqlite: Path) -> Iterator[Server]:
    """A server whose model is the stand-in for Bedrock: it says what a message tells it to say, as fast."""
    settings = model.environment | {"MODEL_PROVIDER": "bedrock", "DAILY_TOKEN_BUDGET": "100000"}
    with served(tmp_path_factory.mktemp("online"), empty_sqlite, **settings) as server:
        yield server


@contextlib.contextmanager
def served(folder: Path, empty: Path, **settings: str) -> Iterator[Server]:
    shutil.copy(empty, folder / "web.db")
    server = Server(folder, DATABASE_URL=f"sqlite:///{folder / 'web.db'}", **settings)
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture
def tab(chromium: Chromium) -> Iterator[Callable[..., Page]]:
    """Open tabs; `beside` another one they share its session. None may complain in its console."""
    opened: list[Page] = []

    def open_one(server: Server, beside: Page | None = None, **options: Any) -> Page:
        page = Page(chromium, server.url, f"page-{next(chromium._numbers)}")
        chromium.order("browser", "open", {"name": page.name, "beside": beside and beside.name, **options})
        opened.append(page)
        return page

    yield open_one
    complaints = [line for page in opened for line in page.complaints()]
    for page in opened:
        page.close()
    # What a browser says of an answer that is an error, does not come, or may not be framed is no fault of the page.
    expected = r"Failed to load resource|WebSocket connection|^Framing '.*' violates"
    assert [line for line in complaints if not re.search(expected, line)] == []


def say(text: str, **how: Any) -> str:
    """Return a message that makes the stand-in for Bedrock say this."""
    return f"Hello. <<standin {json.dumps({'text': text, **how})}>>"
