"""The edge: what every answer carries, which origins may call, and who is at the other end of a request."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from ipaddress import IPv6Address, ip_address
from typing import Any

from flask import Flask, has_request_context, request
from flask_cors import CORS
from werkzeug.middleware.proxy_fix import ProxyFix

from codesherpa.bodies import Deadline
from codesherpa.observability.requests import id_for

Environ = dict[str, Any]
StartResponse = Callable[..., Any]

# What an answer says unless the view has said otherwise: no page of another site may frame, sniff, keep or read it.
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Content-Security-Policy": "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
ONLY_HTTPS = "max-age=31536000; includeSubDomains"


class CrossOrigin(CORS):
    """Flask-CORS, which has nothing to say to who sends no Origin, and is not asked then."""

    def init_app(self, app: Any, **options: Any) -> None:
        super().init_app(app, **options)
        allow = app.after_request_funcs[None].pop()
        app.after_request(lambda response: allow(response) if "HTTP_ORIGIN" in request.environ else response)


class Turnout:
    """Leads to the sockets what is theirs, and all else past them, who would copy it and look it over first."""

    def __init__(self, sockets: Any) -> None:
        self.sockets, self.app = sockets, sockets.wsgi_app

    def __call__(self, environ: Environ, start_response: StartResponse) -> Any:
        way = self.sockets if environ["PATH_INFO"].startswith(self.sockets.engineio_path) else self.app
        return way(environ, start_response)


class Headers:
    """Puts them on every answer, and its id; the sockets' handshakes and polls too, which Flask never sees."""

    def __init__(self, app: Callable[..., Any], *, production: bool) -> None:
        self.app, self.production = app, production

    def __call__(self, environ: Environ, start_response: StartResponse) -> Any:
        wanted = HEADERS
        if self.production and environ["wsgi.url_scheme"] == "https":
            wanted = HEADERS | {"Strict-Transport-Security": ONLY_HTTPS}

        def start(status: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
            present = {name.lower() for name, _ in headers}
            missing = [(name, value) for name, value in wanted.items() if name.lower() not in present]
            if "x-request-id" not in present:
                missing.append(("X-Request-ID", id_for(environ.get("HTTP_X_REQUEST_ID", ""))))
            return start_response(status, headers + missing, *rest)

        return self.app(environ, start)


def init_app(app: Flask) -> None:
    """Stand around all that answers; last, so that the sockets stand inside too."""
    wsgi = Deadline(Headers(Turnout(app.wsgi_app), production=app.config["APP_ENV"] == "production"))
    hops = app.config["TRUSTED_PROXIES"]
    # The proxies pass Host on as it came, so nobody else's word on it is needed.
    app.wsgi_app = ProxyFix(wsgi, x_for=hops, x_proto=hops, x_host=0) if hops else wsgi  # type: ignore[method-assign]


def spellings(origins: Iterable[str]) -> list[str] | list[re.Pattern[str]]:
    """Return origins as patterns that match them to the letter, whatever their case; `*` stays what it is.

    Flask-CORS would take the brackets of http://[::1]:3000 for a pattern of its own.
    """
    listed = list(origins)
    return ["*"] if "*" in listed else [re.compile(rf"{re.escape(one)}\Z", re.IGNORECASE) for one in listed]


def allows(origins: Iterable[str]) -> Callable[[str | None, Environ], bool]:
    """Return what tells whether an origin may open a socket, by the list that CORS goes by; None is no browser's."""
    listed = spellings(origins)

    def allow(origin: str | None, environ: Environ) -> bool:
        if origin is None or is_own(origin, environ):
            return True
        return any(one == "*" if isinstance(one, str) else one.match(origin) is not None for one in listed)

    return allow


def is_own(origin: str, environ: Environ) -> bool:
    """Tell whether an origin is this server's own, whose pages may always call."""
    return origin == f"{environ['wsgi.url_scheme']}://{environ.get('HTTP_HOST', '')}"


def address() -> str:
    """Return who is at the other end, as far as the trusted proxies say; empty outside of a request.

    A proxy that is trusted and does not exist leaves what the client wrote, so what is no address is none.
    """
    told = (request.remote_addr or "") if has_request_context() else ""
    try:
        return str(ip_address(told.partition("%")[0]))
    except ValueError:
        return ""


def user_agent() -> str:
    """Return what a client calls itself: the bytes that it sent as UTF-8 where they are that, else as Latin-1."""
    told: str = request.environ.get("HTTP_USER_AGENT", "")
    try:
        return told.encode("latin-1").decode()  # Latin-1 is what WSGI makes of any bytes.
    except UnicodeError:
        return told


def network() -> str:
    """Return the network of who is at the other end, which counts as one caller."""
    return network_of(address())


def network_of(address: str) -> str:
    """Return an address itself, of IPv6 the /64 that one household has."""
    if ":" not in address:
        return address
    there = IPv6Address(address)
    return str(there.ipv4_mapped or f"{IPv6Address(int(there) >> 64 << 64)}/64")
