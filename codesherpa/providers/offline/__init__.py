"""Answers without a model: ruff and the syntax tree say what can be known about code."""

from codesherpa.providers.offline.provider import OfflineProvider

__all__ = ["OfflineProvider"]
