"""Says what statements of Python do, one after the other."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Sequence

from codesherpa.analysis.module import Module, show
from codesherpa.analysis.phrases import Voice, code

_DEPTH = 4
_EMPTY = {ast.List: "empty_list", ast.Dict: "empty_dict"}
_SIMPLE: dict[type[ast.stmt], str] = {ast.Break: "do_break", ast.Continue: "do_continue", ast.Pass: "do_pass"}


def tell(module: Module, body: Sequence[ast.stmt], voice: Voice) -> list[str]:
    """Return lines of a nested markdown list, a statement each, with its line in the source."""
    return list(_Teller(module, voice).block(body, 0))


def size(body: Sequence[ast.stmt]) -> int:
    """Return how many statements a body has, those inside others included."""
    return sum(isinstance(node, ast.stmt) for statement in body for node in ast.walk(statement))


class _Teller:
    def __init__(self, module: Module, voice: Voice) -> None:
        self._module = module
        self._voice = voice

    def block(self, body: Iterable[ast.stmt], depth: int) -> Iterator[str]:
        for place, statement in enumerate(body):
            # A docstring is told with the part that it belongs to.
            if (place or not _is_text(statement)) and self._module.line(statement):
                yield from self._statement(statement, depth)

    def _statement(self, statement: ast.stmt, depth: int) -> Iterator[str]:
        line = self._module.line(statement)
        say = self._voice.say
        match statement:
            case ast.If():
                yield from self._if(statement, depth, "do_if")
            case ast.For(target=target, iter=iterable) | ast.AsyncFor(target=target, iter=iterable):
                text = say("do_for", target=_span(target), iterable=_span(iterable))
                yield from self._loop(statement, text, depth)
            case ast.While(test=test):
                forever = isinstance(test, ast.Constant) and test.value
                text = say("do_forever") if forever else say("do_while", condition=_span(test))
                yield from self._loop(statement, text, depth)
            case ast.With(items=items) | ast.AsyncWith(items=items):
                value = self._voice.join(map(_span, items))
                yield from self._head(line, say("do_with", value=value), statement.body, depth)
            case ast.Try() | ast.TryStar():
                yield from self._try(statement, depth)
            case ast.Match(subject=subject, cases=cases):
                yield self._item(line, say("do_match", value=_span(subject)), depth)
                for case in cases:
                    text = say("do_case", value=_span(case.pattern))
                    yield from self._head(self._module.line(case.body[0]), text, case.body, depth + 1)
            case _:
                yield self._item(line, self._simple(statement), depth)

    def _item(self, line: int, text: str, depth: int) -> str:
        place = f"{self._voice.say('at_line', line=line)}: " if line else ""
        return f"{'  ' * depth}- {place}{text}"

    def _head(self, line: int, text: str, body: Sequence[ast.stmt], depth: int) -> Iterator[str]:
        yield self._item(line, text, depth)
        if depth < _DEPTH:
            yield from self.block(body, depth + 1)

    def _if(self, statement: ast.If, depth: int, key: str) -> Iterator[str]:
        text = self._voice.say(key, condition=_span(statement.test))
        yield from self._head(self._module.line(statement), text, statement.body, depth)
        other = statement.orelse
        if len(other) == 1 and isinstance(other[0], ast.If):
            yield from self._if(other[0], depth, "do_elif")
        elif other:
            yield from self._head(0, self._voice.say("do_else"), other, depth)

    def _loop(self, statement: ast.For | ast.AsyncFor | ast.While, text: str, depth: int) -> Iterator[str]:
        yield from self._head(self._module.line(statement), text, statement.body, depth)
        if statement.orelse:
            yield from self._head(0, self._voice.say("do_loop_else"), statement.orelse, depth)

    def _try(self, statement: ast.Try | ast.TryStar, depth: int) -> Iterator[str]:
        say = self._voice.say
        yield from self._head(self._module.line(statement), say("do_try"), statement.body, depth)
        for handler in statement.handlers:
            text = say("do_except", value=_span(handler.type)) if handler.type else say("do_except_all")
            yield from self._head(self._module.line(handler), text, handler.body, depth)
        for body, key in ((statement.orelse, "do_no_error"), (statement.finalbody, "do_finally")):
            if body:
                yield from self._head(0, say(key), body, depth)

    def _simple(self, statement: ast.stmt) -> str:
        """Say what a statement without a body of its own does."""
        say = self._voice.say
        if key := _SIMPLE.get(type(statement)):
            return say(key)
        match statement:
            case ast.Assign(targets=targets, value=value):
                return self._assign(targets, value)
            case ast.AnnAssign(target=target, value=value) if value:
                return self._assign([target], value)
            case ast.AnnAssign(target=target, annotation=annotation):
                return say("do_declare", target=_span(target), value=_span(annotation))
            case ast.AugAssign(target=target):
                return say("do_change", target=_span(target), code=_span(statement))
            case ast.Return(value=value):
                return say("do_return", value=self._value(value)) if value else say("do_leave")
            case ast.Raise(exc=value):
                return say("do_raise", value=_span(value)) if value else say("do_raise_again")
            case ast.Expr(value=value):
                return self._expression(value)
            case ast.Import(names=names) | ast.ImportFrom(names=names):
                return say("do_import", value=self._voice.join(code(name.asname or name.name) for name in names))
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                return say("do_define", value=code(name))
            case ast.Global(names=names) | ast.Nonlocal(names=names):
                return say("do_global", value=self._voice.join(map(code, names)))
            case ast.Assert(test=test):
                return say("do_assert", value=_span(test))
            case ast.Delete(targets=targets):
                return say("do_delete", value=self._voice.join(map(_span, targets)))
        return say("do_other", value=_span(statement))

    def _assign(self, targets: Sequence[ast.expr], value: ast.expr) -> str:
        say = self._voice.say
        target = self._voice.join(map(_span, targets))
        match value:
            case ast.Tuple() if len(targets) == 1 and _is_swap(targets[0], value):
                return say("do_swap", target=target)
            case ast.ListComp(elt=element, generators=[one]) | ast.SetComp(elt=element, generators=[one]):
                return self._build(target, _span(element), one)
            case ast.DictComp(key=key, value=element, generators=[one]):
                return self._build(target, f"{_span(key)}: {_span(element)}", one)
            case ast.Call(func=ast.Name(id="set"), args=[], keywords=[]):
                return say("do_set", target=target, value=say("empty_set"))
            case ast.Call():
                return say("do_keep", call=_span(value), target=target)
        return say("do_set", target=target, value=self._value(value))

    def _build(self, target: str, element: str, one: ast.comprehension) -> str:
        key, conditions = "do_build_where" if one.ifs else "do_build", self._voice.join(map(_span, one.ifs))
        words = {"target": target, "element": element, "name": _span(one.target), "iterable": _span(one.iter)}
        return self._voice.say(key, **words, condition=conditions)

    def _value(self, value: ast.expr) -> str:
        match value:
            case ast.List(elts=[]) | ast.Dict(keys=[]):
                return self._voice.say(_EMPTY[type(value)])
        return _span(value)

    def _expression(self, value: ast.expr) -> str:
        say = self._voice.say
        match value:
            case ast.Call(func=ast.Name(id="print"), args=[*args]) if args:
                return say("do_print", value=self._voice.join(map(_span, args)))
            case ast.Call(func=ast.Attribute(value=target, attr="append" | "add" | "appendleft"), args=[one]):
                return say("do_append", value=_span(one), target=_span(target))
            case ast.Call(func=ast.Attribute(value=target, attr="sort")):
                return say("do_sort", target=_span(target))
            case ast.Call():
                return say("do_call", value=_span(value))
            case ast.Yield(value=given):
                return say("do_yield", value=_span(given) if given else "`None`")
            case ast.YieldFrom(value=given):
                return say("do_yield_from", value=_span(given))
            case ast.Await(value=given):
                return say("do_await", value=_span(given))
        return say("do_other", value=_span(value))


def _span(node: ast.AST | None) -> str:
    text = show(node, 70)
    return code(text[1:-1] if isinstance(node, ast.Tuple) and len(node.elts) > 1 and text.endswith(")") else text)


def _is_text(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def _is_swap(target: ast.expr, value: ast.Tuple) -> bool:
    """Tell `a, b = b, a`."""
    if not isinstance(target, ast.Tuple) or len(target.elts) != 2:
        return False
    return [show(one) for one in target.elts] == [show(one) for one in reversed(value.elts)]
