"""The flask commands of every feature, and the one that belongs to none."""

from __future__ import annotations

import click
from flask import Flask
from flask.cli import with_appcontext

import config
from codesherpa import copying
from codesherpa.auth.commands import user
from codesherpa.chat.commands import chat
from codesherpa.integrations.github.commands import github
from codesherpa.providers.commands import bedrock
from codesherpa.terminal import echo, one_line
from codesherpa.usage.commands import usage


def register(app: Flask) -> None:
    app.cli.add_command(chat)
    app.cli.add_command(bedrock)
    app.cli.add_command(user)
    app.cli.add_command(usage)
    app.cli.add_command(copy_database)
    app.cli.add_command(github)


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
            echo(f"{table}: {rows}")
    echo("Done: all of it is here.")
