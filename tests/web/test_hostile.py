"""What a model writes is hostile: nothing of it runs, and nothing of it is fetched from elsewhere."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.live.conftest import Server
from tests.web.conftest import DONE, Page, say

pytestmark = pytest.mark.xdist_group("web-online")

Tab = Callable[..., Page]


def test_a_thousand_injections_run_none(online: Server, tab: Tab) -> None:
    page = tab(online, bypassCSP=True).show()  # Without the policy the sanitiser has to hold by itself.

    shown = page.inject("sanitised")

    assert shown["all"] > 1000
    assert (shown["ran"], shown["foreign"]) == (0, [])


def test_many_of_them_run_where_nothing_is_sanitised(online: Server, tab: Tab) -> None:
    page = tab(online, bypassCSP=True).show()

    assert page.inject("as it is")["ran"] > 200


def test_the_policy_holds_where_nothing_is_sanitised(online: Server, tab: Tab) -> None:
    page = tab(online).show()

    assert page.inject("as it is")["ran"] == 0


def test_a_reply_loads_no_picture_and_its_links_lead_away_alone(online: Server, tab: Tab) -> None:
    page = tab(online).register("hostile@example.com")
    page.write(say("![pixel](https://tracker.example/x.png) [more](https://elsewhere.example) <b onclick=x>bold</b>"))
    page.see(DONE)

    assert page.count(".prose img") == 0
    assert page.get_attribute(".prose a >> nth=1", "rel") == "noopener noreferrer nofollow"
    assert page.get_attribute(".prose a >> nth=1", "target") == "_blank"
    assert "<b onclick=x>bold</b>" in page.text(".prose")
    assert page.foreign() == []
