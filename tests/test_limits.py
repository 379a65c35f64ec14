"""How often who may call."""

from __future__ import annotations

from typing import Any

from tests.conftest import Caller


def codes(answers: list[Any]) -> list[int]:
    return [answer.status_code for answer in answers]


def test_a_user_has_so_many_requests_whatever_the_session(make_app: Any) -> None:
    client = make_app(RATE_LIMIT_DEFAULT="5/minute").test_client()
    ada, bob = Caller(client, "ada@example.com"), Caller(client, "bob@example.com")

    answers = [ada.get("/agents") for _ in range(6)]

    assert codes(answers)[-1] == 429
    assert answers[-1].json["data"]["code"] == "rate_limited"
    assert int(answers[-1].headers["Retry-After"]) == answers[-1].json["data"]["retry_after"] > 0
    assert bob.get("/agents").status_code == 200
    assert client.get("/health").status_code == 200


def test_an_account_has_so_many_sign_ins_and_others_are_free(make_app: Any) -> None:
    client = make_app(RATE_LIMIT_LOGIN="3/minute").test_client()

    def login(email: str) -> Any:
        return client.post("/api/v1/auth/login", json={"email": email, "password": "not the one"})

    answers = [login(email) for email in ("a@x.org", "A@X.org ", "a@x.org", "a@X.ORG")]

    assert codes(answers) == [401, 401, 401, 429]
    assert login("b@x.org").status_code == 401


def test_an_address_has_so_many_registrations(make_app: Any) -> None:
    client = make_app(RATE_LIMIT_AUTH="2/minute").test_client()

    answers = [client.post("/api/v1/auth/register", json={}) for _ in range(3)]

    assert codes(answers) == [400, 400, 429]
