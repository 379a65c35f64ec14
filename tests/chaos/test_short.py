"""A short run of what `make chaos` does at length: workers die, and nothing is lost, repeated or left out."""

from __future__ import annotations

from pathlib import Path

import psycopg2
import pytest

from tests.chaos import services
from tests.chaos.client import COMPILER
from tests.chaos.driver import Plan, run
from tests.conftest import POSTGRES, skip_or_fail


@pytest.fixture(autouse=True)
def _what_a_run_needs() -> None:
    if not COMPILER.exists():
        skip_or_fail("no TypeScript: run `npm ci` in tests/live")


def skip_or_fail_without_postgresql() -> None:
    try:
        psycopg2.connect(POSTGRES).close()
    except psycopg2.OperationalError as error:
        skip_or_fail(f"no PostgreSQL: {error}")


def test_nothing_is_lost_on_one_worker_with_sqlite(tmp_path: Path) -> None:
    report = run(Plan("sqlite", messages=60, users=12, kills=3), tmp_path)

    assert report.violations == [], report
    assert (report.count["acknowledged"], report.kills.total()) == (60, 3)


def test_nothing_is_lost_on_two_workers_with_postgresql_and_redis(tmp_path: Path) -> None:
    skip_or_fail_without_postgresql()

    report = run(Plan("postgresql", messages=60, users=12, kills=3, redis_away=(3.0,)), tmp_path)

    assert report.violations == [], report
    assert (report.count["acknowledged"], report.kills.total()) == (60, 3)


def test_nothing_is_lost_behind_nginx(tmp_path: Path) -> None:
    if not services.has("nginx"):
        skip_or_fail("no nginx")

    report = run(Plan("postgresql", messages=30, kills=1, postgresql_away=(2.0,), front="nginx"), tmp_path)

    assert report.violations == [], report
    assert report.count["acknowledged"] == 30


def test_a_rolling_restart_behind_nginx_interrupts_nothing(tmp_path: Path) -> None:
    if not services.has("nginx"):
        skip_or_fail("no nginx")

    report = run(Plan("postgresql", messages=60, users=12, kills=0, rolls=1, front="nginx"), tmp_path)

    assert report.violations == [], report
    assert (report.count["acknowledged"], report.kills) == (60, {"term": 2})
    assert set(report.statuses) <= {"complete", "stopped"}
