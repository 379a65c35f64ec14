"""A message as it is read: the person's words parted from code, then written as a line of ideas."""

from __future__ import annotations

import re
from itertools import islice
from typing import NamedTuple

from codesherpa.sherpas.routing.rules import REWRITES
from codesherpa.sherpas.routing.vocabulary import idea

# What is looked at, so that the work is bounded: requests stand at the beginning or at the end.
MESSAGE, BESIDE, LINES, HEAD, TAIL, TOKENS = 10_000, 4_000, 120, 1_200, 600, 450

FENCE = re.compile(
    r"^[ \t]{0,3}(?P<line>`{3,}+|~{3,}+)[^\n]*+\n.*?(?:^[ \t]{0,3}(?P=line)|\Z)"
    r"|(?P<midway>`{3,}+).*?(?:(?P=midway)|\Z)",
    re.S | re.M,
)
DIFF = re.compile(r"^(?:diff --git |--- \S|\+\+\+ \S|@@ -\d)", re.M)
ERROR = re.compile(r"(?:Uncaught )?(?:[\w$]+\.)*\w*(?:Error|Exception)\b: ")
TRACE = re.compile(
    r"^(?:Traceback \(most recent|Exception in thread|Caused by:|panic: |goroutine \d|thread '.*' panicked"
    rf"|(?:[^\S\n]++|[^\S\n]*+\n)(?:File \".*\", line \d|at \S[^:(\n]*+[:(].*\d\)?\s*$)|{ERROR.pattern})",
    re.M,
)
CODE = re.compile(
    r"""(?:
      (?:\t|[ ]{4}).*
    | \s*(?:async\s+)?(?:def|class|func|fn|function|interface|struct|enum)\s+[\w$.][^:({<]*+[:({<].*
    | \s*(?:from\s+\S+\s+import\s.*|import\s+[\w.{*"'].{0,80}|\#include.*|package\s+\w+;?|using\s[\w.]+;)
    | \s*(?:export|public|private|protected|static|const|let|var)\s.*[=({;].*
    | \s*(?:if|for|while|elif|else|try|except|with|switch|catch|finally)\b[^=()<>\[\].!]*+[=()<>\[\].!].*[:{]\s*
    | \s*(?:if|for|while|switch)\s*\(.*
    | .*[;{}]\s*
    | \s*[)}\]]++[;,)]*\s*
    | \s*@[\w.]+(?:\(.*\))?\s*
    | \s+(?:return|raise|pass|break|continue|yield)\b.*
    | \s*(?:return|raise|throw|yield|await|assert|print|console\.\w+|self\.\w+)[ (].*[)\]\w"']\s*
    | \s*[\w.\[\]'"$]+\s*(?:=|\+=|-=|:=)\s*\S.*
    | \s*[\w.$]+\(.*\)\s*
    | \s*(?:SELECT|INSERT\sINTO|UPDATE|DELETE|CREATE|ALTER|FROM|(?:LEFT\s|INNER\s)?JOIN|WHERE|(?:GROUP|ORDER)\sBY)\s.*
    | (?i:\s*select\s.+\sfrom\s.+)
    | \s*</?\w[^>]*>.*
    | \s*(?://|/\*|\*/|\#\s|\#!|--\s|>>>\s|\$\s).*
    | \s*["'][\w-]+["']\s*:.*
    )$""",
    re.X,
)
CODE_MIDWAY = re.compile(
    r"(?:\bdef \w+\(|\bfunction ?\w*\(|\b(?:const|let|var) \w+ ?=|\bclass \w+[:({]|\bSELECT .+ FROM "
    r"|\b\w+\([^)]*\)\s*[{;]|\bfor ?\([^)]*;|\bimport \w+;?$|\b\w+ = \w+[\[(.]).*"
)
QUOTED = re.compile(r"`[^`\n]*`|\"[^\"\n]{1,60}\"|“[^”\n]{1,60}”|(?<!\w)'[^'\n]{1,60}'(?!\w)")
LIBRARY = re.compile(r"\b(?:node|next|vue|react|express|three|d3|nuxt|discord|chart)\.js\b", re.I)
TOKEN = re.compile(
    r"(?P<PR>https?://\S+/(?:pulls?|merge_requests|commit)/\S+)|(?P<LINK>https?://\S+)"
    r"|(?P<FILE>[\w/-]{0,80}\w\.(?:py|jsx?|tsx?|java|go|rs|rb|php|c|cpp|cs|kt|sql|html|css|ya?ml|json|sh|ipynb)\b)"
    r"|(?P<name>[A-Za-z]\w{0,40}_\w+(?:\(\))?|[a-z]{1,40}[A-Z]\w*|\w{1,40}\(\))|(?P<dotted>\w{1,40}\.\w+)"
    r"|(?P<word>[A-Za-z]+(?:['’][a-z]+)?|[\u0900-\u0963\u0970-\u097f\u200c\u200d]+|\d+)"  # noqa: RUF001
    r"|(?P<question>\?[?!.\s]*)|(?P<stop>[.!।\n]+)|(?P<comma>[,;:…–—]|\s-\s)"  # noqa: RUF001
)
MARKS = {"question": "? .", "stop": ".", "comma": ","}


