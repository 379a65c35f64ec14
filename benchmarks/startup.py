"""From the command to the first answer, and the memory that it takes then; beside a bare Flask route."""
# ruff: noqa: T201  # A measurement prints.

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from statistics import median

from benchmarks.record import bars, headline, quick
from benchmarks.rest import SETTINGS, serving
from benchmarks.sockets import memory

TIMES = 1 if quick() else 5


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        environ = SETTINGS | {"DATABASE_URL": f"sqlite:///{folder}/bench.db"}
        upgrade = [sys.executable, "-m", "flask", "--app", "wsgi", "db", "upgrade"]
        subprocess.run(upgrade, env=os.environ | environ, check=True, capture_output=True)  # noqa: S603 (our own)
        real, bare = [], []
        for _ in range(TIMES):
            bare.append(start("benchmarks.bare:app", "/bare", "benchmarks/bare.conf.py", environ))
            real.append(start("wsgi:app", "/health", "gunicorn.conf.py", environ))
    print(f"{'':12}{'seconds':>9}{'CPU seconds':>13}{'MiB':>8}")
    medians = [[median(column) for column in zip(*runs, strict=True)] for runs in (real, bare)]
    for name, row in zip(("codesherpa", "bare"), medians, strict=True):
        print(f"{name:12}{row[0]:9.2f}{row[1]:13.2f}{row[2]:8.1f}")
    ratios = [mine / other for mine, other in zip(*medians, strict=True)]
    print(f"{'x bare':12}{ratios[0]:9.2f}{ratios[1]:13.2f}{ratios[2]:8.2f}")
    told = (("Time to the first answer", "seconds"), ("CPU of the start", "seconds"), ("Memory", "MiB"))
    for (title, unit), mine, other, ratio in zip(told, *medians, ratios, strict=True):
        bars("startup", title, unit, {"": {"codesherpa": mine, "bare Flask": other}})
        reference = f"a bare Flask application: {other:.3g}"
        headline(f"Start: {title.lower()}, {unit}", f"{mine:.3g}", reference, f"{ratio:.2f}")


def start(app: str, path: str, settings: str, environ: dict[str, str]) -> tuple[float, float, float]:
    """Start a server and stop it; return seconds until its first answer, the worker's CPU seconds and its MiB."""
    started = time.perf_counter()
    with serving(app, settings, environ) as server:
        urllib.request.urlopen(f"http://127.0.0.1:{server.port}{path}", timeout=60).close()
        return time.perf_counter() - started, server.cpu(), memory(server) / 1024


if __name__ == "__main__":
    main()
