"""How a finding is known again: by the line that it stands on, wherever that line has moved."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable

from codesherpa.integrations.github.pulls import File


def of_lines(files: Iterable[File]) -> dict[tuple[str, int], str]:
    """Return the fingerprint of every added line, by file and line.

    It is made of the file, the line's text without white space, and which of several equal lines it is. What
    was found is not part of it: a model says the same in other words each time.
    """
    found: dict[tuple[str, int], str] = {}
    for file in files:
        seen: Counter[str] = Counter()
        for line, text in file.added().items():
            squeezed = "".join(text.split())
            seen[squeezed] += 1
            told = f"{file.name}\0{squeezed}\0{seen[squeezed]}"
            found[file.name, line] = hashlib.sha256(told.encode()).hexdigest()[:20]
    return found
