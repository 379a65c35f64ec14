"""Every setting: read once, documented once, refused in one line."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from codesherpa import Application, create_app
from config import ROOT, SETTINGS, SettingError, kept_secret, load

CONTRACT = ROOT.parent / "shared" / "CONTRACT.md"


def test_the_example_lists_every_setting_with_its_default_and_a_reason() -> None:
    example = (ROOT / ".env.example").read_text()

    expected = "".join(f"# {setting.why}\n#{setting.name}={setting.default}\n" for setting in SETTINGS)
    assert expected in example
    assert all(setting.why for setting in SETTINGS)


def test_what_the_compose_file_asks_for_is_in_the_example() -> None:
    asked = set(re.findall(r"\$\{(\w+)", (ROOT / "compose.yaml").read_text()))

    assert asked <= set(re.findall(r"^#(\w+)=", (ROOT / ".env.example").read_text(), re.M))


@pytest.mark.skipif(not CONTRACT.exists(), reason="the contract is not beside this checkout")
def test_every_setting_of_the_contract_is_there() -> None:
    section = CONTRACT.read_text().split("## 4. Settings")[1].split("\n## ")[0]

    named = set(re.findall(r"`([A-Z][A-Z_]+)`", section))
    assert named <= {setting.name for setting in SETTINGS}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("APP_ENV", "staging"),
        ("DATABASE_URL", "mysql://x/y"),
        ("DATABASE_URL", "nonsense"),
        ("DATABASE_URL", "postgresql://db:99999/x"),
        ("DATABASE_URL", "postgresql://db:port/x"),
        ("REDIS_URL", "localhost"),
        ("REDIS_URL", "redis://cache:99999"),
        ("REDIS_URL", "redis://[::1"),
        ("ASYNC_MODE", "gevent"),
        ("ACCESS_TOKEN_EXPIRE_MINUTES", "0"),
        ("ACCESS_TOKEN_EXPIRE_MINUTES", "-1"),
        ("ACCESS_TOKEN_EXPIRE_MINUTES", "half"),
        ("BCRYPT_ROUNDS", "3"),
        ("BCRYPT_ROUNDS", "9" * 5000),
        ("CORS_ORIGINS", "localhost:3000"),
        ("CORS_ORIGINS", "https://app.example.com/"),
        ("CORS_ORIGINS", "https://*.example.com"),
        ("CORS_ORIGINS", "https://me@app.example.com"),
        ("CORS_ORIGINS", "null"),
        ("LOG_LEVEL", "loud"),
        ("RATE_LIMIT_AUTH", "many"),
        ("RATE_LIMIT_AUTH", "0/minute"),
        ("MAX_STORED_MB_PER_USER", "0"),
        ("MAX_STORED_MB_PER_USER", "lots"),
        ("MODEL_PROVIDER", "openai"),
        ("AWS_REGION", "EU (Frankfurt)"),
        ("AWS_REGION", "mars"),
        ("AWS_REGION", "us-east"),
        ("AWS_REGION", "us-east-1a"),
        ("AWS_REGION", "--1"),
        ("BEDROCK_MODEL_ID", "Claude Sonnet"),
        ("WHATSAPP_PHONE_NUMBER_ID", "+49 30 1234"),
        ("DAILY_TOKEN_BUDGET", "-5"),
        ("BEDROCK_MODEL_ALIASES", "arn:aws:bedrock:us-east-1:1:application-inference-profile/abc"),
        ("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", "127.0.0.1"),
    ],
)
def test_a_value_that_cannot_be_right_is_refused_in_one_line_that_names_the_setting(name: str, value: str) -> None:
    with pytest.raises(SettingError) as refused:
        load({name: value})

    assert str(refused.value).startswith(f"{name} must ")
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    "region",
    [
        "us-east-1",
        "us-gov-west-1",
        "ap-southeast-2",
        "eusc-de-east-1",
        "us-iso-east-1",
        "us-isob-east-1",
        "mx-central-1",
    ],
)
def test_every_form_of_a_region_is_one(region: str) -> None:
    assert load({"AWS_REGION": region})["AWS_REGION"] == region


def test_a_log_level_may_be_written_in_small_letters() -> None:
    assert load({"LOG_LEVEL": "debug"})["LOG_LEVEL"] == "DEBUG"


GUESSABLE = [
    "0123" * 16,
    "abcdefgh" * 4,
    "change-me-before-you-go-to-production",
]


@pytest.mark.parametrize("key", ["", "short", "x" * 31, "0123456789abcdef0123456789abcde", *GUESSABLE])
def test_production_refuses_a_weak_key(key: str) -> None:
    with pytest.raises(SettingError, match=r"^SECRET_KEY "):
        load({"APP_ENV": "production", "SECRET_KEY": key})


FIT = {"APP_ENV": "production", "SECRET_KEY": "0123456789abcdef0123456789abcdef"}


def test_production_starts_with_a_key_alone() -> None:
    assert load(FIT)["APP_ENV"] == "production"


@pytest.mark.parametrize(
    ("given", "development", "production"), [({}, None, 1024), ({"MAX_STORED_MB_PER_USER": "off"}, None, None)]
)
def test_production_bounds_what_a_user_stores_unless_it_is_told_not_to(
    given: dict[str, str], development: int | None, production: int | None
) -> None:
    found = [load(environ | given)["MAX_STORED_MB_PER_USER"] for environ in ({}, FIT)]

    assert found == [development, production]
    assert load(FIT | {"MAX_STORED_MB_PER_USER": "5"})["MAX_STORED_MB_PER_USER"] == 5


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"CORS_ORIGINS": "*"}, "CORS_ORIGINS"),
        ({"CORS_ORIGINS": "https://app.example.com,*"}, "CORS_ORIGINS"),
        ({"FLASK_DEBUG": "1"}, "FLASK_DEBUG"),
        ({"FLASK_DEBUG": "true"}, "FLASK_DEBUG"),
        ({"BCRYPT_ROUNDS": "9"}, "BCRYPT_ROUNDS"),
        ({"WEB_CONCURRENCY": "2"}, "DATABASE_URL"),
        ({"WEB_CONCURRENCY": "2", "REDIS_URL": "redis://cache"}, "DATABASE_URL"),
        ({"WEB_CONCURRENCY": "2", "DATABASE_URL": "postgresql://db/x"}, "REDIS_URL"),
    ],
)
def test_production_refuses_what_is_only_good_to_develop_with(wrong: dict[str, str], named: str) -> None:
    with pytest.raises(SettingError) as refused:
        load(FIT | wrong)

    assert str(refused.value).startswith(f"{named} must ")
    assert "\n" not in str(refused.value)
    assert load(wrong)["APP_ENV"] == "development"


@pytest.mark.parametrize("off", ["", "0", "false"])
def test_production_starts_where_debug_is_off_by_name(off: str) -> None:
    assert load(FIT | {"FLASK_DEBUG": off, "WEB_CONCURRENCY": "1"})


def test_gunicorn_refuses_several_workers_on_sqlite_in_production() -> None:
    environ = {"PATH": "/usr/bin:/bin", "PORT": "0", **FIT}
    command = [sys.executable, "-m", "gunicorn", "-c", "gunicorn.conf.py", "-w", "2", "wsgi:app"]

    ended = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=120)

    assert ended.returncode != 0
    assert ended.stderr == "codesherpa: DATABASE_URL must be postgresql:// for 2 workers: SQLite is for one\n"


def test_the_server_does_not_start_with_a_wrong_setting() -> None:
    environ = {"PATH": "/usr/bin:/bin", "BCRYPT_ROUNDS": "many"}

    ended = subprocess.run(
        [sys.executable, "wsgi.py"], cwd=ROOT, env=environ, capture_output=True, text=True, timeout=60
    )

    assert ended.returncode != 0
    assert ended.stderr.strip().splitlines() == ["codesherpa: BCRYPT_ROUNDS must be a whole number from 4 to 20"]


@pytest.mark.parametrize(
    ("name", "value", "line"),
    [
        ("BCRYPT_ROUNDS", "many", "codesherpa: BCRYPT_ROUNDS must be a whole number from 4 to 20\n"),
        ("PORT", "70000", "codesherpa: PORT must be a whole number from 0 to 65535\n"),
        ("PORT", "http", "codesherpa: PORT must be a whole number from 0 to 65535\n"),
    ],
)
def test_gunicorn_says_in_one_line_why_it_does_not_start(name: str, value: str, line: str) -> None:
    environ = {"PATH": "/usr/bin:/bin", "PORT": "0", name: value}
    command = [sys.executable, "-m", "gunicorn", "-c", "gunicorn.conf.py", "wsgi:app"]

    ended = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=120)

    assert ended.returncode != 0
    assert ended.stdout + ended.stderr == line


def test_development_keeps_the_key_that_it_made(tmp_path: Path) -> None:
    first = kept_secret(tmp_path)

    assert (kept_secret(tmp_path), len(first)) == (first, 64)
    assert (tmp_path / "secret_key").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("key", ["of the environment" * 2, ""], ids=["key", "no key"])
def test_nobody_else_on_the_machine_may_look_into_the_folder_of_the_database(
    key: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "instance"
    monkeypatch.setattr(Application, "auto_find_instance_path", lambda self: str(folder))

    create_app(load({"SECRET_KEY": key}))

    assert folder.stat().st_mode & 0o777 == 0o700


def test_the_page_makes_that_folder_as_the_application_does() -> None:
    assert "--mode 700 instance\n" in (ROOT / "docs" / "deployment.md").read_text()


def test_gunicorn_gives_up_where_a_setting_is_wrong_in_development_too() -> None:
    environ = {"PATH": "/usr/bin:/bin", "PORT": "0", "BCRYPT_ROUNDS": "many"}
    command = [sys.executable, "-m", "gunicorn", "-c", "gunicorn.conf.py", "wsgi:app"]

    ended = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=120)

    assert ended.returncode == 3
    assert "codesherpa: BCRYPT_ROUNDS must be a whole number from 4 to 20" in ended.stderr.splitlines()
