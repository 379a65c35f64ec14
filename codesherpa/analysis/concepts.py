"""Which ideas a piece of Python shows, by marks in its syntax tree."""

from __future__ import annotations

import ast
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from codesherpa.analysis.module import Module, show

_CONCEPTS: dict[str, dict[str, Any]] = tomllib.loads(
    (Path(__file__).parent / "data" / "concepts.toml").read_text(encoding="utf-8")
)
_PLACES = {key: place for place, key in enumerate(_CONCEPTS)}
_Scope = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
# What nearly all code has is told only where there is little else.
_COMMON = 3


@dataclass(frozen=True, slots=True)
class Concept:
    """An idea, in one language, and the line of the source that shows it first."""

    key: str
    term: str
    definition: str
    analogy: str
    line: int


def find(module: Module, tree: ast.Module, language: str, limit: int = 8) -> list[Concept]:
    """Return the ideas that the code shows, the most telling first."""
    marks: dict[str, int] = {}
    for mark, line in _marks(module, tree):
        if line and not 0 < marks.get(mark, 0) <= line:
            marks[mark] = line
    found = [concept for key in _CONCEPTS if (concept := _concept(key, marks, language))]
    basics = [concept for concept in found if rank(concept) >= _PLACES["classes"]]
    telling = [concept for concept in found if concept not in basics]
    return (telling + basics[: max(0, _COMMON - len(telling))])[:limit]


def rank(concept: Concept) -> int:
    """Return a concept's place: the most telling first."""
    return _PLACES[concept.key]


def _concept(key: str, marks: Mapping[str, int], language: str) -> Concept | None:
    lines = [marks[mark] for mark in _CONCEPTS[key]["marks"] if mark in marks]
    words = _CONCEPTS[key][language]
    return Concept(key, words["term"], words["definition"], words.get("analogy", ""), min(lines)) if lines else None


def _marks(module: Module, tree: ast.Module) -> Iterator[tuple[str, int]]:
    """Yield what the tree shows, each with its line."""
    for node in ast.walk(tree):
        line = _line(module, node)
        yield type(node).__name__, line
        for mark in _more(node):
            yield mark, line
    for part in module.parts.values():
        if part.recursive:
            yield "recursion", part.line
        if isinstance(part.node, ast.ClassDef) and any(base not in ("object", "") for base in part.bases):
            yield "inherits", part.line
        if not isinstance(part.node, ast.ClassDef):
            if _is_closure(part.node):
                yield "closure", part.line
            if _wraps(part.node):
                yield "wrapper", part.line


def _line(module: Module, node: ast.AST) -> int:
    row = getattr(node, "lineno", 0)
    return module.rows[row - 1] if 0 < row <= len(module.rows) else 0


def _more(node: ast.AST) -> Iterable[str]:
    """Return the marks of one node that its type alone does not tell."""
    match node:
        case ast.Import(names=names):
            return [f"import:{name.name.split('.')[0]}" for name in names]
        case ast.ImportFrom(module=str(name), level=0):
            return [f"import:{name.split('.')[0]}"]
        case ast.Call():
            return _call(node)
        case ast.FunctionDef() | ast.AsyncFunctionDef():
            return _definition(node)
        case ast.ClassDef(name=name, bases=bases, decorator_list=decorators):
            return [f"class:{name}", *(f"base:{_last(base)}" for base in bases), *map(_decorator, decorators)]
        case ast.Assign(targets=[ast.Tuple() | ast.List()]) | ast.For(target=ast.Tuple()):
            return ["unpacking"]
        case ast.BinOp(op=ast.LShift() | ast.RShift() | ast.BitXor() as op):
            return [type(op).__name__]
        case ast.Assign(value=ast.BinOp(left=ast.BinOp(op=ast.Add()), op=ast.FloorDiv(), right=ast.Constant(value=2))):
            return ["halving"]
        case ast.AnnAssign():
            return ["annotation"]
    return []


