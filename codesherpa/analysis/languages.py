"""Which language a piece of code is in: by its tag, its file's name, or its text."""

from __future__ import annotations

import ast
import re
import tomllib
import warnings
from functools import lru_cache
from pathlib import Path, PurePosixPath

from pygments.lexers import find_lexer_class_by_name, find_lexer_class_for_filename
from pygments.util import ClassNotFound

from codesherpa.analysis.lines import head
from codesherpa.concurrency import native_lock

# Names that people use and Pygments does not know, and names that it takes for something rarer.
_TAGS = {
    "node": "javascript", "mjs": "javascript", "kt": "kotlin", "plaintext": "text", "txt": "text", "py3": "python",
    "python2": "python", "gyp": "python", "shell": "bash", "zsh": "bash", "output": "text", "log": "text",
    "patch": "diff", "golang": "go", "postgresql": "sql", "postgres": "sql", "mysql": "sql", "sqlite": "sql",
}  # fmt: skip
_SUFFIXES = {
    ".py": "python", ".pyi": "python", ".pyw": "python", ".sql": "sql", ".pl": "perl", ".pm": "perl",
    ".m": "objective-c", ".mod": "go", ".ipynb": "json", ".lock": "text", ".env": "bash", ".mjs": "javascript",
    ".cjs": "javascript", ".mts": "typescript", ".cts": "typescript", ".patch": "diff",
}  # fmt: skip

_SIGNS: dict[str, list[str]] = tomllib.loads(
    (Path(__file__).parent / "data" / "signs.toml").read_text(encoding="utf-8")
)
# Python 3.11 counts how deep a tree is in one place for all threads, and raises SystemError where two count at once:
# a thread may lose its turn in the middle, to whatever the garbage collector runs.
ONE_AT_A_TIME = native_lock()
_SIGN = {name: re.compile("|".join(signs)) for name, signs in _SIGNS.items()}


def by_tag(tag: str) -> str:
    """Return the language that a fence's tag names, "" for none."""
    tag = tag.strip("{}.").lower()
    if not 0 < len(tag) <= 40:
        return ""
    return _TAGS.get(tag) or _by_alias(tag) or _by_alias(tag.rstrip("0123456789."))


@lru_cache(maxsize=256)
def _by_alias(tag: str) -> str:
    try:
        return str(find_lexer_class_by_name(tag).aliases[0])
    except (ClassNotFound, IndexError):
        return ""


def by_name(file: str) -> str:
    """Return the language that a file's name tells, "" for none."""
    name = PurePosixPath(file.replace("\\", "/")).name
    return _SUFFIXES.get(PurePosixPath(name).suffix.lower()) or _by_file(name) if 0 < len(name) <= 255 else ""


@lru_cache(maxsize=256)
def _by_file(name: str) -> str:
    lexer = find_lexer_class_for_filename(name)
    return str(lexer.aliases[0]) if lexer and lexer.aliases else ""


def by_text(lines: list[str]) -> str:
    """Return the language that the code itself shows, "" where it could be several."""
    if parses("\n".join(lines)):
        return "python"
    head = [line.strip()[:200] for line in lines[:400] if line.strip()]
    if head and head[0].startswith("#!") and "python" in head[0]:
        return "python"
    if head and head[0][0] in "{[" and head[-1][-1] in "}]" and '":' in "".join(head[:5]):
        return "json"
    hits = {name: sum(1 for line in head if sign.match(line)) for name, sign in _SIGN.items()}
    best = max(hits, key=lambda name: hits[name])
    return best if hits[best] * 6 >= len(head) else ""


def parses(text: str) -> bool:
    """Tell whether the whole text, or the beginning of a very long one, is Python that does something."""
    tree = parse(head(text))
    return isinstance(tree, ast.Module) and bool(tree.body) and any(map(_acts, tree.body))


def parse(text: str) -> ast.Module | Exception:
    """Return Python's syntax tree, or what the parser said: it must never take a process down."""
    try:
        with ONE_AT_A_TIME, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as refusal:
        return refusal


def _acts(statement: ast.stmt) -> bool:
    """Tell code from words that happen to parse: `hello`, `not good`, `continue`, `global warming`."""
    match statement:
        case ast.Expr(value=ast.Call() | ast.Await() | ast.Yield() | ast.YieldFrom() | ast.ListComp() | ast.Lambda()):
            return True
        case ast.Expr() | ast.Pass() | ast.Continue() | ast.Break() | ast.Global() | ast.Nonlocal() | ast.Delete():
            return False
        case ast.Raise() | ast.Assert() | ast.Return():
            return False
    return True
