"""Which language a piece of code is in: by its tag, its file's name, or its text."""

from __future__ import annotations

import ast
import re
import warnings
from functools import lru_cache
from pathlib import PurePosixPath

from pygments.lexers import find_lexer_class_by_name, find_lexer_class_for_filename
from pygments.util import ClassNotFound

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

# What only that language writes at the start of a line. Tried in order; the first with two hits, or with
# the most, wins.
_SIGNS = {
    "php": r"<\?php|\$\w+ = |\$this->",
    "html": r"<!doctype html|<html|</?(?:head|body|div|span|p|ul|li|a|script|form|table)\b",
    "xml": r"<\?xml ",
    "cpp": r"#include\s*<(?:iostream|vector|string|map|memory|algorithm)>|using namespace |std::|template\s*<|\w+::\w+\(",
    "c": r"#include\s*[<\"]|#define |typedef |struct \w+ \{|int main\(|(?:void|int|char|size_t) \*?\w+\(.*\)\s*\{?$",
    "java": r"package [\w.]+;|import (?:static )?[\w.]+\*?;|public (?:static |final |abstract )*(?:class|interface|void|int|String|enum)\b|@Override|System\.out\.",
    "csharp": r"using [\w.]+;|namespace [\w.]+|public (?:async |static |override )*(?:Task|string|bool)\b|Console\.Write",
    "go": r"package \w+$|func (?:\(\w+ \*?\w+\) )?\w+\(.*\{$|import \($|\w+(?:, \w+)* := |if err != nil",
    "rust": r"(?:pub )?fn \w+.*\{$|let mut |use (?:std|crate)::|impl(?:<.*>)? \w+|(?:pub )?(?:struct|enum|mod) \w+ ?[{;]|println!",
    "kotlin": r"fun \w+\(.*|val \w+(?:: \w+)? = |data class |package [\w.]+$",
    "swift": r"import (?:UIKit|Foundation|SwiftUI)$|func \w+\(.*\) (?:-> \w+ )?\{|guard let |if let ",
    "ruby": r"require ['\"]|def \w+[?!]?(?:\(.*\))?$|end$|\w+\.each do|puts |module [A-Z]\w+$|attr_\w+ ",
    "typescript": r"interface \w+ \{|type \w+ = |(?:export )?(?:const|let|function) \w+.*: (?:string|number|boolean|\w+\[\])|export (?:default )?(?:abstract )?class |enum \w+ \{|import type ",
    "javascript": r"(?:export )?(?:default )?(?:async )?function\s*\*?\s*\w*\(|(?:const|let|var) [\w{\[]|import .* from ['\"]|.*=> [{(]|module\.exports|console\.log|document\.|\}\);?$",
    "sql": r"(?i:select .+|insert into |update \w+ set|create (?:table|index|view)|alter table|delete from|drop table|from \w+|where .+)",
    "bash": r"#!.*\b(?:ba|z|da)?sh$|set -[eux]|if \[\[? |fi$|done$|echo |export \w+=|esac$|\w+\(\) \{$",
    "css": r"[.#@]?[\w-]+(?:[ ,>:][^;{]*)?\{$|\s*[\w-]+: [^;{]+;$",
    "yaml": r"---$|- \w+: |\w[\w-]*:(?: \S.*)?$",
    "docker": r"FROM \S+|RUN |COPY |ENTRYPOINT |WORKDIR ",
}  # fmt: skip
_SIGN = {name: re.compile(pattern) for name, pattern in _SIGNS.items()}
_PYTHON = re.compile(
    r"(?:async )?def \w+(?:\[.*\])?\(.*|class \w+(?:\[.*\])?(?:\(.*\))?:|from [\w.]+ import \S|import [\w.]+(?: as \w+)?(?:, .*)?$|@\w[\w.]*(?:\(.*\))?$"
    r"|(?:if|elif|while|for|with|except|else|try|finally)\b.*:\s*(?:#.*)?$|self\.\w+|print\(|return\b|raise \w+|\"\"\""
)


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
    hits["python"] = sum(1 for line in head if _PYTHON.match(line))
    best = max(hits, key=lambda name: hits[name])
    return best if hits[best] * 6 >= len(head) else ""


def parses(text: str) -> bool:
    """Tell whether the whole text is Python that does something."""
    tree = parse(text)
    return isinstance(tree, ast.Module) and bool(tree.body) and any(map(_acts, tree.body))


def parse(text: str) -> ast.Module | Exception:
    """Return Python's syntax tree, or what the parser said: it must never take a process down."""
    try:
        with warnings.catch_warnings():
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
