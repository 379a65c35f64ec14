"""A Python module taken apart, as data, and how its code is shown."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from codesherpa.analysis import control

Definition = ast.FunctionDef | ast.AsyncFunctionDef
# What `show` looks at of a tree: far more than the width of a line holds.
_MOST_NODES = 100
_MOST_ITEMS = 40
_MOST_LINKS = 60
_CALL = re.compile(r"\w+\([^)]*\)(?: *->.*)?$")


@dataclass(slots=True)
class Part:
    """A function, method or class. Lines are the source's; `calls` are the names of other parts.

    `outside` are the calls of what the module imports, as they are written. `raises` maps an exception to
    the condition under which it is raised, "" where that is no single one; "" as the exception stands for
    what was caught and is raised again.
    """

    name: str
    kind: str
    line: int
    end: int
    node: Definition | ast.ClassDef
    owner: str = ""
    doc: str = ""
    decorators: tuple[str, ...] = ()
    parameters: tuple[str, ...] = ()
    gives: control.Gives = control.NOTHING
    raises: dict[str, str] = field(default_factory=dict)
    calls: tuple[str, ...] = ()
    outside: tuple[str, ...] = ()
    complexity: int = 1
    recursive: bool = False
    bases: tuple[str, ...] = ()
    fields: tuple[str, ...] = ()

    @property
    def path(self) -> str:
        """The name with the class or function that it stands in."""
        return f"{self.owner}.{self.name}" if self.owner else self.name

    @property
    def private(self) -> bool:
        """Whether its name says that it is not for others."""
        return any(name.startswith("_") and not name.endswith("__") for name in self.path.split("."))


@dataclass(slots=True)
class Module:
    """A module taken apart; `imports` maps each name that it binds to what it stands for."""

    doc: str
    imports: dict[str, str]
    constants: dict[str, tuple[int, str]]
    parts: dict[str, Part]
    script: list[ast.stmt]
    guarded: bool
    rows: Sequence[int]
    exports: tuple[str, ...] = ()
    whole: bool = True
    methods: dict[str, list[Part]] = field(default_factory=dict)

    def line(self, node: ast.stmt | ast.expr | ast.excepthandler) -> int:
        """Return the source's line of a node."""
        return self.rows[node.lineno - 1] if node.lineno <= len(self.rows) else 0


def own(body: Sequence[ast.AST]) -> Iterator[ast.AST]:
    """Yield the nodes of a body in their order, without what nested functions and classes hold."""
    stack = list(reversed(body))
    while stack:
        node = stack.pop()
        yield node
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda):
            stack += reversed(list(ast.iter_child_nodes(node)))


def show(node: ast.AST | None, width: int = 60) -> str:
    """Return a node's code in one line, cut at `width`."""
    if node is None:
        return ""
    if _is_endless(node):
        return "…"
    try:
        text = " ".join(ast.unparse(node if _is_small(node) else _beginning(node)).split())
    except RecursionError:
        return "…"
    return text if len(text) <= width else text[: width - 1] + "…"


def _is_endless(node: ast.AST) -> bool:
    """Return True for a chain of calls and attributes so long that its beginning is too deep to be looked for.

    Each link of a chain is shown by itself, so each must cost no more than a few links.
    """
    links = 0
    while links <= _MOST_LINKS and isinstance(node, ast.Call | ast.Attribute | ast.Subscript):
        node = node.func if isinstance(node, ast.Call) else node.value
        links += 1
    return links > _MOST_LINKS


def _is_small(node: ast.AST) -> bool:
    """Return True if a tree has at most _MOST_NODES nodes, which is found out without a look at the others."""
    waiting, seen = [node], 0
    while waiting and seen <= _MOST_NODES:
        seen += 1
        waiting += ast.iter_child_nodes(waiting.pop())
    return seen <= _MOST_NODES


def _beginning(node: ast.AST) -> ast.AST:
    """Return a copy of a large tree that is as large as `show` may need; `…` stands for what was left out."""
    left = _MOST_NODES

    def copied(value: Any) -> Any:
        nonlocal left
        if isinstance(value, list):
            return [copied(one) for one in value[:_MOST_ITEMS]]
        if not isinstance(value, ast.AST) or isinstance(value, ast.expr_context):
            return value
        left -= 1
        if left < 0 and isinstance(value, ast.expr):
            return ast.Name("…", ast.Load())
        return type(value)(**{name: copied(inner) for name, inner in ast.iter_fields(value)})

    return cast(ast.AST, copied(node))


def first_sentence(doc: str | None) -> str:
    """Return the first sentence of a docstring, in one line of at most 200 letters."""
    # A first line that only repeats the call is no sentence, and ``code`` has one backtick in markdown.
    paragraphs = [" ".join(part.split()) for part in (doc or "").replace("``", "`").strip().split("\n\n")]
    paragraph = next((part for part in paragraphs if not _CALL.match(part)), paragraphs[0])
    head, stop, _ = paragraph.partition(". ")
    sentence = head + "." if stop and not head.endswith(("e.g", "i.e", "a.k.a", "etc")) else paragraph
    return sentence if len(sentence) <= 200 else sentence[:199].rstrip() + "…"
