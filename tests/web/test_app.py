"""The page as a person uses it, from the first visit on; the answers come from the offline provider."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.live.conftest import Server
from tests.web.conftest import DONE, PASSWORD, Page

pytestmark = pytest.mark.xdist_group("web-offline")

Tab = Callable[..., Page]
PHONE: dict[str, Any] = {"viewport": {"width": 375, "height": 720}, "hasTouch": True, "isMobile": True}


def test_the_first_visit_leads_to_a_review_with_its_lines(offline: Server, tab: Tab) -> None:
    page = tab(offline, viewport={"width": 1280, "height": 860})

    page.register("first@example.com")
    page.click("text=Review this code")
    page.press("Enter")
    page.see(DONE)
    page.keep("light-1280-review")

    assert page.text(".finding:first-child .badge") == "Critical"
    assert page.text(".finding:first-child .place") == "cart.py:13"
    assert "Review Monk" in page.text(".who")
    page.click("text=Why?")
    assert "asks for a review" in page.text(".why-agent p")
    page.click(".counts [data-severity=LOW]")
    assert page.is_visible(".finding[data-severity=LOW]")
    assert not page.is_visible(".finding[data-severity=HIGH]")
    assert page.get_attribute(".side a[aria-current]", "href").startswith("#/c/")


def test_an_explanation_has_steps_and_concepts(offline: Server, tab: Tab) -> None:
    page = tab(offline).register("explain@example.com")

    page.click("text=Explain this code")
    page.press("Enter")
    page.see(DONE)

    assert page.count(".steps li") > 2
    assert page.count(".concepts dt") > 2
    assert page.text(".analogy h3") == "Think of it this way"
    assert "Codebase Sherpa" in page.text(".who")


def test_agents_and_projects_are_made_and_changed_in_place(offline: Server, tab: Tab) -> None:
    page = tab(offline).register("items@example.com")

    page.show("#/agents").click("text=New agent")
    page.click("form [type=submit]")
    page.see(".fault")
    page.fill("form [name=name]", "Strict")
    page.select_option("form [name=kind]", "review")
    page.fill("form [name=temperature]", "0.5")
    page.press("Enter")
    page.see(".item >> text=Strict")
    page.click(".item button >> nth=0")
    page.fill("form [name=name]", "Stricter")
    assert page.input_value("form [name=temperature]") == "0.5"
    page.fill("form [name=temperature]", "")
    page.click("form [type=submit]")
    page.see(".item >> text=Stricter")
    page.show("#/projects").click("text=New project")
    page.fill("form [name=name]", "Shop")
    page.fill("form [name=repository]", "not a repository")
    page.click("form [type=submit]")
    page.see("form .fault >> text=owner/name")
    page.fill("form [name=repository]", "ada/shop")
    page.click("form [type=submit]")
    page.see(".item >> text=ada/shop")

    page.show("#/").select_option("[aria-label=Agent]", {"label": "Stricter"})
    page.select_option("[aria-label=Project]", {"label": "Shop"})
    page.write("def f(a=[]): return a")
    page.see(DONE)
    assert "Review Monk" in page.text(".who")
    page.show("#/agents").click("[title='Delete Stricter']")
    page.click("text=Really delete?")
    page.see(".items .empty")


def test_files_and_pasted_code_go_beside_the_message(offline: Server, tab: Tab) -> None:
    page = tab(offline).register("files@example.com")
    diff = "--- a/app.py\n+++ b/app.py\n@@ -1 +1,2 @@\n import os\n+os.system(input())\n"

    page.give("drop", "body", {"files": {"a.py": "eval(input())\n", "b.py": "def f(x=[]):\n    return x\n"}})
    page.see(".attachments >> text=b.py")
    page.give("drop", "body", {"files": {"picture.png": "\u0000\u0001"}})
    page.see(".notice >> text=picture.png is not a text file.")
    page.give("paste", ".composer textarea", {"text": diff})
    page.see(".attachments >> text=Diff")
    page.click("[title='Remove Diff']")
    page.write("Review these")
    page.see(DONE)

    places = {page.text(f".finding >> nth={number} >> .place") for number in range(page.count(".finding"))}
    assert {"a.py:1", "b.py:1"} <= places
    page.give("paste", ".composer textarea", {"text": diff})
    page.press("Enter")
    page.see(f".turn:nth-child(2){DONE}")
    assert page.text(".turn:nth-child(2) .finding .place") == "app.py:2"


def test_a_conversation_is_found_renamed_and_deleted(offline: Server, tab: Tab) -> None:
    page = tab(offline).register("find@example.com")
    page.write("Hello there")
    page.see(DONE)
    page.fill(".title-field", "Greetings 100%")
    page.press("Enter")
    page.see(".conversations >> text=Greetings 100%")

    page.press("Control+k")
    page.type("hundred")
    page.see(".conversations .empty")
    page.fill(".search input", "100%")
    page.see(".conversations >> text=Greetings")
    page.fill(".search input", "there")
    page.see(".conversations >> text=in the messages")
    page.click(".conversations a")
    page.click("[title='Delete conversation']")
    page.click("text=Really delete?")

    page.see(".welcome")
    page.fill(".search input", "")
    page.see(".conversations .empty")


@pytest.mark.parametrize(
    ("language", "tag", "word", "said"),
    [("hi", "hi", "नई बातचीत", "ऑफ़लाइन"), ("hinglish", "hi-Latn", "Nayi baatcheet", "ffline")],
)
def test_the_page_and_the_replies_speak_the_users_language(
    offline: Server, tab: Tab, language: str, tag: str, word: str, said: str
) -> None:
    page = tab(offline).register(f"{language}@example.com")

    page.select_option(".language select", language)
    page.see(f".side >> text={word}")
    page.click(".chip >> nth=0")
    page.press("Enter")
    page.see(DONE)

    assert page.evaluate("document.documentElement.lang") == tag
    assert said in page.text(".parts")
    page.reload()
    page.see(f".side >> text={word}")


@pytest.mark.parametrize("language", ["en", "hi", "hinglish"])
def test_another_email_address_is_saved_with_the_password_and_not_without(
    offline: Server, tab: Tab, language: str
) -> None:
    page = tab(offline).register(f"old-{language}@example.com")
    page.select_option(".language select", language)
    asked = "[name=current_password] >> nth=0"  # The profile's; the other one is for a new password.

    page.show("#/account").see(".sessions li")
    assert not page.is_visible(asked)
    page.fill("form [name=email]", f"OLD-{language}@example.com")
    assert not page.is_visible(asked)
    page.fill("form [name=email]", f"new-{language}@example.com")
    page.see(asked)
    page.click("form [type=submit] >> nth=0")
    page.see(".fault")
    page.fill(asked, PASSWORD)
    page.click("form [type=submit] >> nth=0")
    page.gone(asked)

    page.reload()
    page.see(".sessions li")
    assert page.input_value("form [name=email]") == f"new-{language}@example.com"


def test_everything_can_be_reached_on_a_phone(offline: Server, tab: Tab) -> None:
    page = tab(offline, **PHONE).register("phone@example.com")
    page.keep("phone-welcome")

    page.tap("text=Review this code")
    page.tap(".composer [type=submit]")
    page.see(DONE)
    page.keep("phone-review")
    page.tap(".menu")
    page.see(".side-open .side")
    page.keep("phone-menu")
    page.tap("text=Account")
    page.see(".sessions li")

    assert page.evaluate("document.documentElement.scrollWidth") == 375
