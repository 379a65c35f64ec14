"""Metrics, the dashboard over them, and whether the service is ready."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

import pytest
import yaml
from flask import Flask
from flask.testing import FlaskClient

import config
from codesherpa import create_app
from codesherpa.extensions import db
from config import ROOT
from deploy import dashboard
from tests.conftest import SETTINGS, Caller

OWN = re.compile(r"\bcodesherpa_\w+")


def metrics(client: FlaskClient) -> str:
    return client.get("/metrics").text


def names(client: FlaskClient) -> set[str]:
    """Return every series that can be asked for, those included that nothing has been counted in yet."""
    found: set[str] = set()
    for name, kind in re.findall(r"^# TYPE (\w+) (\w+)$", metrics(client), re.M):
        found |= {name} | ({f"{name}_{part}" for part in ("bucket", "count", "sum")} if kind == "histogram" else set())
    return found


def test_every_metric_of_the_dashboard_and_the_alerts_exists(client: FlaskClient) -> None:
    drawn = set(OWN.findall((ROOT / "deploy" / "grafana" / "codesherpa.json").read_text()))
    watched = set(OWN.findall((ROOT / "deploy" / "alerts.yml").read_text()))

    assert len(drawn) > 10
    assert drawn | watched <= names(client)


def test_the_dashboard_is_the_one_that_is_described() -> None:
    assert dashboard.FILE.read_text() == dashboard.text()
    places = [tuple(panel["gridPos"].values()) for panel in json.loads(dashboard.text())["panels"]]
    assert len(set(places)) == len(places)


def test_every_alert_is_explained() -> None:
    rules = yaml.safe_load((ROOT / "deploy" / "alerts.yml").read_text())["groups"][0]["rules"]
    page = (ROOT / "docs" / "operations.md").read_text()

    assert [rule["alert"] for rule in rules] == re.findall(r"^### (\w+)$", page, re.M)


def test_the_lines_that_attach_an_alertmanager_are_those_of_the_page() -> None:
    shown = re.search(r"^```yaml\n(alerting:.*?)^```$", (ROOT / "docs" / "operations.md").read_text(), re.M | re.S)
    file = (ROOT / "deploy" / "prometheus.yml").read_text()
    assert shown
    commented = "".join(f"# {line}\n" for line in shown[1].splitlines())

    assert commented in file
    assert yaml.safe_load(file.replace(commented, shown[1])) == yaml.safe_load(file) | yaml.safe_load(shown[1])


def test_requests_are_counted_by_route_and_not_by_path(client: FlaskClient, ada: Caller) -> None:
    for id in (1, 2, 3):
        ada.get(f"/agents/{id}")
    client.get("/nobody/knows/this")

    text = metrics(client)
    assert 'route="/api/v1/agents/<id:id>",status="404"' in text
    assert "nobody" not in text


def test_what_the_database_is_asked_is_counted(client: FlaskClient, ada: Caller) -> None:
    before = value(client, "codesherpa_query_seconds_count")
    ada.get("/agents")

    assert value(client, "codesherpa_query_seconds_count") > before
    assert value(client, "codesherpa_connections_most") >= 5


def test_a_connection_is_in_use_until_it_is_given_back(app: Flask, client: FlaskClient) -> None:
    with app.app_context(), ExitStack() as held:
        for _ in range(3):
            held.enter_context(db.engine.connect())
        while_held = value(client, "codesherpa_connections_in_use")

    # What other tests left behind may look at its own database at this moment, and not for long.
    assert while_held >= 3
    give_up = time.monotonic() + 10
    while (left := value(client, "codesherpa_connections_in_use")) > while_held - 3 and time.monotonic() < give_up:
        time.sleep(0.02)
    assert left <= while_held - 3


def value(client: FlaskClient, name: str) -> float:
    return float(re.search(rf"^{name} (\S+)$", metrics(client), re.M)[1])  # type: ignore[index]


def test_a_database_behind_the_code_is_not_ready_and_says_why(client: FlaskClient, app: Flask) -> None:
    with app.app_context():
        current = db.session.scalar(db.text("SELECT version_num FROM alembic_version"))
        db.session.execute(db.text("DELETE FROM alembic_version"))
        db.session.commit()
        behind = client.get("/health/ready")
        db.session.execute(db.text("INSERT INTO alembic_version VALUES ('of a newer release')"))
        db.session.commit()
        ahead = client.get("/health/ready")
        db.session.execute(db.text("UPDATE alembic_version SET version_num = :current"), {"current": current})
        db.session.commit()

    assert (behind.status_code, behind.json["data"]["database"]) == (
        503,
        "has not been migrated: run `flask db upgrade`",
    )
    assert behind.json["message"].startswith("Not ready: database has not been migrated")
    assert ahead.status_code == 200


def test_an_empty_database_is_not_ready(tmp_path: Path) -> None:
    app = create_app(config.load(SETTINGS | {"DATABASE_URL": f"sqlite:///{tmp_path / 'empty.db'}"}))

    assert app.test_client().get("/health/ready").json["data"]["database"].startswith("has not been migrated")
    with app.app_context():
        db.engine.dispose()


@pytest.mark.parametrize(
    ("setting", "part"),
    [
        ({"DATABASE_URL": "postgresql://postgres@127.0.0.1:1/none"}, "database"),
        ({"REDIS_URL": "redis://127.0.0.1:1/0"}, "redis"),
    ],
)
def test_a_part_that_does_not_answer_is_named(setting: dict[str, str], part: str, empty_sqlite: Path) -> None:
    """In a process of its own: an application whose Redis is away goes on trying to reach it."""
    environ = SETTINGS | {"DATABASE_URL": f"sqlite:///{empty_sqlite}", "LOG_LEVEL": "CRITICAL"} | setting
    code = "from wsgi import app; print(app.test_client().get('/health/ready').json)"
    asked = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environ, capture_output=True, text=True, timeout=60
    )

    assert f"'{part}': 'does not answer'" in asked.stdout, asked.stderr
    assert f"Not ready: {part} does not answer." in asked.stdout


def test_nothing_of_tracing_is_imported_unless_it_is_wanted() -> None:
    code = "import sys, wsgi; sys.exit(any(name.startswith('opentelemetry.exporter') for name in sys.modules))"

    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=dict(SETTINGS), timeout=60).returncode == 0


def test_tracing_without_its_packages_stops_the_start_and_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, empty_sqlite: Path
) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    settings = {"DATABASE_URL": f"sqlite:///{empty_sqlite}", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}

    with pytest.raises(config.SettingError, match=r"^OTEL_EXPORTER_OTLP_ENDPOINT needs .*requirements-tracing.txt$"):
        create_app(config.load(SETTINGS | settings))
