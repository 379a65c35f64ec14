"""What can be seen of code in any language by its words alone."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from pygments.lexers import find_lexer_class_by_name
from pygments.token import Comment, Keyword, Name, String, Token, _TokenType

from codesherpa.analysis.sources import Source

# Lexers are made of regular expressions: what they are given is bounded, in all and by line.
_MOST = 60_000
_WIDEST = 2_000
# Some lexers look at the same text again and again where a comment is never closed: what they take is bounded too.
_SECONDS = 1.0
_DEFINES = re.compile(
    r"\b(?:function|func|fn|def|class|interface|struct|enum|trait|module|type|record|fun|sub|procedure|proc)\b"
)
_PLAIN = frozenset({"", "text", "output", "console", "markdown", "rst"})


@dataclass(slots=True)
class Words:
    """Counts of lines, and names: `defined` maps each to its line, `used` and `keywords` to how often."""

    lines: int = 0
    code: int = 0
    comments: int = 0
    defined: dict[str, int] = field(default_factory=dict)
    used: Counter[str] = field(default_factory=Counter)
    keywords: Counter[str] = field(default_factory=Counter)
    complete: bool = True


def known(source: Source) -> bool:
    """Tell whether a source is code in a language whose words can be told apart."""
    return source.language not in _PLAIN


def title(language: str) -> str:
    """Return a language's name as people write it."""
    return str(find_lexer_class_by_name(language).name)


def read(source: Source) -> Words:
    """Read the words of a source. It computes: `offload` it for a large one."""
    lines = _bounded(source.lines)
    words = Words(lines=len(source.lines), complete=len(lines) == len(source.lines))
    numbers = list(lines)
    filled: set[int] = set()
    row, before = 0, ""
    lexer = find_lexer_class_by_name(source.language)(stripnl=False, ensurenl=False)
    give_up = time.thread_time() + _SECONDS
    for kind, text in lexer.get_tokens("\n".join(lines.values())):
        if time.thread_time() > give_up:
            words.complete = False
            break
        if row < len(numbers) and text.strip() and kind not in Comment and kind is not Token.Text:
            _note(words, kind, text.strip(), before, numbers[row])
            filled.update(range(row, row + text.count("\n") + 1))
            before = text.strip() if kind not in Name or kind in Name.Attribute else before
        row += text.count("\n")
    words.code = len(filled)
    words.comments = len(lines) - len(filled)
    return words


def _bounded(lines: Mapping[int, str]) -> dict[int, str]:
    """Return the lines as far as it is sure that they are read fast."""
    left, kept = _MOST, dict[int, str]()
    for number, line in lines.items():
        left -= len(line) + 1
        if left < 0:
            break
        kept[number] = line[:_WIDEST].replace("\r", " ")
    return kept


def _note(words: Words, kind: _TokenType, text: str, before: str, line: int) -> None:
    """Take one word in."""
    if kind in Name.Class or kind in Name.Function or (kind in Name and _DEFINES.fullmatch(before)):
        words.defined.setdefault(text, line)
    elif kind in Keyword:
        words.keywords[text] += 1
    elif kind in Name and kind not in Name.Tag and len(text) > 1 and kind not in String:
        words.used[text] += 1