class Reading(NamedTuple):
    """The person's words, and what of code is among them."""

    words: str
    code: bool
    diff: bool
    trace: bool


def read(message: str) -> Reading:
    """Part the person's words from fences, diffs, tracebacks and lines of code."""
    message = message[:MESSAGE]
    fenced = [block[0].partition("\n")[2][:BESIDE] or block[0] for block in FENCE.finditer(message.strip())]
    words: list[str] = []
    code: list[str] = []
    lines = FENCE.sub("\n", message.strip()).split("\n")
    in_diff = in_trace = False
    for line in lines if len(lines) <= LINES else lines[: LINES // 2] + lines[-LINES // 2 :]:
        traced = bool(TRACE.match(line[:300]))
        in_diff = bool(DIFF.match(line)) or (in_diff and (line[:1] in "+-@ \\" or line.startswith("index ")))
        in_trace = (traced and not ERROR.match(line)) or (in_trace and not traced and line[:1] in (" ", "\t"))
        if in_diff or in_trace or traced or CODE.match(line[:300]):
            code.append(line)
            continue
        midway = CODE_MIDWAY.search(line[:HEAD])
        code += [midway[0]] if midway else []
        words.append(line[: midway.start()] if midway else line)
    prose, found = "\n".join(words).strip(), "\n".join([*fenced, *code])
    prose = prose if len(prose) <= HEAD + TAIL else f"{prose[:HEAD]}\n{prose[-TAIL:]}"
    return Reading(prose, bool(found.strip()), bool(DIFF.search(found)), bool(TRACE.search(found)))


def line_of(words: str) -> str:
    """Write the person's words as a line of ideas, a blank at both ends, a full stop after each sentence."""
    unquoted = QUOTED.sub(" quoted ", words)
    if unquoted.split() == ["quoted"]:
        unquoted = words
    line = ["."]
    for token in islice(TOKEN.finditer(LIBRARY.sub("library", unquoted)), TOKENS):
        kind = token.lastgroup or "name"
        if kind == "word":
            found = idea(token[0].lower().replace("’", "'"))  # noqa: RUF001
        elif kind == "dotted":
            found = _dotted(token[0].lower())
        else:
            found = MARKS.get(kind, kind)
        if found and not (found == "." and line[-1].endswith(".")):
            line.append(found)
    text = f" {' '.join(line)} . "
    for pattern, instead in REWRITES:
        text = pattern.sub(instead, text)
    return re.sub(r"\s+", " ", text).replace(" . . ", " . ")


def _dotted(token: str) -> str:
    """Return the ideas of two sentences without a blank between them ("hai.batao"), or `name` ("os.path")."""
    parts = token.split(".", 1)
    known = [idea(part) for part in parts]
    return "name" if known == parts else " . ".join(known)
