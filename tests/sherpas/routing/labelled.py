"""The labelled messages: `tuned` and `practice` shaped the rules, `held_out` never did.

`practice` came in five rounds; each was scored before the rules saw it (94.1, 91.3, 90.2, 90.0 and 96.5 %), then used.
"""

import re
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
SNIPPETS = {path.stem: path.read_text().rstrip("\n") for path in (HERE / "snippets").glob("*.txt")}


@dataclass(frozen=True, slots=True)
class Labelled:
    """A message with the sherpa that a person would send it to."""

    target_agent: str
    language: str
    previous: str | None
    code_context: str | None
    message: str


def load(name: str) -> list[Labelled]:
    """Read `tuned`, `practice` or `held_out`: label, language, previous, code_context and message, by tabs.

    `{py}` is a snippet as it is, `{{py}}` the same in a fence, `\\n` the end of a line, `-` nothing.
    """
    rows = [line.split("\t") for line in (HERE / f"{name}.tsv").read_text().splitlines()[1:]]
    return [
        Labelled(label, language, _text(previous), _text(context), _text(message) or "")
        for label, language, previous, context, message in rows
    ]


def _text(cell: str) -> str | None:
    if cell == "-":
        return None
    text = cell.replace("\\n", "\n")
    text = re.sub(r"\{\{(\w+)\}\}", lambda found: f"```{found[1]}\n{SNIPPETS[found[1]]}\n```", text)
    return re.sub(r"\{(\w+)\}", lambda found: SNIPPETS[found[1]], text)
