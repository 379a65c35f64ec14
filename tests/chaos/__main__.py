"""`make chaos`: runs as the environment says, prints a report of each, and fails where a ledger finds a violation.

CHAOS_DATABASES     sqlite,postgresql    one run each; PostgreSQL has two workers and a Redis
CHAOS_MESSAGES      10000                in each run
CHAOS_KILLS         200                  kill -9 of all or of the one that serves, and SIGTERM
CHAOS_USERS         40                   each has two tabs, and sends one message after another
CHAOS_ROLLS         0                    times that all workers are restarted by SIGTERM, one after the other
CHAOS_CUTS          20                   times that all connections are cut
CHAOS_REDIS_AWAY    3,30                 seconds of each outage of Redis
CHAOS_POSTGRES_AWAY 2                    seconds of each outage of PostgreSQL
CHAOS_FRONT         relay                or nginx, which cuts nothing
CHAOS_SEED          1                    the same seed makes the same choices
CHAOS_SECONDS       2400                 after which a run sends no more
CHAOS_FOLDER        a temporary one      keeps the ledgers, what was stored, and the logs of the servers
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from tests.chaos.driver import Plan, Report, run


def setting(name: str, default: str) -> str:
    return os.environ.get(f"CHAOS_{name}", default)


def seconds(name: str, default: str) -> tuple[float, ...]:
    return tuple(float(part) for part in setting(name, default).split(",") if part)


def plan(database: str) -> Plan:
    return Plan(
        database=database,
        messages=int(setting("MESSAGES", "10000")),
        kills=int(setting("KILLS", "200")),
        users=int(setting("USERS", "40")),
        rolls=int(setting("ROLLS", "0")),
        cuts=int(setting("CUTS", "20")),
        redis_away=seconds("REDIS_AWAY", "3,30") if database == "postgresql" else (),
        postgresql_away=seconds("POSTGRES_AWAY", "2") if database == "postgresql" else (),
        front=setting("FRONT", "relay"),
        seed=int(setting("SEED", "1")),
        seconds=float(setting("SECONDS", "2400")),
    )


def report(database: str) -> Report:
    folder = Path(tempfile.mkdtemp(prefix=f"chaos-{database}-", dir=os.environ.get("CHAOS_FOLDER")))
    print(f"{database}: ledgers and logs are in {folder}", flush=True)  # noqa: T201 - it is a program.
    found = run(plan(database), folder)
    print(found, flush=True)  # noqa: T201
    return found


if __name__ == "__main__":
    reports = [report(database) for database in setting("DATABASES", "sqlite,postgresql").split(",")]
    sys.exit(any(found.violations for found in reports))
