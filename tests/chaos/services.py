"""What a run needs of its own: workers that can be killed, a database, a Redis, and nginx in front."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
import urllib.request
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg2
from sqlalchemy.engine import make_url

from tests.chaos.ledger import Stored
from tests.conftest import POSTGRES, administer, migrate
from tests.live.conftest import PATIENCE, ROOT, Server, free_port

CHATS = "SELECT id, client_message_id, status, response, delta_ends, {} FROM chats"


class Worker(Server):
    """A gunicorn that is killed whole: its arbiter and its worker share a process group of their own."""

    def start(self, *, wait: bool = True) -> None:
        command = [sys.executable, "-m", *self.command]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command, cwd=ROOT, env=self.environ, stdout=log, stderr=log, start_new_session=True
            )
        if wait:
            self.await_health()

    def await_health(self) -> None:
        give_up = time.monotonic() + PATIENCE
        while time.monotonic() < give_up:
            with contextlib.suppress(OSError), urllib.request.urlopen(f"{self.url}/health", timeout=1):
                return
            time.sleep(0.05)
        raise AssertionError(f"gunicorn does not answer: {self.log.read_text()[-4000:]}")

    def kill(self) -> None:
        """End it between any two lines."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def kill_child(self) -> None:
        """End what serves, and leave the arbiter to start another."""
        for child in children(self.process.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)

    def terminate(self) -> float:
        """Ask it to end, and return the seconds that it took; one that does not within 30 is killed."""
        started = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.kill()
        return time.monotonic() - started

    def stop(self) -> None:
        if self.process.poll() is None:
            self.terminate()


def children(pid: int) -> list[int]:
    listed = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(child) for child in listed.read_text().split()] if listed.exists() else []


NGINX = """\
daemon off; pid {folder}/nginx.pid; error_log {folder}/nginx.log warn; worker_processes 1;
events {{ worker_connections 4096; }}
http {{
  access_log off; client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  map $http_upgrade $connection_upgrade {{ default upgrade; "" ""; }}
  upstream workers {{ {upstream} }}
  server {{
    listen 127.0.0.1:{port}; client_max_body_size 2m;
    location / {{
      proxy_pass http://workers; proxy_http_version 1.1; proxy_read_timeout 600s; proxy_buffering off;
      proxy_set_header Host $http_host; proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection $connection_upgrade;
      proxy_next_upstream error; proxy_connect_timeout 1s;
    }}
  }}
}}
"""


class Nginx:
    """nginx in front of workers, each connection to the next."""

    def __init__(self, folder: Path, *targets: int) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        upstream = " ".join(f"server 127.0.0.1:{target} max_fails=1 fail_timeout=1s;" for target in targets)
        (folder / "nginx.conf").write_text(NGINX.format(folder=folder, port=self.port, upstream=upstream))
        self.process = subprocess.Popen(["nginx", "-c", str(folder / "nginx.conf")], stderr=subprocess.DEVNULL)

    def close(self) -> None:
        self.process.terminate()
        self.process.wait()


@contextlib.contextmanager
def own_database(kind: str, folder: Path) -> Iterator[str]:
    """Give the URL of a migrated database of this run's own, `sqlite` or in the PostgreSQL of all tests."""
    if kind == "sqlite":
        url = f"sqlite:///{folder / 'chaos.db'}"
        migrate(url)
        yield url
        return
    name = f"codesherpa_chaos_{uuid.uuid4().hex[:12]}"
    administer(f'CREATE DATABASE "{name}"')
    try:
        url = make_url(POSTGRES).set(database=name).render_as_string(hide_password=False)
        migrate(url)
        yield url
    finally:
        administer(f'DROP DATABASE "{name}" WITH (FORCE)')


def stored(url: str) -> list[Stored]:
    """Read the chats behind the application's back."""
    sqlite = "(julianday(completed_at) - 2440587.5) * 86400"
    seconds = sqlite if url.startswith("sqlite") else "extract(epoch FROM completed_at)"
    return [chat(row) for row in rows(url, CHATS.format(seconds))]


def rows(url: str, query: str) -> list[tuple[Any, ...]]:
    """Ask a database behind the application's back."""
    if url.startswith("sqlite"):
        with contextlib.closing(sqlite3.connect(url.removeprefix("sqlite:///"), timeout=30)) as connection:
            return list(connection.execute(query))
    with contextlib.closing(psycopg2.connect(url)) as connection:
        cursor = connection.cursor()
        cursor.execute(query)
        return list(cursor)


def chat(row: tuple[Any, ...]) -> Stored:
    id, cmid, status, response, ends, completed_at = row
    lengths = tuple(int(end) for end in ends.split(",") if end)
    return Stored(id, cmid, status, response, lengths, float(completed_at) if completed_at else None)


def has(program: str) -> bool:
    return shutil.which(program) is not None
