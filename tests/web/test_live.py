"""Replies as they are written, and what comes between: other tabs, reloads, lost connections, sessions that end."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.live.conftest import Server
from tests.web.conftest import DONE, Page, say, served

pytestmark = pytest.mark.xdist_group("web-online")

Tab = Callable[..., Page]
WORDS = " ".join(f"word{number}" for number in range(120))


def test_words_come_one_by_one_and_can_be_stopped(online: Server, tab: Tab) -> None:
    page = tab(online).register("stop@example.com")

    page.write(say(WORDS, tokens_per_second=20))
    page.see(".prose >> text=word5")
    page.click("text=Stop")
    page.see("[data-status=stopped]")

    shown = page.text(".prose")
    assert shown.startswith("word0 word1")
    assert "word119" not in shown
    assert "Stopped" in page.text(".who")
    assert not page.is_visible(".stop")


def test_a_second_tab_shows_the_same(online: Server, tab: Tab) -> None:
    page = tab(online).register("tabs@example.com")
    page.write(say("First."))
    page.see(DONE)
    other = tab(online, beside=page).show(page.evaluate("location.hash"))
    other.see(DONE)

    page.write(say("Second.", tokens_per_second=10))

    other.see(".turn:nth-child(2) .prose >> text=Second.")
    other.see(f"{DONE}:nth-child(2)")
    assert "<<standin" in other.text(".turn:nth-child(2) .asked")


def test_a_reload_in_the_middle_shows_the_reply_going_on(online: Server, tab: Tab) -> None:
    page = tab(online).register("reload@example.com")
    page.write(say(" ".join([WORDS] * 5), tokens_per_second=15))
    page.see(".prose >> text=word10")

    page.reload()
    page.see("[data-status=streaming] .prose >> text=word30")
    page.click("text=Stop")
    page.see("[data-status=stopped]")

    assert WORDS.startswith(page.text(".prose")[:200])
    assert page.count(".turn") == 1


def test_a_lost_connection_is_told_and_nothing_is_missing(online: Server, tab: Tab) -> None:
    page = tab(online).register("lost@example.com")
    page.write(say(WORDS, tokens_per_second=40))
    page.see(".prose >> text=word10")

    page.offline(True)
    page.see("[data-state=offline]")
    page.write(say("Waited."))
    page.see("[data-status=sending]")
    page.offline(False)
    page.see("[data-state=resumed]")
    page.see(f"{DONE}:nth-child(2)")

    assert page.text(".turn:nth-child(1) .prose") == WORDS
    assert page.text(".turn:nth-child(2) .prose") == "Waited."
    page.see("[data-state=online]")


def test_a_worker_that_dies_in_the_middle_leaves_what_was_shown(online: Server, tab: Tab) -> None:
    page = tab(online).register("killed@example.com")
    page.write(say(" ".join([WORDS] * 8), tokens_per_second=40))
    page.see(".prose >> text=word60")

    os.kill(worker_of(online), signal.SIGKILL)

    page.see("[data-state=reconnecting]")
    page.see("[data-state=resumed]")
    page.see("[data-status=interrupted]")
    assert "word20" in page.text(".prose")
    assert "What had arrived is kept." in page.text(".trouble")
    page.write(say("Still here."))
    page.see(f"{DONE} .prose >> text=Still here.")


def worker_of(server: Server) -> int:
    master = server.process.pid
    return int(Path(f"/proc/{master}/task/{master}/children").read_text().split()[0])


def test_a_fault_of_the_model_is_told_and_can_be_tried_again(online: Server, tab: Tab) -> None:
    page = tab(online).register("fault@example.com")

    page.write(say("Never.", fault="ThrottlingException"))
    page.see("[data-status=failed]")
    assert "The model has too much to do" in page.text(".trouble")
    page.click(".trouble button")

    page.see(".turn:nth-child(2)[data-status=failed]")


def test_signing_out_in_one_tab_is_noticed_in_the_other(online: Server, tab: Tab) -> None:
    page = tab(online).register("out@example.com")
    other = tab(online, beside=page).show()
    other.see("[data-state=online]")

    page.show("#/account").click(".sheet-head button")

    page.see(".gate-card")
    other.see(".gate-card")
    assert "You signed out in another tab." in other.text(".why")
    assert other.evaluate("localStorage.getItem('codesherpa.session')") is None


def test_tokens_that_one_tab_forgets_are_forgotten_in_the_other(online: Server, tab: Tab) -> None:
    page = tab(online).register("forgotten@example.com")
    other = tab(online, beside=page).show()
    other.see("[data-state=online]")

    page.evaluate("localStorage.removeItem('codesherpa.session')")  # The server is not told, so it tells nobody.

    other.see(".gate-card")


def test_a_session_ended_elsewhere_closes_the_page(online: Server, tab: Tab) -> None:
    page = tab(online).register("ended@example.com")
    other = tab(online).sign_in("ended@example.com")

    other.show("#/account").see(".sessions li:nth-child(2)")
    other.click(".sessions .small")
    other.click(".sessions .danger")

    page.see(".gate-card")
    assert "Your session has ended." in page.text(".why")
    assert other.count(".sessions li") == 1


def test_a_session_about_to_end_is_renewed_in_every_tab(tab: Tab, tmp_path: Path, empty_sqlite: Path) -> None:
    with served(tmp_path, empty_sqlite, ACCESS_TOKEN_EXPIRE_MINUTES="1") as server:
        page = tab(server).register("renewed@example.com", state="expiring")
        other = tab(server, beside=page).show()
        before = page.evaluate("localStorage.getItem('codesherpa.session')")

        page.see("[data-state=renewed]")
        other.see("[data-state=renewed]")

        after = page.evaluate("localStorage.getItem('codesherpa.session')")
        assert json.loads(before)["refresh_token"] != json.loads(after)["refresh_token"]
        page.write("Hello")
        page.see(DONE)


def test_usage_is_shown_against_the_days_budget(online: Server, tab: Tab) -> None:
    page = tab(online).register("usage@example.com")
    page.write(say("Some words.", usage={"inputTokens": 1200, "outputTokens": 34, "totalTokens": 1234}))
    page.see(DONE)
    assert "1,200 tokens in, 34 out" in page.text(".turn-foot")

    page.show("#/account").see(".chart .bar-used")
    assert page.text(".figures") == "1,234 of 100,000 tokens today"

    page.show("#/").write(say("More words.", usage={"inputTokens": 100000, "outputTokens": 9, "totalTokens": 100009}))
    page.see(DONE)
    page.write("And more")
    page.see(".trouble >> text=Today's tokens are used up.")


def test_the_keyboard_is_enough(online: Server, tab: Tab) -> None:
    page = tab(online).register("keys@example.com")

    page.type("```py\n1\n```\n".replace("\n", " "))
    page.press("Shift+Enter")
    page.type(say("```python\nprint(1)\n```"))
    page.press("Enter")
    page.see(f"{DONE} .hljs-built_in")
    page.focus(".skip")
    page.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    page.focus(".code button")
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    page.press("Enter")
    page.see(".code .done")

    assert outline == "solid"
