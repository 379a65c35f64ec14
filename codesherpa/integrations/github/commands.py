"""flask github: what is to be done, what went wrong, and what never came."""

from __future__ import annotations

import click

from codesherpa.integrations import jobs
from codesherpa.integrations.github import service
from codesherpa.integrations.models import ENDED, RUNNING, WAITING
from codesherpa.integrations.runner import Hopeless, Later
from codesherpa.terminal import Commands, echo, json_option, printable, table, tell, when

OURS = "github."


@click.group(cls=Commands)
def github() -> None:
    """Look after the reviews of pull requests."""


@github.command("jobs")
@click.option("--status", type=click.Choice([WAITING, RUNNING, *ENDED]), help="Only those.")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True)
@json_option
def list_jobs(status: str | None, limit: int, as_json: bool) -> None:
    """List the newest jobs, and why they ended as they did."""
    found = jobs.recent(OURS, status, limit)
    head = ("id", "kind", "for", "status", "tries", "since", "reason")
    rows = [
        (job.id, job.kind.removeprefix(OURS), job.key, job.status, job.tries, when(job.created_at), job.reason or "")
        for job in found
    ]
    as_data = {"jobs": [dict(zip(head, row, strict=True)) for row in rows], "count": len(rows)}
    tell(as_json, as_data, table(head, rows) if rows else "No jobs.")


@github.command()
@click.argument("ids", nargs=-1, type=click.IntRange(1, 2**63 - 1))
def retry(ids: tuple[int, ...]) -> None:
    """Begin jobs again: those named (failed or dropped), or all that failed."""
    begun = jobs.retry(OURS, ids)
    for id in begun:
        echo(f"{id} begins again")
    if not begun:
        echo("No job to begin again.")
    if missing := sorted(set(ids) - set(begun)):
        raise click.ClickException(f"not failed, not dropped or not there: {', '.join(map(str, missing))}")


@github.command()
@click.option("--hours", type=click.IntRange(1, 72), default=72, show_default=True, help="GitHub keeps three days.")
@click.option("--repository", metavar="OWNER/NAME", help="With a token: only this one, which need not be known yet.")
def reconcile(hours: int, repository: str | None) -> None:
    """Ask GitHub for the deliveries that it could not hand over, and take them in."""
    count = 0
    try:
        for delivered_at, event, outcome in service.reconcile(hours, repository):
            count += 1
            echo(f"{delivered_at} {event}: {outcome}")
    except (Hopeless, Later) as fault:
        raise click.ClickException(printable(str(fault))) from fault
    echo(f"{count} deliveries had not come through.")
