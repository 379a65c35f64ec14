"""How text is made: on AWS Bedrock, or offline from the code alone."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import structlog
from flask import Flask

from codesherpa.concurrency import spawn
from codesherpa.providers.interface import Provider
from codesherpa.providers.offline import OfflineProvider

if TYPE_CHECKING:
    from codesherpa.providers.bedrock import BedrockProvider

log = structlog.get_logger(__name__)
making = threading.Lock()


def of(app: Flask) -> Provider:
    """Return the application's provider, made at the first call."""
    if "provider" not in app.extensions:
        with making:
            if "provider" not in app.extensions:
                app.extensions["provider"] = choose(app)
    found: Provider = app.extensions["provider"]
    return found


def made(app: Flask) -> Provider | None:
    """Return the application's provider if it has been made, which takes a moment."""
    found: Provider | None = app.extensions.get("provider")
    return found


def wake(app: Flask) -> None:
    """Look for Bedrock's credentials when a server has started, which waits for nobody, and warn where there are none.

    `auto` does well without them, and boto3 is large.
    """
    if app.config["MODEL_PROVIDER"] == "bedrock":
        spawn(of, app)


def choose(app: Flask) -> Provider:
    """Make the provider that the settings name; `auto` takes Bedrock where boto3 finds credentials.

    A fault of Bedrock is an error that the user sees, never a silent change of provider.
    """
    wanted = app.config["MODEL_PROVIDER"]
    if wanted == "offline":
        return OfflineProvider()
    from codesherpa.providers import bedrock  # boto3 takes a third of a second and 20 MB, which offline need not.

    found = bedrock.credentials()
    if wanted == "auto" and not found:
        log.warning("no AWS credentials: reviews and explanations are made offline; MODEL_PROVIDER says otherwise")
        return OfflineProvider()
    if not found:
        log.warning("MODEL_PROVIDER is bedrock, but there are no AWS credentials: every message will be an error")
    return bedrock_of(app)


def bedrock_of(app: Flask) -> BedrockProvider:
    """Make the provider that speaks to Bedrock, as the settings say."""
    from codesherpa.providers import bedrock

    return bedrock.BedrockProvider(
        region=app.config["AWS_REGION"],
        model_id=app.config["BEDROCK_MODEL_ID"],
        max_tokens=app.config["BEDROCK_MAX_TOKENS"],
        read_timeout=app.config["BEDROCK_READ_TIMEOUT"],
        aliases=app.config["BEDROCK_MODEL_ALIASES"],
    )
