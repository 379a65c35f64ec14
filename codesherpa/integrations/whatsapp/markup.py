"""A reply for a phone: WhatsApp's own markup, short, in messages that WhatsApp takes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from codesherpa.sherpas.markdown import TICKS, Runs

LONGEST = 4096  # Characters of one text message; https://developers.facebook.com/docs/whatsapp/cloud-api
MOST_FINDINGS = 10
FENCE = re.compile(r"^ {0,3}(`{3,}|~{3,})\s*([\w+#.-]*)")
BARE = "```"

_HEADING = re.compile(r"^ {0,3}#{1,6}\s+(.*)")
_BULLET = re.compile(r"^(\s*)[-*+]\s+")
# A model may write whatever it was asked for, so neither may try the same letters in many ways.
_IMAGE = re.compile(r"!\[([^\[\]]*)\]\([^)\[]*\)")
_LINK = re.compile(r"\[([^\[\]]+)\]\((https?://[^)\[\s]++)[^)\[]*+\)")
# A pair of marks stands close to what is between them.
_BOLD = re.compile(r"(\*\*|__)(?=\S)")
_ITALIC = re.compile(r"(?<![\w*])\*(?=\S)([^*]+?)(?<=\S)\*(?![\w*])")
_STRUCK = re.compile(r"(~~)(?=\S)")
_BLANKS = re.compile(" *")
_CLOSING = {mark: re.compile(rf"(?<=\S){re.escape(mark)}") for mark in ("**", "__", "~~")}
_RULE = re.compile(r"^ {0,3}(?:-{3,}|\*{3,}|_{3,})\s*$")
_BOLD_MARK = "\0"  # Stands for WhatsApp's asterisk until markdown's have been read.


def messages(response: str, result: dict[str, Any] | None) -> list[str]:
    """Return a chat's reply as the texts of messages: at least one, none longer than LONGEST."""
    if result and result["kind"] == "review" and result["findings"]:
        return split(review(result))
    return split(from_markdown(response)) or ["…"]


def review(result: dict[str, Any]) -> str:
    """Write a review shorter than the page that a browser shows: the worst findings, no verdict's prose."""
    blocks = [from_markdown(result["summary"])]
    blocks += map(_finding, result["findings"][:MOST_FINDINGS])
    if (left := len(result["findings"]) - MOST_FINDINGS) > 0:
        blocks.append(f"(+ {left})")
    return "\n\n".join([*blocks, f"*{result['quality_score']}/10* · {result['security_risk']}"])


def _finding(finding: dict[str, Any]) -> str:
    place = f"`{finding['file']}:{finding['line']}`"
    rows = [f"*{finding['severity']}* {place}", from_markdown(finding["issue"]), from_markdown(finding["suggestion"])]
    if finding["code_fix"]:
        rows.append(f"{BARE}\n{finding['code_fix'].replace(BARE, '` ` `')}\n{BARE}")
    return "\n".join(rows)


def from_markdown(text: str) -> str:
    """Turn markdown into WhatsApp's markup; what stands in code stays as it is."""
    rows: list[str] = []
    fence = ""
    for line in text.strip().split("\n"):
        found = FENCE.match(line)
        if found and (not fence or (found[1].startswith(fence) and not found[2])):
            fence = "" if fence else found[1]
            rows.append(BARE)
        else:
            rows.append(line.replace(BARE, "` ` `") if fence else _row(line))
    return re.sub(r"\n{3,}", "\n\n", "\n".join([*rows, BARE] if fence else rows))


def _row(line: str) -> str:
    """Turn one line outside of code."""
    if _RULE.match(line):
        return ""
    if heading := _HEADING.match(line):
        title = heading[1].rstrip("#").rstrip()
        return f"*{_words(title).replace('*', '')}*"
    return _words(_BULLET.sub(r"\1• ", line))


def _words(line: str) -> str:
    """Turn a line's emphasis and links, and leave its spans of code alone."""
    told, at, runs = list[str](), 0, Runs(line)
    for ticks in TICKS.finditer(line):
        if ticks.start() >= at and (end := runs.closing(ticks.end(), len(ticks[0]))):
            code = line[ticks.end() : end - len(ticks[0])]
            told += [_marked(line[at : ticks.start()]), f"`{code.strip()}`"]
            at = end
    return "".join([*told, _marked(line[at:])])


