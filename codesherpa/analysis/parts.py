"""Describes the parts of a Python module: what each takes, gives, raises and calls, and what the whole needs."""

from __future__ import annotations

import ast
import sys
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from codesherpa.analysis import control, steps
from codesherpa.analysis.module import Module, Part, own, show
from codesherpa.analysis.phrases import Voice, code, names

_MOST_PARTS = 40
# A function is told step by step where it is that short; one that is that complex is hard to follow.
_SHORT = 16
_HARD = 11
# A module of more parts than this is an overview: only its most telling functions are told step by step.
_FEW = 12

# What a call does to the world outside, by the beginning of its name.
_EFFECTS: dict[str, list[str]] = tomllib.loads(
    (Path(__file__).parent / "data" / "effects.toml").read_text(encoding="utf-8")
)
_FILE_METHODS = {"read_text", "write_text", "read_bytes", "write_bytes"}


def needs(module: Module, voice: Voice) -> Iterator[str]:
    """Yield what a module imports, by where it comes from."""
    groups: dict[str, dict[str, None]] = {"standard": {}, "own": {}, "other": {}}
    for origin in module.imports.values():
        root = origin.split(".")[0]
        kind = "own" if origin.startswith(".") else "standard" if root in sys.stdlib_module_names else "other"
        groups[kind].setdefault(_neighbour(origin) if kind == "own" else root)
    groups["standard"].pop("__future__", None)
    told = [voice.say(f"uses_{kind}", names=names(found, 20)) for kind, found in groups.items() if found]
    if told or (module.parts and module.whole):
        yield f"## {voice.say('uses_heading')}"
        yield " ".join(told) or voice.say("uses_none")


def _neighbour(origin: str) -> str:
    """Return the module of a relative import: `.decoder` of `.decoder.JSONDecoder`."""
    dots = len(origin) - len(origin.lstrip("."))
    return origin[:dots] + origin[dots:].split(".")[0]


def effects(module: Module, voice: Voice) -> Iterator[str]:
    """Yield what the module does to the world outside, and where."""
    found: dict[str, dict[str, None]] = {}
    for part in module.parts.values():
        if not isinstance(part.node, ast.ClassDef):
            for effect in _effects(module, own(part.node.body)):
                found.setdefault(effect, {}).setdefault(part.path)
    for effect in _effects(module, own(module.script)):
        found.setdefault(effect, {}).setdefault("")
    if found:
        yield f"## {voice.say('outside_heading')}"
        yield "\n".join(
            f"- {voice.say(f'effect_{key}', where=_where(found[key], voice))}"
            for key in [*_EFFECTS, "globals"]
            if key in found
        )


def _where(paths: Iterable[str], voice: Voice) -> str:
    listed = [code(path) if path else voice.say("top_level") for path in paths]
    return ", ".join(listed[:5]) + (", …" if len(listed) > 5 else "")


def _effects(module: Module, nodes: Iterable[ast.AST]) -> Iterator[str]:
    for node in nodes:
        if isinstance(node, ast.Global):
            yield "globals"
        elif isinstance(node, ast.Attribute) and show(node, 20) == "os.environ":
            yield "environment"
        elif isinstance(node, ast.Call) and (effect := _effect(module, node)):
            yield effect


def _effect(module: Module, node: ast.Call) -> str:
    if isinstance(node.func, ast.Attribute) and node.func.attr in _FILE_METHODS:
        return "files"
    root, dot, rest = show(node.func, 60).partition(".")
    path = module.imports.get(root, root) + dot + rest
    for effect, starts in _EFFECTS.items():
        if any(path.startswith(start) if "." in start else path == start for start in starts):
            return effect
    return ""


def describe(module: Module, voice: Voice) -> Iterator[str]:
    """Yield a section for each part, in the order of the source; methods stand under their class."""
    shown = [
        part for part in module.parts.values() if part.kind != "method" or module.parts[part.owner].kind != "class"
    ]
    ordered = [part for one in shown for part in (one, *module.methods.get(one.path, ()))]
    if module.constants or ordered:
        yield f"## {voice.say('parts_heading')}"
    if module.constants:
        fixed = [f"{code(f'{name} = {value}')}" for name, (_, value) in list(module.constants.items())[:10]]
        more = ", …" if len(module.constants) > 10 else ""
        yield voice.say("constant_list", names=", ".join(fixed) + more)
    for part in _telling(ordered, module):
        yield "\n".join(_describe(module, part, voice, told=len(ordered) <= _FEW))
    if len(ordered) > _MOST_PARTS:
        yield voice.say("more_parts", n=len(ordered) - _MOST_PARTS)


