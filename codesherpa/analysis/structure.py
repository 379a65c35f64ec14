"""What a Python module is made of: its parts, and what each takes, gives, raises and calls."""

from __future__ import annotations

import ast
import builtins
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from codesherpa.analysis import control

Definition = ast.FunctionDef | ast.AsyncFunctionDef
_TESTS_AND_TURNS = (ast.If, ast.For, ast.AsyncFor, ast.While, ast.ExceptHandler, ast.IfExp, ast.comprehension, ast.match_case)
_CALL = re.compile(r"\w+\([^)]*\)(?: *->.*)?$")
_BUILTINS = frozenset(dir(builtins))


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


def read(tree: ast.Module, rows: Sequence[int], whole: bool = True) -> Module:
    """Take a syntax tree apart; `rows` maps its lines to the source's, 0 for none."""
    module = Module(first_sentence(ast.get_docstring(tree)), {}, {}, {}, [], False, rows, _exports(tree), whole)
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            module.imports |= _imported(node)
    for statement in _top(tree.body, module):
        _take(module, statement)
    for part in module.parts.values():
        _connect(module, part)
    return module


def _exports(tree: ast.Module) -> tuple[str, ...]:
    """Return the names in `__all__`, as far as they are written out."""
    for statement in tree.body:
        match statement:
            case ast.Assign(targets=[ast.Name(id="__all__")], value=ast.List(elts=items) | ast.Tuple(elts=items)):
                return tuple(item.value for item in items if isinstance(item, ast.Constant) and isinstance(item.value, str))
    return ()


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
    try:
        text = " ".join(ast.unparse(node).split())
    except RecursionError:
        return "…"
    return text if len(text) <= width else text[: width - 1] + "…"


def first_sentence(doc: str | None) -> str:
    """Return the first sentence of a docstring, in one line of at most 200 letters."""
    # A first line that only repeats the call is no sentence, and ``code`` has one backtick in markdown.
    paragraphs = [" ".join(part.split()) for part in (doc or "").replace("``", "`").strip().split("\n\n")]
    paragraph = next((part for part in paragraphs if not _CALL.match(part)), paragraphs[0])
    head, stop, _ = paragraph.partition(". ")
    sentence = head + "." if stop and not head.endswith(("e.g", "i.e", "a.k.a", "etc")) else paragraph
    return sentence if len(sentence) <= 200 else sentence[:199].rstrip() + "…"


def _imported(node: ast.Import | ast.ImportFrom) -> dict[str, str]:
    if isinstance(node, ast.Import):
        return {name.asname or name.name.split(".")[0]: name.name for name in node.names}
    origin = "." * node.level + (node.module or "")
    return {name.asname or name.name: f"{origin}{'' if origin.endswith('.') else '.'}{name.name}" for name in node.names}


def _top(body: Sequence[ast.stmt], module: Module) -> Iterator[ast.stmt]:
    """Yield a module's statements, those inside `if` and `try` and the scaffolding of a fragment too."""
    for statement in body:
        nested = [child for child in ast.walk(statement) if isinstance(child, Definition | ast.ClassDef)]
        if isinstance(statement, ast.If | ast.Try) and (nested or not module.line(statement)):
            guard = "__name__" in show(statement.test) if isinstance(statement, ast.If) else False
            module.guarded = module.guarded or guard
            for name in ("body", "handlers", "orelse", "finalbody"):
                for child in getattr(statement, name, []):
                    yield from _top(child.body if isinstance(child, ast.ExceptHandler) else [child], module)
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
        part = Part(node.name, _kind(module, node, owner), line, module.rows[min(node.end_lineno or node.lineno, len(module.rows)) - 1] or line, node, owner)  # fmt: skip
        part.doc = first_sentence(ast.get_docstring(node))
        part.decorators = tuple(show(decorator) for decorator in node.decorator_list)
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
        part.bases = tuple(show(base, 40) for base in part.node.bases)
        part.fields = tuple(_fields(part.node))
        return
    nodes = list(own(part.node.body))
    part.parameters = tuple(_parameters(part.node, skip=part.kind == "method" and "staticmethod" not in part.decorators))
    part.gives = control.gives(part.node, nodes)
    part.raises = control.raises(part.node, nodes, show)
    part.complexity = 1 + sum(map(_branches, nodes))
    made = dict(filter(None, map(_made, nodes)))
    called = list(dict.fromkeys(filter(None, (_target(module, part, node, made) for node in nodes))))
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
    return f"{text} = {show(default, 30)}" if default and name.annotation else f"{text}={show(default, 30)}" if default else text


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


def _method(module: Module, owner: str, name: str, depth: int = 0) -> str:
    """Find a method in a class or in those of its bases that stand in the module."""
    if not owner or depth > 20:
        return ""
    return f"{owner}.{name}" if f"{owner}.{name}" in module.parts else _inherited(module, owner, name, depth)


def _inherited(module: Module, owner: str, name: str, depth: int = 0) -> str:
    bases = [show(base) for base in module.parts[owner].node.bases] if owner and isinstance(module.parts[owner].node, ast.ClassDef) else []  # type: ignore[union-attr]  # fmt: skip
    found = (_method(module, base, name, depth + 1) for base in bases if base in module.parts)
    return next(filter(None, found), "")


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
    ring: list[str] = []
    while path not in ring:
        ring.append(held.popitem()[0])
    return ring
