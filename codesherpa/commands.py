"""The flask commands, thin."""

from __future__ import annotations

import sys
from datetime import date, datetime
from pathlib import Path

import click
from flask import Flask, current_app
from flask.cli import with_appcontext

import config
from codesherpa import copying, providers, sherpas
from codesherpa.auth.commands import load, one_line, user
from codesherpa.chat.reply import Reply
from codesherpa.chat.schemas import NewChat
from codesherpa.concurrency import Cancellation
from codesherpa.integrations.github.commands import github
from codesherpa.sherpas import router
from codesherpa.sherpas.interface import Ask
from codesherpa.usage import report
from codesherpa.user import service as users
from codesherpa.user.schemas import LANGUAGES


def register(app: Flask) -> None:
    app.cli.add_command(chat)
    app.cli.add_command(bedrock)
    app.cli.add_command(user)
    app.cli.add_command(usage)
    app.cli.add_command(copy_database)
    app.cli.add_command(github)


@click.command()
@click.argument("message")
@click.option(
    "--file", "path", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Code to send along."
)
@click.option("--language", type=click.Choice(LANGUAGES), default="en", help="What the reply is written in.")
@with_appcontext
def chat(message: str, path: Path | None, language: str) -> None:
    """Ask a sherpa and see the reply as it is written; nothing is stored."""
    code = fenced(path) if path else None
    load(NewChat(), message=message, **({"code_context": code} if code else {}))
    routing = router.route(message, code) or router.fallback(message, code)
    sherpa = sherpas.SHERPAS[routing.target_agent]
    cancellation = Cancellation()
    brief = sherpa.brief(Ask(message=message, code_context=code, language=language))
    reply = Reply(sherpa, providers.of(current_app), brief, cancellation)
    try:
        for text in reply:
            click.echo(text, nl=False)
            sys.stdout.flush()
    except KeyboardInterrupt:
        cancellation.cancel()
    click.echo()
    if reply.outcome.status == "failed":
        raise click.ClickException(reply.outcome.error["message"] if reply.outcome.error else "The reply was lost.")


def fenced(path: Path) -> str:
    """Return a file as a fenced block with its name. Raises UsageError for what is no text."""
    try:
        code = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise click.UsageError(f"{path} is not a text file.") from error
    fence = "`" * 3
    while fence in code:
        fence += "`"
    return f"{fence}{path.suffix.lstrip('.')} {path.name}\n{code}\n{fence}"


@click.group()
def bedrock() -> None:
    """Look after the connection to AWS Bedrock."""


@bedrock.command("check")
@with_appcontext
def check_bedrock() -> None:
    """Make one real call, and say what is wrong and how to mend it."""
    from codesherpa.providers.bedrock import check

    steps = []
    for step in check(providers.bedrock_of(current_app)):
        steps.append(step)
        click.echo(f"{'ok  ' if step.ok else 'FAIL'} {step.name}: {step.finding}")
        if not step.ok and step.mend:
            click.echo(f"     {step.mend}")
    if not all(step.ok for step in steps):
        raise SystemExit(1)


class Day(click.ParamType[date]):
    """A UTC day as 2026-11-23."""

    name = "day"

    def convert(self, value: str | date, param: click.Parameter | None, context: click.Context | None) -> date:
        if isinstance(value, date):
            return value
        try:
            return datetime.strptime(value, "%Y-%m-%d").date()  # noqa: DTZ007 - a day has no zone.
        except ValueError:
            self.fail(f"{value!r} is not a day such as 2026-11-23.", param, context)


@click.group()
def usage() -> None:
    """Tell what the models' calls took and cost."""


@usage.command("report")
@click.option("--since", type=Day(), help="The first UTC day.")
@click.option("--until", type=Day(), help="The last UTC day, included.")
@click.option("--user", metavar="EMAIL", help="Of one user alone.")
@click.option("--by", default="day,user,agent,model", show_default=True, help="What to put together by.")
@click.option("--csv", "form", flag_value="csv", help="For a spreadsheet.")
@click.option("--json", "form", flag_value="json", help="For a program.")
@click.option("--table", "form", flag_value="table", default="table", help="For eyes; the default.")
@with_appcontext
def report_usage(since: date | None, until: date | None, user: str | None, by: str, form: str) -> None:
    """Count tokens and dollars by user, agent, model and day; dollars are an estimate from list prices."""
    names = [name.strip() for name in by.split(",")]
    if unknown := [name for name in names if name not in report.BY]:
        raise click.UsageError(f"--by takes {', '.join(report.BY)}, not {unknown[0]!r}.")
    if since and until and until < since:
        raise click.UsageError(f"--until {until} is before --since {since}.")
    if user and users.find(user) is None:
        raise click.UsageError(f"There is no user {user}.")
    found = report.rows(names, since, until, user)
    if found or form == "json":
        click.echo(report.FORMS[form](found))
    else:
        click.echo("No model was called in that time.", err=form == "csv")


def database_url(_ctx: click.Context, _parameter: click.Parameter, text: str) -> str:
    try:
        return config.database(text)
    except ValueError as error:
        raise click.ClickException(f"FROM_URL {error}") from error


@click.command("copy-database")
@click.argument("url", metavar="FROM_URL", callback=database_url)
@with_appcontext
def copy_database(url: str) -> None:
    """Copy all data of another database into this one, which is migrated and empty."""
    with one_line():
        for table, rows in copying.copy_from(url):
            click.echo(f"{table}: {rows}")
    click.echo("Done: all of it is here.")
