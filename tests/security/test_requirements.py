"""What is installed: what we ask for, to the hash, from whatever index."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from config import ROOT

LOCKS = {"requirements.in": "requirements.txt", "requirements-dev.in": "requirements-dev.txt"}
PIN = re.compile(r"^([a-z0-9-]+)(?:\[[a-z0-9,-]+\])?==(\S+)(.*?)(?=^[a-z]|\Z)", re.MULTILINE | re.DOTALL)


def asked(name: str) -> list[Requirement]:
    lines = (line.partition("#")[0].strip() for line in Path(ROOT, name).read_text().splitlines())
    return [Requirement(line) for line in lines if line and not line.startswith("-")]


def pinned(name: str) -> dict[str, tuple[str, str]]:
    """Return the version and the hashes of each package."""
    return {match[1]: (match[2], match[3]) for match in PIN.finditer(Path(ROOT, name).read_text())}


@pytest.mark.parametrize("name", LOCKS)
def test_whatever_we_ask_for_has_bounds_and_is_locked_within_them(name: str) -> None:
    locked = pinned(LOCKS[name])

    for requirement in asked(name):
        assert {bound.operator for bound in requirement.specifier} == {">=", "<"}, requirement.name
        version, _ = locked[re.sub(r"[._-]+", "-", requirement.name).lower()]
        assert requirement.specifier.contains(version), f"{requirement} is locked at {version}: run `make lock`"


@pytest.mark.parametrize("lock", LOCKS.values())
def test_every_package_is_locked_to_its_hashes_and_to_no_index(lock: str) -> None:
    text = Path(ROOT, lock).read_text()

    assert all("--hash=sha256:" in hashes for _, hashes in pinned(lock).values())
    assert not re.search(r"https?://|--index|--find-links|--trusted-host", text)


def test_the_tests_run_on_the_very_packages_that_serve() -> None:
    serving, testing = pinned("requirements.txt"), pinned("requirements-dev.txt")

    assert {name: testing[name][0] for name in serving} == {name: version for name, (version, _) in serving.items()}
