"""The documentation: every link leads somewhere, every command of the first five minutes works."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import time
from collections import Counter
from pathlib import Path

import jwt
import pytest

from config import ROOT
from tests.live.conftest import HERE, Server

PAGES = [*(ROOT / "docs").glob("*.md"), *ROOT.glob("*.md")]
LINK = re.compile(r"\]\((?!https?:)([^)#\s]*)(?:#([^)\s]*))?\)")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page: Path) -> None:
    broken = [
        (target, anchor)
        for target, anchor in LINK.findall(page.read_text())
        if not (page.parent / target).exists()
        or (anchor and anchor not in anchors(page.parent / target if target else page))
    ]

    assert broken == []


def anchors(page: Path) -> set[str]:
    """Return what the headings of a page are called in links, as GitHub makes it of their text."""
    prose = re.sub(r"^(```|~~~).*?^\1", "", page.read_text(), flags=re.M | re.S)
    found: Counter[str] = Counter()
    made = set()
    for heading in re.findall(r"^#{1,6} +(.+?)[ #]*$", prose, re.M):
        text = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading).lower()
        name = re.sub(r"[^\w\- ]", "", text).replace(" ", "-")
        made.add(f"{name}-{found[name]}" if found[name] else name)
        found[name] += 1
    return made


def test_headings_are_called_in_links_as_github_calls_them(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "# What's `new`, and *why*\n\n## A-b  c_d\n## A-b  c_d\n```sh\n# no heading\n```\n### [Link](x.md) Überblick\n"
    )

    assert anchors(page) == {"whats-new-and-why", "a-b--c_d", "a-b--c_d-1", "link-überblick"}


def test_the_index_and_the_readme_list_every_page() -> None:
    pages = {page.name for page in (ROOT / "docs").glob("*.md")} - {"README.md"}

    assert {target for target, _ in LINK.findall((ROOT / "docs" / "README.md").read_text())} == pages
    assert {f"docs/{page}" for page in pages} <= {
        target for target, _ in LINK.findall((ROOT / "README.md").read_text())
    }


def test_every_file_and_folder_that_the_architecture_names_is_there() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text()
    files = re.findall(r"(?<![\w./*-])((?:[\w*]+/)*[\w*]+\.(?:py|yml|yaml|toml))(?![\w/])", page)
    folders = re.findall(r"[`\"]((?:\w+/)+\w*)(?=[`<])|`(\w+)`(?= ←)|(?<=← )`(\w+)`", page)
    named = {*files, *("".join(found).rstrip("/") for found in folders)}

    assert {"chat/work.py", "integrations/runner.py", "observability", "user", "errors.py"} <= named
    assert {path for path in named if not is_there(path)} == set()


def is_there(path: str) -> bool:
    """Tell whether a path leads somewhere, from the package or the top; a name alone may be that of features' files."""
    folders = ["codesherpa/", ""] if "/" in path else ["codesherpa/", "codesherpa/*/", ""]
    return any(True for folder in folders for suffix in ("", ".py") for _ in ROOT.glob(folder + path + suffix))


def test_every_test_that_the_page_on_security_names_is_there() -> None:
    named = re.findall(r"`([\w/]*test_\w+\.py)`", (ROOT / "SECURITY.md").read_text())

    assert len(named) > 15
    assert [path for path in named if not path.startswith("tests/") or not (ROOT / path).is_file()] == []


def test_the_architecture_says_of_everything_at_the_top_what_it_is() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text()
    here = {path.name for path in (ROOT / "codesherpa").iterdir() if path.name[0] != "_"}

    assert {name for name in here if not re.search(rf"[`<\"]{re.escape(name)}[`/]", page)} == set()


def test_every_make_command_that_a_page_names_exists() -> None:
    known = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.M))
    named = {command for page in PAGES for command in re.findall(r"(?:^ {4}|`)make ([a-z]+)", page.read_text(), re.M)}

    assert named <= known


def blocks(page: Path) -> list[str]:
    return re.findall(r"^```bash\n(.*?)^```$", page.read_text(), re.M | re.S)


@pytest.fixture
def server(tmp_path: Path, empty_sqlite: Path) -> Server:
    shutil.copy(empty_sqlite, tmp_path / "quick.db")
    return Server(tmp_path, DATABASE_URL=f"sqlite:///{tmp_path / 'quick.db'}")