def _telling(ordered: list[Part], module: Module) -> list[Part]:
    """Return as many parts as one can read, the ones that tell most, in their order."""

    used = Counter(path for part in ordered for path in part.calls)
    exports = set(module.exports)

    def weight(part: Part) -> float:
        size = len(module.methods.get(part.path, ())) if part.kind == "class" else min(part.complexity, 12)
        return (part.name in exports) * 20 - part.private * 5 + min(used[part.path], 6) + size / 2 + bool(part.doc)

    if len(ordered) <= _MOST_PARTS:
        return ordered
    chosen = {part.path for part in sorted(ordered, key=weight, reverse=True)[:_MOST_PARTS]}
    return [part for part in ordered if part.path in chosen]


def _describe(module: Module, part: Part, voice: Voice, told: bool) -> Iterator[str]:
    """Yield the lines about one part."""
    place = voice.say("at_line", line=part.line)
    yield f"### {code(_signature(part))} · {_kind(part, voice)}, {place}"
    yield ""
    if part.doc:
        yield f"{part.doc}\n"
    facts = _class_facts(module, part, voice) if part.kind == "class" else _facts(part, voice)
    yield from (f"- {fact}" for fact in facts)
    node = part.node
    if told and not isinstance(node, ast.ClassDef) and 1 < steps.size(node.body) <= _SHORT and part.gives.how != "stub":
        yield f"\n{voice.say('steps_heading')}:\n"
        yield from steps.tell(module, node.body, voice)


def _signature(part: Part) -> str:
    if part.kind == "class":
        return part.path
    given = ", ".join(part.parameters)
    return f"{part.path}({given})" if len(given) <= 60 else f"{part.path}(…)"


def _kind(part: Part, voice: Voice) -> str:
    decorators = {decorator.split("(")[0].rpartition(".")[2] for decorator in part.decorators}
    if part.kind == "class":
        bases = {base.split("[")[0].rpartition(".")[2] for base in part.bases}
        if "dataclass" in decorators:
            return voice.say("kind_dataclass")
        if any(base.endswith(("Error", "Exception", "Warning")) for base in bases):
            return voice.say("kind_exception")
        named = (
            ("Enum", "enum"),
            ("IntEnum", "enum"),
            ("StrEnum", "enum"),
            ("Protocol", "protocol"),
            ("ABC", "abstract"),
        )
        return voice.say(next((f"kind_{kind}" for base, kind in named if base in bases), "kind_class"))
    roles = (("property", "property"), ("staticmethod", "static"), ("classmethod", "class_method"))
    return voice.say(
        next((f"kind_{kind}" for name, kind in roles if name in decorators), f"kind_{part.kind}"), owner=part.owner
    )


def _class_facts(module: Module, part: Part, voice: Voice) -> Iterator[str]:
    if part.bases:
        yield voice.say("bases", names=names(part.bases))
    if part.fields:
        yield voice.say("holds", names=names(part.fields, 14))
    if methods := [method.name for method in module.methods.get(part.path, ())]:
        yield voice.say("has_methods", names=names(methods, 30))


def _facts(part: Part, voice: Voice) -> Iterator[str]:
    yield voice.say("takes", names=names(part.parameters, 20)) if part.parameters else voice.say("takes_nothing")
    yield _gives(part.gives, voice)
    if isinstance(part.node, ast.AsyncFunctionDef):
        yield voice.say("asynchronous_yields" if part.gives.how == "yields" else "asynchronous")
    if part.raises:
        yield voice.say("raises", names=voice.join(_raised(name, when, voice) for name, when in part.raises.items()))
    if part.recursive:
        yield voice.say("recursive")
    if called := [*part.calls, *part.outside]:
        yield voice.say("calls", names=names(called, 12))
    if wrapping := [name for name in part.decorators if name not in ("property", "staticmethod", "classmethod")]:
        yield voice.say("decorated", names=names(f"@{name}" for name in wrapping))
    branches = voice.count("branches", part.complexity - 1)
    if part.complexity == 1:
        yield voice.say("complexity_straight")
    else:
        yield voice.say(
            "complexity" if part.complexity < _HARD else "complexity_high", n=part.complexity, branches=branches
        )


def _raised(name: str, condition: str, voice: Voice) -> str:
    if not name:
        return voice.say("raises_again")
    return voice.say("raises_if", name=name, condition=condition) if condition else code(name)


def _gives(gives: control.Gives, voice: Voice) -> str:
    """Say what comes back: by the annotation, by the one expression, or by the type that is plain."""
    if gives.how == "yields":
        return voice.say("yields", what=_what(gives, voice) or voice.say("values"))
    if gives.how != "value":
        return voice.say(f"gives_{gives.how}")
    what = _what(gives, voice) or voice.say("a_value")
    return voice.say(
        "gives", what=voice.say("or_none", what=what) if gives.sometimes and not gives.annotation else what
    )


def _what(gives: control.Gives, voice: Voice) -> str:
    if gives.annotation:
        return code(show(gives.annotation, 60))
    single = {show(value, 60) for value in gives.values}
    if gives.what:
        kind = voice.say(f"a_{gives.what}")
        return f"{kind}: {code(single.pop())}" if len(single) == 1 and gives.what != "self" else kind
    return voice.join(map(code, sorted(single)), "or") if len(single) <= 3 else ""
