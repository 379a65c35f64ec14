"""The page's words are there in every language."""

from __future__ import annotations

import re

import pytest

from codesherpa.user.schemas import LANGUAGES
from codesherpa.web.routes import WEB

ENTRY = re.compile(r'^  "([\w.]+)": "(.+)",$', re.M)
SOURCES = "\n".join(path.read_text() for path in WEB.glob("*.js"))


def texts(language: str) -> dict[str, str]:
    return dict(ENTRY.findall((WEB / "texts" / f"{language}.js").read_text()))


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_language_says_everything_with_the_same_places(language: str) -> None:
    english, spoken = texts("en"), texts(language)

    assert spoken.keys() == english.keys()
    assert {key: sorted(re.findall(r"\{\w+\}", text)) for key, text in spoken.items()} == {
        key: sorted(re.findall(r"\{\w+\}", text)) for key, text in english.items()
    }


def test_every_text_that_the_page_names_is_there() -> None:
    named = set(re.findall(r'\bt\(\s*"([\w.]+)"', SOURCES)) | {
        key for pair in re.findall(r'\bt\([^")]*\? "([\w.]+)" : "([\w.]+)"', SOURCES) for key in pair
    }

    assert len(named) > 80
    assert named <= texts("en").keys()


def test_every_text_is_used() -> None:
    stems = set(re.findall(r"\bt\(`([a-z]+\.)\$\{", SOURCES))
    unused = {key for key in texts("en") if f'"{key}"' not in SOURCES and not key.startswith(tuple(stems))}

    assert unused == set()
