"""Which origins may call: the same, over HTTP and over sockets, however they are spelled."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask import Flask

LISTED = "https://app.example.com,http://localhost:5173,http://[::1]:3000"
ALLOWED = [
    "https://app.example.com",
    "http://localhost:5173",
    "http://[::1]:3000",
    "HTTPS://APP.EXAMPLE.COM",  # Hosts and schemes have no case, though browsers write them small.
]
REFUSED = [
    "http://app.example.com",
    "https://app.example.com/",
    "https://app.example.com:443",
    "https://app.example.com:8443",
    "https://app.example.com.",
    "https://app.example.com.evil.org",
    "https://app.example.comevil.org",
    "https://evil.org/https://app.example.com",
    "https://evil.org?https://app.example.com",
    "https://evil.org#https://app.example.com",
    "https://app.example.com@evil.org",
    "https://evil.org@app.example.com",
    "https://app.example.com\\.evil.org",
    "https://app.example.com%00.evil.org",
    "https://app.example.com evil.org",
    "https://app.example.com,https://evil.org",
    "https://evil.org,https://app.example.com",
    "https://example.com",
    "https://sub.app.example.com",
    "https://appxexample.com",
    "https://app-example.com",
    "https://evilapp.example.com",
    "https://xn--app-example-.com",
    "//app.example.com",
    "app.example.com",
    "https:app.example.com",
    "https:/app.example.com",
    "https:///app.example.com",
    "ftp://app.example.com",
    "file://",
    "null",
    "NULL",
    "*",
    "https://*",
    "https://*.example.com",
    "http://localhost",
    "http://localhost:51730",
    "http://localhost:05173",
    "http://localhost:5173/",
    "http://127.0.0.1:5173",
    "https://localhost:5173",
    "http://localhost.:5173",
    "http://:3000",
    "http://1:3000",
    "http://[::1]",
    "http://[::1]:30000",
    "http://[0:0:0:0:0:0:0:1]:3000",
    "data:text/html,x",
    "javascript:alert(1)",
    "undefined",
]


@pytest.mark.parametrize("origin", ALLOWED + REFUSED)
@pytest.mark.sqlite_only
def test_an_origin_may_call_over_http_exactly_when_it_may_over_a_socket(
    make_app: Callable[..., Flask], origin: str
) -> None:
    client = make_app(CORS_ORIGINS=LISTED).test_client()
    headers = {"Host": "sherpa.example.com", "Origin": origin, "Access-Control-Request-Method": "GET"}

    called = client.get("/api/v1/user/me", headers=headers)
    asked = client.options("/api/v1/user/me", headers=headers)
    polled = client.get("/socket.io/?EIO=4&transport=polling", headers=headers)

    told = [answer.headers.get("Access-Control-Allow-Origin") for answer in (called, asked, polled)]
    assert told == [origin if origin in ALLOWED else None] * 3
    # What a browser would send of its own accord is asked for by nobody.
    assert not any("Access-Control-Allow-Credentials" in answer.headers for answer in (called, asked))
    assert polled.status_code == (200 if origin in ALLOWED else 400)


@pytest.mark.sqlite_only
def test_who_names_no_origin_is_no_browser_and_may_call(make_app: Callable[..., Flask]) -> None:
    assert make_app().test_client().get("/socket.io/?EIO=4&transport=polling").status_code == 200


@pytest.mark.sqlite_only
def test_the_servers_own_pages_may_open_a_socket(make_app: Callable[..., Flask]) -> None:
    client = make_app(CORS_ORIGINS=LISTED, TRUSTED_PROXIES="1").test_client()
    proxied = {"Host": "sherpa.example.com", "X-Forwarded-Proto": "https"}

    def status(origin: str, **headers: str) -> int:
        sent = proxied | {"Origin": origin} | headers
        return client.get("/socket.io/?EIO=4&transport=polling", headers=sent).status_code

    assert status("https://sherpa.example.com") == 200
    assert status("http://sherpa.example.com") == 400
    assert status("https://evil.org", **{"X-Forwarded-Host": "evil.org"}) == 400
