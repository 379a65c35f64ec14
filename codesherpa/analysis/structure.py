"""What a Python module is made of: its parts, and what each takes, gives, raises and calls."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from codesherpa.analysis import calls, control
from codesherpa.analysis.module import Definition, Module, Part, first_sentence, own, show

_TESTS_AND_TURNS = (
    ast.If,
    ast.For,
    ast.AsyncFor,
    ast.While,
    ast.ExceptHandler,
    ast.IfExp,
    ast.comprehension,
    ast.match_case,
)


def read(tree: ast.Module, rows: Sequence[int], whole: bool = True) -> Module:
    """Take a syntax tree apart; `rows` maps its lines to the source's, 0 for none."""
    module = Module(first_sentence(ast.get_docstring(tree)), {}, {}, {}, [], False, rows, _exports(tree), whole)
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            module.imports |= _imported(node)
    for statement in _top(tree.body, module, _holders(tree)):
        _take(module, statement)
    for part in module.parts.values():
        _connect(module, part)
    return module


def _exports(tree: ast.Module) -> tuple[str, ...]:
    """Return the names in `__all__`, as far as they are written out."""
    for statement in tree.body:
        match statement:
            case ast.Assign(targets=[ast.Name(id="__all__")], value=ast.List(elts=items) | ast.Tuple(elts=items)):
                return tuple(
                    item.value for item in items if isinstance(item, ast.Constant) and isinstance(item.value, str)
                )
    return ()


def _imported(node: ast.Import | ast.ImportFrom) -> dict[str, str]:
    if isinstance(node, ast.Import):
        return {name.asname or name.name.split(".")[0]: name.name for name in node.names}
    origin = "." * node.level + (node.module or "")
    return {
        name.asname or name.name: f"{origin}{'' if origin.endswith('.') else '.'}{name.name}" for name in node.names
    }


def _holders(tree: ast.Module) -> set[int]:
    """Return the ids of the nodes that have a function or a class in them; each node is looked at once."""
    above: dict[int, ast.AST] = {}
    holders: set[int] = set()
    for node in ast.walk(tree):
        above |= {id(child): node for child in ast.iter_child_nodes(node)}
        holder = above.get(id(node)) if isinstance(node, Definition | ast.ClassDef) else None
        while holder is not None and id(holder) not in holders:
            holders.add(id(holder))
            holder = above.get(id(holder))
    return holders


def _top(body: Sequence[ast.stmt], module: Module, holders: set[int]) -> Iterator[ast.stmt]:
    """Yield a module's statements, those inside `if` and `try` and the scaffolding of a fragment too."""
    for statement in body:
        if isinstance(statement, ast.If | ast.Try) and (id(statement) in holders or not module.line(statement)):
            guard = "__name__" in show(statement.test) if isinstance(statement, ast.If) else False
            module.guarded = module.guarded or guard
            for name in ("body", "handlers", "orelse", "finalbody"):
                for child in getattr(statement, name, []):
                    yield from _top(child.body if isinstance(child, ast.ExceptHandler) else [child], module, holders)
        else:
            yield statement


def _take(module: Module, statement: ast.stmt) -> None:
    """File one statement of a module away."""
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        _define(module, statement, "")
    elif isinstance(statement, ast.Assign | ast.AnnAssign) and (names := _constants(statement)):
        module.constants |= dict.fromkeys(names, (module.line(statement), show(statement.value, 50)))
    elif isinstance(statement, ast.If) and "__name__" in show(statement.test):
        module.guarded = True
        module.script += statement.body
    elif module.line(statement) and not (_is_doc(statement) or _is_setup(statement)):
        module.script.append(statement)


def _constants(statement: ast.Assign | ast.AnnAssign) -> list[str]:
    targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
    names = [target.id for target in targets if isinstance(target, ast.Name)]
    return names if len(names) == len(targets) and all(name.strip("_").isupper() for name in names) else []


