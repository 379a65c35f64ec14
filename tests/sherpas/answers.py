"""What models answer, and how it is fed to a writer."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from codesherpa.providers.interface import Brief
from codesherpa.sherpas import SHERPAS
from codesherpa.sherpas.interface import Ask, Writer

CODE = """\
import os


def run(command, log=[]):
    log.append(command)
    return os.system(command)


def total(values):
    return sum(values)
"""
DIFF = """\
diff --git a/shop/cart.py b/shop/cart.py
--- a/shop/cart.py
+++ b/shop/cart.py
@@ -1,5 +1,6 @@
 import datetime
-def add(item):
+def add(item, cart=[]):
+    cart.append(item)
     return item

 print(1)
@@ -40,2 +41,3 @@
 def stamp():
-    return None
+    now = datetime.datetime.now()
+    return now
"""
FINDING = {
    "severity": "HIGH",
    "file": "code_context",
    "line": 6,
    "issue": "`os.system(command)` runs whatever it is given.",
    "suggestion": "Use `subprocess.run` with a list.",
    "code_fix": "    return subprocess.run(command, check=True)",
}
REVIEW = {
    "summary": "Runs commands. It is not safe yet.",
    "findings": [FINDING, FINDING | {"line": 4, "issue": "`log=[]` is shared by every call.", "code_fix": None}],
    "quality_score": 4,
    "security_risk": "High",
}
EXPLANATION = {
    "explanation": "It runs a command and keeps a log of it.\n\n- `run` does the work.",
    "learning_steps": ["Read `run`.", "Call it with `true`.", "Look at the log."],
    "key_concepts": [{"term": "Shell", "definition": "Reads commands."}, {"term": "Log", "definition": "A list."}],
    "analogy": "Like a waiter who writes every order down.",
}


def brief_of(name: str, message: str = "Please review this", code: str | None = CODE, **more: Any) -> Brief:
    return SHERPAS[name].brief(Ask(message, code, **more))


def writer_of(name: str, brief: Brief | None = None) -> Writer:
    return SHERPAS[name].writer(brief or brief_of(name))


def pieces(text: str, sizes: Iterable[int]) -> list[str]:
    """Cut a text into pieces of the sizes, the rest into one."""
    cut, at = [], 0
    for size in sizes:
        cut.append(text[at : at + size])
        at += size
    return [piece for piece in [*cut, text[at:]] if piece]


def write(writer: Writer, answer: Any, sizes: Iterable[int] = ()) -> str:
    """Feed a whole answer and return the whole markdown."""
    text = answer if isinstance(answer, str) else json.dumps(answer, ensure_ascii=False)
    return "".join([*(writer.feed(piece) for piece in pieces(text, sizes)), writer.finish()])


def one_finding(**changes: Any) -> dict[str, Any]:
    return REVIEW | {"findings": [{**FINDING, **changes}]}


def assert_contract(result: dict[str, Any]) -> None:
    """Check a result against the contract, key by key and type by type."""
    if result["kind"] == "reply":
        assert result.keys() == {"kind", "reply"}
        assert isinstance(result["reply"], str)
    elif result["kind"] == "review":
        assert_review(result)
    else:
        assert_explanation(result)


def assert_review(result: dict[str, Any]) -> None:
    assert result.keys() == {"kind", "summary", "findings", "quality_score", "security_risk"}
    assert isinstance(result["summary"], str)
    assert result["quality_score"] in range(1, 11)
    assert type(result["quality_score"]) is int
    assert result["security_risk"] in ("None", "Low", "High")
    for finding in result["findings"]:
        assert finding.keys() == FINDING.keys()
        assert finding["severity"] in ("CRITICAL", "HIGH", "MEDIUM", "LOW")
        assert type(finding["line"]) is int
        assert all(isinstance(finding[key], str) for key in ("file", "issue", "suggestion"))
        assert finding["file"]
        assert finding["code_fix"] is None or isinstance(finding["code_fix"], str)


def assert_explanation(result: dict[str, Any]) -> None:
    assert result.keys() == {"kind", "explanation", "learning_steps", "key_concepts", "analogy"}
    assert result["kind"] == "explanation"
    assert isinstance(result["explanation"], str)
    assert isinstance(result["analogy"], str)
    assert all(isinstance(step, str) for step in result["learning_steps"])
    assert all(concept.keys() == {"term", "definition"} for concept in result["key_concepts"])
    assert all(isinstance(text, str) for concept in result["key_concepts"] for text in concept.values())
