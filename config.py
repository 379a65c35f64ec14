"""Every setting, read from the environment and `.env` here and nowhere else."""

from __future__ import annotations

import os
import re
import secrets
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from dotenv import dotenv_values
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

ROOT = Path(__file__).parent
SANE_HOST = re.compile(r"([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?")  # No user, no wildcard.


class SettingError(ValueError):
    """A setting that cannot be right; its text is one line that names it."""


@dataclass(frozen=True, slots=True)
class Setting:
    """A name, its default as it would be written in `.env`, how it is read, and a line of why.

    Production may have a default of its own, which the line of why names.
    """

    name: str
    default: str
    parse: Callable[[str], Any]
    why: str
    production: str | None = None


def one_of(*choices: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text not in choices:
            raise ValueError(f"must be one of {', '.join(choices)}")
        return text

    return parse


def whole(least: int, most: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not re.fullmatch("[0-9]{1,15}", text) or not least <= int(text) <= most:
            raise ValueError(f"must be a whole number from {least} to {most}")
        return int(text)

    return parse


def optional(parse: Callable[[str], Any]) -> Callable[[str], Any]:
    return lambda text: parse(text) if text else None


def or_off(parse: Callable[[str], Any]) -> Callable[[str], Any]:
    """Read what `parse` reads; `off` is None."""

    def read_or_off(text: str) -> Any:
        if text == "off":
            return None
        try:
            return parse(text)
        except ValueError as error:
            raise ValueError(f"{error}, or off") from error

    return read_or_off


def words(text: str) -> str:
    return text


def like(pattern: str, what: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if not re.fullmatch(pattern, text):
            raise ValueError(f"must be {what}")
        return text

    return parse


def level(text: str) -> str:
    return one_of("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")(text.upper())


def origins(text: str) -> list[str]:
    found = [part.strip() for part in text.split(",") if part.strip()]
    for origin in found:
        parts = urlsplit(origin)
        whole_origin = f"{parts.scheme}://{parts.netloc}"
        sane = parts.scheme in ("http", "https") and SANE_HOST.fullmatch(parts.netloc)
        if origin != "*" and (not sane or origin != whole_origin):
            raise ValueError(f"must hold origins such as https://app.example.com, not {origin!r}")
    return found


def url(*schemes: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        try:
            parts = urlsplit(text)
            sane = parts.scheme in schemes and (parts.netloc or parts.path) and parts.port != 0
        except ValueError:  # Of a port that is none, or half an IPv6 address.
            sane = False
        if not sane:
            raise ValueError(f"must be a URL that begins with {' or '.join(s + '://' for s in schemes)}")
        return text

    return parse


def database(text: str) -> str:
    if text.startswith("postgres://"):
        text = "postgresql://" + text.removeprefix("postgres://")
    try:
        parts = make_url(text)
    except (ArgumentError, ValueError) as error:  # The latter for a port that is no number.
        raise ValueError("must be a database URL such as postgresql://user@host/name") from error
    if parts.get_backend_name() not in ("sqlite", "postgresql"):
        raise ValueError("must be a sqlite:// or postgresql:// URL")
    if not 0 < (parts.port or 1) < 65536:
        raise ValueError("must name a port from 1 to 65535")
    return text


def rate(text: str) -> str | None:
    """Read `20/minute`; `off` is None."""
    if text == "off":
        return None
    count, _, unit = text.partition("/")
    if not (count.isascii() and count.isdigit() and int(count)) or unit not in ("second", "minute", "hour", "day"):
        raise ValueError("must be a rate such as 20/minute, or off")
    return text


def pairs(text: str) -> dict[str, str]:
    """Read `arn=model,arn=model`."""
    found = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, sign, value = (piece.strip() for piece in part.partition("="))
        if not (name and sign and value):
            raise ValueError(f"must hold pairs such as arn:aws:bedrock:...=anthropic.claude-sonnet-4-6, not {part!r}")
        found[name] = value
    return found


# What stands in examples and tutorials where a key should be.
PLACEHOLDERS = ("change", "your-secret", "your_secret", "example", "insecure", "placeholder")
REPEATS = re.compile(r"(.{1,15}?)\1+")


def private_key(text: str) -> str:
    """Read a private key: PEM, its line ends perhaps written as \\n, or the path of a file that holds it."""
    if not text.startswith("-----BEGIN"):
        try:
            text = Path(text).read_text()
        except (OSError, UnicodeDecodeError) as error:
            raise ValueError("must be a private key in PEM, or the path of one that can be read") from error
    if "PRIVATE KEY-----" not in text:
        raise ValueError("must be a private key in PEM, or the path of one that can be read")
    return text.replace("\\n", "\n")


SETTINGS = (
    Setting("APP_ENV", "development", one_of("development", "production"), "production refuses weak settings"),
    Setting("SECRET_KEY", "", words, "signs tokens; 32 bytes or more; development makes and keeps one"),
    Setting("DATABASE_URL", "sqlite:///codesherpa.db", database, "a sqlite path is relative to instance/"),
    Setting(
        "REDIS_URL", "", optional(url("redis", "rediss", "unix")), "shared by several processes; none: one process"
    ),
    Setting(
        "ASYNC_MODE", "", optional(one_of("eventlet", "threading")), "eventlet under gunicorn, threading elsewhere"
    ),
    Setting("ACCESS_TOKEN_EXPIRE_MINUTES", "30", whole(1, 1440), "life of an access token"),
    Setting("REFRESH_TOKEN_EXPIRE_DAYS", "7", whole(1, 365), "life of a refresh token"),
    Setting("CHILD_MEMORY_MB", "512", whole(256, 65_536), "memory in MiB that one process for large code may take"),
    Setting("BCRYPT_ROUNDS", "12", whole(4, 20), "cost of a password hash; each step doubles it"),
    Setting(
        "CORS_ORIGINS",
        "http://localhost:5173,http://localhost:5174,http://localhost:3000",
        origins,
        "front ends that may call, REST and sockets alike, comma-separated",
    ),
    Setting("TRUSTED_PROXIES", "0", whole(0, 10), "how many proxies in front set X-Forwarded-For"),
    Setting("LOG_LEVEL", "INFO", level, "least level that is logged"),
    Setting("LOG_FORMAT", "console", one_of("console", "json"), "for eyes or for machines"),
    Setting(
        "OTEL_EXPORTER_OTLP_ENDPOINT",
        "",
        optional(url("http", "https")),
        "where traces go (OTLP over HTTP); OpenTelemetry reads its own variables beside it; none: no traces",
    ),
    Setting(
        "RATE_LIMIT_DEFAULT",
        "600/minute",
        rate,
        "requests and socket events by user; bad tokens, missing paths, public pages by address; or off",
    ),
    Setting(
        "RATE_LIMIT_AUTH",
        "20/minute",
        rate,
        "sign-in, registration, refresh, change of email, each counted by address, or off",
    ),
    Setting("RATE_LIMIT_LOGIN", "10/minute", rate, "sign-ins by account, or off"),
    Setting("RATE_LIMIT_MESSAGES", "10/second", rate, "messages by user, or off"),
    Setting("MAX_GENERATIONS_PER_USER", "4", whole(1, 1000), "replies of a user that are written at once"),
    Setting(
        "MAX_STORED_MB_PER_USER",
        "off",
        or_off(whole(1, 10**9)),
        "megabytes of messages, replies, agents and projects that a user may store, or off; 1024 in production",
        production="1024",
    ),
    Setting(
        "MODEL_PROVIDER", "auto", one_of("auto", "bedrock", "offline"), "auto: Bedrock where AWS credentials are found"
    ),
    Setting(
        "AWS_REGION",
        "us-east-1",
        like("[a-z]{2,4}(-[a-z]+){1,2}-[0-9]{1,2}", "a region such as eu-central-1"),
        "where Bedrock is called; boto3 reads its own variables beside it",
    ),
    Setting("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", "", optional(url("http", "https")), "another endpoint for Bedrock"),
    Setting(
        "BEDROCK_MODEL_ID",
        "global.anthropic.claude-sonnet-4-6",
        like("[A-Za-z0-9.:/_-]+", "an id or an ARN"),
        "model or inference profile",
    ),
    Setting("BEDROCK_MODEL_ALIASES", "", pairs, "the model behind an application profile, arn=model, comma-separated"),
    Setting("BEDROCK_MAX_TOKENS", "4096", whole(1, 200_000), "longest reply where the agent names none"),
    Setting("BEDROCK_READ_TIMEOUT", "60", whole(1, 3600), "seconds of silence before a reply is given up"),
    Setting(
        "DAILY_TOKEN_BUDGET", "", optional(whole(1, 10**12)), "tokens a user may spend in a UTC day; none: no limit"
    ),
    Setting("GITHUB_TOKEN", "", optional(words), "reads pull requests and writes reviews"),
    Setting("GITHUB_API_URL", "https://api.github.com", url("http", "https"), "GitHub Enterprise has its own"),
    Setting("GITHUB_WEBHOOK_SECRET", "", optional(words), "checks deliveries; none: the webhook is closed"),
    Setting("GITHUB_APP_ID", "", optional(whole(1, 10**12)), "a GitHub App instead of the token; it may write checks"),
    Setting("GITHUB_APP_PRIVATE_KEY", "", optional(private_key), "a path, or PEM with \\n for line ends"),
    Setting("GITHUB_APP_INSTALLATION_ID", "", optional(whole(1, 10**12)), "where a delivery names no installation"),
    Setting("GITHUB_REVIEWS_PER_DAY", "50", whole(0, 1_000_000), "reviews of one repository in a UTC day"),
    Setting("WHATSAPP_VERIFY_TOKEN", "", optional(words), "answers Meta's verification"),
    Setting("WHATSAPP_APP_SECRET", "", optional(words), "checks deliveries; none: the webhook is closed"),
    Setting("WHATSAPP_ACCESS_TOKEN", "", optional(words), "sends replies"),
    Setting("WHATSAPP_API_URL", "https://graph.facebook.com", url("http", "https"), "WhatsApp Cloud API"),
    Setting(
        "WHATSAPP_PHONE_NUMBER_ID", "", optional(like("[0-9]+", "an id of digits")), "the number that replies come from"
    ),
    Setting("WHATSAPP_CODE_TEMPLATE", "", optional(words), "authentication template for codes; none: plain text"),
)


def load(environ: Mapping[str, str]) -> dict[str, Any]:
    """Read every setting from `environ` into a Flask configuration.

    Raises SettingError, one line that names the setting, for a value that cannot be right.
    """
    settings = {setting.name: read(setting, environ) for setting in SETTINGS}
    if settings["APP_ENV"] == "production":
        fit_for_production(settings, environ)
    if settings["GITHUB_APP_ID"] and not settings["GITHUB_APP_PRIVATE_KEY"]:
        raise SettingError("GITHUB_APP_PRIVATE_KEY must be set where GITHUB_APP_ID is")
    return settings | for_libraries(settings)


def fit_for_production(settings: Mapping[str, Any], environ: Mapping[str, str]) -> None:
    """Raise SettingError for what is good enough to develop with and no more."""
    key = settings["SECRET_KEY"]
    if len(key.encode()) < 32:
        raise SettingError("SECRET_KEY must have 32 bytes or more in production: set it to `openssl rand -hex 32`")
    if len(set(key)) < 8 or REPEATS.fullmatch(key) or any(word in key.casefold() for word in PLACEHOLDERS):
        raise SettingError("SECRET_KEY must not be guessable in production: set it to `openssl rand -hex 32`")
    if "*" in settings["CORS_ORIGINS"]:
        raise SettingError("CORS_ORIGINS must not be * in production: list the origins of your front ends")
    if environ.get("FLASK_DEBUG", "").strip().casefold() not in ("", "0", "false", "no"):
        raise SettingError("FLASK_DEBUG must not be on in production: its debugger runs whatever it is sent; unset it")
    if settings["BCRYPT_ROUNDS"] < 10:
        raise SettingError("BCRYPT_ROUNDS must be 10 or more in production: unset it, the default is 12")
    workers = environ.get("WEB_CONCURRENCY", "").strip()
    if workers.isdigit() and int(workers) > 1:
        fit_for_several(settings, workers)


def fit_for_several(settings: Mapping[str, Any], workers: str) -> None:
    """Raise SettingError where several workers would share what only one can have."""
    if settings["DATABASE_URL"].startswith("sqlite"):
        raise SettingError(f"DATABASE_URL must be postgresql:// for {workers} workers: SQLite is for one")
    if not settings["REDIS_URL"]:
        raise SettingError(f"REDIS_URL must be set for {workers} workers: they share limits and events by it")


def read(setting: Setting, environ: Mapping[str, str]) -> Any:
    default = setting.default
    if setting.production is not None and environ.get("APP_ENV", "").strip() == "production":
        default = setting.production
    text = environ.get(setting.name, "").strip() or default
    try:
        return setting.parse(text)
    except ValueError as error:
        raise SettingError(f"{setting.name} {error}") from error


# A database that was restarted is found again, and one that is away is known to be within seconds.
POSTGRESQL = {
    "pool_pre_ping": True,
    # Forty in all: two processes stay below the hundred that PostgreSQL takes unless it is told otherwise.
    "pool_size": 20,
    "max_overflow": 20,
    "pool_timeout": 10,
    "connect_args": {
        "connect_timeout": 3,
        "keepalives_idle": 10,
        "keepalives_interval": 2,
        "keepalives_count": 3,
        "tcp_user_timeout": 15_000,  # Milliseconds: of a host that vanished under a query, keepalives tell nothing.
    },
}


def for_libraries(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The same settings under the names that the libraries read."""
    return {
        "SQLALCHEMY_DATABASE_URI": settings["DATABASE_URL"],
        # An error's text must not carry what users wrote.
        "SQLALCHEMY_ENGINE_OPTIONS": {"hide_parameters": True}
        | (POSTGRESQL if settings["DATABASE_URL"].startswith("postgresql") else {}),
        "MAX_CONTENT_LENGTH": 1024 * 1024,
        "JWT_ALGORITHM": "HS256",
        "JWT_DECODE_ALGORITHMS": ["HS256"],
        "JWT_TOKEN_LOCATION": ["headers"],
        "JWT_COOKIE_CSRF_PROTECT": False,  # No cookies, so no claim against their abuse.
        "JWT_ACCESS_TOKEN_EXPIRES": timedelta(minutes=settings["ACCESS_TOKEN_EXPIRE_MINUTES"]),
        "JWT_REFRESH_TOKEN_EXPIRES": timedelta(days=settings["REFRESH_TOKEN_EXPIRE_DAYS"]),
        "JWT_ENCODE_ISSUER": "codesherpa",
        "JWT_DECODE_ISSUER": "codesherpa",
        "JWT_ENCODE_AUDIENCE": "codesherpa",
        "JWT_DECODE_AUDIENCE": "codesherpa",
    }


def from_environment() -> dict[str, Any]:
    """Read the settings of this process; what the environment says goes before what `.env` says."""
    dotenv = {name: value for name, value in dotenv_values(ROOT / ".env").items() if value is not None}
    # boto3 and OpenTelemetry read their own variables from the environment, so what .env says must stand there too.
    for name, value in dotenv.items():
        if name.startswith(("AWS_", "OTEL_")):
            os.environ.setdefault(name, value)
    return load(dotenv | dict(os.environ))


def check() -> None:
    """Exit with one line for settings that cannot be right."""
    try:
        from_environment()
    except SettingError as error:
        sys.exit(f"codesherpa: {error}")


def kept_secret(folder: Path) -> str:
    """Return the development key kept in `folder`, made at the first call; two processes agree on one."""
    path = folder / "secret_key"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not path.exists():
        fresh = path.with_name(f".secret_key.{os.getpid()}")
        fresh.touch(mode=0o600)
        fresh.write_text(secrets.token_hex(32))
        try:
            os.link(fresh, path)  # Unlike a rename it never replaces the key that another process made first.
        except FileExistsError:
            pass
        finally:
            fresh.unlink()
    return path.read_text().strip()
