"""What a part gives to the report as a picture."""

from __future__ import annotations

import json
import os
from pathlib import Path


def bars(name: str, title: str, unit: str, values: dict[str, float]) -> None:
    """Record a bar for each label; without a report under way this does nothing."""
    if path := os.environ.get("BENCH_RECORD"):
        with Path(path).open("a") as file:
            file.write(json.dumps({"name": name, "title": title, "unit": unit, "values": values}) + "\n")


def quick() -> bool:
    """Tell whether the run is only to see that it works."""
    return bool(os.environ.get("BENCH_QUICK"))
