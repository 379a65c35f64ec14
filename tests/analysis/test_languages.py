"""Which language a piece of code is in, and what Python's own parser says of it."""

from __future__ import annotations

import ast
import gc
import sys
import threading
import time
from collections.abc import Iterator

import pytest

from codesherpa.analysis import languages

FUNCTIONS = "\n".join(f"def f{number}(a, b):\n    return [a, {{'k': (1, b)}}]\n" for number in range(100))


@pytest.fixture
def collecting() -> Iterator[None]:
    """Have garbage collected often, by something that gives up its turn, as a finalizer may."""
    threshold, interval = gc.get_threshold(), sys.getswitchinterval()

    def give_way(*_: object) -> None:
        time.sleep(0)

    gc.callbacks.append(give_way)
    gc.set_threshold(50)
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(interval)
    gc.set_threshold(*threshold)
    gc.callbacks.remove(give_way)


def test_several_threads_parse_at_once(collecting: None) -> None:
    found: list[object] = []

    def work() -> None:
        for _ in range(10):
            try:
                found.append(languages.parse(FUNCTIONS))
            except SystemError as fault:
                found.append(fault)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert len(found) == 80
    assert [one for one in found if not isinstance(one, ast.Module)] == []
