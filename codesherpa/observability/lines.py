"""What may stand in a line of the log: one line an event, no secret, nothing that moves a terminal's cursor."""

from __future__ import annotations

import re

from structlog.dev import Column
from structlog.typing import EventDict

# Tokens, hashes of passwords, keys of AWS and GitHub, and what a header or a URL carries of such. Whoever calls may
# have long text of his own logged, so none of these may look at the same letters again and again.
SECRETS = re.compile(
    r"eyJ[\w-]{8,500}\.[\w-]+(?:\.[\w-]*)?"
    r"|\$2[aby]\$\d\d\$[./A-Za-z0-9]{22,53}"
    r"|\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"
    r"|\b(?:gh[pousr]_|github_pat_)\w{20,}"
    r"|(?i:\b(?:bearer|basic)\s+)[\w.~+/=-]{8,}"
    r"|(?<=://)[^\s/@:]*:[^\s/@]+(?=@)"
)
# PostgreSQL tells the row that it refuses.
ROWS = re.compile(r"^(DETAIL:|CONTEXT:).*$", re.MULTILINE)
# Control characters, those that turn the direction of what follows or end a line in some viewers, and those that are
# not seen.
UNPRINTABLE = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff\ufeff\ufff9-\ufffb"
    "\U000e0000-\U000e007f]"
)
# What libraries colour their lines with; taken out first, since it might part a secret.
COLOURS = re.compile("\x1b\\[[0-9;]*m")
INDENT = "    "


QUOTED = frozenset(" \t=\r\n\"'")  # What a value has that is written in quotes.


def pair(key: str, value: object) -> str:
    """Return a value with its name, as structlog writes it."""
    return f"{key}={value if isinstance(value, str) and QUOTED.isdisjoint(value) else repr(value)}"


# What structlog's own columns write without colours; they take three times as long.
COLUMNS = [
    Column("timestamp", lambda _, value: str(value)),
    Column("level", lambda _, value: f"[{value!s:<9}]"),
    Column("event", lambda _, value: f"{value!s:<30}"),
    Column("logger", lambda _, value: f"[{value!s}]"),
    Column("", pair),
]


def clean(_logger: object, _level: str, line: EventDict) -> EventDict:
    """Take secrets out of a line and write what cannot be printed as its escape; a traceback is set in."""
    return {name: indented(value) if name == "exception" else cleaned(value) for name, value in line.items()}


def cleaned(value: object) -> object:
    if isinstance(value, str):
        if value.isascii() and value.isprintable():  # Most are. No control character is printable.
            return withheld(value)
        return printable(withheld(COLOURS.sub("", value)))
    if isinstance(value, dict):
        return {name: cleaned(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple | set):
        return [cleaned(inner) for inner in value]
    return value if value is None or isinstance(value, bool | int | float) else printable(withheld(str(value)))


def indented(value: object) -> str:
    """Return a traceback so that none of its lines can be taken for one of the log."""
    lines = ROWS.sub(r"\1 [withheld]", withheld(str(value))).split("\n")
    return "\n".join(f"{INDENT}{printable(line)}" for line in lines)


def withheld(text: str) -> str:
    return SECRETS.sub("[withheld]", text)


def printable(text: str) -> str:
    return UNPRINTABLE.sub(lambda found: found[0].encode("unicode_escape", "surrogatepass").decode(), text)
