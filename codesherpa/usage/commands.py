"""flask usage: what the models' calls took and cost, from the command line."""

from __future__ import annotations

from datetime import date, datetime

import click

from codesherpa.terminal import Commands, echo
from codesherpa.usage import report
from codesherpa.user import service as users


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


@click.group(cls=Commands)
def usage() -> None:
    """Tell what the models' calls took and cost."""


@usage.command("report")
@click.option("--since", type=Day(), help="The first UTC day.")
@click.option("--until", type=Day(), help="The last UTC day, included.")
@click.option("--user", metavar="EMAIL|ID", help="Of one user alone.")
@click.option("--by", default="day,user,agent,model", show_default=True, help="What to put together by.")
@click.option("--csv", "form", flag_value="csv", help="For a spreadsheet.")
@click.option("--json", "form", flag_value="json", help="For a program.")
@click.option("--table", "form", flag_value="table", default="table", help="For eyes; the default.")
def report_usage(since: date | None, until: date | None, user: str | None, by: str, form: str) -> None:
    """Count tokens and dollars by user, agent, model and day; dollars are an estimate from list prices."""
    names = [name.strip() for name in by.split(",")]
    if unknown := [name for name in names if name not in report.BY]:
        raise click.UsageError(f"--by takes {', '.join(report.BY)}, not {unknown[0]!r}.")
    if since and until and until < since:
        raise click.UsageError(f"--until {until} is before --since {since}.")
    found = report.rows(names, since, until, users.named(user).id if user else None)
    if found or form == "json":
        echo(report.FORMS[form](found))
    else:
        echo("No model was called in that time.", err=form == "csv")