def _call(node: ast.Call) -> list[str]:
    path = show(node.func, 40)
    keys = [f"keyword:{keyword.arg}" for keyword in node.keywords]
    # `key=` means the comparison only where something is put in order.
    ordered = path in ("sorted", "min", "max") or path.endswith(".sort")
    return [f"call:{path}", f"call:{path.rpartition('.')[2]}", *(keys if ordered else [])]


def _definition(node: ast.FunctionDef | ast.AsyncFunctionDef) -> list[str]:
    given = node.args
    marks = [f"def:{node.name}", *map(_decorator, node.decorator_list)]
    if own := [mark for mark in marks[1:] if mark.rpartition(":")[2] not in _PLAIN]:
        marks += ["decorator"] * len(own)
    if node.name.startswith("__") and node.name.endswith("__") and node.name != "__init__":
        marks.append("dunder")
    marks += ["vararg"] * bool(given.vararg) + ["kwarg"] * bool(given.kwarg)
    if any(isinstance(default, ast.List | ast.Dict | ast.Set) for default in (*given.defaults, *given.kw_defaults)):
        marks.append("mutable-default")
    if node.returns or any(name.annotation for name in (*given.posonlyargs, *given.args, *given.kwonlyargs)):
        marks.append("annotation")
    return marks


# Decorators that Python itself brings and that other ideas tell of.
_PLAIN = {"property", "setter", "staticmethod", "classmethod", "abstractmethod", "overload", "dataclass"} | {
    *("lru_cache", "cache", "cached_property", "contextmanager", "asynccontextmanager")
}


def _decorator(node: ast.expr) -> str:
    return f"decorator:{_last(node.func if isinstance(node, ast.Call) else node)}"


def _last(node: ast.expr) -> str:
    if isinstance(node, ast.Subscript):
        node = node.value
    return show(node, 60).rpartition(".")[2]


def _is_closure(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Tell whether a function inside this one uses a name of this one."""
    inner = [
        child for child in ast.walk(node) if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
    ]
    if len(inner) < 2:
        return False
    return _uses_outer(node, _bound(node))


def _uses_outer(node: _Scope, bound: set[str]) -> bool:
    """Return True if a function inside this one reads a `bound` name that it does not bind itself.

    Each node is looked at once, however deep the functions are nested.
    """
    inside: list[set[str]] = []  # What each of the functions around a node binds, this one left out.
    hidden = Counter[str]()  # How many of them bind a name.
    waiting: list[ast.AST | None] = list(ast.iter_child_nodes(node))
    while waiting:
        child = waiting.pop()
        if child is None:
            hidden.subtract(inside.pop())
        elif isinstance(child, _Scope):
            body = child.body if isinstance(child.body, list) else [child.body]
            outside = {id(one) for one in body}
            waiting += [one for one in ast.iter_child_nodes(child) if id(one) not in outside]
            waiting += [None, *body]
            inside.append(_bound(child))
            hidden.update(inside[-1])
        elif isinstance(child, ast.Name) and isinstance(child.ctx, ast.Load) and child.id in bound:
            if hidden[child.id] < len(inside):
                return True
        else:
            waiting += ast.iter_child_nodes(child)
    return False


def _wraps(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Tell a function that takes a function and returns one made inside it, which calls the first."""
    inner = [child for child in node.body if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef)]
    taken = node.args.args[0].arg if node.args.args else ""
    returned = [
        child.value.id for child in node.body if isinstance(child, ast.Return) and isinstance(child.value, ast.Name)
    ]
    calls = [
        call for child in inner if child.name in returned for call in ast.walk(child) if isinstance(call, ast.Call)
    ]
    return any(isinstance(call.func, ast.Name) and call.func.id == taken for call in calls)


def _bound(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) -> set[str]:
    given = node.args
    named = [*given.posonlyargs, *given.args, *given.kwonlyargs, *filter(None, (given.vararg, given.kwarg))]
    names = {name.arg for name in named}
    stack: list[ast.AST] = list(node.body) if isinstance(node.body, list) else []
    while stack:
        child = stack.pop()
        if isinstance(child, ast.Name) and isinstance(child.ctx, ast.Store):
            names.add(child.id)
        if not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda):
            stack += ast.iter_child_nodes(child)
    return names
