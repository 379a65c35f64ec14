"""Who calls whom in a Python module, and what that says about the order in which to read it."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterable, Mapping

from codesherpa.analysis.module import Module, Part, show

_BUILTINS = frozenset(dir(builtins))


def find(module: Module, part: Part, nodes: Iterable[ast.AST]) -> list[str]:
    """Return what a part calls: the paths of other parts, and the names of what the module imports."""
    found = list(nodes)
    made = dict(filter(None, map(_made, found)))
    return list(dict.fromkeys(filter(None, (_target(module, part, node, made) for node in found))))


def _made(node: ast.AST) -> tuple[str, str] | None:
    """Return the name and the class of `name = Class(...)`."""
    match node:
        case ast.Assign(targets=[ast.Name(id=name)], value=ast.Call(func=ast.Name(id=made))):
            return name, made
    return None


def _target(module: Module, part: Part, node: ast.AST, made: Mapping[str, str]) -> str:
    """Return the path of the part that a call reaches, the name of what it imports, or ""."""
    if not isinstance(node, ast.Call):
        return ""
    match node.func:
        case ast.Name(id=name):
            return _by_name(module, part, name)
        case ast.Attribute(value=ast.Name(id="self" | "cls"), attr=name):
            return _method(module, _class_of(module, part), name)
        case ast.Attribute(value=ast.Call(func=ast.Name(id="super")), attr=name):
            return _inherited(module, _class_of(module, part), name)
        case ast.Attribute(value=ast.Name(id=local), attr=name) if made.get(local) in module.parts:
            return _method(module, made[local], name)
        case ast.Attribute(value=ast.Name(id=base), attr=name) if f"{base}.{name}" in module.parts:
            return f"{base}.{name}"
        case ast.Attribute() as attribute:
            path = show(attribute, 60)
            return path if path.split(".")[0] in module.imports and "(" not in path else ""
    return ""


def _by_name(module: Module, part: Part, name: str) -> str:
    """Find a name as Python does: inside the function, in those around it, in the module."""
    scope = part.path
    while scope:
        inside = module.parts.get(scope)
        if f"{scope}.{name}" in module.parts and inside and inside.kind != "class":
            return f"{scope}.{name}"
        scope = scope.rpartition(".")[0]
    if name in module.parts:
        return name
    return name if name in module.imports and name not in _BUILTINS else ""


def _class_of(module: Module, part: Part) -> str:
    scope = part.owner
    while scope and module.parts[scope].kind != "class":
        scope = scope.rpartition(".")[0]
    return scope


def _method(module: Module, owner: str, name: str) -> str:
    """Find a method in a class or in those of its bases that stand in the module."""
    return f"{owner}.{name}" if f"{owner}.{name}" in module.parts else _inherited(module, owner, name)


def _inherited(module: Module, owner: str, name: str) -> str:
    """Find a method in the bases of a class, the nearest first."""
    seen = {"": None, owner: None}
    nearest = [owner] if owner else []
    for base in nearest:
        if base != owner and f"{base}.{name}" in module.parts:
            return f"{base}.{name}"
        fresh = [above for above in module.parts[base].bases if above in module.parts and above not in seen]
        seen |= dict.fromkeys(fresh)
        nearest += fresh[: 50 - len(nearest)]
    return ""


def order(module: Module) -> list[Part]:
    """Return functions and methods in the order in which to read them: what is called before what calls it."""
    parts = {path: part for path, part in module.parts.items() if part.kind != "class"}
    called = {path for part in parts.values() for path in part.calls}
    starts = [path for path in parts if path not in called]
    done: dict[str, None] = {}
    for start in [*starts, *parts]:
        stack: list[tuple[str, bool]] = [(start, False)]
        opened: set[str] = set()
        while stack:
            path, leaving = stack.pop()
            if leaving:
                done.setdefault(path)
            elif path not in done and path not in opened:
                opened.add(path)
                stack.append((path, True))
                stack += [(callee, False) for callee in reversed(parts[path].calls) if callee in parts]
    return [parts[path] for path in done]


def rings(module: Module) -> list[list[str]]:
    """Return the groups of parts that call each other in a ring (mutual recursion), by Tarjan's algorithm."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    held: dict[str, None] = {}
    found: list[list[str]] = []
    for start in module.parts:
        stack = [(start, iter(module.parts[start].calls))] if start not in index else []
        while stack:
            path, callees = stack[-1]
            if path not in index:
                index[path] = low[path] = len(index)
                held[path] = None
            callee = next(callees, None)
            if callee is None:
                stack.pop()
                if stack:
                    low[stack[-1][0]] = min(low[stack[-1][0]], low[path])
                if low[path] == index[path]:
                    found.append(_release(held, path))
            elif callee not in index:
                stack.append((callee, iter(module.parts[callee].calls)))
            elif callee in held:
                low[path] = min(low[path], index[callee])
    places = {path: place for place, path in enumerate(module.parts)}
    return [sorted(ring, key=lambda path: places[path]) for ring in found if len(ring) > 1]


def _release(held: dict[str, None], path: str) -> list[str]:
    """Take what was held since `path`, itself included."""
    ring = [held.popitem()[0]]
    while ring[-1] != path:
        ring.append(held.popitem()[0])
    return ring
