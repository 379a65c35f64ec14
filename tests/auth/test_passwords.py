"""Passwords: what may be one, what checking one costs, and how many are checked at once."""

from __future__ import annotations

import os
import threading
import unicodedata
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import bcrypt
import pytest
from flask import Flask
from flask.testing import FlaskClient
from zxcvbn.frequency_lists import FREQUENCY_LISTS

from codesherpa.extensions import db
from codesherpa.user import passwords
from codesherpa.user.models import User
from tests.conftest import Caller

POLICY = [word for word in FREQUENCY_LISTS["passwords"] if len(word) >= 8]


def register(client: FlaskClient, password: str, email: str = "new@example.com") -> Any:
    return client.post("/api/v1/auth/register", json={"name": "N", "email": email, "password": password})


def login(client: FlaskClient, password: str, email: str = "new@example.com") -> int:
    return client.post("/api/v1/auth/login", json={"email": email, "password": password}).status_code


def test_the_three_thousand_most_common_that_are_long_enough_are_refused() -> None:
    assert len(POLICY) > 3000
    assert all(passwords.is_common(word) for word in POLICY[:3000])


@pytest.mark.parametrize("password", ["password", "PassWord", "12345678", "qwertyuiop", "Password1", "ILOVEYOU"])
@pytest.mark.sqlite_only
def test_a_common_password_is_refused_whatever_its_case(client: FlaskClient, ada: Caller, password: str) -> None:
    answers = {
        "password": register(client, password),
        "new_password": ada.put("/user/me/password", json={"current_password": ada.password, "new_password": password}),
    }

    for field, answer in answers.items():
        assert (answer.status_code, answer.json["data"]["code"]) == (400, "validation_error")
        assert list(answer.json["data"]["errors"]) == [field]


def test_white_space_around_a_password_belongs_to_it(client: FlaskClient) -> None:
    assert register(client, "  spaced out  ").status_code == 201

    assert login(client, "  spaced out  ") == 200
    assert login(client, "spaced out") == 401


@pytest.mark.parametrize("password", [" " * 8, "\t\n\u3000 \u00a0", " " * 72])
def test_white_space_alone_is_a_password_like_any_other(client: FlaskClient, password: str) -> None:
    assert register(client, password).status_code == 201

    new = Caller(client, "new@example.com", password)
    change = {"current_password": password, "new_password": password[::-1]}
    assert new.put("/user/me/password", json=change).status_code == 200
    assert login(client, password[::-1]) == 200
    assert new.delete("/user/me", json={"password": password[::-1]}).status_code == 200


@pytest.mark.parametrize("password", ["", " ", " " * 7, " " * 73])
@pytest.mark.sqlite_only
def test_white_space_is_counted_like_any_other_letter(client: FlaskClient, password: str) -> None:
    assert register(client, password).json["data"]["errors"] == {"password": ["Must have 8 to 72 bytes."]}


@pytest.mark.parametrize("password", ["é" * 4, "é" * 36, "ǖ" * 36, "한" * 24])
def test_a_password_counts_as_nfc_however_it_was_typed(client: FlaskClient, password: str) -> None:
    assert register(client, unicodedata.normalize("NFD", password)).status_code == 201

    assert login(client, unicodedata.normalize("NFC", password)) == 200
    assert login(client, unicodedata.normalize("NFD", password)) == 200


