"""The application, with little patience for slow bodies."""

from codesherpa import bodies
from wsgi import app

__all__ = ["app"]

bodies.PATIENCE, bodies.BEAT = 0.5, 0.1
