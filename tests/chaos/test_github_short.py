"""The drill of deliveries, short: everything three times, in any order, and a worker killed in between."""

from __future__ import annotations

from pathlib import Path

from tests.chaos.github import drill


def test_every_effect_is_there_once(postgres: str, tmp_path: Path) -> None:
    result = drill(120, kills=2, folder=tmp_path, pause=2.0)

    assert result.faults == []
    assert result.sent == 360
    assert result.kills >= 1
