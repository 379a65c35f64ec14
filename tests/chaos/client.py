"""The client of docs/realtime.md, compiled: what front ends are told to do is what is put to the test."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]
MODULES = ROOT / "tests" / "live" / "node_modules"
COMPILER = MODULES / "typescript" / "bin" / "tsc"
OPTIONS = "--strict --target es2022 --module esnext --moduleResolution bundler --lib es2022,dom"


def code() -> str:
    """Return the client as it stands on the page."""
    page = (ROOT / "docs" / "realtime.md").read_text("utf-8")
    (found,) = re.findall(r"^```ts\n(.+?)^```", page, re.DOTALL | re.MULTILINE)
    return str(found)


def compiled(folder: Path) -> Path:
    """Compile the client against the generated types. Raises AssertionError with what the compiler says."""
    (folder / "node_modules").symlink_to(MODULES)
    (folder / "package.json").write_text('{"type": "module"}')
    shutil.copy(ROOT / "docs" / "codesherpa.d.ts", folder)
    (folder / "client.ts").write_text(code(), "utf-8")
    command = ["node", str(COMPILER), *OPTIONS.split(), "client.ts"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert (done.stdout, done.returncode) == ("", 0)
    return folder / "client.js"
