"""Email addresses: how one is kept, and what it is found and counted by."""

from __future__ import annotations

from contextlib import suppress

import email_validator

LONGEST = 254
LONGEST_KEY = 320  # Letters may become more when their case is folded.


def normal(text: str) -> str:
    """Return an address in its normal form: letters composed, the host in its own script.

    Nobody asks the network whether it exists. Raises ValueError for what is no address.
    """
    if len(text) > LONGEST:
        raise ValueError("too long")
    # Addresses at hosts of a private network are good enough to sign in with.
    found = email_validator.validate_email(text, check_deliverability=False, globally_deliverable=False)
    if "." not in found.domain or len(found.normalized.casefold()) > LONGEST_KEY:
        raise ValueError("no host, or too long to be found by")
    return found.normalized


def tidy(text: str) -> str:
    """Return an address in its normal form; what is no address as it stands."""
    text = text.strip()
    with suppress(ValueError):
        text = normal(text)
    return text


def same(one: str, other: str) -> bool:
    """Return True if two addresses differ in case alone.

    Two that share a key may still be two mailboxes: the key of `strasse` is that of `straße` too.
    """
    return one.lower() == other.lower()


def key(text: str) -> str:
    """Return what an address is found and counted by, however it is written: its normal form in one case.

    What is no address has a key too: as it stands, without what no database keeps.
    """
    return tidy(text).casefold().encode(errors="replace").decode().replace("\0", "?")
