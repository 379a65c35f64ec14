"""What is needed to serve: the image, the compose file and the ignore list agree with the tree and one another."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from threading import Thread

import yaml
from flask import Flask
from werkzeug.serving import make_server

from config import POSTGRESQL, ROOT, SETTINGS
from tests.conftest import skip_or_fail
from tests.live import front

DOCKERFILE = (ROOT / "Dockerfile").read_text()
COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text())


def test_the_compose_file_is_one() -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", "compose.yaml"]

    checked = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)

    assert checked.returncode == 0, checked.stdout


def test_two_containers_of_one_image_stand_behind_nginx_and_after_the_migration() -> None:
    services = COMPOSE["services"]

    assert services["app1"] == services["app2"]
    assert services["app1"]["depends_on"]["migrate"] == {"condition": "service_completed_successfully"}
    assert services["migrate"]["restart"] == "no"
    for name in ("app1", "app2"):
        assert f"{name}:8000" in (ROOT / "deploy" / "nginx.conf").read_text()
        assert f"{name}:8000" in (ROOT / "deploy" / "prometheus.yml").read_text()


def test_only_nginx_is_open_to_the_world() -> None:
    published = {name: service["ports"] for name, service in COMPOSE["services"].items() if "ports" in service}

    assert {name for name, ports in published.items() if not all("127.0.0.1" in port for port in ports)} == {"nginx"}


def test_every_file_that_is_mounted_is_there() -> None:
    for service in COMPOSE["services"].values():
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            assert source in COMPOSE["volumes"] or (ROOT / source).exists(), source


def test_what_the_compose_file_sets_is_a_setting() -> None:
    known = {setting.name for setting in SETTINGS} | {"HOST", "PORT"}

    assert set(COMPOSE["services"]["app1"]["environment"]) <= known


def test_postgresql_has_connections_for_as_many_workers_as_the_page_says() -> None:
    page = " ".join((ROOT / "docs" / "deployment.md").read_text().split())
    each = int(POSTGRESQL["pool_size"]) + int(POSTGRESQL["max_overflow"])
    most = int(COMPOSE["services"]["postgres"]["command"][-1].removeprefix("max_connections="))

    assert f"A worker opens up to {each} connections" in page
    assert f"ALTER SYSTEM SET max_connections = {most}'" in page
    assert f"`max_connections` of {most}, as in compose.yaml, which is enough for seven." in page
    assert 7 * each < most - 10  # Some are kept: PostgreSQL's own three, a migration, commands.


def test_an_upgrade_installs_all_that_was_installed_at_first() -> None:
    first, upgrade = (ROOT / "docs" / "deployment.md").read_text().split("## Upgrades")
    install = re.compile(r"[\w./]*pip install --requirement requirements\.txt|npm ci[\w -]*")

    assert len(set(install.findall(first))) == 2
    assert {found.strip() for found in install.findall(first)} == {found.strip() for found in install.findall(upgrade)}


def test_the_image_runs_without_root_and_without_a_compiler() -> None:
    final = DOCKERFILE.rsplit("\nFROM ", 1)[1]

    assert re.search(r"^USER codesherpa$", final, re.M)
    assert "HEALTHCHECK" in final
    assert "apt-get" not in DOCKERFILE
    assert "--only-binary :all:" in DOCKERFILE


def test_nothing_secret_and_nothing_large_goes_into_the_image() -> None:
    lines = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and line[0] != "#"]

    assert lines[0] == "*"  # All stays out but what is named.
    named = {line.removeprefix("!") for line in lines if line.startswith("!")}
    assert not {name for name in named if re.search(r"\.env$|instance|tests|\.git$|\.venv", name)}
    for name in named - {"web"}:
        assert (ROOT / name).exists(), name


def test_the_image_has_what_the_application_imports_at_its_top() -> None:
    """A new module or folder beside codesherpa/ must be let through .dockerignore too."""
    let_in = {
        line.removeprefix("!").split("/")[0]
        for line in (ROOT / ".dockerignore").read_text().splitlines()
        if line.startswith("!")
    }
    beside = {path.stem for path in ROOT.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}
    imported = {
        name
        for path in [*(ROOT / "codesherpa").rglob("*.py"), ROOT / "wsgi.py", ROOT / "config.py"]
        for name in re.findall(r"^\s*(?:from|import) (\w+)", path.read_text(), re.M)
    }

    assert {name for name in imported & beside if name not in let_in and f"{name}.py" not in let_in} == set()


def test_the_page_makes_a_configuration_for_a_machine_of_its_own(tmp_path: Path) -> None:
    """Whatever names a container or its streams has gone, and nginx takes the rest."""
    page = (ROOT / "docs" / "deployment.md").read_text()
    command = re.search(r"^(sed .*?) > /etc/nginx/nginx.conf$", page, re.M | re.S)
    assert command
    made = subprocess.run(["bash", "-c", command[1]], cwd=ROOT, capture_output=True, text=True, timeout=60).stdout

    assert not re.search(r"app\d:|/dev/std|pid /tmp|stderr", made)
    for wanted in (
        "server 127.0.0.1:8000 ",
        "server 127.0.0.1:8001 ",
        "pid /run/nginx.pid;",
        "/var/log/nginx/error.log",
    ):
        assert wanted in made
    if not front.NGINX:
        skip_or_fail("no nginx here")
    here = re.sub("/(?:run|var/log/nginx|etc/nginx/server.d|tmp)(?=/)", str(tmp_path), made)
    (tmp_path / "whole").write_text(here)  # Not *.conf, which it includes.
    checked = [front.NGINX, "-t", "-c", str(tmp_path / "whole"), "-p", str(tmp_path)]
    found = subprocess.run(checked, capture_output=True, text=True, timeout=60)
    assert found.returncode == 0, found.stderr


def test_the_units_of_systemd_serve_as_gunicorn_is_meant_to() -> None:
    unit = (ROOT / "deploy" / "codesherpa@.service").read_text()

    assert "ExecStart=/srv/codesherpa/.venv/bin/gunicorn -c gunicorn.conf.py wsgi:app" in unit
    assert "Environment=PORT=%i" in unit
    assert int(re.search(r"TimeoutStopSec=(\d+)", unit)[1]) > 10  # type: ignore[index]  # gunicorn's own grace time


def test_the_pages_say_of_workers_what_the_files_do() -> None:
    most = re.search(r"^worker_connections = ([\d_]+)", (ROOT / "gunicorn.conf.py").read_text(), re.M)
    sticky = re.search(r"upstream sockets \{\s+(.+);", (ROOT / "deploy" / "nginx.conf").read_text())
    assert most
    assert sticky

    for page in ("workers", "deployment", "operations"):
        assert f"{int(most[1]):,} connections" in (ROOT / "docs" / f"{page}.md").read_text()
    assert f"`{sticky[1]}`" in (ROOT / "docs" / "workers.md").read_text()


def alive(port: int) -> int:
    command = [sys.executable, "-m", "deploy.alive"]
    return subprocess.run(command, cwd=ROOT, env={"PORT": str(port)}, capture_output=True, timeout=60).returncode


def test_the_health_check_tells_whether_the_server_answers(app: Flask) -> None:
    server = make_server("127.0.0.1", 0, app)
    Thread(target=server.handle_request, daemon=True).start()
    answered = alive(server.port)
    server.server_close()

    assert (answered, alive(server.port)) == (0, 1)
