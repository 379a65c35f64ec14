"""Serve the page: its own files, and of its npm packages the few files that it names."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any

from flask import Blueprint, Response, current_app, send_from_directory

from codesherpa.errors import NotFound
from codesherpa.limits import unlimited
from config import ROOT

blueprint = Blueprint("web", __name__, url_prefix="/app")

WEB = ROOT / "web"
NODE_MODULES = WEB / "node_modules"
KINDS = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
PACKAGES = {
    "socket.io-client.js": "socket.io-client/dist/socket.io.esm.min.js",
    "marked.js": "marked/lib/marked.esm.js",
    "dompurify.js": "dompurify/dist/purify.es.mjs",
    "highlight.js": "@highlightjs/cdn-assets/es/highlight.min.js",
}
# Scripts, styles and connections of this origin alone; HTML reaches the page through DOMPurify or not at all.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types dompurify"
)


@blueprint.get("/")
@blueprint.get("")
@unlimited
def page() -> Response:
    """Show the page, or how to install what it lacks."""
    response = serve("index.html" if installed() else "missing.html", "text/html")
    response.headers["Content-Security-Policy"] = POLICY
    return response


@blueprint.get("/settings.json")
@unlimited
def settings() -> dict[str, Any]:
    """Tell the page what it cannot learn from the API: no secret, since whoever registers meets it."""
    return {"daily_token_budget": current_app.config["DAILY_TOKEN_BUDGET"]}


@blueprint.get("/<path:name>")
@unlimited  # The page is some thirty files, and a reload is no attack.
def own_file(name: str) -> Response:
    """Serve a script, the style sheet or the icon."""
    path = PurePosixPath(name)
    if path.suffix not in KINDS or "node_modules" in path.parts or str(path) != name:  # One file has one address.
        raise NotFound
    return serve(name, KINDS[path.suffix])


@blueprint.get("/packages/<name>")
@unlimited
def package_file(name: str) -> Response:
    """Serve the one file that a package is used by."""
    if name not in PACKAGES:
        raise NotFound
    return serve(f"node_modules/{PACKAGES[name]}", "text/javascript")


def installed() -> bool:
    return all((NODE_MODULES / file).is_file() for file in PACKAGES.values())


def serve(name: str, mimetype: str) -> Response:
    """Send a file of the page, which a browser keeps and asks about: after an update nobody mixes two versions."""
    response = send_from_directory(WEB, name, mimetype=mimetype)
    response.cache_control.no_cache = True
    return response
