"""The table of sherpas."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest

from codesherpa import sherpas
from codesherpa.sherpas.interface import Ask

HAIKU = '''
from codesherpa.providers.interface import Tool
from codesherpa.sherpas.briefs import prepare
from codesherpa.sherpas.page import Page, Passage

TOOL = Tool("give_haiku", "Give a haiku.", {"type": "object", "properties": {"haiku": {"type": "string"}}})


class Haiku:
    """Answers in three lines."""

    name = "haiku"

    def brief(self, ask):
        return prepare(ask, "reply", "You write haiku about code.", "Write the haiku.", TOOL)

    def writer(self, brief):
        return HaikuWriter(brief)


class HaikuWriter:
    def __init__(self, brief):
        self._haiku = Passage("", brief.system)
        self._page = Page({"haiku": self._haiku}, opening="haiku")

    def feed(self, text):
        return self._page.feed(text)

    def finish(self, cut=False):
        return self._page.finish(cut, {"haiku": bool})

    def result(self):
        return {"kind": "reply", "reply": self._haiku.text}
'''


@pytest.mark.parametrize(
    ("kind", "name"), [("general", "general_chat"), ("review", "review_monk"), ("explain", "codebase_sherpa")]
)
def test_every_kind_of_agent_has_its_sherpa(kind: str, name: str) -> None:
    assert sherpas.for_kind(kind).name == name


def test_every_sherpa_stands_under_its_own_name() -> None:
    assert all(sherpa.name == name for name, sherpa in sherpas.SHERPAS.items())


def test_a_new_sherpa_is_one_file_and_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "haiku.py"
    file.write_text(HAIKU)
    spec = importlib.util.spec_from_file_location("haiku", file)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    monkeypatch.setitem(sherpas.SHERPAS, "haiku", module.Haiku())

    sherpa = sherpas.SHERPAS["haiku"]
    brief = sherpa.brief(Ask("A haiku about loops", "while True: pass", system_prompt="Be gentle."))
    writer = sherpa.writer(brief)
    poem = "Round and round it goes\nnever meeting its own end\nthe fan starts to hum"
    text = writer.feed(json.dumps({"haiku": poem})) + writer.finish()
    assert "while True: pass" in brief.turns[-1].text
    assert "Be gentle." in brief.context
    assert text == poem
    assert writer.result() == {"kind": "reply", "reply": poem}
