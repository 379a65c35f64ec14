"""Who may cause work, and for which pull requests we do none."""

from __future__ import annotations

from codesherpa.integrations.github.pulls import Pull
from codesherpa.integrations.runner import Dropped


def permit(pull: Pull, asked_by: str | None) -> None:
    """Let a job go on. Raises Dropped, with the reason, where it may not or need not.

    Somebody who may asks for what would be passed over otherwise: a draft, a bot's, one from a fork. A fork's
    pull request is read once for each time that somebody with write access asks.
    """
    wishes = pull.preferences
    if not wishes.enabled:
        raise Dropped("switched off in .codesherpa.toml")
    if pull.raw.state != "open":
        raise Dropped("no longer open")
    if asked_by is not None:
        if not may_ask(pull, asked_by):
            raise Dropped(f"{asked_by} may not write to the repository")
        return
    if pull.is_fork:
        raise Dropped("from a fork; waits until somebody with write access asks for it")
    if pull.raw.draft and not wishes.drafts:
        raise Dropped("a draft")
    if pull.is_by_a_bot and not wishes.bots:
        raise Dropped("by a bot")
    if labels := pull.labels.intersection(wishes.skip_labels):
        raise Dropped(f"labelled {min(labels)}")


def may_ask(pull: Pull, login: str) -> bool:
    """Tell whether somebody may write to the repository, or has made this pull request from within it."""
    return (login == pull.author and not pull.is_fork) or pull.may_write(login)
