"""A reply for a phone: WhatsApp's own markup, short, in messages that WhatsApp takes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

LONGEST = 4096  # Characters of one text message; https://developers.facebook.com/docs/whatsapp/cloud-api
MOST_FINDINGS = 10
FENCE = re.compile(r"^ {0,3}(`{3,}|~{3,})\s*([\w+#.-]*)")
BARE = "```"

_INLINE = re.compile(r"(`+)(.+?)\1")
_HEADING = re.compile(r"^ {0,3}#{1,6}\s+(.*?)\s*#*$")
_BULLET = re.compile(r"^(\s*)[-*+]\s+")
# A model may write whatever it was asked for, so neither may try the same letters in many ways.
_IMAGE = re.compile(r"!\[([^\[\]]*)\]\([^)\[]*\)")
_LINK = re.compile(r"\[([^\[\]]+)\]\((https?://[^)\[\s]++)[^)\[]*+\)")
_BOLD = re.compile(r"(\*\*|__)(?=\S)(.+?)(?<=\S)\1")
_ITALIC = re.compile(r"(?<![\w*])\*(?=\S)([^*]+?)(?<=\S)\*(?![\w*])")
_STRUCK = re.compile(r"~~(?=\S)(.+?)(?<=\S)~~")
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
        return f"*{_words(heading[1]).replace('*', '')}*"
    return _words(_BULLET.sub(r"\1• ", line))


def _words(line: str) -> str:
    """Turn a line's emphasis and links, and leave its spans of code alone."""
    told, at = [], 0
    for span in _INLINE.finditer(line):
        told += [_marked(line[at : span.start()]), f"`{span[2].strip()}`"]
        at = span.end()
    return "".join([*told, _marked(line[at:])])


def _marked(words: str) -> str:
    words = _LINK.sub(r"\1 (\2)", _IMAGE.sub(r"\1", words))
    words = _BOLD.sub(rf"{_BOLD_MARK}\2{_BOLD_MARK}", words)
    return _STRUCK.sub(r"~\1~", _ITALIC.sub(r"_\1_", words)).replace(_BOLD_MARK, "*")


def size(text: str) -> int:
    """Return the length as a phone counts it: an emoji is two."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def split(text: str, longest: int = LONGEST) -> list[str]:
    """Cut a text between paragraphs, else between lines, else between words; code that is cut stays code."""
    if size(text) <= longest:
        return [text] if text.strip() else []
    told: list[str] = []
    page = ""
    for block, glue in _blocks(text, longest - 2 * len(BARE) - 2):
        joined = f"{page}{glue}{block}" if page else block
        if page and size(joined) > longest:
            told.append(page)
            joined = block
        page = joined
    return [page for page in (*told, page) if page.strip()]


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
    page = ""
    for line in body.split("\n"):
        for part in _parts(line, longest):
            if page and size(f"{page}\n{part}") > longest:
                yield page
                page = part
            else:
                page = f"{page}\n{part}" if page else part
    if page:
        yield page


def _parts(line: str, longest: int) -> Iterator[str]:
    while size(line) > longest:
        end = longest // 2 if size(line[:longest]) > longest else longest
        blank = line.rfind(" ", end // 2, end)
        end = blank if blank > 0 else end
        yield line[:end]
        line = line[end:].lstrip(" ") if blank > 0 else line[end:]
    yield line