@pytest.mark.parametrize("password", ["é" * 3 + "x", "é" * 37, "ǖ" * 37, "한" * 25])
@pytest.mark.sqlite_only
def test_a_password_of_less_than_8_or_more_than_72_bytes_is_refused(client: FlaskClient, password: str) -> None:
    for form in ("NFC", "NFD"):
        answer = register(client, unicodedata.normalize(form, password))
        assert (answer.status_code, list(answer.json["data"]["errors"])) == (400, ["password"])


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every bcrypt that is computed."""
    seen: list[str] = []

    def count(name: str) -> None:
        real = getattr(bcrypt, name)

        def work(*args: Any) -> Any:
            seen.append(name)
            return real(*args)

        monkeypatch.setattr(bcrypt, name, work)

    count("hashpw")
    count("checkpw")
    return seen


def test_a_sign_in_costs_one_bcrypt_whatever_happens(app: Flask, ada: Caller, counted: list[str]) -> None:
    def cost(email: str, password: str) -> list[str]:
        counted.clear()
        login(ada.client, password, email)
        return list(counted)

    costs = [
        cost(ada.email, ada.password),
        cost(ada.email, "not her password"),
        cost("nobody@example.com", ada.password),
        cost("no address at all", "x"),
        cost(ada.email, ""),
        cost(ada.email, "x" * 1000),
    ]
    with app.app_context():
        db.session.get_one(User, ada.id).is_active = False
        db.session.commit()
    costs.append(cost(ada.email, ada.password))

    assert costs == [["checkpw"]] * 7


@pytest.mark.parametrize("rounds", ["4", "5"])
def test_what_stands_in_for_nobody_costs_as_much_as_a_real_hash(make_app: Callable[..., Flask], rounds: str) -> None:
    with make_app(BCRYPT_ROUNDS=rounds).app_context():
        assert passwords.nobody()[:7] == passwords.hash("correct horse battery")[:7]
        assert not passwords.matches("correct horse battery", None)


class Crowd:
    """A bcrypt that takes as long as a test wants, and counts how many compute."""

    def __init__(self) -> None:
        self.lock, self.go_on = threading.Lock(), threading.Event()
        self.now = self.most = 0

    def __call__(self, *args: Any) -> bool:
        with self.lock:
            self.now += 1
            self.most = max(self.most, self.now)
        self.go_on.wait(20)
        with self.lock:
            self.now -= 1
        return False


@pytest.fixture
def crowd(monkeypatch: pytest.MonkeyPatch) -> Crowd:
    crowd = Crowd()
    monkeypatch.setattr(bcrypt, "checkpw", crowd)
    monkeypatch.setattr(passwords, "turns", threading.BoundedSemaphore(2))
    return crowd


def test_no_more_bcrypts_are_computed_at_once_than_there_are_cores(app: Flask, crowd: Crowd) -> None:
    with ThreadPoolExecutor(12) as pool:
        answers = [pool.submit(login, app.test_client(), "x", f"{number}@example.com") for number in range(12)]
        crowd.go_on.set()

    assert {answer.result() for answer in answers} == {401}
    assert crowd.most <= 2


def test_there_are_as_many_turns_as_cores() -> None:
    taken = 0
    while passwords.turns.acquire(blocking=False):
        taken += 1
    for _ in range(taken):
        passwords.turns.release()

    assert taken == os.cpu_count()


class Taken:
    """Turns that are all taken; remembers how long somebody would wait for one."""

    timeout = 0.0

    def acquire(self, timeout: float) -> bool:
        self.timeout = timeout
        return False


def test_nobody_waits_for_a_core_for_more_than_two_seconds(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = Taken()
    monkeypatch.setattr(passwords, "turns", taken)

    answer = client.post("/api/v1/auth/login", json={"email": "a@example.com", "password": "x"})

    assert taken.timeout == 2
    assert (answer.status_code, answer.json["data"]["retry_after"]) == (429, 2)


def test_who_would_wait_too_long_for_a_core_is_told_when_to_come_back(
    app: Flask, crowd: Crowd, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(passwords, "PATIENCE", 0.05)

    with ThreadPoolExecutor(2) as pool:
        busy = [pool.submit(login, app.test_client(), "x", f"{number}@example.com") for number in range(2)]
        while crowd.now < 2:
            pass
        late = app.test_client().post("/api/v1/auth/login", json={"email": "late@example.com", "password": "x"})
        crowd.go_on.set()

    assert (late.status_code, late.json["data"]["code"]) == (429, "rate_limited")
    assert int(late.headers["Retry-After"]) == late.json["data"]["retry_after"]
    assert [one.result() for one in busy] == [401, 401]


@pytest.fixture
def meanwhile(app: Flask, ada: Caller, monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], Any]], None]:
    """Have something happen while the next password is being checked."""

    def arrange(happen: Callable[[], Any]) -> None:
        real = bcrypt.checkpw

        def check(*args: Any) -> bool:
            monkeypatch.setattr(bcrypt, "checkpw", real)
            thread = threading.Thread(target=happen)
            thread.start()
            thread.join(20)
            return real(*args)

        monkeypatch.setattr(bcrypt, "checkpw", check)

    return arrange


def test_a_password_that_is_changed_while_it_is_checked_signs_nobody_in(
    ada: Caller, meanwhile: Callable[[Callable[[], Any]], None]
) -> None:
    change = {"current_password": ada.password, "new_password": "quite another one"}
    meanwhile(lambda: ada.put("/user/me/password", json=change))

    assert login(ada.client, ada.password, ada.email) == 401
    assert ada.get("/user/me/sessions").json["data"]["count"] == 1


def test_an_account_that_is_deactivated_while_its_password_is_checked_signs_nobody_in(
    app: Flask, ada: Caller, meanwhile: Callable[[Callable[[], Any]], None]
) -> None:
    def deactivate() -> None:
        with app.app_context():
            db.session.get_one(User, ada.id).is_active = False
            db.session.commit()

    meanwhile(deactivate)

    assert login(ada.client, ada.password, ada.email) == 401


def test_of_two_who_change_a_password_at_once_the_second_is_told(
    ada: Caller, meanwhile: Callable[[Callable[[], Any]], None]
) -> None:
    def change(new: str) -> Any:
        return ada.put("/user/me/password", json={"current_password": ada.password, "new_password": new})

    meanwhile(lambda: change("the first of two"))

    late = change("the second of two")

    assert (late.status_code, list(late.json["data"]["errors"])) == (400, ["current_password"])
    assert login(ada.client, "the first of two", ada.email) == 200
