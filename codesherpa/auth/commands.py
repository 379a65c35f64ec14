"""flask user: accounts from the command line.

It stands here and not in `user`, since most of it ends sessions, and `user` knows none.
"""

from __future__ import annotations

import sys
from typing import Any

import click

from codesherpa import checkpoints
from codesherpa.auth import schemas, service
from codesherpa.terminal import Commands, begin, json_option, load, printable, table, tell, when
from codesherpa.user import audit, storage
from codesherpa.user import schemas as user_schemas
from codesherpa.user import service as users
from codesherpa.user.models import LONGEST_NAME, User

USER, SESSION, EVENT = user_schemas.User(), schemas.Session(exclude=("current",)), user_schemas.AuditEvent()


stdin_option = click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
who = click.argument("account", metavar="EMAIL|ID")


@click.group("user", cls=Commands)
def user() -> None:
    """Look after accounts; a user is named by email address or id."""


@user.command()
@click.argument("email", required=False)
@click.option("--email", "named", help="The same, as an option.")
@click.option("--name", help="What to call the user; else what stands before the @.")
@stdin_option
@json_option
def create(email: str | None, named: str | None, name: str | None, password_stdin: bool, as_json: bool) -> None:
    """Make an account; the password is asked for, or read from standard input."""
    begin()
    if email and named:
        raise click.UsageError("Name the address once.")
    address = email or named or click.prompt("Email", err=True)
    named_so = name or address.partition("@")[0][:LONGEST_NAME]
    checked = load(schemas.Registration(only=("name", "email")), name=named_so, email=address)
    made = users.create(**checked, password=new_password(password_stdin))
    tell(as_json, {"user": USER.dump(made)}, f"Made user {made.id}, {shown(made)}.")


@user.command("list")
@click.option("--search", "q", default="", help="Part of a name or an address.")
@click.option("--active/--inactive", default=None, help="Only those who may sign in, or may not.")
@click.option("--limit", type=click.IntRange(1), default=100, show_default=True, help="At most so many.")
@json_option
def list_users(q: str, active: bool | None, limit: int, as_json: bool) -> None:
    """List accounts, newest first."""
    begin()
    found, total = users.search(q, active, limit)
    rows = [(one.id, one.email, one.name, state(one), when(one.created_at)) for one in found]
    listed = table(("ID", "EMAIL", "NAME", "STATE", "SINCE"), rows)
    data = {"users": USER.dump(found, many=True), "count": len(found), "total": total}
    tell(as_json, data, f"{listed}\n{len(found)} of {total} users")


@user.command()
@who
@click.option("--events", type=click.IntRange(0), default=20, show_default=True, help="How much of the audit trail.")
@json_option
def show(account: str, events: int, as_json: bool) -> None:
    """Show an account, where it is signed in, and what happened to it."""
    begin()
    found = users.named(account)
    sessions, trail = service.sessions(found), audit.trail(found, events)
    data = {
        "user": USER.dump(found),
        "stored": {"bytes": found.stored_bytes, "limit": storage.limit()},
        "sessions": SESSION.dump(sessions, many=True),
        "audit": EVENT.dump(trail, many=True),
    }
    tell(as_json, data, "\n\n".join((about(found), where(sessions), what(trail))))


@user.command()
@who
@json_option
def activate(account: str, as_json: bool) -> None:
    """Let a user sign in again."""
    changed = users.activate(begin_with(account))
    tell(as_json, {"user": USER.dump(changed)}, f"{shown(changed)} may sign in again.")


@user.command()
@who
@json_option
def deactivate(account: str, as_json: bool) -> None:
    """Keep a user out: its sessions end and its sockets are closed within a second."""
    changed = begin_with(account)
    ended = service.deactivate(changed)
    tell_ended(as_json, changed, ended, f"{shown(changed)} is out; {count(ended)} ended.")


@user.command("set-password")
@who
@stdin_option
@json_option
def set_password(account: str, password_stdin: bool, as_json: bool) -> None:
    """Give a user a new password and end its sessions."""
    changed = begin_with(account)
    ended = service.set_password(changed, new_password(password_stdin))
    tell_ended(as_json, changed, ended, f"{shown(changed)} has a new password; {count(ended)} ended.")


@user.command("sign-out")
@who
@json_option
def sign_out(account: str, as_json: bool) -> None:
    """End every session of a user."""
    signed_out = begin_with(account)
    ended = service.end_all(signed_out)
    if not ended:
        raise click.ClickException(f"{shown(signed_out)} is signed in nowhere; nothing was changed.")
    tell_ended(as_json, signed_out, ended, f"{count(ended)} of {shown(signed_out)} ended.")


@user.command()
@who
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
def delete(account: str, yes: bool, as_json: bool) -> None:
    """Delete an account with all that belongs to it."""
    going = begin_with(account)
    dumped, named = USER.dump(going), shown(going)
    if not yes:
        click.confirm(f"Delete {named} with all its agents, projects and chats?", abort=True, err=True)
    users.remove(going)
    checkpoints.wait()
    tell(as_json, {"user": dumped}, f"Deleted {named} and all that belonged to it.")


def begin_with(account: str) -> User:
    begin()
    return users.named(account)


def new_password(from_stdin: bool) -> str:
    """Ask for a password twice without showing it, or read one line where nobody sits at a terminal."""
    if from_stdin or not sys.stdin.isatty():
        given = sys.stdin.readline().rstrip("\r\n")
    else:
        given = click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    checked: str = load(schemas.Registration(only=("password",)), password=given)["password"]
    return checked


def tell_ended(as_json: bool, one: User, ended: int, text: str) -> None:
    tell(as_json, {"user": USER.dump(one), "sessions_ended": ended}, text)


def about(one: User) -> str:
    """Return an account as lines of name and value."""
    lines = {
        "id": one.id,
        "email": one.email,
        "name": one.name,
        "state": state(one),
        "language": one.language,
        "since": when(one.created_at),
        "stores": stored(one),
    }
    return "\n".join(f"{name:10}{printable(str(value))}" for name, value in lines.items())


def stored(one: User) -> str:
    """Return what an account stores, and what it may."""
    most = storage.limit()
    return storage.megabytes(one.stored_bytes) + (f" of {storage.megabytes(most)}" if most is not None else "")


def where(sessions: list[Any]) -> str:
    rows = [(one.id, when(one.created_at), when(one.last_used_at), one.ip, one.user_agent) for one in sessions]
    return table(("SESSION", "SINCE", "LAST USED", "FROM", "WITH"), rows) if rows else "Signed in nowhere."


def what(trail: list[audit.AuditEvent]) -> str:
    rows = [(when(one.created_at), one.action, one.ip or "-", one.request_id) for one in trail]
    return table(("WHEN", "WHAT", "FROM", "BY"), rows) if rows else "Nothing happened yet."


def state(one: User) -> str:
    return "active" if one.is_active else "deactivated"


def shown(one: User) -> str:
    return printable(one.email)


def count(sessions: int) -> str:
    return "1 session" if sessions == 1 else f"{sessions} sessions"
