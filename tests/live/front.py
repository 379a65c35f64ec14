"""nginx as compose.yaml has it, in front of servers of a test's own."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from config import ROOT

NGINX = shutil.which("nginx") or next((path for path in ("/usr/sbin/nginx",) if Path(path).exists()), None)
REDIS = shutil.which("redis-server")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def nginx(folder: Path, ports: tuple[int, int], extra: str = "", patience: str = "1s") -> Iterator[int]:
    """Run deploy/nginx.conf in front of two ports; give its own.

    `extra` stands in the server's included folder; `patience` is how long nginx waits for a slow client.
    """
    port = free_port()
    included = folder / "server.d"
    included.mkdir(parents=True)
    (included / "extra.conf").write_text(extra)
    text = (ROOT / "deploy" / "nginx.conf").read_text()
    places = {
        "listen 80 ": f"listen 127.0.0.1:{port} ",
        "app1:8000": f"127.0.0.1:{ports[0]}",
        "app2:8000": f"127.0.0.1:{ports[1]}",
        "/etc/nginx/server.d": str(included),
        "/dev/stdout": str(folder / "access.log"),
        "/tmp/": f"{folder}/",
        "client_header_timeout 10s": f"client_header_timeout {patience}",
        "client_body_timeout 10s": f"client_body_timeout {patience}",
        "send_timeout 20s": f"send_timeout {patience}",
    }
    assert all(place in text for place in places)
    text = re.sub("|".join(map(re.escape, places)), lambda found: places[found[0]], text)
    (folder / "nginx.conf").write_text(text)
    folder.chmod(0o755)
    assert NGINX
    orders = "daemon off; user root;" if os.geteuid() == 0 else "daemon off;"  # The folder is this user's alone.
    command = [NGINX, "-c", str(folder / "nginx.conf"), "-p", str(folder), "-g", orders]
    with (folder / "error.log").open("wb") as log:
        process = subprocess.Popen(command, stderr=log)
    try:
        wait_for(port, process)
        yield port
    finally:
        process.terminate()
        process.wait(15)


@contextmanager
def redis(folder: Path) -> Iterator[str]:
    """Run a Redis that nobody else uses; give its URL."""
    port = free_port()
    assert REDIS
    command = [REDIS, "--bind", "127.0.0.1", "--port", str(port), "--save", "", "--dir", str(folder)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        wait_for(port, process)
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        process.terminate()
        process.wait(15)


def wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    """Wait until somebody listens."""
    give_up = time.monotonic() + 20
    while time.monotonic() < give_up:
        assert process.poll() is None, "it ended at once"
        with socket.socket() as probe:
            if not probe.connect_ex(("127.0.0.1", port)):
                return
        time.sleep(0.02)
    raise AssertionError(f"nobody listens at {port}")
