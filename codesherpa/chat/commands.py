"""flask chat: ask a sherpa from the command line."""

from __future__ import annotations

import sys
from pathlib import Path

import click
from flask import current_app
from flask.cli import with_appcontext

from codesherpa import providers, sherpas
from codesherpa.chat.reply import Reply
from codesherpa.chat.schemas import NewChat
from codesherpa.concurrency import Cancellation
from codesherpa.sherpas import router
from codesherpa.sherpas.interface import Ask
from codesherpa.terminal import echo, load, printable
from codesherpa.user.schemas import LANGUAGES


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
    last = ""
    try:
        for text in reply:
            echo(text, nl=False, before=last)
            sys.stdout.flush()
            last = text[-1:] or last
    except KeyboardInterrupt:
        cancellation.cancel()
    click.echo()
    if reply.outcome.status == "failed":
        why = reply.outcome.error["message"] if reply.outcome.error else "The reply was lost."
        raise click.ClickException(printable(why))


def fenced(path: Path) -> str:
    """Return a file as a fenced block with its name. Raises UsageError for what is no text."""
    try:
        code = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise click.UsageError(printable(f"{path} is not a text file.")) from error
    fence = "`" * 3
    while fence in code:
        fence += "`"
    return f"{fence}{path.suffix.lstrip('.')} {path.name}\n{code}\n{fence}"
