"""How the work that a text causes grows with its length: what to read, and how to measure it."""

from __future__ import annotations

import ast
import importlib
import pkgutil
import random
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, is_dataclass
from functools import cache
from pathlib import Path
from re import _constants as kinds  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from types import FunctionType
from typing import Any, NamedTuple

import codesherpa

PACKAGE = Path(codesherpa.__file__).parent
REPEATS = (kinds.MAX_REPEAT, kinds.MIN_REPEAT, kinds.POSSESSIVE_REPEAT)
LOOPS = 20  # What may be repeated more often than this can be long.
SPARE = 'a1_ \n(-.x\t"#'
# Twice the text may cost this many times the work: 2 where the work is linear, 4 where it is quadratic.
FACTOR = 2.7
ENOUGH = 0.001  # Seconds of CPU that are long enough to be compared.
LOOKS = 8  # Noise is not too much at each of so many lengths; what is quadratic is.


def seconds(work: Callable[[Any], object], text: Any, times: int = 3) -> float:
    """Return the least CPU time of this thread that the work took."""
    taken = []
    for _ in range(times):
        begin = time.thread_time()
        work(text)
        taken.append(time.thread_time() - begin)
    return min(taken)


def growth(work: Callable[[Any], object], text: Callable[[int], Any], shortest: int, longest: int) -> float:
    """Return how many times the work is done for a text that is twice as long; 0 if the longest costs next to nothing.

    Where it is too much, longer texts are looked at too: only what is too much at each of them counts.
    """
    size = shortest
    while (taken := seconds(work, text(size), 1)) < ENOUGH and size < longest:
        size *= 2
    if taken < ENOUGH:
        return 0
    found = seconds(work, text(2 * size), 1) / seconds(work, text(size), 2)
    for _ in range(LOOKS):
        if found <= FACTOR:
            break
        found = seconds(work, text(2 * size)) / seconds(work, text(size))
        size = size * 3 // 2
    return found


