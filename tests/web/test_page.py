"""The page as it is served: who is led to it, under which policy, and which files it is made of."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from codesherpa.web import routes

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"
OWN = sorted(path for path in routes.WEB.rglob("*.*") if "node_modules" not in path.parts)


@pytest.fixture
def database_url(tmp_path: Path, empty_sqlite: Path) -> str:
    """The page asks no database; one kind of it will do."""
    shutil.copy(empty_sqlite, tmp_path / "page.db")
    return f"sqlite:///{tmp_path / 'page.db'}"


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Stand in for what npm installs, so that this holds without npm."""
    for file in routes.PACKAGES.values():
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).touch()
    monkeypatch.setattr(routes, "NODE_MODULES", tmp_path)


def test_a_browser_is_led_to_the_page(client: FlaskClient) -> None:
    answer = client.get("/", headers={"Accept": BROWSER})

    assert (answer.status_code, answer.location, answer.headers["Vary"]) == (302, "/app", "Accept")


@pytest.mark.parametrize("accept", ["*/*", "application/json", "application/json, text/html;q=0.5", "image/png", None])
def test_everybody_else_is_told_what_this_is(client: FlaskClient, accept: str | None) -> None:
    answer = client.get("/", headers={"Accept": accept} if accept else {})

    assert (answer.status_code, answer.json["data"]["service"]) == (200, "codesherpa")
    assert answer.headers["Vary"] == "Accept"


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize("path", ["/app", "/app/"])
def test_the_page_runs_nothing_but_this_origins_scripts(client: FlaskClient, path: str) -> None:
    answer = client.get(path, buffered=True)

    policy = dict(part.strip().split(" ", 1) for part in answer.headers["Content-Security-Policy"].split(";"))
    assert (answer.status_code, answer.mimetype) == (200, "text/html")
    assert policy["default-src"] == policy["base-uri"] == policy["form-action"] == policy["frame-ancestors"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == policy["img-src"] == "'self'"
    assert (policy["require-trusted-types-for"], policy["trusted-types"]) == ("'script'", "dompurify")
    assert not re.search(r"<script(?![^>]*\ssrc=)|<style|\sstyle=|\son\w+=", answer.text)


def test_without_the_packages_the_page_says_how_to_install_them(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(routes, "NODE_MODULES", tmp_path)

    answer = client.get("/app", buffered=True)

    assert (answer.status_code, answer.mimetype) == (200, "text/html")
    assert "npm ci --prefix web" in answer.text
    assert client.get("/health").status_code == 200


@pytest.mark.parametrize("path", [path for path in OWN if path.suffix in routes.KINDS], ids=lambda path: path.name)
def test_every_file_of_the_page_is_served(client: FlaskClient, path: Path) -> None:
    answer = client.get(f"/app/{path.relative_to(routes.WEB)}", buffered=True)

    assert (answer.status_code, answer.mimetype) == (200, routes.KINDS[path.suffix])
    assert answer.headers["Cache-Control"] == "no-cache"
    known = {"If-None-Match": answer.headers["ETag"]}
    assert client.get(answer.request.path, headers=known, buffered=True).status_code == 304


@pytest.mark.parametrize(
    "path",
    [
        "package.json",
        "index.html",
        "node_modules/marked/lib/marked.esm.js",
        "../config.py",
        "..%2fconfig.py",
        "packages/react.js",
        "packages/../node_modules/marked/lib/marked.esm.js",
        ".js",
        "nothing.js",
    ],
)
def test_nothing_else_is(client: FlaskClient, path: str) -> None:
    answer = client.get(f"/app/{path}", buffered=True)

    assert (answer.status_code, answer.json["data"]["code"]) == (404, "not_found")


def test_what_the_page_loads_is_there() -> None:
    sources = {path: path.read_text() for path in OWN if path.suffix in (".js", ".html")}

    for path, source in sources.items():
        for name in re.findall(r"(?:from|import\() ?\"(\.[^\"]+)\"|(?:src|href)=\"/app/([^\"]+)\"", source):
            found = (path.parent / name[0]).resolve() if name[0] else routes.WEB / name[1]
            assert found.is_file() or found.relative_to(routes.WEB).as_posix() in {
                f"packages/{package}" for package in routes.PACKAGES
            }, f"{path.name} loads {found}"
