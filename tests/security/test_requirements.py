"""What is installed: what we ask for, to the hash, from whatever index."""

from __future__ import annotations

import re
import subprocess
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from config import ROOT

LOCKS = {path.name: f"{path.stem}.txt" for path in ROOT.glob("requirements*.in")}
PIN = re.compile(r"^([a-z0-9-]+)(?:\[[a-z0-9,-]+\])?==(\S+)(.*?)(?=^[a-z]|\Z)", re.MULTILINE | re.DOTALL)


def asked(name: str) -> list[Requirement]:
    lines = (line.partition("#")[0].strip() for line in Path(ROOT, name).read_text().splitlines())
    return [Requirement(line) for line in lines if line and not line.startswith("-")]


def pinned(name: str) -> dict[str, tuple[str, str]]:
    """Return the version and the hashes of each package."""
    return {match[1]: (match[2], match[3]) for match in PIN.finditer(Path(ROOT, name).read_text())}


def test_every_list_of_requirements_is_locked_by_one_command() -> None:
    makefile = Path(ROOT, "Makefile").read_text()

    assert LOCKS.keys() >= {
        "requirements.in",
        "requirements-dev.in",
        "requirements-bench.in",
        "requirements-tracing.in",
    }
    for name, lock in LOCKS.items():
        assert re.search(rf"uv pip compile \$\(LOCK\) .*{name} --output-file {lock}$", makefile, re.M), name


def test_the_audit_looks_at_every_package_and_passes_over_none() -> None:
    audit = subprocess.run(["make", "-n", "audit"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    asked = {name for name in LOCKS.values() if f"--requirement {name}" in audit}
    for name, lock in LOCKS.items():
        if lock in asked:
            asked |= {LOCKS[inner] for inner in re.findall(r"^-r (\S+)", Path(ROOT, name).read_text(), re.M)}

    assert asked == set(LOCKS.values())
    assert "pip-audit --strict " in audit  # Without it a package that cannot be looked up is skipped.
    folders = {
        str(path.parent.relative_to(ROOT))
        for path in ROOT.glob("**/package-lock.json")
        if "node_modules" not in path.parts
    }
    assert all(folder in re.search(r"for folder in (.*?);", audit)[1].split() for folder in folders)


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


@pytest.mark.parametrize("lock", LOCKS.values())
def test_an_extra_is_locked_with_its_package(lock: str) -> None:
    """Without it, the pip that comes with Python 3.11 takes `coverage[toml]` in its newest version, and refuses it."""
    pins = re.findall(r"^([a-z0-9-]+(?:\[.+?\])?)==", Path(ROOT, lock).read_text(), re.MULTILINE)
    extras = {pin.name: pin.extras for pin in map(Requirement, pins)}
    lacking = set()

    for name in extras.keys() & {distribution.name.lower() for distribution in metadata.distributions()}:
        for need in map(Requirement, metadata.requires(name) or []):
            taken = not need.marker or any(need.marker.evaluate({"extra": it}) for it in ("", *extras[name]))
            if taken and need.extras - extras.get(need.name.lower(), need.extras):
                lacking.add(f"{name} asks for {need.name}[{','.join(need.extras)}]")

    assert not lacking


def test_the_tests_run_on_the_very_packages_that_serve() -> None:
    serving, testing = pinned("requirements.txt"), pinned("requirements-dev.txt")

    assert {name: testing[name][0] for name in serving} == {name: version for name, (version, _) in serving.items()}
