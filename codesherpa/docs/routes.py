"""Swagger UI and ReDoc over the OpenAPI document, from the assets that their packages bring."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from flask import Blueprint, Response, send_from_directory

from codesherpa.api import PREFIX

blueprint = Blueprint("docs", __name__, url_prefix=PREFIX)

PAGES = Path(__file__).parent / "pages"
STARTERS = ("swagger.js", "redoc.js")
# Both pages write style attributes while they run; ReDoc's search runs in a worker made from a blob.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "font-src 'self' data:; connect-src 'self'; worker-src blob:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)


def assets(package: str, folder: str) -> Path:
    """Return the folder of a package's assets, without running any of its code."""
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise LookupError(f"{package} is not installed")
    return Path(spec.origin).parent / folder


@blueprint.get("/docs")
def docs() -> Response:
    """Show the API in Swagger UI, where it can be tried."""
    return page("swagger.html")


@blueprint.get("/redoc")
def redoc() -> Response:
    """Show the API in ReDoc, where it can be read."""
    return page("redoc.html")


@blueprint.get("/docs/<path:name>")
def swagger_asset(name: str) -> Response:
    """Serve a file of Swagger UI, or the few lines that start either page."""
    ours = name in STARTERS
    return send_from_directory(PAGES if ours else assets("flask_swagger_ui", "dist"), name, max_age=3600)


@blueprint.get("/redoc/<path:name>")
def redoc_asset(name: str) -> Response:
    """Serve a file of ReDoc."""
    return send_from_directory(assets("flask_openapi_redoc", "templates/redoc/js"), name, max_age=3600)


def page(name: str) -> Response:
    response = send_from_directory(PAGES, name)
    response.headers["Content-Security-Policy"] = POLICY
    return response
