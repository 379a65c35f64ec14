"""Explains code from its syntax tree: what it defines, what each part does, in which order to read it."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from codesherpa.analysis import concepts, fragment, parts, paths, steps, structure, tokens
from codesherpa.analysis.concepts import Concept
from codesherpa.analysis.fragment import Fragment
from codesherpa.analysis.module import Module
from codesherpa.analysis.phrases import Voice, code, names
from codesherpa.analysis.sources import Source

_MOST_SOURCES = 12
_MOST_CONCEPTS = 8
# A script that is told step by step is not longer than that.
_SCRIPT = 40


@dataclass(slots=True)
class Outline:
    """What one source comes to; `concepts` the most telling first."""

    text: str
    steps: list[str] = field(default_factory=list)
    concepts: list[Concept] = field(default_factory=list)


def explain(sources: Sequence[Source], language: str = "en") -> dict[str, Any]:
    """Return the contract's `explanation` of the sources, in `en`, `hi` or `hinglish`.

    It computes: `offload` it.
    """
    voice = Voice(language)
    outlines = [outline(source, voice) for source in sources[:_MOST_SOURCES]]
    shown = [one.text for one in outlines]
    if len(sources) > _MOST_SOURCES:
        shown.append(voice.say("too_many", n=len(sources) - _MOST_SOURCES))
    found = {concept.key: concept for one in reversed(outlines) for concept in reversed(one.concepts)}
    ranked = sorted(found.values(), key=concepts.rank)[:_MOST_CONCEPTS]
    return {
        "kind": "explanation",
        "explanation": "\n\n".join(shown) or voice.say("send_explanation"),
        "learning_steps": [step for one in outlines for step in one.steps][:14] or [voice.say("send_step")],
        "key_concepts": [_concept(concept, voice) for concept in ranked],
        "analogy": next((concept.analogy for concept in ranked if concept.analogy), ""),
    }


def outline(source: Source, voice: Voice) -> Outline:
    """Explain one source."""
    if not source.lines:
        return Outline(voice.say("nothing_shown", file=source.file))
    if source.language != "python":
        return _other(source, voice)
    try:
        return _python(source, voice)
    except RecursionError:
        return Outline(voice.say("too_deep", file=source.file, lines=voice.count("lines", len(source.lines))))


def _concept(concept: Concept, voice: Voice) -> dict[str, str]:
    where = voice.say("here", where=voice.say("at_line", line=concept.line))
    return {"term": concept.term, "definition": f"{concept.definition} {where}"}


def _python(source: Source, voice: Voice) -> Outline:
    built = fragment.build(source)
    broken = _broken(built, voice)
    if built.tree is None:
        unreadable = voice.say("unreadable", file=source.file, lines=voice.count("lines", len(source.lines)))
        return Outline("\n\n".join([unreadable, *broken]), _repair(built, voice))
    module = structure.read(built.tree, built.rows, source.whole)
    found = concepts.find(module, built.tree, voice.language)
    blocks = [
        _opening(source, module, voice),
        *broken,
        voice.say("doc", doc=module.doc) if module.doc else "",
        *parts.needs(module, voice),
        *parts.effects(module, voice),
        *_script(module, voice),
        *paths.order(module, voice),
        *parts.describe(module, voice),
    ]
    return Outline("\n\n".join(filter(None, blocks)), _repair(built, voice) + paths.learn(module, found, voice), found)


def _opening(source: Source, module: Module, voice: Voice) -> str:
    """Say what there is, and how much of it."""
    kinds = [part.kind for part in module.parts.values()]
    counts = {
        "classes": kinds.count("class"),
        "functions": kinds.count("function") + kinds.count("inner"),
        "methods": kinds.count("method"),
        "constants": len(module.constants),
        "statements" if source.whole else "loose": len(module.script),
    }
    contents = voice.join(voice.count(key, number) for key, number in counts.items() if number) or voice.say(
        "nothing_defined"
    )
    if source.whole:
        return voice.say("module", file=source.file, lines=voice.count("lines", len(source.lines)), contents=contents)
    return voice.say("excerpt", file=source.file, ranges=_ranges(source), contents=contents)


def _ranges(source: Source) -> str:
    """Return the lines that are known, as in `10-24, 80-92`."""
    starts = [line for line in source.lines if line - 1 not in source.lines]
    ends = [line for line in source.lines if line + 1 not in source.lines]
    shown = [f"{start}-{end}" for start, end in zip(starts, ends, strict=True)]
    return ", ".join(shown[:6]) + (", …" if len(shown) > 6 else "")


def _broken(built: Fragment, voice: Voice) -> list[str]:
    if not built.fault:
        return []
    fault = built.fault
    version = ".".join(platform.python_version_tuple()[:2])
    return [voice.say("broken", version=version, line=fault.line, column=fault.column, message=fault.message)]


def _repair(built: Fragment, voice: Voice) -> list[str]:
    return [voice.say("learn_fix", line=built.fault.line, message=built.fault.message)] if built.fault else []


def _script(module: Module, voice: Voice) -> list[str]:
    """Tell what runs at once, where that is more than a line and not a book."""
    if not module.script or steps.size(module.script) > _SCRIPT:
        return []
    told = steps.tell(module, module.script, voice)
    heading = voice.say("script_heading" if module.whole else "steps_heading")
    return [f"## {heading}", "\n".join(told)] if told else []


def _other(source: Source, voice: Voice) -> Outline:
    """Say what the words of another language show, and what they do not."""
    lines = voice.count("lines", len(source.lines))
    if not tokens.known(source):
        return Outline(voice.say("text_only", file=source.file, lines=lines))
    words = tokens.read(source)
    used = [name for name, _ in words.used.most_common(40) if name not in words.defined]
    blocks = [
        voice.say(
            "other",
            file=source.file,
            language=tokens.title(source.language),
            lines=lines,
            code=words.code,
            comments=words.comments,
        ),
        voice.say("other_names", names=_placed(words.defined, voice)) if words.defined else "",
        voice.say("other_common", names=names(used, 10)) if used else "",
        voice.say("other_keywords", names=names([name for name, _ in words.keywords.most_common(10)]))
        if words.keywords
        else "",
        voice.say("other_limit"),
    ]
    path = [
        voice.say("other_step", name=name, place=voice.say("at_line", line=line))
        for name, line in [*words.defined.items()][:6]
    ]
    return Outline("\n\n".join(filter(None, blocks)), path)


def _placed(defined: dict[str, int], voice: Voice) -> str:
    shown = [f"{code(name)} ({voice.say('at_line', line=line)})" for name, line in list(defined.items())[:30]]
    return ", ".join(shown) + (", …" if len(defined) > 30 else "")
