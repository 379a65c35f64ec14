"""Text of a pull request, or of a model that read one, made harmless in a comment of ours.

It mentions nobody, refers to no issue, links to nothing, loads nothing, begins no command of another bot,
and stays where it is put. GitHub looks for mentions and references in the text that is left after markdown
is rendered, so escapes and entities do not hide them: a zero-width space inside does.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from codesherpa.analysis.lines import split
from codesherpa.sherpas import markdown

GAP = "\u200b"
# Letters that are not seen or that turn the order of others around.
UNSEEN = re.compile("[\u00ad\u061c\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\U000e0000-\U000e007f]")
# No `\b` here: `_` is a letter to it, and markdown takes it away. A backslash goes too where it escapes a mark.
BREAKS = (
    (re.compile(r"&(?=#|\w)"), f"&{GAP}"),  # An entity would be read after all else.
    (re.compile(r"[@\uff20]"), f"@{GAP}"),
    (re.compile(r"#(?=\d)"), f"#{GAP}"),
    (re.compile(r"(GH\\?-)(?=\d)", re.IGNORECASE), rf"\1{GAP}"),
    (re.compile(r":(?=\\?/\\?/)"), f":{GAP}"),
    (re.compile(r"(www)(?=\\?\.)", re.IGNORECASE), rf"\1{GAP}"),
    (re.compile(r"\](?=[(\[:])"), f"]{GAP}"),
    (re.compile(r"!(?=\[)"), f"!{GAP}"),
    (re.compile(r"<(?=[A-Za-z/!?])"), f"<{GAP}"),
    (re.compile(r"^(\s*)(?=/)"), rf"\1{GAP}"),
)
# GitHub links as few as seven digits to the commit that they begin.
COMMIT = re.compile(r"(?<![A-Za-z0-9])[0-9a-f]{7,}(?![A-Za-z0-9])", re.IGNORECASE)
SIX = re.compile(r"[0-9A-Fa-f]{6}(?=[0-9A-Fa-f])")
TICKS = re.compile(r"[`]{3,}|~{3,}")
OPENING = re.compile(r" {0,3}(`{3,}+|~{3,}+)\s*+([\w+#.-]*+)[^`]*+$")
COMMAND = re.compile(r"^([^\S\n]*+)(?=/[A-Za-z-]+(?:\s|$))", re.MULTILINE)
# GitHub draws these, or offers to commit them.
DRAWN = ("mermaid", "math", "geojson", "topojson", "stl", "suggestion")


def prose(text: str, most: int = 2_000) -> str:
    """Return the text as part of one line."""
    return markdown.inline(apart(broken(shown(text, most))))


def passage(text: str, most: int = 20_000) -> str:
    """Return markdown of several blocks, with its paragraphs, lists and code."""
    return "\n".join(blocks(split(shown(text, most)))).strip()


def code(text: str) -> str:
    """Return the text as a code span, in which GitHub looks for nothing."""
    return markdown.code(shown(text, 500))


def fence(text: str, language: str = "", most: int = 4_000) -> str:
    """Return the text as a fenced block that nothing in it closes, draws or commands."""
    name = "" if language.lower() in DRAWN else language
    return markdown.fence(COMMAND.sub(rf"\1{GAP}", shown(text, most)), name)


def shown(text: str, most: int) -> str:
    """Return at most so much of a text, without letters that are not seen."""
    text = UNSEEN.sub("", markdown.clean(text))
    return text if len(text) <= most else f"{text[:most]} …"


def broken(text: str) -> str:
    """Return the text with every mark that GitHub would act upon broken."""
    for mark, instead in BREAKS:
        text = mark.sub(instead, text)
    return COMMIT.sub(lambda run: SIX.sub(rf"\g<0>{GAP}", run[0]), text)


def apart(text: str) -> str:
    """Return the text with nothing in it that begins or ends a fence."""
    return TICKS.sub(lambda run: GAP.join(run[0]), text)


def blocks(lines: list[str]) -> Iterator[str]:
    """Give the lines back, those of code in fences of our own, the others harmless."""
    rows = iter(lines)
    for row in rows:
        if opening := OPENING.match(row):
            yield fence("\n".join(until_closed(rows, opening[1])), opening[2], most=20_000)
        else:
            yield apart(broken(row))


def until_closed(rows: Iterator[str], ticks: str) -> Iterator[str]:
    for row in rows:
        if re.fullmatch(rf" {{0,3}}{re.escape(ticks[0])}{{{len(ticks)},}}\s*", row):
            return
        yield row
