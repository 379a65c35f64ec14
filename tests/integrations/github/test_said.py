"""Which words of a delivery count: commands that the author of a comment says, about a repository that is one."""

from __future__ import annotations

import time

import pytest

from codesherpa.integrations.github.events import wanted
from codesherpa.integrations.github.said import by_the_author
from tests.standins.github import World, issue_comment, pull_request

REPOSITORY = World().repo()
# Where a command is no word of the comment's author, or is not seen.
NOT_SAID = [
    "<!-- @codesherpa review -->",
    "<!--\n@codesherpa review\n-->",
    "Hello <!--\n@codesherpa review\n--> there",
    "Hello <!--\n\n@codesherpa review\n\n-->",
    "   <!-- never closed\n\n@codesherpa review",
    "<!-- a --> <!--\n@codesherpa review\n-->",
    "<!-- ``` -->\n```\n@codesherpa review\n```",
    "<!--\n```\n-->\n```\n@codesherpa review\n```",
    "> @codesherpa review",
    "> quoted\n@codesherpa review",
    "> > quoted\n> more\nand more\n@codesherpa review",
    "    @codesherpa review",
    "\t@codesherpa review",
    "   @codesherpa review",
    "```\n@codesherpa review\n```",
    "```\n@codesherpa review",
    "````\n```\n@codesherpa review\n````",
    "```\n~~~\n@codesherpa review\n```",
    "   ~~~ python\n@codesherpa review\n   ~~~",
    "- ```\n  code\n  ```\n\n```\n@codesherpa review\n```",
    "1. ~~~\n@codesherpa review\n~~~",
    "`code\n@codesherpa review\ncode`",
    "``a ` b\n@codesherpa review\nc``",
    "<pre>\n@codesherpa review\n</pre>",
    "<PRE class=x>\n\n@codesherpa review\n</PRE>",
    "Ask @codesherpa review",
]


@pytest.mark.parametrize("body", [*NOT_SAID, *(body.replace("\n", "\r\n") for body in NOT_SAID if "\n" in body)])
def test_a_command_that_its_author_does_not_say_is_none(body: str) -> None:
    payload = issue_comment(REPOSITORY, 1, {"id": 1, "user": {"login": "ada", "type": "User"}, "body": body})

    assert wanted("issue_comment", payload) == []


PARTS = ["`a ``b ", "<!-- ", "-->", "<!-- x --> ", "```\n", "> \na\n", "- - - ", "<pre>\n", "`\n\n", "#\n", "1. ", "\t"]


@pytest.mark.parametrize("part", PARTS)
def test_a_comment_of_four_times_the_length_takes_about_four_times_as_long(part: str) -> None:
    short, long = (min(seconds(part * (size // len(part))) for _ in range(3)) for size in (16_000, 64_000))

    assert long < 10 * short + 0.05


def seconds(text: str) -> float:
    before = time.perf_counter()
    by_the_author(text)
    return time.perf_counter() - before


@pytest.mark.parametrize(
    "name", ["o/..", "o/.", "o/...\n", "../x", "-o/x", "o/x/y", "o", "o/", "/x", "o/x y", "o/\u00e9"]
)
def test_a_repository_that_is_none_is_dropped(name: str) -> None:
    comment = {"id": 1, "user": {"login": "ada", "type": "User"}, "body": "@codesherpa review"}
    payloads = {
        "pull_request": pull_request(REPOSITORY, World().pull()),
        "issue_comment": issue_comment(REPOSITORY, 1, comment),
    }

    for event, payload in payloads.items():
        assert len(wanted(event, payload)) == 1
        payload["repository"]["full_name"] = name
        assert wanted(event, payload) == []