class Attack(NamedTuple):
    """A text that may have a pattern look at the same letters again and again."""

    before: str
    again: str
    after: str

    def __call__(self, size: int) -> str:
        return self.before + self.again * (size // len(self.again)) + self.after


def attacks(pattern: re.Pattern[Any], rounds: int = 5) -> Iterator[Attack]:
    """Give texts that are made of a pattern's own parts: what each of its loops takes, again and again."""
    source = pattern.pattern if isinstance(pattern.pattern, str) else pattern.pattern.decode("latin-1")
    tree = parser.parse(source, pattern.flags & ~re.UNICODE if isinstance(pattern.pattern, bytes) else pattern.flags)
    chance = random.Random(repr(source))  # The same at each run.
    letters = sorted(letters_of(tree)) or ["a"]
    found = dict.fromkeys(Attack("", letter, "") for letter in letters)
    for _ in range(rounds):
        units = parts(tree, chance, letters, {})
        whole = "".join(text for text, _ in units) or "a"
        found[Attack("", whole, "")] = found[Attack("", whole[:-1] or "a", chance.choice(letters))] = None
        for at, (text, again) in enumerate(units):
            if not again:
                continue
            before = "".join(text for text, _ in units[:at])
            following = ["".join(text for text, _ in units[at : at + length]) for length in (2, 3)]
            guessed = [chance.choice(letters), chance.choice(letters) + chance.choice(letters)]
            for one in filter(None, (again, *following, *guessed)):
                found[Attack(before, one, chance.choice(["", "\0", "\n", *letters]))] = None
    return iter(found)


def letters_of(tree: Any) -> set[str]:
    """Return the letters that a pattern names, and one of each class that it names."""
    found: set[str] = set()
    for kind, told in tree:
        if kind in (kinds.LITERAL, kinds.NOT_LITERAL):
            found.add(chr(told))
        elif kind is kinds.IN:
            for inner, value in told:
                if inner is kinds.LITERAL:
                    found.add(chr(value))
                elif inner is kinds.RANGE:
                    found.add(chr(value[0]))
                elif inner is kinds.CATEGORY:
                    found |= set({"DIGIT": "1", "SPACE": " \n", "WORD": "a"}.get(str(value).rpartition("_")[2], "-"))
        else:
            for below in trees(kind, told):
                found |= letters_of(below)
    return found


def trees(kind: Any, told: Any) -> list[Any]:
    if kind is kinds.BRANCH:
        return list(told[1])
    if kind is kinds.SUBPATTERN:
        return [told[3]]
    if kind in REPEATS:
        return [told[2]]
    if kind in (kinds.ASSERT, kinds.ASSERT_NOT):
        return [told[1]]
    return [told] if kind is kinds.ATOMIC_GROUP else []


def parts(tree: Any, chance: random.Random, letters: list[str], groups: dict[Any, str]) -> list[tuple[str, str]]:
    """Return a text that the pattern may match, in parts: each with what may be repeated there, "" for nothing."""
    found: list[tuple[str, str]] = []
    for kind, told in tree:
        if kind is kinds.LITERAL:
            found.append((chr(told), ""))
        elif kind in (kinds.NOT_LITERAL, kinds.IN, kinds.ANY):
            found.append((letter(kind, told, chance, letters), ""))
        elif kind is kinds.GROUPREF:
            found.append((groups.get(told, ""), ""))
        elif kind is kinds.BRANCH:
            found += parts(chance.choice(told[1]), chance, letters, groups)
        elif kind in (kinds.SUBPATTERN, kinds.ATOMIC_GROUP):
            inner = parts(told[3] if kind is kinds.SUBPATTERN else told, chance, letters, groups)
            groups[told[0] if kind is kinds.SUBPATTERN else None] = "".join(text for text, _ in inner)
            found += inner
        elif kind in REPEATS:
            least, most, below = told
            inner = parts(below, chance, letters, groups)
            text = "".join(text for text, _ in inner)
            found.append((text * max(least, chance.random() < 0.8), text if most >= LOOPS else ""))
            found += [one for one in inner if one[1]]
    return found


def letter(kind: Any, told: Any, chance: random.Random, letters: list[str]) -> str:
    """Return a letter that fits, if possible one that means something elsewhere in the pattern."""
    likely = [*letters, *SPARE]
    chance.shuffle(likely)
    return next((one for one in likely if fits(kind, told, one)), "a")


def fits(kind: Any, told: Any, one: str) -> bool:
    if kind is kinds.ANY:
        return one != "\n"
    if kind is kinds.NOT_LITERAL:
        return ord(one) != told
    return class_of(repr(told), tuple(told)).match(one) is not None


@cache
def class_of(_key: str, told: tuple[Any, ...]) -> re.Pattern[str]:
    """Return the pattern that is a class of letters alone."""
    tree = parser.SubPattern(parser.State(), [(kinds.IN, list(told))])
    return re._compiler.compile(tree)  # type: ignore[attr-defined,no-any-return]


@dataclass(frozen=True)
class Known:
    """A pattern of the package, where it is kept, and how it is asked: by the names of its methods."""

    place: str
    pattern: re.Pattern[Any]
    methods: frozenset[str]


ASKED: dict[str, Callable[[re.Pattern[Any]], Callable[[Any], object]]] = {
    "match": lambda pattern: pattern.match,
    "fullmatch": lambda pattern: pattern.fullmatch,
    "search": lambda pattern: pattern.search,
    "split": lambda pattern: pattern.split,
    **dict.fromkeys(
        ("sub", "subn", "findall", "finditer"), lambda pattern: lambda text: sum(1 for _ in pattern.finditer(text))
    ),
}


# Modules that import eventlet, which this process does without; they have no pattern.
GREEN = ("codesherpa.server.fair_socket",)


def modules() -> Iterator[Any]:
    yield importlib.import_module("config")
    yield codesherpa
    for found in pkgutil.walk_packages(codesherpa.__path__, "codesherpa."):
        if found.name not in GREEN:
            yield importlib.import_module(found.name)


def kept() -> dict[str, tuple[str, re.Pattern[Any]]]:
    """Return the patterns that the modules keep, in tables and closures too, by their text, with where they are."""
    found: dict[str, tuple[str, re.Pattern[Any]]] = {}

    def look(value: Any, place: str, depth: int = 0) -> None:
        if isinstance(value, re.Pattern):
            found.setdefault(str(value.pattern), (place, value))
        elif depth < 4:
            for inner in within(value):
                look(inner, place, depth + 1)

    for module in modules():
        for name, value in vars(module).items():
            if not name.startswith("__"):
                look(value, f"{module.__name__}.{name}")
    return found


def within(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    if isinstance(value, list | tuple | set | frozenset):
        return list(value)
    if is_dataclass(value) and not isinstance(value, type):
        return [getattr(value, field.name, None) for field in fields(value)]
    return [cell.cell_contents for cell in value.__closure__ or ()] if isinstance(value, FunctionType) else []


class Call(NamedTuple):
    """A call of `re`: its file, the function around it ("" for none), what is called, and its plain pattern if any."""

    file: str
    function: str
    name: str
    pattern: str | bytes | None


def files() -> list[tuple[str, ast.Module]]:
    return [
        (str(path.relative_to(PACKAGE)), ast.parse(path.read_text(encoding="utf-8")))
        for path in sorted(PACKAGE.rglob("*.py"))
    ]


def calls() -> Iterator[Call]:
    """Give every call of a function of `re` that takes a pattern."""

    def look(node: ast.AST, file: str, function: str) -> Iterator[Call]:
        for child in ast.iter_child_nodes(node):
            inside = child.name if isinstance(child, ast.FunctionDef) else function
            match child:
                case ast.Call(func=ast.Attribute(value=ast.Name(id="re"), attr=name), args=[first, *_]) if (
                    name in ASKED or name == "compile"
                ):
                    plain = first.value if isinstance(first, ast.Constant) else None
                    yield Call(file, inside, name, plain)  # type: ignore[arg-type]
            yield from look(child, file, inside)

    for file, tree in files():
        yield from look(tree, file, "")


def asked() -> dict[tuple[str, str], set[str]]:
    """Return which methods of the patterns are called, by the module that keeps them and their name."""
    found: dict[tuple[str, str], set[str]] = {}
    for file, tree in files():
        here = "codesherpa." + file.removesuffix(".py").replace("/", ".")
        home = {
            alias.asname or alias.name: (node.module, alias.name)
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom) and node.module
            for alias in node.names
        }
        for node in ast.walk(tree):
            match node:
                case ast.Attribute(value=ast.Name(id=name), attr=method) if method in ASKED:
                    found.setdefault(home.get(name, (here, name)), set()).add(method)
                case ast.Attribute(value=ast.Subscript(value=ast.Name(id=name)), attr=method) if method in ASKED:
                    found.setdefault((here, name), set()).add(method)
                case ast.Attribute(value=ast.Attribute(value=ast.Name(id=module), attr=name), attr=method) if (
                    method in ASKED
                ):
                    found.setdefault((".".join(home.get(module, (here, ""))), name), set()).add(method)
    return found


def patterns() -> list[Known]:
    """Return every pattern of the package: those that modules keep, and those that a call of `re` names itself."""
    how = asked()
    found = []
    for place, pattern in kept().values():
        module, _, name = place.rpartition(".")
        found.append(Known(place, pattern, frozenset(how.get((module, name), ("search", "finditer")))))
    return found + [
        Known(f"{call.file}:{call.function}", re.compile(call.pattern), frozenset({call.name}))
        for call in calls()
        if call.pattern is not None and call.name != "compile"
    ]
