"""Code that stands in a message without a fence, and the words around it."""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence

from codesherpa.analysis import languages

# A line that nobody writes in a sentence.
_SURE = re.compile(
    r"\s*+(?:(?:async )?def \w+\s*\(|class \w+(?:\(.*\))?:|from [\w.]+ import [\w*(]|@[a-z_][\w.]*(?:\(.*\))?$"
    r"|import [\w.]+(?: as \w+)?(?:, [\w.]+)*;?$"
    r"|#include|#!/|<\?php|<!doctype|</?[a-z][\w-]*(?: [\w-]+=[^>]*)?>|(?:else|try|finally):$|[{\[]$|[})\]]++[;,)]*$"
    r"|(?:public|private|protected|static|export|const|let|var|function|func|fn|package|using|interface|struct|enum|impl)\b.*[;{}=(]"
    r"|.*\S[;{]$|(?i:select\b.+\bfrom\b|insert into\b|update \w+ set\b|create table\b|delete from \w))"
)
# A line that is code where Python's parser says so: its words may be a sentence's.
_MAYBE = re.compile(
    r"(?:(?:if|elif|while|for|with|except|match|case)\b.*:|(?:return|raise|yield|await|assert|del)\b|[A-Za-z_][\w.]*\(|[A-Za-z_(][^=]*=)"
)
# A line that belongs to code that has begun.
_WEAK = re.compile(
    r"\s+\S|#|//|/\*|\*|--|\"\"\"|'''|\s*$|[\w.]+\(|(?:return|raise|pass|break|continue|yield|end|fi|done|del|global|assert|print)\b|[)\]}\"']|<"
)
# Words that a sentence about code ends or begins with.
_WORDS = re.compile(r"[^\W\d_]{2,}(?:[,']? [^\W\d_]{2,}){2,}|.*\w[?\uff1f\u0964]\s*$|\s*(?:[-*•]|\d+[.)]) ")
# `Review this: def f(): ...`, all in one line.
_INLINE = re.compile(
    r"[:\uff1a\-\u2014,]\s+(?=((?:async )?def \w+\s*\(|class \w|import \w+\s*;|from \w+ import \w+\s*;))"
)
# Letters of a line before the words that lead to code in it end.
_LEAD = 300
_TRACE = re.compile(r"\s*Traceback \(most recent call last\):")


def split(lines: Sequence[str]) -> tuple[list[str], list[str]]:
    """Split a message into its words and the code in it; either may be empty."""
    if inline := _inline(lines):
        return inline
    traces = _traces(lines)
    strong = [row for row, line in enumerate(lines) if row not in traces and _is_strong(line[:400])]
    if not strong:
        return list(lines), []
    begin = strong[0]
    while begin and _leads(lines[begin - 1]):
        begin -= 1
    end = _end(lines, strong[-1], traces)
    code = list(lines[begin:end])
    if not _is_code(code, len(strong)):
        return list(lines), []
    return [*lines[:begin], *lines[end:]], code


def is_code(lines: Sequence[str]) -> bool:
    """Tell whether lines are code rather than words."""
    return _is_code(list(lines), sum(1 for line in lines if _is_strong(line[:400])))


def _inline(lines: Sequence[str]) -> tuple[list[str], list[str]] | None:
    """Split at `Review this: def f(): ...`; what follows must be Python."""
    for row, line in enumerate(lines[:20]):
        begin = _code_in(line) if len(line) < 5000 else 0
        if begin and languages.parses("\n".join(code := [line[begin:], *lines[row + 1 :]])):
            return [*lines[:row], line[:begin]], code
    return None


def _code_in(line: str) -> int:
    """Return where code begins behind the words of a line, 0 if none does."""
    for found in _INLINE.finditer(line):
        if found.start() > _LEAD:
            break
        # What begins as a function or a class has a colon, a function one behind its parameters.
        end = line.find(")", found.end(1)) if found[1].endswith("(") else found.end(1) - 1
        if found[1].endswith(";") or (end >= 0 and ":" in line[end + 1 :]):
            return found.end()
    return 0


def _is_strong(line: str) -> bool:
    line = line.split("  #")[0].rstrip()
    return bool(_SURE.match(line)) or (bool(_MAYBE.match(line.lstrip())) and _is_python(line.strip()))


def looks_like_python(line: str) -> bool:
    """Tell a line that is meant as Python, right or wrong, from words, such as those of a docstring."""
    return bool(_SURE.match(line) or _MAYBE.match(line.lstrip())) and not _WORDS.match(line.strip())


def _is_python(line: str) -> bool:
    """Tell whether one line, of a block or alone, parses."""
    if line.startswith(("elif", "case")):
        line = "if" + line[4:]
    if line.startswith("except"):
        line = "try: pass\n" + line
    return isinstance(languages.parse(line + " pass" if line.endswith(":") else line), ast.Module)


def _leads(line: str) -> bool:
    """Tell a comment, a decorator or a docstring right above the first line of code."""
    return line.startswith(("# ", "//", "/*", '"""', "'''", "#!")) and not line.startswith("# " * 2)


def _traces(lines: Sequence[str]) -> set[int]:
    """Return the rows of Python's tracebacks: they show code but are none."""
    rows: set[int] = set()
    inside = False
    for row, line in enumerate(lines):
        if _TRACE.match(line):
            inside = True
        if inside:
            rows.add(row)
            inside = bool(_TRACE.match(line)) or line[:1].isspace()
    return rows


def _end(lines: Sequence[str], last: int, traces: set[int]) -> int:
    """Return the row after the code whose last sure line is `last`."""
    end = last + 1
    while (
        end < len(lines) and end not in traces and _WEAK.match(lines[end][:400]) and not _WORDS.match(lines[end][:400])
    ):
        end += 1
    while not lines[end - 1].strip():
        end -= 1
    return end


def _is_code(code: list[str], strong: int) -> bool:
    """Weigh a block: Python that parses, or mostly lines that only code has."""
    filled = [line for line in code if line.strip()]
    if not filled or not strong:
        return False
    if languages.parses("\n".join(code)):
        return len(filled) > 1 or bool(re.search(r"\w\(|=", filled[0]))
    words = sum(1 for line in filled if _WORDS.match(line[:400]) and not _is_strong(line[:400]))
    return len(filled) > 1 and strong * 2 >= len(filled) and words * 4 <= len(filled)
