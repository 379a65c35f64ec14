"""What the ledger says, by user, agent, model or day."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from sqlalchemy import Integer, func, select

from codesherpa.agents.models import Agent
from codesherpa.database import reading
from codesherpa.extensions import db
from codesherpa.terminal import printable
from codesherpa.usage.models import ModelCall
from codesherpa.usage.service import BILLION
from codesherpa.user.models import User

# What calls are put together by, in the order of the report's columns.
BY = {
    "day": ModelCall.day,
    "user": User.email,
    "agent": func.coalesce(Agent.name, ModelCall.purpose),
    "model": ModelCall.model_id,
}
SUMS = {
    "calls": func.count(ModelCall.id),
    "failed": func.count(ModelCall.fault),
    "input": func.sum(ModelCall.input_tokens),
    "output": func.sum(ModelCall.output_tokens),
    "cache read": func.sum(ModelCall.cache_read_tokens),
    "cache write": func.sum(ModelCall.cache_write_tokens),
    "estimated": func.sum(ModelCall.estimated.cast(Integer)),
    "dollars": func.sum(ModelCall.cost_nanodollars),
}

Row = dict[str, Any]


def rows(by: Sequence[str], since: date | None, until: date | None, user_id: int | None) -> list[Row]:
    """Return what was called from one UTC day to another, both included, of one user or all, put together
    by some of BY.

    `estimated` counts the calls whose tokens are a guess; `dollars` are a Decimal.
    """
    names = [name for name in BY if name in by]
    groups = [BY[name] for name in names]
    found = select(*groups, *SUMS.values()).join(User, User.id == ModelCall.user_id)
    found = found.outerjoin(Agent, Agent.id == ModelCall.agent_id).group_by(*groups).order_by(*groups)
    if since:
        found = found.where(ModelCall.day >= since)
    if until:
        found = found.where(ModelCall.day <= until)
    if user_id:
        found = found.where(ModelCall.user_id == user_id)
    with reading():
        told = [dict(zip([*names, *SUMS], row, strict=True)) for row in db.session.execute(found)]
        db.session.commit()
    return [row | {"dollars": Decimal(row["dollars"]) / BILLION} for row in told]


def as_table(found: Sequence[Row]) -> str:
    """Write rows and their sum for eyes: words to the left, numbers to the right."""
    total = {name: sum(row[name] for row in found) for name in SUMS}
    lines = [list(found[0]), *(cells(row) for row in found), cells(dict.fromkeys(found[0], "") | total)]
    lines[-1][0] = "total"
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    words = len(found[0]) - len(SUMS)
    return "\n".join(
        "  ".join(
            cell.ljust(width) if at < words else cell.rjust(width)
            for at, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def cells(row: Row) -> list[str]:
    return [f"{value:.4f}" if name == "dollars" else printable(str(value)) for name, value in row.items()]


def as_csv(found: Sequence[Row]) -> str:
    """Write rows for a spreadsheet; what it would take for a formula is made text."""
    written = io.StringIO()
    sheet = csv.writer(written, lineterminator="\n")
    sheet.writerow(found[0])
    for row in found:
        sheet.writerow(map(cell, row.values()))
    return written.getvalue().rstrip("\n")


def cell(value: Any) -> Any:
    """Return a value for a spreadsheet that somebody may look at in a terminal."""
    text = printable(value) if isinstance(value, str) else value
    return f"'{text}" if str(value)[:1] in "=+-@\t" else text


def as_json(found: Sequence[Row]) -> str:
    """Write rows for a program."""
    return json.dumps([row | {"dollars": float(row["dollars"])} for row in found], default=str, indent=2)


FORMS = {"table": as_table, "csv": as_csv, "json": as_json}
