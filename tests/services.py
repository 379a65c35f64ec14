"""A Redis and a PostgreSQL of a test's own, that it may stop, restart and pause."""

from __future__ import annotations

import glob
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import psycopg2
from redis import Redis, RedisError

from tests.conftest import skip_or_fail

PATIENCE = 20.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class RedisServer:
    """A Redis that keeps nothing, on a port of its own."""

    def __init__(self, folder: Path) -> None:
        if not shutil.which("redis-server"):
            skip_or_fail("no redis-server")
        self.folder, self.port = folder, free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self.start()

    def start(self) -> None:
        command = ["redis-server", "--bind", "127.0.0.1", "--port", str(self.port), "--save", "", "--appendonly", "no"]
        self.process = subprocess.Popen([*command, "--dir", str(self.folder)], stdout=subprocess.DEVNULL)
        give_up = time.monotonic() + PATIENCE
        while time.monotonic() < give_up:
            try:
                with Redis.from_url(self.url) as client:
                    client.ping()
                return
            except RedisError:
                time.sleep(0.02)
        raise AssertionError("redis-server does not answer")

    def stop(self) -> None:
        """End it as a crash does."""
        self.process.kill()
        self.process.wait()

    def pause(self) -> None:
        """Have it hold every connection and answer none."""
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        self.process.send_signal(signal.SIGCONT)


class PostgresServer:
    """A PostgreSQL on a port of its own; it does not run as root, so it is started as the user postgres there."""

    def __init__(self) -> None:
        found = sorted(glob.glob("/usr/lib/postgresql/*/bin"))
        if not found:
            skip_or_fail("no PostgreSQL to start")
        self.binaries, self.port = found[-1], free_port()
        self.folder = Path(tempfile.mkdtemp(prefix="postgres-"))
        self.folder.chmod(0o777)
        self.url = f"postgresql://postgres@127.0.0.1:{self.port}/postgres"
        self._run(f"{self.binaries}/initdb -A trust -U postgres -N -D {self.folder}/data")
        self.start()

    def start(self) -> None:
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -c fsync=off -k {self.folder}"
        self._run(f"{self.binaries}/pg_ctl -w -D {self.folder}/data -l {self.folder}/log -o '{options}' start")
        psycopg2.connect(self.url).close()

    def stop(self) -> None:
        """End it at once, with whoever is connected."""
        self._run(f"{self.binaries}/pg_ctl -w -m immediate -D {self.folder}/data stop")

    def remove(self) -> None:
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _run(self, command: str) -> None:
        whole = ["su", "postgres", "-c", command] if os.geteuid() == 0 else ["sh", "-c", command]
        done = subprocess.run(whole, cwd="/", capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)
        assert done.returncode == 0, done.stdout + done.stderr
