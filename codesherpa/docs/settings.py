"""Every setting as a page of the documentation and as `.env.example`, from config.py alone."""

from __future__ import annotations

from config import SETTINGS, Setting

# What compose.yaml and gunicorn.conf.py read beside the settings of the application.
AROUND = (
    ("HOST", "127.0.0.1", "address that gunicorn listens at; the container has 0.0.0.0"),
    ("PORT", "8000", "its port"),
    ("POSTGRES_PASSWORD", "", "compose.yaml: the database's password, letters and digits; `openssl rand -hex 32`"),
    ("HTTP_PORT", "80", "compose.yaml: where nginx listens"),
    ("HTTPS_PORT", "443", "compose.yaml: the same for TLS, once deploy/server.d has a certificate"),
    ("GRAFANA_PORT", "3001", "compose.yaml, profile monitoring: Grafana's port on this machine alone"),
    ("GRAFANA_PASSWORD", "admin", "compose.yaml, profile monitoring: the password of its user admin"),
)
HEAD = """# Settings

Made by `make types` from config.py: do not edit.

All are read once, at the start, from the environment and from `.env` in the project's folder; what the environment
says goes before what `.env` says. An empty value is the default. A value that cannot be right stops the start with
one line that names the setting. boto3 and OpenTelemetry read variables of their own beside these (`AWS_PROFILE`,
`AWS_ACCESS_KEY_ID`, `OTEL_SERVICE_NAME`, `OTEL_TRACES_SAMPLER`, ...), from either place too.

| setting | default | what it is | what it may be |
|---|---|---|---|
"""
AROUND_HEAD = """
Around the application, read by gunicorn.conf.py and compose.yaml alone:

| variable | default | what it is |
|---|---|---|
"""
EXAMPLE_HEAD = "# Copy to .env and change what you need; what the environment says goes before what stands here.\n\n"
EXAMPLE_AROUND = "\n# Around the application: gunicorn.conf.py and compose.yaml.\n\n"


def page() -> str:
    """Return docs/settings.md."""
    rows = (f"| `{one.name}` | {code(one.default)} | {one.why} | {allowed(one)} |\n" for one in SETTINGS)
    around = (f"| `{name}` | {code(default)} | {why} |\n" for name, default, why in AROUND)
    return HEAD + "".join(rows) + AROUND_HEAD + "".join(around)


def example() -> str:
    """Return .env.example: every setting with its default and a line of why, commented out."""
    settings = (f"# {one.why}\n#{one.name}={one.default}\n" for one in SETTINGS)
    around = (f"# {why}\n#{name}={default}\n" for name, default, why in AROUND)
    return EXAMPLE_HEAD + "".join(settings) + EXAMPLE_AROUND + "".join(around)


def code(text: str) -> str:
    return f"`{text}`" if text else "none"


def allowed(setting: Setting) -> str:
    """Return what a setting may be, in the words in which a wrong value is refused."""
    try:
        setting.parse("\ufffd")
    except ValueError as error:
        return str(error).removeprefix("must ").removeprefix("be ").removeprefix("hold ").partition(", not ")[0]
    return "any text"
