"""The lines of a finding as they should be, where that can be said safely."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Mapping, Sequence
from itertools import islice

from codesherpa.analysis import languages
from codesherpa.analysis.ruff import Diagnostic, Edit

# Ruff's fixes that only silence it, or take away a line that the author may have meant to use.
_NOT_RUFFS = frozenset(
    {"B905", "B007", "F401", "F841", "F811", "PLW1510", "B011", "SIM222", "SIM223", "PERF203", "B028"}
)
_SHOWN = 12
_WIDE = 500
_CLOSINGS = 20  # Closing brackets at which a call is tried for its end.


def lines_after(found: Diagnostic, rows: Sequence[str]) -> str | None:
    """Return the lines with the fault mended, None where no safe mending is known.

    `rows` is the text that was checked.
    """
    row = rows[found.start[0] - 1] if found.start[0] <= len(rows) else ""
    if len(row) > _WIDE:
        return None
    if found.code in _REWRITES:
        return _rewrite(found, row)
    if found.edits and found.code not in _NOT_RUFFS:
        return _apply(found.edits, rows)
    return None


def _apply(edits: Sequence[Edit], rows: Sequence[str]) -> str | None:
    """Make the edits, and return the lines that they touch, as far as that is a short piece."""
    first = min(edit.start[0] for edit in edits)
    last = max(edit.end[0] for edit in edits)
    if last - first >= _SHOWN:
        return None
    # An edit at the first column of a row puts lines before that row, which itself stays as it is.
    inserts = all(edit.end == (last, 1) for edit in edits if edit.end[0] == last)
    text = "\n".join(rows[first - 1 : last]) + "\n"
    starts = [0]
    for row in rows[first - 1 : last]:
        starts.append(starts[-1] + len(row) + 1)
    cut = starts[last - first] if inserts else len(text)
    tail = len(text) - cut
    for edit in sorted(edits, key=lambda edit: edit.start, reverse=True):
        begin = starts[edit.start[0] - first] + edit.start[1] - 1
        end = starts[edit.end[0] - first] + edit.end[1] - 1
        text = text[:begin] + edit.text + text[end:]
    shown = text[: len(text) - tail].rstrip("\n")
    return shown if shown.strip() else None


def _rewrite(found: Diagnostic, row: str) -> str | None:
    """Rewrite one line from where the fault begins."""
    begin = found.start[1] - 1
    end = found.end[1] - 1 if found.end[0] == found.start[0] else len(row)
    after = _REWRITES[found.code](row, begin, end)
    return after if after is not None and after != row else None


def _swap(pattern: str, replacement: str) -> Callable[[str, int, int], str | None]:
    """Make a rewrite that puts `replacement` for the first match at or after the fault's begin."""
    compiled = re.compile(pattern)

    def rewrite(row: str, begin: int, _end: int) -> str | None:
        after, count = compiled.subn(replacement, row[begin:], count=1)
        return row[:begin] + after if count else None

    return rewrite


def _safe_load(row: str, _begin: int, _end: int) -> str | None:
    """Drop the loader: ruff points at it where there is one, and at the call where there is none."""
    found = re.search(r"\byaml\.load\(([^(),]+|[\w.]+\([^()]*\))(?:,\s*(?:Loader\s*=\s*)?[\w.]+)?\)", row)
    return f"{row[: found.start()]}yaml.safe_load({found[1]}){row[found.end() :]}" if found else None


def _aware(argument: str, rename: Mapping[str, str]) -> Callable[[str, int, int], str | None]:
    """Make a rewrite that passes the time zone to a call of datetime's, under its new name."""

    def rewrite(row: str, begin: int, end: int) -> str | None:
        call = _call(row[begin:end])
        if call is None or any(keyword.arg == argument for keyword in call.keywords):
            return None
        path = ast.unparse(call.func).split(".")
        path[-1] = rename.get(path[-1], path[-1])
        # `import datetime` has the zone as datetime.UTC, `from datetime import datetime` needs it imported.
        zone = f"{path[0]}.UTC" if len(path) - (path[-1] != "datetime") > 1 else "UTC"
        inside = [ast.unparse(part) for part in (*call.args, *call.keywords)]
        return f"{row[:begin]}{'.'.join(path)}({', '.join([*inside, f'{argument}={zone}'])}){row[end:]}"

    return rewrite


def _literal(row: str, begin: int, end: int) -> str | None:
    call = _call(row[begin:end])
    if call is None or ast.unparse(call.func) != "eval" or len(call.args) != 1 or call.keywords:
        return None
    if isinstance(call.args[0], ast.Starred):  # How many there are, nobody sees.
        return None
    return f"{row[:begin]}ast.literal_eval({row[begin:end].partition('(')[2]}{row[end:]}"


def _timeout(row: str, begin: int, _end: int) -> str | None:
    """Pass a timeout to a call that ends on its line."""
    for end in islice((at for at in range(begin, len(row)) if row[at] == ")"), _CLOSINGS):
        if call := _call(row[begin : end + 1]):
            comma = ", " if call.args or call.keywords else ""
            return f"{row[:end].rstrip(', ')}{comma}timeout=10{row[end:]}"
    return None


def _secret(row: str, _begin: int, _end: int) -> str | None:
    found = re.fullmatch(r"(\s*)([A-Za-z_]\w*)(\s*:\s*str)?\s*=\s*([\"']).*\4\s*(?:#.*)?", row)
    return f'{found[1]}{found[2]}{found[3] or ""} = os.environ["{found[2].upper()}"]' if found else None


def _call(text: str) -> ast.Call | None:
    tree = languages.parse(text.strip()) if len(text) < 500 else None
    body = tree.body if isinstance(tree, ast.Module) else []
    value = body[0].value if len(body) == 1 and isinstance(body[0], ast.Expr) else None
    return value if isinstance(value, ast.Call) else None


_REWRITES: dict[str, Callable[[str, int, int], str | None]] = {
    "ASYNC251": _swap(r"^(?:time\.)?sleep\(", "await asyncio.sleep("),
    "DTZ001": _aware("tzinfo", {}),
    "DTZ002": _aware("tz", {"today": "now"}),
    "DTZ003": _aware("tz", {"utcnow": "now"}),
    "DTZ004": _aware("tz", {"utcfromtimestamp": "fromtimestamp"}),
    "DTZ005": _aware("tz", {}),
    "DTZ006": _aware("tz", {}),
    "E722": _swap(r"^except\s*:", "except Exception:"),
    "S105": _secret,
    "S113": _timeout,
    "S201": _swap(r"debug\s*=\s*True", "debug=False"),
    "S307": _literal,
    "S324": _swap(r"^hashlib\.(?:md5|sha1)\(", "hashlib.sha256("),
    "S501": _swap(r"verify\s*=\s*False", "verify=True"),
    "S506": _safe_load,
    "S701": _swap(r"autoescape\s*=\s*False", "autoescape=True"),
}
