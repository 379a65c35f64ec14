"""GitHub's API through PyGithub: who we are there, and its faults in the words of the runner."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import requests
from flask import current_app
from github import Auth, Github, GithubException, GithubIntegration, RateLimitExceededException

from codesherpa.database import now
from codesherpa.integrations import backoff
from codesherpa.integrations.runner import Hopeless, Later

TIMEOUT = 15  # Seconds for one request.
WRITE_PAUSE = 1.0  # Seconds between two writes, as GitHub asks for, lest its secondary limits strike.
SECONDARY = 60.0  # Seconds to wait where GitHub says "too much" and not how long (its own advice).
FRESH = timedelta(minutes=5)  # A token that ends sooner is not begun with.


class Refused(Hopeless):
    """GitHub does not let us do this (403)."""


class Missing(Hopeless):
    """There is no such thing, or we may not see it (404, 410)."""


class Invalid(Hopeless):
    """GitHub does not take it as it is (422)."""


@dataclass(frozen=True, slots=True)
class Connection:
    """GitHub as one job sees it. `login` is our own name there; an app has rights that a token never has."""

    github: Github
    login: str
    is_app: bool

    def get(self, path: str, **parameters: Any) -> Any:
        """Fetch what PyGithub has no lean way to."""
        return self.github.requester.requestJsonAndCheck("GET", path, parameters=parameters)[1]

    def send(self, verb: str, path: str, body: Mapping[str, Any]) -> Any:
        return self.github.requester.requestJsonAndCheck(verb, path, input=dict(body))[1]


@contextmanager
def speaking() -> Iterator[None]:
    """Turn PyGithub's exceptions into Later, Refused, Missing, Invalid and Hopeless."""
    try:
        yield
    except GithubException as fault:
        raise kind_of(fault) from fault
    except requests.RequestException as fault:
        raise Later("GitHub could not be reached") from fault


def kind_of(fault: GithubException) -> Exception:
    headers = {name.lower(): str(value) for name, value in (fault.headers or {}).items()}
    asked = backoff.asked_for(headers)
    limited = isinstance(fault, RateLimitExceededException) or fault.status == 429
    if limited or (fault.status == 403 and asked is not None):
        return Later("GitHub's rate limit is reached", SECONDARY if asked is None else asked)
    if fault.status >= 500:
        return Later(f"GitHub answered {fault.status}", asked)
    told = f"GitHub answered {fault.status}: {str(fault.message or '')[:200]}"
    kinds = {403: Refused, 404: Missing, 410: Missing, 422: Invalid}
    return kinds.get(fault.status, Hopeless)(told)


def connect(installation: int | None) -> Connection:
    """Sign in as the GitHub App where there is one, else with the token. Raises Hopeless without either.

    Each job has a connection of its own: PyGithub's must not be shared between threads.
    """
    with speaking():
        if current_app.config["GITHUB_APP_ID"]:
            return as_app(installation or current_app.config["GITHUB_APP_INSTALLATION_ID"])
        if token := current_app.config["GITHUB_TOKEN"]:
            github = Github(auth=Auth.Token(token), **options())
            return Connection(github, known("login", lambda: github.get_user().login), False)
    raise Hopeless("Neither GITHUB_TOKEN nor a GitHub App is set.")


def as_app(installation: int | None) -> Connection:
    if not installation:
        raise Hopeless("The delivery names no installation; set GITHUB_APP_INSTALLATION_ID.")
    github = Github(auth=Auth.Token(installation_token(installation)), **options())
    return Connection(github, known("login", lambda: f"{app().get_app().slug}[bot]"), True)


def app() -> GithubIntegration:
    """Sign in as the app itself, which may do little but ask for its installations and deliveries."""
    auth = Auth.AppAuth(current_app.config["GITHUB_APP_ID"], current_app.config["GITHUB_APP_PRIVATE_KEY"])
    return GithubIntegration(auth=auth, **options())


def installation_token(installation: int) -> str:
    """Return a token of an installation, the last one while it is fresh: GitHub gives them an hour."""
    tokens: dict[int, tuple[str, datetime]] = current_app.extensions.setdefault("github_tokens", {})
    token, ends = tokens.get(installation, ("", now()))
    if ends - now() < FRESH:
        given = app().get_access_token(installation)
        token, ends = tokens[installation] = (given.token, given.expires_at)
    return token


def known(name: str, ask: Any) -> str:
    """Return something about ourselves, asked for once in the life of a process."""
    about: dict[str, str] = current_app.extensions.setdefault("github_self", {})
    if name not in about:
        about[name] = ask()
    return about[name]


def options() -> dict[str, Any]:
    # Retries are ours: a job that waits sits in the database, not in a thread.
    return {
        "base_url": current_app.config["GITHUB_API_URL"].rstrip("/"),
        "timeout": TIMEOUT,
        "user_agent": "codesherpa",
        "per_page": 100,
        "retry": None,
        "lazy": True,  # What is not asked for is not fetched.
        "seconds_between_requests": None,
        "seconds_between_writes": WRITE_PAUSE or None,
    }
