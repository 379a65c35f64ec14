"""What a part gives to the report beside its text: bars for a picture, and lines for the summary."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def bars(picture: str, title: str, unit: str, values: Mapping[str, float | Mapping[str, float]]) -> None:
    """Record a bar for each label, or one for each series of it; calls with one `picture` are drawn together."""
    write({"kind": "bars", "picture": picture, "title": title, "unit": unit, "values": values})


def headline(what: str, carries: str, reference: str, ratio: str) -> None:
    """Record a line of the summary: what was measured, what the reference of the same run did, and their ratio."""
    write({"kind": "headline", "cells": [what, carries, reference, ratio]})


def write(line: dict[str, Any]) -> None:
    """Add a line to the record; without a report under way this does nothing."""
    if path := os.environ.get("BENCH_RECORD"):
        with Path(path).open("a") as file:
            file.write(json.dumps(line) + "\n")


def written(number: float) -> str:
    """Return a number as it is read: three digits, and more only where it is whole."""
    return f"{number:,.0f}" if number >= 1000 else f"{number:.3g}"


def quick() -> bool:
    """Tell whether the run is only to see that it works."""
    return bool(os.environ.get("BENCH_QUICK"))