@pytest.mark.parametrize("page", [ROOT / "docs" / "quickstart.md", ROOT / "README.md"], ids=lambda page: page.name)
def test_what_a_page_has_you_type_works(page: Path, server: Server, tmp_path: Path) -> None:
    """In one shell, in order, against a server; what comes out last but for the answers is the chats'."""
    script = "set -euo pipefail\n" + "\necho\n".join(blocks(page))
    script = script.replace("http://127.0.0.1:8000", server.url).replace("/tmp/", f"{tmp_path}/")
    try:
        ran = subprocess.run(
            ["bash", "-c", script],
            cwd=ROOT,
            env=os.environ | server.environ,
            capture_output=True,
            text=True,
            timeout=120,
        )
    finally:
        server.stop()

    assert ran.returncode == 0, ran.stderr
    answers = [json.loads(line) for line in ran.stdout.splitlines() if line.startswith('{"success"')]
    assert len(answers) >= 2
    assert [answer["message"] for answer in answers if not answer["success"]] == []
    assert any(answer["data"].get("result", {}).get("findings") for answer in answers)


def test_the_front_ends_fetch_calls_renew_a_token_and_name_what_is_wrong(tmp_path: Path, empty_sqlite: Path) -> None:
    """The page's own module, in Node, with access tokens that have run out by the time they are used."""
    shutil.copy(empty_sqlite, tmp_path / "front.db")
    server = Server(tmp_path, DATABASE_URL=f"sqlite:///{tmp_path / 'front.db'}")
    module = re.search(r"^```js\n(.*?)^```$", (ROOT / "docs" / "frontend.md").read_text(), re.M | re.S)
    assert module
    (tmp_path / "api.mjs").write_text(
        module[1].replace("http://localhost:8000", server.url) + "export const spoil = (text) => (access = text);\n"
    )
    (tmp_path / "try.mjs").write_text(FRONT_END)
    server.sign_in("ada@example.com")
    try:
        ran = subprocess.run(
            ["node", "try.mjs", expired(server)], cwd=tmp_path, capture_output=True, text=True, timeout=60
        )
    finally:
        server.stop()

    assert ran.stdout.splitlines() == ["ada@example.com", "2 at once: ada@example.com", "validation_error name"], (
        ran.stderr
    )


FRONT_END = """
import { call, signIn, spoil } from "./api.mjs";
await signIn("ada@example.com", "correct horse battery");
spoil(process.argv[2]);
console.log((await call("GET", "/user/me")).email);
spoil(process.argv[2]);
const both = await Promise.all([call("GET", "/user/me"), call("GET", "/user/me")]);
console.log("2 at once:", both[1].email);
await call("POST", "/agents", { name: "" }).catch((error) => console.log(error.code, Object.keys(error.errors)[0]));
"""


def test_the_hook_for_react_shows_every_word_once_however_late_it_renders(tmp_path: Path, empty_sqlite: Path) -> None:
    """The page's own hook, under as little React as it needs, through a connection that breaks."""
    shutil.copy(empty_sqlite, tmp_path / "hook.db")
    hook = re.search(r"^```jsx\n(import .*?)^```$", (ROOT / "docs" / "frontend.md").read_text(), re.M | re.S)
    assert hook
    (tmp_path / "sherpa.mjs").write_text(hook[1].replace('from "react"', 'from "./react.mjs"'))
    for name in ("react.mjs", "hook.mjs"):
        shutil.copy(HERE / name, tmp_path)
    (tmp_path / "node_modules").symlink_to(HERE / "node_modules")
    code = "".join(f"def f{number}(a, b=[]):\n    return eval(a)\n\n\n" for number in range(200))
    server = Server(tmp_path, DATABASE_URL=f"sqlite:///{tmp_path / 'hook.db'}")
    try:
        token = server.sign_in("ada@example.com")["access_token"]
        ran = subprocess.run(
            ["node", "hook.mjs", server.url, token, code], cwd=tmp_path, capture_output=True, text=True, timeout=120
        )
    finally:
        server.stop()

    assert ran.returncode == 0, ran.stderr
    told = json.loads(ran.stdout)
    assert told == {"status": "complete", "whole": True, "grown": True, "refused": ["validation_error", ["message"]]}


def expired(server: Server) -> str:
    """Return an access token of this server's that has run out."""
    now = int(time.time())
    claims = {
        "sub": "1",
        "sid": 1,
        "type": "access",
        "jti": "x",
        "fresh": False,
        "iss": "codesherpa",
        "aud": "codesherpa",
    }
    return jwt.encode(
        claims | {"iat": now - 60, "nbf": now - 60, "exp": now - 30}, server.environ["SECRET_KEY"], "HS256"
    )