def _marked(words: str) -> str:
    words = _LINK.sub(r"\1 (\2)", _IMAGE.sub(r"\1", words))
    words = _paired(_BOLD, words, _BOLD_MARK)
    return _paired(_STRUCK, _ITALIC.sub(r"_\1_", words), "~").replace(_BOLD_MARK, "*")


def _paired(opening: re.Pattern[str], words: str, mark: str) -> str:
    """Put `mark` around what stands between a pair of markdown's marks, in the place of these."""
    told, at, begin = list[str](), 0, 0
    unclosed: set[str] = set()  # Where nothing closes a mark, nothing closes a later one of its kind.
    while found := opening.search(words, begin):
        begin = found.start() + 1
        if found[1] in unclosed:
            continue
        if closing := _CLOSING[found[1]].search(words, found.end() + 1):
            told += [words[at : found.start()], mark, words[found.end() : closing.start()], mark]
            at = begin = closing.end()
        else:
            unclosed.add(found[1])
    return "".join([*told, words[at:]])


def size(text: str) -> int:
    """Return the length as a phone counts it: an emoji is two."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def split(text: str, longest: int = LONGEST) -> list[str]:
    """Cut a text between paragraphs, else between lines, else between words; code that is cut stays code."""
    if size(text) <= longest:
        return [text] if text.strip() else []
    pages: list[list[str]] = []
    room = 0
    for block, glue in _blocks(text, longest - 2 * len(BARE) - 2):
        room -= size(block) + len(glue)
        if pages and room >= 0:
            pages[-1] += [glue, block]
        else:
            pages.append([block])
            room = longest - size(block)
    return [page for page in map("".join, pages) if page.strip()]


def _blocks(text: str, longest: int) -> Iterator[tuple[str, str]]:
    """Give the pieces that stay whole, each with what stands between it and the one before."""
    for paragraph in _paragraphs(text):
        if size(paragraph) <= longest:
            yield paragraph, "\n\n"
            continue
        is_code = paragraph.startswith(BARE)
        body = paragraph.strip("`").strip("\n") if is_code else paragraph
        for number, piece in enumerate(_pieces(body, longest)):
            yield f"{BARE}\n{piece}\n{BARE}" if is_code else piece, "\n" if number else "\n\n"


def _paragraphs(text: str) -> Iterator[str]:
    """Part a text at empty lines and around code; empty lines within code part nothing."""
    rows: list[str] = []
    in_code = False
    for line in text.split("\n"):
        is_fence = line == BARE
        if rows and ((is_fence and not in_code) or (not line.strip() and not in_code)):
            yield "\n".join(rows)
            rows = []
        if line.strip() or in_code:
            rows.append(line)
        if is_fence:
            in_code = not in_code
            if not in_code:
                yield "\n".join(rows)
                rows = []
    if rows:
        yield "\n".join(rows)


def _pieces(body: str, longest: int) -> Iterator[str]:
    """Cut what is too long for one message by lines, and lines by words, and words where nothing else is left."""
    page: list[str] = []  # Never with an empty line at its head.
    room = 0
    for part in (part for line in body.split("\n") for part in _parts(line, longest)):
        room -= size(part) + 1
        if page and room >= 0:
            page.append(part)
            continue
        if page:
            yield "\n".join(page)
        page, room = [part] if part else [], longest - size(part)
    if page:
        yield "\n".join(page)


def _parts(line: str, longest: int) -> Iterator[str]:
    at = 0
    while size(line[at : at + longest + 1]) > longest:
        end = at + (longest // 2 if size(line[at : at + longest]) > longest else longest)
        blank = line.rfind(" ", at + (end - at) // 2, end)
        if blank > at:
            yield line[at:blank]
            at = blank + len(_BLANKS.match(line, blank)[0])  # type: ignore[index]  # It matches nothing, too.
        else:
            yield line[at:end]
            at = end
    yield line[at:]
