"""flask bedrock: the connection to the models, looked after from the command line."""

from __future__ import annotations

import click
from flask import current_app
from flask.cli import with_appcontext

from codesherpa import providers
from codesherpa.terminal import echo


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
        echo(f"{'ok  ' if step.ok else 'FAIL'} {step.name}: {step.finding}")
        if not step.ok and step.mend:
            echo(f"     {step.mend}")
    if not all(step.ok for step in steps):
        raise SystemExit(1)
