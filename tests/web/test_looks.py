"""How it looks, in light and dark and on a phone, and whether everybody can use it: axe-core finds nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.live.conftest import Server
from tests.standins.bedrock import StandIn
from tests.web.conftest import DONE, Page, say

pytestmark = pytest.mark.xdist_group("web-online")

Tab = Callable[..., Page]
PHONE: dict[str, Any] = {"viewport": {"width": 375, "height": 720}, "hasTouch": True, "isMobile": True}
DESK: dict[str, Any] = {"viewport": {"width": 1280, "height": 860}}
ANSWER = """A **closure** is a function that remembers where it was made.

```python
def counter():
    count = 0

    def step():
        nonlocal count  # Without this the name would be a new one.
        count += 1
        return count

    return step
```

| name | lives in |
|---|---|
| `count` | the call of `counter` |
| `step` | whoever called it |

1. `counter()` makes a cell for `count`.
2. `step` keeps the cell, so it *stays alive*.

> Two counters have two cells. See [the tutorial](https://docs.python.org/3/tutorial/).
"""


@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nobody_is_kept_out(online: Server, model: StandIn, tab: Tab, scheme: str, size: dict[str, Any]) -> None:
    model.script({"text": ANSWER}, contains="closure")
    page = tab(online, colorScheme=scheme, **size)
    name = f"{scheme}-{size['viewport']['width']}"

    def look(place: str) -> None:
        page.keep(f"{name}-{place}")
        assert page.evaluate("document.documentElement.scrollWidth") == size["viewport"]["width"]
        assert page.axe() == [], place

    page.show().see("form")
    look("sign-in")
    page.register(f"{name}@example.com")
    look("welcome")
    page.write("What is a closure?")
    page.see(f"{DONE} .hljs-keyword")
    look("answer")
    page.write(say("Never.", fault="ThrottlingException"))
    page.see("[data-status=failed]")
    look("fault")
    page.show("#/agents").click(".sheet-head button")
    page.click("form [type=submit]")
    page.see(".fault")
    look("agent")
    page.show("#/account").see(".chart")
    look("account")
