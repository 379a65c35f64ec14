"""The ways through a Python module: in which order to read it, and steps to learn it by."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from codesherpa.analysis import calls
from codesherpa.analysis.concepts import Concept
from codesherpa.analysis.module import Module, Part
from codesherpa.analysis.phrases import Voice, code, names

_MOST = 20


def order(module: Module, voice: Voice) -> Iterator[str]:
    """Yield where the module is entered and in which order its functions are best read."""
    ordered = calls.order(module)
    if len(ordered) < 2:
        return
    yield f"## {voice.say('order_heading')}"
    lines = []
    if starts := entries(module):
        lines.append(voice.say("entries", names=names([part.path for part in starts], _MOST)))
    if module.guarded:
        lines.append(voice.say("guard"))
    more = [" → …"] if len(ordered) > _MOST else []
    listed = " → ".join(code(part.path) for part in ordered[:_MOST])
    lines.append(voice.say("order", names="".join([listed, *more])))
    lines += [voice.say("ring", names=voice.join(map(code, ring[:6]))) for ring in calls.rings(module)[:3]]
    yield "\n".join(f"- {line}" for line in lines)


def entries(module: Module) -> list[Part]:
    """Return the functions and methods that others are meant to call and nothing here does."""
    called = {path for part in module.parts.values() for path in part.calls}
    if module.exports:
        exports = set(module.exports)
        return [part for part in module.parts.values() if part.path in exports and part.path not in called]
    return [
        part
        for part in module.parts.values()
        if part.kind in ("function", "method")
        and part.path not in called
        and not part.private
        and not (part.name.startswith("__") and part.name.endswith("__"))
    ]


def learn(module: Module, found: Sequence[Concept], voice: Voice) -> list[str]:
    """Return steps that build on one another: purpose, idea, data, leaves, callers, a try, a change."""
    return [*_prepare(module, found, voice), *_read(module, voice), *_do(module, voice)]


def _prepare(module: Module, found: Sequence[Concept], voice: Voice) -> Iterator[str]:
    if module.doc:
        yield voice.say("learn_purpose", doc=module.doc)
    elif len(module.parts) > 2:
        yield voice.say("learn_look", names=names(module.parts, 10))
    if found:
        yield voice.say("learn_concept", term=found[0].term, definition=found[0].definition)
    data = [*module.constants][:5] + [
        part.name for part in module.parts.values() if part.kind == "class" and part.fields
    ][:3]
    if data:
        yield voice.say("learn_data", names=names(data))


def _read(module: Module, voice: Voice) -> Iterator[str]:
    """Yield a step for each of the parts that matter most, what is called first."""
    for part in _telling(calls.order(module)):
        place = voice.say("at_line", line=part.line)
        if part.calls:
            yield voice.say("learn_caller", name=part.path, place=place, names=names(part.calls, 4))
        else:
            yield voice.say("learn_leaf", name=part.path, place=place)
        if part.recursive:
            yield voice.say("learn_recursive", name=part.path, place=place)
    if not module.whole:
        known = next(iter(line for line in module.rows if line), 1)
        yield voice.say("learn_excerpt", place=voice.say("at_line", line=known))
    elif module.script and (line := module.line(module.script[0])):
        yield voice.say("learn_script", place=voice.say("at_line", line=line))


def _telling(ordered: Sequence[Part], most: int = 5) -> list[Part]:
    """Return the parts that others use or that use others, in their order; all where they are few."""
    plain = [part for part in ordered if not (part.name.startswith("__") and part.name.endswith("__"))]
    if len(plain) <= most:
        return plain
    uses: dict[str, int] = {}
    for part in plain:
        for path in part.calls:
            uses[path] = uses.get(path, 0) + 1
    ranked = sorted(
        plain, key=lambda part: -(2 * uses.get(part.path, 0) + 2 * len(part.calls) + min(part.complexity, 10) / 5)
    )
    return [part for part in plain if part in ranked[:most]]


def _do(module: Module, voice: Voice) -> Iterator[str]:
    """Yield what to try with one's own hands."""
    usable = [part for part in module.parts.values() if part.kind == "function" and not part.private] or [
        part for part in entries(module) if part.kind == "method"
    ]
    if not usable:
        return
    first = max(usable, key=lambda part: (bool(part.calls), part.gives.how == "value", -part.line))
    yield voice.say("learn_try", call=_call(first))
    failing = next((part for part in usable if any(part.raises)), None)
    if failing:
        error = next(name for name in failing.raises if name)
        yield voice.say("learn_error", name=failing.path, error=code(error))
    yield voice.say("learn_change", name=first.path)


def _call(part: Part) -> str:
    """Return a call of a function, with the names of what it must be given."""
    if isinstance(part.node, ast.ClassDef):
        return f"{part.path}()"
    given = [name.split(":")[0] for name in part.parameters if "=" not in name and not name.startswith("**")]
    return f"{part.path}({', '.join(name.lstrip('*') for name in given)})"
