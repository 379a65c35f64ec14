"""`make bench`: every measurement in this folder, one after the other, into benchmarks/report.md.

A part is a module with a `main` that prints what it measured, its reference of the same run beside it; what it gives
to `record` becomes a picture, and a line of the summary that docs/deployment.md carries too. Each runs in a process
of its own, so one that fails leaves the others whole. `python -m benchmarks --quick` sees whether they work, and writes
to a folder that it names; names run those alone.
"""
# ruff: noqa: T201  # A measurement prints.

from __future__ import annotations

import argparse
import importlib.metadata
import importlib.util
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
PAGE = HERE.parent / "docs" / "deployment.md"
SUMMARY = re.compile(r"(?<=<!-- from benchmarks/report.md -->\n).*?(?=<!-- to here -->)", re.S)
NOT_YET = "\n*Not measured yet: `make bench` writes it here.*\n\n"
ORDER = (
    "rest",
    "fairness",
    "logins",
    "sign_in",
    "streaming",
    "message_cost",
    "sockets",
    "floods",
    "leaving",
    "startup",
    "slow_clients",
    "routing",
)
TITLES = {
    "rest": "REST",
    "fairness": "REST fairness",
    "logins": "Sign-ins",
    "sign_in": "Others while a crowd signs in",
    "message_cost": "What a message costs",
    "floods": "Others during a flood",
    "startup": "Start",
}
# What a quick run sets, for the parts to be short by.
QUICK = {"BENCH_QUICK": "1", "BENCH_ROUNDS": "1", "BENCH_STREAMS": "1,10"}
VERSIONS = ("flask", "flask-socketio", "eventlet", "gunicorn", "sqlalchemy", "bcrypt", "boto3")
LONGEST = 900  # Seconds for one part.


@dataclass
class Ran:
    """What a part printed, what it recorded for pictures, and how long it took."""

    name: str
    text: str
    recorded: list[dict[str, Any]]
    seconds: float
    fault: str = ""

    def pictures(self) -> dict[str, list[dict[str, Any]]]:
        """Return the bars that belong into each picture."""
        found: dict[str, list[dict[str, Any]]] = {}
        for line in self.recorded:
            if line["kind"] == "bars":
                found.setdefault(line["picture"], []).append(line)
        return found


def main() -> int:
    options = read_options()
    folder = Path(tempfile.mkdtemp(prefix="codesherpa-bench-")) if options.quick else HERE
    ran = []
    for name in options.parts or parts():
        print(f"== {name}", flush=True)
        ran.append(run(name, QUICK if options.quick else {}))
        print(ran[-1].fault or ran[-1].text, flush=True)
    if options.quick or not options.parts:
        (folder / "report.md").write_text(report(ran, draw(ran, folder)))
        if not options.quick:
            PAGE.write_text(SUMMARY.sub(lambda _: summary(ran), PAGE.read_text()))
        print(f"written to {folder / 'report.md'}")
    return 1 if any(part.fault for part in ran) else 0


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="see whether the parts work; the numbers mean nothing")
    parser.add_argument("parts", nargs="*", help="these alone; no report is written")
    return parser.parse_args()


def parts() -> list[str]:
    """Return the parts in this folder, the known ones first."""
    mains = {path.stem for path in HERE.glob("*.py") if "\ndef main(" in path.read_text()}
    found = mains - {"__main__", "listeners"}  # Those are the clients of `streaming`.
    return [name for name in ORDER if name in found] + sorted(found - set(ORDER))


def run(name: str, environ: dict[str, str]) -> Ran:
    """Run one part in a process of its own."""
    started = time.monotonic()
    with tempfile.NamedTemporaryFile() as recorded:
        settings = {"BENCH_RECORD": recorded.name, "LOG_LEVEL": "ERROR"} | environ
        command = [sys.executable, "-m", f"benchmarks.{name}"]
        try:
            done = subprocess.run(  # noqa: S603 (our own module)
                command, cwd=HERE.parent, env=os.environ | settings, capture_output=True, text=True, timeout=LONGEST
            )
            fault = "" if done.returncode == 0 else f"failed: {(done.stderr or done.stdout).strip().splitlines()[-1]}"
            text = done.stdout
        except subprocess.TimeoutExpired:
            fault, text = f"failed: took more than {LONGEST} s", ""
        lines = [json.loads(line) for line in recorded.read().decode().splitlines()]
    return Ran(name, text.rstrip(), lines, time.monotonic() - started, fault)


def draw(ran: list[Ran], folder: Path) -> dict[str, list[str]]:
    """Draw what the parts recorded, where matplotlib is installed; return the files by part."""
    if importlib.util.find_spec("matplotlib") is None:
        return {}
    from benchmarks import pictures

    return {
        part.name: [pictures.draw(folder, name, panels) for name, panels in part.pictures().items()] for part in ran
    }


def report(ran: list[Ran], pictures: dict[str, list[str]]) -> str:
    """Return the report as markdown."""
    head = [
        "# What it carries",
        "",
        "Written by `make bench`. Absolute numbers hold for this machine as busy as it was; what holds elsewhere are",
        "the ratios, each to a reference that was measured in the same run.",
        "",
        *(f"- {line}" for line in machine()),
        "",
        "## In short",
        summary(ran),
    ]
    return "\n".join([*head, *(section(part, pictures.get(part.name, [])) for part in ran)])


def summary(ran: list[Ran]) -> str:
    """Return the parts' headlines as a table."""
    rows = [line["cells"] for part in ran for line in part.recorded if line["kind"] == "headline"]
    head = ["one worker, which is one core", "codesherpa", "reference of the same run", "ratio"]
    lines = [f"| {' | '.join(row)} |" for row in [head, ["---"] * len(head), *rows]]
    return "\n".join(["", *lines, "", ""])


def section(part: Ran, pictures: list[str]) -> str:
    module = importlib.util.find_spec(f"benchmarks.{part.name}")
    source = Path(module.origin).read_text() if module and module.origin else ""
    about = source.split('"""')[1].strip() if '"""' in source else ""
    shown = "\n".join(f"![{Path(name).stem}]({name})\n" for name in pictures)
    body = f"**{part.fault}**\n" if part.fault else f"```\n{part.text}\n```\n"
    title = TITLES.get(part.name, part.name.replace("_", " ").capitalize())
    return f"## {title}\n\n{about}\n\n{body}\n{shown}\n(`python -m benchmarks.{part.name}`, {part.seconds:.0f} s)\n"


def machine() -> list[str]:
    """Return what it was measured on."""
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in VERSIONS)
    busy = f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "unknown"
    return [
        f"{datetime.now(UTC):%Y-%m-%d}, {processor()}, {os.cpu_count()} cores, load {busy} at the end",
        f"Python {platform.python_version()} on {platform.system()} {platform.release()}",
        versions,
    ]


def processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


if __name__ == "__main__":
    sys.exit(main())
