"""SQLite's files: for this user alone, and without the texts of what was deleted."""

from __future__ import annotations

import os
import shutil
import sqlite3
import stat
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskCliRunner
from sqlalchemy import event

from codesherpa import checkpoints, database
from codesherpa.chat import deletion
from codesherpa.extensions import db
from tests.conftest import Caller
from tests.scripted import Scripted

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
TEXT = "ZANZIBAR-9917-CANARY"


def kept(path: Path) -> list[str]:
    """Return which of SQLite's files hold the text."""
    files = (Path(f"{path}{suffix}") for suffix in ("", "-wal", "-shm"))
    return [file.name for file in files if file.exists() and TEXT.encode() in file.read_bytes()]


def write(ada: Caller) -> dict[str, str]:
    """Store the text in each kind of thing, and return where each is deleted."""
    chat = ada.post("/chat", json={"message": f"{TEXT} " * 400, "code_context": TEXT}).json["data"]
    other = ada.post("/chat", json={"message": TEXT}).json["data"]
    agent = ada.post("/agents", json={"name": "x", "system_prompt": TEXT}).json["data"]
    project = ada.post("/projects", json={"name": "x", "instructions": f"{TEXT} " * 400}).json["data"]
    return {
        "chat": f"/chat/{chat['id']}",
        "conversation": f"/chat/conversations/{other['conversation_id']}",
        "its conversation": f"/chat/conversations/{chat['conversation_id']}",  # Its title is the message's beginning.
        "agent": f"/agents/{agent['id']}",
        "project": f"/projects/{project['id']}",
    }


@pytest.fixture
def path(app: Flask, database_url: str, model: Scripted) -> Path:
    return Path(database_url.removeprefix("sqlite:///"))


def wait(app: Flask) -> None:
    with app.app_context():
        checkpoints.wait(30)


def test_nothing_of_a_deleted_account_stays_in_the_files(app: Flask, ada: Caller, path: Path) -> None:
    write(ada)
    before = kept(path)

    ada.delete("/user/me", json={"password": ada.password})
    wait(app)

    assert before
    assert kept(path) == []


def test_nothing_of_what_a_user_deletes_stays_in_the_files(app: Flask, ada: Caller, path: Path) -> None:
    for what, route in write(ada).items():
        assert kept(path), what
        assert ada.delete(route).status_code == 200, what
    wait(app)

    assert kept(path) == []


@pytest.mark.parametrize("what", ["chat", "conversation", "agent", "project"])
def test_each_kind_of_deletion_cuts_the_log(app: Flask, ada: Caller, path: Path, what: str) -> None:
    route = write(ada)[what]
    before = Path(f"{path}-wal").stat().st_size

    ada.delete(route)
    wait(app)

    assert before > 0
    assert Path(f"{path}-wal").stat().st_size == 0


def test_the_command_ends_when_the_log_is_cut(runner: FlaskCliRunner, ada: Caller, path: Path) -> None:
    write(ada)

    runner.invoke(args=["user", "delete", "ada@example.com", "--yes"])

    assert kept(path) == []


def test_a_reader_that_is_in_the_way_is_waited_for(app: Flask, ada: Caller, path: Path) -> None:
    write(ada)
    with closing(sqlite3.connect(path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM users").fetchone()

        answered = ada.delete("/user/me", json={"password": ada.password}).status_code
        cut_at_once = checkpoints.cut(str(path))
        held = kept(path)
        reader.execute("COMMIT")
    wait(app)

    assert (answered, cut_at_once) == (200, False)
    assert held
    assert kept(path) == []


def test_deletions_of_one_moment_share_a_checkpoint(app: Flask, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, goes_on, count = threading.Event(), threading.Event(), 0

    def cut(path: str) -> bool:
        nonlocal count
        count += 1
        begun.set()
        return goes_on.wait(30)

    monkeypatch.setattr(checkpoints, "cut", cut)
    monkeypatch.setattr(checkpoints, "PAUSE", 0.0)
    with app.app_context():
        checkpoints.request()
        begun.wait(30)
        for _ in range(50):
            checkpoints.request()
        goes_on.set()
        checkpoints.wait(30)

    assert count == 2


def test_a_log_that_cannot_be_cut_does_not_stop_the_next_one(
    app: Flask, ada: Caller, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, faults = checkpoints.cut, [sqlite3.OperationalError("disk I/O error")]
    monkeypatch.setattr(checkpoints, "cut", lambda path: real(path) if not faults else fail(faults.pop()))
    chat = ada.post("/chat", json={"message": TEXT}).json["data"]

    ada.delete(f"/chat/{chat['id']}")
    wait(app)
    ada.delete("/user/me", json={"password": ada.password})
    wait(app)

    assert kept(path) == []


def fail(fault: Exception) -> bool:
    raise fault


def test_many_chats_are_deleted_a_few_at_a_time(
    app: Flask, ada: Caller, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite computes in this process, so all would wait for all of it."""
    monkeypatch.setattr(deletion, "AT_ONCE", 2)
    kept_one = ada.post("/chat", json={"message": "stays"}).json["data"]
    first = ada.post("/chat", json={"message": "x"}).json["data"]
    for _ in range(4):
        ada.post("/chat", json={"message": "x", "conversation_id": first["conversation_id"]})
    deleted: list[int] = []

    def note(_connection: object, cursor: Any, statement: str, *_: object) -> None:
        if statement.startswith("DELETE FROM chats"):
            deleted.append(cursor.rowcount)

    with app.app_context():
        event.listen(db.engine, "after_cursor_execute", note)
    ada.delete(f"/chat/conversations/{first['conversation_id']}")
    left = ada.get("/chat").json["data"]["chats"]
    ada.delete("/user/me", json={"password": ada.password})
    wait(app)

    assert [chat["id"] for chat in left] == [kept_one["id"]]
    assert deleted == [2, 2, 1, 1]


def mode(path: Path | str) -> int:
    return stat.S_IMODE(os.stat(path).st_mode)


def test_a_database_and_its_logs_are_for_this_user_alone_wherever_they_are(
    make_app: Callable[..., Flask], empty_sqlite: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = tmp_path / "elsewhere.db"
    shutil.copy(empty_sqlite, there)
    for name in (there, f"{there}-wal"):
        Path(name).touch()
        Path(name).chmod(0o644)
    before = os.umask(0)
    try:
        app = make_app(DATABASE_URL=f"sqlite:///{there}")
        Caller(app.test_client(), "ada@example.com")
        monkeypatch.setattr(database, "make_private", lambda path: None)  # It is so from the first moment.
        made = make_app(DATABASE_URL=f"sqlite:///{tmp_path / 'new.db'}").test_client()
        made.get("/health/ready")
    finally:
        os.umask(before)

    assert {mode(f"{there}{suffix}") for suffix in ("", "-wal", "-shm")} == {0o600}
    assert mode(tmp_path / "new.db") == 0o600


def test_a_database_of_another_user_is_left_as_it_is(
    make_app: Callable[..., Flask], empty_sqlite: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = tmp_path / "elsewhere.db"
    shutil.copy(empty_sqlite, there)
    there.chmod(0o644)
    monkeypatch.setattr(os, "geteuid", lambda: there.stat().st_uid + 1)

    make_app(DATABASE_URL=f"sqlite:///{there}").test_client().get("/health/ready")

    assert mode(there) == 0o644
