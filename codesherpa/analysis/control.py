"""How a Python function ends: what it gives back, whether it can run out, what it raises."""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from dataclasses import dataclass

Definition = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True)
class Gives:
    """What a call gives.

    `how` is nothing, value, yields, stub or never (it always raises or runs for ever); `what` one of bool,
    str, int, list, dict, set, tuple, self, or "" for anything; `values` the expressions, `annotation` what
    the code says itself; `sometimes` tells that some paths give None instead.
    """

    how: str
    what: str = ""
    values: tuple[ast.expr, ...] = ()
    annotation: ast.expr | None = None
    sometimes: bool = False


NOTHING = Gives("nothing")
_SHAPES: tuple[tuple[tuple[type[ast.expr], ...], str], ...] = (
    ((ast.List, ast.ListComp), "list"),
    ((ast.Dict, ast.DictComp), "dict"),
    ((ast.Set, ast.SetComp), "set"),
    ((ast.Tuple,), "tuple"),
    ((ast.JoinedStr,), "str"),
    ((ast.GeneratorExp,), "generator"),
    ((ast.Compare,), "bool"),
)


def gives(node: Definition, nodes: Sequence[ast.AST]) -> Gives:
    """Work out what a function gives; `nodes` are those of its own body."""
    if any(isinstance(one, ast.Yield | ast.YieldFrom) for one in nodes):
        yielded = [one.value for one in nodes if isinstance(one, ast.Yield) and one.value]
        return Gives("yields", _shape(yielded), tuple(yielded), node.returns)
    if _is_stub(node.body):
        return Gives("stub", annotation=node.returns)
    returned = [one.value for one in nodes if isinstance(one, ast.Return)]
    values = [value for value in returned if value and not _is_none(value)]
    runs_out = ends(node.body)
    if not values:
        how = "nothing" if returned or runs_out else "never"
        return Gives(how, annotation=node.returns)
    return Gives("value", _shape(values), tuple(values), node.returns, runs_out or len(values) < len(returned))


def _is_none(value: ast.expr) -> bool:
    return isinstance(value, ast.Constant) and value.value is None


def _is_stub(body: Sequence[ast.stmt]) -> bool:
    """Tell a body of a docstring, `pass`, `...` or `raise NotImplementedError` alone."""
    for statement in body:
        match statement:
            case ast.Pass() | ast.Expr(value=ast.Constant()):
                continue
            case ast.Raise(exc=ast.Name(id="NotImplementedError") | ast.Call(func=ast.Name(id="NotImplementedError"))):
                continue
        return False
    return True


def _shape(values: Sequence[ast.expr]) -> str:
    """Return the type that all the values plainly have."""
    shapes = {_shape_of(value) for value in values}
    return shapes.pop() if len(shapes) == 1 else ""


def _shape_of(value: ast.expr) -> str:
    match value:
        case ast.Constant(value=bool()) | ast.UnaryOp(op=ast.Not()):
            return "bool"
        case ast.Constant(value=str() | int() | float() as constant):
            return type(constant).__name__
        case ast.Name(id="self"):
            return "self"
        case ast.BoolOp(values=parts) if all(_shape_of(part) == "bool" for part in parts):
            return "bool"
        case ast.Call(func=ast.Name(id="isinstance" | "any" | "all" | "bool" | "callable" | "hasattr" | "issubclass")):
            return "bool"
        case ast.Call(func=ast.Name(id="len" | "int" | "sum" | "round" as name)) if name in ("len", "int"):
            return "int"
        case ast.Call(func=ast.Name(id="str" | "list" | "dict" | "set" | "tuple" | "sorted" as name)):
            return "list" if name == "sorted" else name
    return next((shape for types, shape in _SHAPES if isinstance(value, types)), "")


def ends(body: Sequence[ast.stmt]) -> bool:
    """Tell whether control can run out of the end of a body."""
    return all(map(_passes, body))


def _passes(statement: ast.stmt) -> bool:
    match statement:
        case ast.Return() | ast.Raise() | ast.Continue() | ast.Break():
            return False
        case ast.If(body=body, orelse=orelse):
            return ends(body) or ends(orelse)
        case ast.While(test=ast.Constant(value=constant), body=body) if constant:
            return _breaks(body)
        case ast.With(body=body) | ast.AsyncWith(body=body):
            return ends(body)
        case ast.Try(body=body, handlers=handlers, orelse=orelse, finalbody=final):
            rest = (ends(body) and ends(orelse)) or any(ends(handler.body) for handler in handlers)
            return ends(final) and rest
        case ast.Match(cases=cases):
            sure = any(case.guard is None and _takes_all(case.pattern) for case in cases)
            return not sure or any(ends(case.body) for case in cases)
    return True


def _takes_all(pattern: ast.pattern) -> bool:
    return isinstance(pattern, ast.MatchAs) and pattern.pattern is None


def _breaks(body: Sequence[ast.stmt]) -> bool:
    """Tell whether a `break` in a loop's body leaves that loop."""
    stack: list[ast.AST] = list(body)
    while stack:
        node = stack.pop()
        if isinstance(node, ast.Break):
            return True
        if isinstance(node, ast.For | ast.AsyncFor | ast.While):
            stack += node.orelse
        elif not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            stack += [
                child
                for child in ast.iter_child_nodes(node)
                if isinstance(child, ast.stmt | ast.ExceptHandler | ast.match_case)
            ]
    return False


def raises(node: Definition, nodes: Sequence[ast.AST], show: Callable[[ast.AST | None, int], str]) -> dict[str, str]:
    """Map each exception that a function raises itself to its condition, "" for several or none.

    The key "" stands for raising again what was caught.
    """
    conditions = _conditions(node, show)
    known = _known(nodes, show)
    found: dict[str, str] = {}
    for one in nodes:
        if isinstance(one, ast.Raise):
            for name in _raised(one, known, show):
                condition = conditions.get(id(one), "")
                found[name] = condition if name not in found else ""
    return found


def _conditions(node: Definition, show: Callable[[ast.AST | None, int], str]) -> dict[int, str]:
    """Map each `raise` right under an `if` of the function's own body to that condition."""
    return {
        id(inner): show(statement.test, 60)
        for statement in node.body
        if isinstance(statement, ast.If)
        for inner in statement.body
        if isinstance(inner, ast.Raise)
    }


def _known(nodes: Sequence[ast.AST], show: Callable[[ast.AST | None, int], str]) -> dict[str, list[str]]:
    """Map names to the exceptions that they stand for: caught ones, and ones that were made before."""
    known: dict[str, list[str]] = {}
    for node in nodes:
        match node:
            case ast.ExceptHandler(type=ast.Tuple(elts=kinds), name=str(name)):
                known[name] = [show(kind, 40) for kind in kinds]
            case ast.ExceptHandler(type=ast.expr() as kind, name=str(name)):
                known[name] = [show(kind, 40)]
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Call(func=func)):
                known.setdefault(name, [show(func, 40)])
    return known


def _raised(node: ast.Raise, known: dict[str, list[str]], show: Callable[[ast.AST | None, int], str]) -> list[str]:
    match node.exc:
        case None:
            return [""]
        case ast.Name(id=name) if name in known:
            return known[name]
        case ast.Call(func=ast.Name() | ast.Attribute() as func):
            return [show(func, 40)]
    return [show(node.exc, 40)]
