"""The application, killed between the commit of a refresh and its answer."""

from __future__ import annotations

import os
import signal
from typing import Any

from codesherpa.auth import service
from wsgi import app

__all__ = ["app"]


def die(_session: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


refresh = service.refresh


def refresh_and_die(*args: Any) -> Any:
    service.tokens.issue = die  # type: ignore[assignment]
    return refresh(*args)


service.refresh = refresh_and_die
