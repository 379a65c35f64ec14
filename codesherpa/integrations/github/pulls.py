"""A pull request as GitHub tells it: who, whence, and its diff, page by page."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from github.PullRequest import PullRequest
from github.Repository import Repository

from codesherpa.analysis.lines import split
from codesherpa.integrations.github.client import Connection, Missing, speaking
from codesherpa.integrations.github.preferences import FILE, Preferences, read

MAY_WRITE = ("admin", "maintain", "write")
MOST_LISTED = 3000  # GitHub lists no more files of a pull request.
_HUNK = re.compile(r"@@ -\d+(?:,(\d+))? \+(\d+)(?:,(\d+))? @@")


@dataclass(frozen=True, slots=True)
class File:
    """A file of the diff; `patch` is None where GitHub gives none (binary, or too large)."""

    name: str
    patch: str | None
    status: str = "modified"

    @property
    def is_plain(self) -> bool:
        """Whether its name can stand in a diff as it is."""
        return self.name.isprintable() and self.name == self.name.strip() and not set(self.name) & set('"\\')

    def added(self) -> dict[int, str]:
        """Return the lines that it adds, by their number in the new file.

        Hunks are read by their counts alone, so that no line's text can pass for a header.
        """
        found: dict[int, str] = {}
        old_left = new_left = number = 0
        for row in split(self.patch or ""):
            if old_left <= 0 and new_left <= 0:
                if start := _HUNK.match(row):
                    old_left, number, new_left = int(start[1] or 1), int(start[2]), int(start[3] or 1)
                continue
            if row.startswith("+"):
                found[number] = row[1:]
            if not row.startswith(("-", "\\")):
                number, new_left = number + 1, new_left - 1
            old_left -= not row.startswith(("+", "\\"))
        return found


class Pull:
    """A pull request, fetched once; what belongs to it is fetched when it is asked for."""

    def __init__(self, connection: Connection, repository: str, number: int) -> None:
        self.connection, self.number = connection, number
        self._repository: Repository = connection.github.get_repo(repository)
        with speaking():
            self.raw: PullRequest = self._repository.get_pull(number)
            self.repository = self.raw.base.repo
            self.head: str = self.raw.head.sha
            self.author: str = self.raw.user.login

    @property
    def path(self) -> str:
        """Where the API has it."""
        return f"{self.home}/pulls/{self.number}"

    @property
    def home(self) -> str:
        """Where the API has its repository."""
        return f"/repos/{self.repository.full_name}"

    @property
    def is_fork(self) -> bool:
        """Whether the commits come from outside; from a fork that is gone, too."""
        head: Any = self.raw.head.repo
        return head is None or head.id != self.repository.id

    @property
    def is_by_a_bot(self) -> bool:
        return bool(self.raw.user.type == "Bot")

    @property
    def labels(self) -> set[str]:
        return {label.name for label in self.raw.labels}

    @property
    def updated_at(self) -> datetime:
        return self.raw.updated_at or datetime.now(UTC)

    def head_now(self) -> str:
        """Ask again which commit is the last."""
        with speaking():
            return str(self._repository.get_pull(self.number).head.sha)

    def may_write(self, login: str) -> bool:
        """Ask whether somebody may write to the repository."""
        with speaking():
            try:
                return self._repository.get_collaborator_permission(login) in MAY_WRITE
            except Exception as fault:
                if getattr(fault, "status", 0) == 404:  # No collaborator at all.
                    return False
                raise

    @cached_property
    def preferences(self) -> Preferences:
        """Read what the base branch says."""
        try:
            with speaking():
                found = self._repository.get_contents(FILE, ref=self.raw.base.ref)
                content = None if isinstance(found, list) or found.size > 65_536 else found.decoded_content
        except Missing:
            return Preferences()
        return read(content.decode("utf-8", "replace") if content is not None else "")

    @cached_property
    def files(self) -> list[File]:
        """Fetch the diff, page by page."""
        with speaking():
            return [File(file.filename, file.patch, file.status) for file in self.raw.get_files()]

    @property
    def unlisted(self) -> int:
        """How many files GitHub did not list."""
        return max(0, self.raw.changed_files - len(self.files)) if len(self.files) >= MOST_LISTED else 0


def as_diff(files: Iterable[File]) -> str:
    """Write files as one unified diff."""
    return "".join(
        f"diff --git a/{file.name} b/{file.name}\n--- a/{file.name}\n+++ b/{file.name}\n{file.patch}\n"
        for file in files
    )
