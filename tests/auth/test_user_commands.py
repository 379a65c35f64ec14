"""flask user: accounts from the command line."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from flask import Flask
from flask.testing import FlaskClient, FlaskCliRunner

from config import ROOT
from tests.conftest import SETTINGS, Caller

Run = Callable[..., Result]
PASSWORD = "a staple for a battery"


@pytest.fixture
def user(runner: FlaskCliRunner) -> Run:
    def run(*args: str, password: str | None = None) -> Result:
        result = runner.invoke(args=["user", *args], input=f"{password}\n" if password is not None else "")
        assert "Traceback" not in result.output
        return result

    return run


def sign_in(client: FlaskClient, password: str, email: str = "ada@example.com") -> int:
    return client.post("/api/v1/auth/login", json={"email": email, "password": password}).status_code


def shown(result: Result) -> Any:
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def refusal(result: Result) -> str:
    """Return the one line that says why nothing was done."""
    assert result.exit_code == 1
    lines = result.stderr.strip().splitlines()
    assert len(lines) == 1, lines
    return lines[0].removeprefix("Error: ")


def test_a_created_user_can_sign_in(user: Run, client: FlaskClient) -> None:
    made = user("create", "ada@example.com", "--name", "Ada", "--password-stdin", password=PASSWORD)

    assert made.output == "Made user 1, ada@example.com.\n"
    assert sign_in(client, PASSWORD) == 200


def test_what_the_api_refuses_is_refused_in_one_line(user: Run) -> None:
    assert refusal(user("create", "ada", password=PASSWORD)) == "email: Not a valid email address."
    assert refusal(user("create", "ada@example.com", password="short")) == "password: Must have 8 to 72 bytes."
    assert refusal(user("create", "ada@example.com", "--name", " ", password=PASSWORD)) == "name: Must not be empty."


def test_an_address_is_taken_once_in_whatever_case(user: Run, ada: Caller) -> None:
    assert refusal(user("create", "ADA@example.com", password=PASSWORD)) == "This email address has an account already."


def test_users_are_listed_newest_first_and_can_be_searched(user: Run, ada: Caller, bob: Caller) -> None:
    everybody, found = user("list"), shown(user("list", "--search", "BOB", "--json"))

    assert [line.split()[1] for line in everybody.output.splitlines()[1:3]] == ["bob@example.com", "ada@example.com"]
    assert everybody.output.splitlines()[-1] == "2 of 2 users"
    assert ([one["email"] for one in found["users"]], found["total"]) == (["bob@example.com"], 1)


def test_a_deactivated_user_is_out_until_activated(user: Run, ada: Caller, client: FlaskClient) -> None:
    out = user("deactivate", "ada@example.com")
    told = [ada.get("/user/me"), ada.put("/user/me", json={}), ada.post("/auth/refresh", token=ada.refresh)]
    refused = sign_in(client, "correct horse battery")
    inside = user("activate", "ada@example.com")

    assert out.output == "ada@example.com is out; 1 session ended.\n"
    assert [(answer.status_code, answer.json["data"]["code"]) for answer in told] == [(403, "account_disabled")] * 3
    assert refused == 401
    assert inside.output == "ada@example.com may sign in again.\n"
    assert sign_in(client, "correct horse battery") == 200
    assert ada.get("/user/me").json["data"]["code"] == "token_revoked"


def test_what_changes_nothing_is_a_failure(user: Run, ada: Caller) -> None:
    assert refusal(user("activate", "ada@example.com")) == "ada@example.com is active already; nothing was changed."
    user("deactivate", "ada@example.com")
    again = refusal(user("deactivate", "ada@example.com"))
    assert again == "ada@example.com is deactivated already; nothing was changed."


def test_a_new_password_ends_the_sessions_and_the_old_password(user: Run, ada: Caller, client: FlaskClient) -> None:
    done = user("set-password", str(ada.id), password=PASSWORD)

    assert done.output == "ada@example.com has a new password; 1 session ended.\n"
    assert ada.get("/user/me").json["data"]["code"] == "token_revoked"
    assert (sign_in(client, "correct horse battery"), sign_in(client, PASSWORD)) == (401, 200)


def test_signing_out_ends_every_session_of_that_user_alone(user: Run, ada: Caller, bob: Caller) -> None:
    ada.login()

    assert user("sign-out", "ada@example.com").output == "2 sessions of ada@example.com ended.\n"
    assert ada.get("/user/me").status_code == 401
    assert bob.get("/user/me").status_code == 200
    again = refusal(user("sign-out", "ada@example.com"))
    assert again == "ada@example.com is signed in nowhere; nothing was changed."


def test_a_user_is_deleted_with_all_that_belongs_to_it_after_a_question(
    user: Run, ada: Caller, client: FlaskClient
) -> None:
    ada.post("/agents", json={"name": "Reader"})

    kept = user("delete", "ada@example.com", password="n")
    still_there = ada.get("/user/me").status_code
    gone = user("delete", "ada@example.com", "--yes")

    assert (kept.exit_code, still_there) == (1, 200)
    assert gone.output.splitlines()[-1] == "Deleted ada@example.com and all that belonged to it."
    assert sign_in(client, "correct horse battery") == 401
    assert refusal(user("show", "ada@example.com")) == "There is no user ada@example.com."


def test_an_account_is_shown_with_its_sessions_and_its_trail(user: Run, ada: Caller) -> None:
    user("set-password", "ada@example.com", password=PASSWORD)
    told = shown(user("show", "ada@example.com", "--json"))

    assert told["user"]["email"] == "ada@example.com"
    assert told["sessions"] == []
    assert [event["action"] for event in told["audit"]] == ["registered", "signed_in", "password_set", "session_ended"]
    assert [event["request_id"].startswith("command-") for event in told["audit"]] == [False, False, True, True]
    assert "Signed in nowhere." in user("show", str(ada.id)).output


def test_what_others_wrote_cannot_steer_the_terminal(user: Run, client: FlaskClient) -> None:
    account = {"name": "A\x1b]0;owned\x07\u202eda", "email": "ada@example.com", "password": PASSWORD}
    client.post("/api/v1/auth/register", json=account)
    agent = {"User-Agent": "x\x1b[2Jy"}
    client.post("/api/v1/auth/login", json={"email": "ada@example.com", "password": PASSWORD}, headers=agent)

    output = user("list").output + user("show", "ada@example.com").output

    assert all(letter.isprintable() or letter == "\n" for letter in output)


def test_nobody_is_a_clear_error(user: Run, app: Flask) -> None:
    for command in ("show", "activate", "deactivate", "sign-out", "set-password"):
        assert refusal(user(command, "9" * 30, password=PASSWORD)) == f"There is no user {'9' * 30}."


def command(*args: str, database: str, **options: Any) -> subprocess.Popen[str]:
    environ = os.environ | SETTINGS | {"DATABASE_URL": database, "FLASK_APP": "wsgi.py"}
    return subprocess.Popen([sys.executable, "-m", "flask", *args], cwd=ROOT, env=environ, text=True, **options)


def test_a_password_typed_at_a_terminal_is_not_shown(empty_sqlite: Path, tmp_path: Path) -> None:
    database = f"sqlite:///{tmp_path / 'test.db'}"
    (tmp_path / "test.db").write_bytes(empty_sqlite.read_bytes())
    keyboard, terminal = pty.openpty()
    process = command(
        "user",
        "create",
        "ada@example.com",
        database=database,
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        start_new_session=True,
    )
    os.close(terminal)
    seen = ""
    for prompt in ("Password:", "Repeat for confirmation:"):
        while prompt not in seen.rsplit("\n", 1)[-1]:
            seen += os.read(keyboard, 1000).decode()
        os.write(keyboard, f"{PASSWORD}\n".encode())
    while "Made user" not in seen:
        seen += os.read(keyboard, 1000).decode()

    assert process.wait(30) == 0
    os.close(keyboard)
    assert PASSWORD not in seen


ASKING = {
    "user": ["user", "list"],
    "usage": ["usage", "report", "--user", "ada@example.com"],
    "jobs": ["github", "jobs"],
    "retry": ["github", "retry"],
}


@pytest.mark.parametrize("away", [False, True], ids=["without-tables", "away"])
def test_a_database_that_does_not_answer_is_told_in_one_line(
    tmp_path: Path, subtests: pytest.Subtests, away: bool
) -> None:
    database = "postgresql://postgres@127.0.0.1:9/nowhere" if away else f"sqlite:///{tmp_path / 'new.db'}"
    # All four at once: most of their time is the start of an interpreter.
    processes = {asked: command(*args, database=database, stderr=subprocess.PIPE) for asked, args in ASKING.items()}

    for asked, process in processes.items():
        with subtests.test(asked):
            _, said = process.communicate(timeout=60)

            assert process.returncode == 1
            assert len(said.strip().splitlines()) == 1, said
            assert "flask db upgrade" in said


def test_an_upgrade_of_no_database_is_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "text.db").write_text("This is no database, however long it may be. " * 50)
    reasons = {
        "postgresql://postgres@127.0.0.1:9/nowhere": "refused",
        f"sqlite:///{tmp_path}/no/such/folder/new.db": "No such file or directory",
        f"sqlite:///{tmp_path}/text.db": "not a database",
    }
    # All three at once: most of their time is the start of an interpreter.
    processes = [command("db", "upgrade", database=database, stderr=subprocess.PIPE) for database in reasons]

    for process, why in zip(processes, reasons.values(), strict=True):
        _, said = process.communicate(timeout=60)

        assert process.returncode == 1
        assert len(said.strip().splitlines()) == 1, said
        assert why in said


def test_an_account_is_named_once_and_a_long_address_gives_a_name(user: Run, app: Flask) -> None:
    twice = user("create", "a@example.com", "--email", "b@example.com", "--password-stdin", password=PASSWORD)
    made = shown(user("create", f"{'a' * 130}@example.com", "--json", "--password-stdin", password=PASSWORD))

    assert (twice.exit_code, "Name the address once." in twice.stderr) == (2, True)
    assert made["user"]["name"] == "a" * 120


def test_what_is_asked_for_does_not_stand_in_the_json(user: Run, app: Flask) -> None:
    result = user("create", "--json", "--password-stdin", password=f"asked@example.com\n{PASSWORD}")

    assert shown(result)["user"]["email"] == "asked@example.com"
