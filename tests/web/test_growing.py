"""A reply that grows is shown as it would be as a whole, and only its end is made anew."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.live.conftest import Server
from tests.web.conftest import Page

pytestmark = pytest.mark.xdist_group("web-offline")

Tab = Callable[..., Page]

TEXTS = {
    "paragraphs": "One\ntwo **three** `four`.\n\nFive\n\n\n\nSix  \nseven\n",
    "headings": "# One\n\nTwo\n===\n\nThree\n---\n\nFour\n\n---\n\n#### Five\n",
    "a list": "- one\n- two\n  more\n\n  and more\n\n- three\n    - four\n\nAfter\n",
    "a numbered list": "1. one\n2. two\n10. three\n\n   - inner\n\n11. four\n\nAfter 12. this\n",
    "tasks": "- [ ] one\n- [x] two\n",
    "a fence": "Before\n\n```python\ndef f():\n    return '``'\n\n\nx = 1\n```\n\nAfter\n",
    "a fence in a fence": "````md\n```js\n1\n```\n````\nAfter\n",
    "a fence with tildes": "~~~\n```\n~~~ x\n~~~\nAfter",
    "a fence without an end": "Before\n```js\nlet a = 1;\nlet b",
    "a fence in a list": "1. one\n\n   ```py\n   print(1)\n   ```\n\n2. two\n",
    "an empty fence": "```\n```\n\nAfter",
    "a table": "| a | b |\n|---|:-:|\n| 1 | 2 |\n| 3 | `4` |\n\nAfter\n",
    "a quotation": "> one\n> two\n>\n> - three\n\nAfter\n",
    "HTML": "<b>one</b> two\n\n<div>\n\nthree\n\n</div>\n\n<script>four</script>\n",
    "other scripts": "नमस्ते **दुनिया** 👩‍💻\n\n- एक\n- दो\n",
    "carriage returns": "one\r\n\r\n- two\r\n- three\r\n",
    "a long list": "".join(f"{number}. item {number}\n" for number in range(1, 200)) + "\nAfter\n",
    "a long table": "| a | b |\n|---|---|\n" + "".join(f"| {number} | x |\n" for number in range(150)) + "\nAfter\n",
    "a long fence": "```text\n" + "".join(f"line {number}\n" for number in range(450)) + "```\nAfter\n",
}


@pytest.fixture
def page(offline: Server, tab: Tab) -> Page:
    return tab(offline).show().see("form")


@pytest.mark.parametrize("name", TEXTS)
def test_what_grows_becomes_what_it_is_as_a_whole(page: Page, name: str) -> None:
    for step in (1, 7, 1000):
        grown = page.grow(TEXTS[name], step if len(TEXTS[name]) < 500 else step * 29)

        assert grown["html"] == grown["whole"]


@pytest.mark.parametrize(
    "line",
    ["{n}. item **{n}**\n", "| {n} | `x` |\n", "print({n})\n", "Sentence {n} of *many*.\n\n"],
    ids=["list", "table", "fence", "prose"],
)
def test_of_ten_thousand_lines_only_the_last_are_made_anew(page: Page, line: str) -> None:
    head = {"|": "| a | b |\n|---|---|\n", "p": "```python\n"}.get(line[0], "")
    text = head + "".join(line.replace("{n}", str(number)) for number in range(1, 10_001))

    grown = page.grow(text, 2000)

    assert grown["text"].count("10000") == 1
    assert grown["redrawn"] < 300