def _is_doc(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def _is_setup(statement: ast.stmt) -> bool:
    """Tell imports, tried ones too, and names for Python itself such as `__all__`."""
    match statement:
        case ast.Import() | ast.ImportFrom() | ast.Pass():
            return True
        case ast.Assign(targets=[ast.Name(id=name)], value=value):
            return name.startswith("__") or (isinstance(value, ast.Constant) and value.value is None)
        case ast.Try(body=body, handlers=handlers):
            return all(map(_is_setup, [*body, *(inner for handler in handlers for inner in handler.body)]))
    return False


def _define(module: Module, node: Definition | ast.ClassDef, owner: str) -> None:
    """File a function or class away, and those inside it."""
    line = module.line(node)
    if line:
        last = module.rows[min(node.end_lineno or node.lineno, len(module.rows)) - 1]
        part = Part(node.name, _kind(module, node, owner), line, last or line, node, owner)
        part.doc = first_sentence(ast.get_docstring(node))
        part.decorators = tuple(show(decorator) for decorator in node.decorator_list)
        if isinstance(node, ast.ClassDef):
            part.bases = tuple(show(base, 40) for base in node.bases)
            part.fields = tuple(_fields(node))
        if part.path not in module.parts and part.kind == "method":
            module.methods.setdefault(owner, []).append(part)
        module.parts.setdefault(part.path, part)
        owner = part.path
    for child in own(node.body):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            _define(module, child, owner)


def _kind(module: Module, node: Definition | ast.ClassDef, owner: str) -> str:
    if isinstance(node, ast.ClassDef):
        return "class"
    inside = module.parts.get(owner)
    if inside is None:
        return "function"
    return "method" if inside.kind == "class" else "inner"


def _connect(module: Module, part: Part) -> None:
    """Work out what a part takes, gives, raises and calls."""
    if isinstance(part.node, ast.ClassDef):
        return
    nodes = list(own(part.node.body))
    part.parameters = tuple(
        _parameters(part.node, skip=part.kind == "method" and "staticmethod" not in part.decorators)
    )
    part.gives = control.gives(part.node, nodes)
    part.raises = control.raises(part.node, nodes, show)
    part.complexity = 1 + sum(map(_branches, nodes))
    called = calls.find(module, part, nodes)
    part.calls = tuple(path for path in called if path in module.parts and path != part.path)
    part.recursive = part.path in called
    part.outside = tuple(name for name in called if name not in module.parts and name not in part.raises)


def _branches(node: ast.AST) -> int:
    if isinstance(node, ast.BoolOp):
        return len(node.values) - 1
    if isinstance(node, ast.comprehension):
        return 1 + len(node.ifs)
    return int(isinstance(node, _TESTS_AND_TURNS))


def _parameters(node: Definition, skip: bool) -> Iterator[str]:
    """Yield each parameter as it is written, without the `self` of a method."""
    given = node.args
    names = [*given.posonlyargs, *given.args]
    defaults = [None] * (len(names) - len(given.defaults)) + list(given.defaults)
    for place, (name, default) in enumerate(zip(names, defaults, strict=True)):
        if not (skip and place == 0):
            yield _parameter(name, default)
    if given.vararg:
        yield "*" + _parameter(given.vararg, None)
    for name, default in zip(given.kwonlyargs, given.kw_defaults, strict=True):
        yield _parameter(name, default)
    if given.kwarg:
        yield "**" + _parameter(given.kwarg, None)


def _parameter(name: ast.arg, default: ast.expr | None) -> str:
    text = f"{name.arg}: {show(name.annotation, 40)}" if name.annotation else name.arg
    return (
        f"{text} = {show(default, 30)}"
        if default and name.annotation
        else f"{text}={show(default, 30)}"
        if default
        else text
    )


def _fields(node: ast.ClassDef) -> Iterator[str]:
    """Yield the names that instances have: annotated in the class, or set on self in __init__."""
    seen: set[str] = set()
    for statement in node.body:
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            seen.add(statement.target.id)
            yield f"{statement.target.id}: {show(statement.annotation, 40)}"
    for method in node.body:
        if isinstance(method, ast.FunctionDef) and method.name == "__init__":
            for name in filter(None, map(_set_on_self, own(method.body))):
                if name not in seen:
                    seen.add(name)
                    yield name


def _set_on_self(node: ast.AST) -> str:
    match node:
        case ast.Attribute(value=ast.Name(id="self"), attr=name, ctx=ast.Store()):
            return name
    return ""
