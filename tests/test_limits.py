"""How often who may call."""

from __future__ import annotations

import shutil
import socket
import subprocess
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from limits import parse
from limits.errors import StorageError
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter
from redis import Redis
from redis.backoff import ConstantBackoff
from redis.retry import Retry
from sqlalchemy import update

from codesherpa import limits
from codesherpa.database import now
from codesherpa.extensions import db, socketio
from codesherpa.integrations.signatures import HEADER, sign
from codesherpa.limits import Counter, Spent
from codesherpa.user.audit import AuditEvent
from tests.conftest import Caller, skip_or_fail
from tests.statements import recorded
from tests.test_routes import broken


@pytest.fixture
def redis_url(tmp_path: Path) -> Iterator[str]:
    """The URL of a Redis of this test's own."""
    if not (server := shutil.which("redis-server")):
        skip_or_fail("no redis-server is installed")
    port = closed_port()
    command = [server, "--port", str(port), "--save", "", "--dir", str(tmp_path), "--bind", "127.0.0.1"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    with Redis(port=port, retry=Retry(ConstantBackoff(0.05), 200)) as client:
        client.ping()
    yield f"redis://127.0.0.1:{port}/0"
    process.kill()
    process.wait()


def codes(answers: list[Any]) -> list[int]:
    return [answer.status_code for answer in answers]


def test_a_user_has_so_many_requests_whatever_the_session(make_app: Any) -> None:
    client = make_app(RATE_LIMIT_DEFAULT="5/minute").test_client()
    ada, bob = Caller(client, "ada@example.com"), Caller(client, "bob@example.com")

    answers = [ada.get("/agents") for _ in range(3)]
    ada.login()
    answers += [ada.get("/agents") for _ in range(3)]

    assert codes(answers) == [200] * 5 + [429]
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


def test_an_account_is_counted_and_its_network_known_however_its_address_is_written(make_app: Any) -> None:
    client = make_app(RATE_LIMIT_LOGIN="3/minute").test_client()
    letters, wire = "zo\u00eb@b\u00fccher.example", "zoe\u0308@xn--bcher-kva.example"
    zoe = Caller(client, letters)

    strangers = [sign_in(client, email, "a guess", "203.0.113.7") for email in (letters, wire, letters, wire)]

    assert strangers == [401, 401, 401, 429]
    assert sign_in(client, wire, zoe.password, "127.0.0.1") == 200


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PUT", "/user/me/password", {"current_password": "a guess", "new_password": "quite another one"}),
        ("DELETE", "/user/me", {"password": "a guess"}),
        ("PUT", "/user/me", {"email": "lovelace@example.com", "current_password": "a guess"}),
    ],
)
def test_whoever_has_a_token_may_guess_the_password_no_more_often(
    make_app: Any, method: str, path: str, body: dict[str, str]
) -> None:
    client = make_app(RATE_LIMIT_LOGIN="3/minute").test_client()
    ada, bob = Caller(client, "ada@example.com"), Caller(client, "bob@example.com")

    assert codes([ada.call(method, path, json=body) for _ in range(4)]) == [400, 400, 400, 429]
    assert bob.call(method, path, json=body).status_code == 400
    assert ada.get("/user/me").status_code == 200


def test_an_address_of_a_client_has_so_many_changes_of_email_and_any_number_of_others(make_app: Any) -> None:
    ada = Caller(make_app(RATE_LIMIT_AUTH="4/minute", RATE_LIMIT_DEFAULT="99/minute").test_client(), "ada@example.com")

    same = [ada.put("/user/me", json=body) for body in ({}, {"name": "A"}, {"email": "ADA@example.com"}) * 2]
    probes = [ada.put("/user/me", json={"email": f"somebody{number}@example.com"}) for number in range(5)]

    assert codes(same) == [200] * 6
    assert codes(probes) == [400] * 4 + [429]
    assert ada.put("/user/me", json={"name": "A", "email": ada.email}).status_code == 200


def test_a_change_of_the_profile_counts_as_a_request_like_any_other(make_app: Any) -> None:
    ada = Caller(make_app(RATE_LIMIT_DEFAULT="3/minute").test_client(), "ada@example.com")

    assert codes([ada.put("/user/me", json={}) for _ in range(4)]) == [200, 200, 200, 429]


def test_an_address_has_so_many_registrations(make_app: Any) -> None:
    client = make_app(RATE_LIMIT_AUTH="2/minute").test_client()

    answers = [client.post("/api/v1/auth/register", json={}) for _ in range(3)]

    assert codes(answers) == [400, 400, 429]


def test_an_address_has_so_many_refreshes(make_app: Any) -> None:
    ada = Caller(make_app(RATE_LIMIT_AUTH="2/minute").test_client(), "ada@example.com")

    answers = [ada.post("/auth/refresh", token=ada.refresh) for _ in range(3)]

    assert codes(answers) == [200, 200, 429]


def test_a_user_has_so_many_messages_over_all_sockets(make_app: Any) -> None:
    app = make_app(RATE_LIMIT_MESSAGES="2/minute")
    ada, bob = (Caller(app.test_client(), f"{name}@example.com") for name in ("ada", "bob"))
    here, there, his = (
        socketio.test_client(app, namespace="/ws", auth={"token": caller.access}) for caller in (ada, ada, bob)
    )

    answers = [
        browser.emit("message", {"message": "Hello"}, namespace="/ws", callback=True)
        for browser in (here, there, here, there, his)
    ]
    for browser in (here, there, his):
        browser.disconnect("/ws")

    assert [answer["success"] for answer in answers] == [True, True, False, False, True]
    assert answers[2]["data"]["code"] == "rate_limited"
    assert answers[2]["data"]["retry_after"] > 0
    assert ada.get("/chat").json["data"]["count"] == 2


def test_all_that_a_user_asks_for_counts_together(make_app: Any) -> None:
    client = make_app(RATE_LIMIT_DEFAULT="5/minute").test_client()
    ada = Caller(client, "ada@example.com")

    answers = [
        ada.get(path) for path in ("/agents", "/projects", "/chat", "/user/me", "/agents/1", "/chat/conversations")
    ]

    assert codes(answers) == [200, 200, 200, 200, 404, 429]


def test_what_nobody_signed_in_for_is_counted_by_address_but_health_is_not(make_app: Any) -> None:
    client = make_app(RATE_LIMIT_DEFAULT="3/minute").test_client()

    answers = [client.get("/api/v1/openapi.json") for _ in range(4)]

    assert codes(answers) == [200, 200, 200, 429]
    for path in ("/", "/health", "/health/ready", "/metrics"):
        assert client.get(path).status_code == 200


@pytest.mark.parametrize("token", [None, "nonsense", "broken", "refresh"])
def test_tokens_that_are_refused_are_counted_by_address_and_then_refused_without_a_query(
    make_app: Any, token: str | None
) -> None:
    app = make_app(RATE_LIMIT_DEFAULT="4/minute")
    ada = Caller(app.test_client(), "ada@example.com")
    wrong = {"broken": broken(ada.access), "refresh": ada.refresh}.get(token or "", token)
    headers = {"Authorization": f"Bearer {wrong}"} if wrong else {}

    with recorded(app) as sent:
        answers = [app.test_client().get(f"/api/v1{path}", headers=headers) for path in ("/agents", "/user/me") * 3]

    assert codes(answers) == [401] * 4 + [429] * 2
    assert answers[-1].json["data"]["retry_after"] > 0
    assert sent == []
    assert ada.get("/user/me").status_code == 200


def test_a_token_of_a_session_that_has_ended_is_refused_without_a_query_once_its_address_is_over(make_app: Any) -> None:
    app = make_app(RATE_LIMIT_DEFAULT="3/minute")
    ada = Caller(app.test_client(), "ada@example.com")
    gone = Caller(app.test_client(), ada.email)
    gone.post("/auth/logout")

    refused = [gone.get("/user/me") for _ in range(4)]
    with recorded(app) as sent:
        refused.append(gone.get("/user/me"))

    assert codes(refused) == [401] * 3 + [429] * 2
    assert sent == []
    assert ada.get("/user/me").status_code == 200  # From the same address, and of the same user.


def test_a_refresh_token_that_is_refused_is_counted_too(make_app: Any) -> None:
    client = make_app(RATE_LIMIT_DEFAULT="2/minute").test_client()

    answers = [client.post("/api/v1/auth/refresh", headers={"Authorization": "Bearer x"}) for _ in range(3)]

    assert codes(answers) == [401, 401, 429]


@pytest.mark.parametrize("method", ["GET", "PATCH"])
def test_paths_and_methods_that_do_not_exist_are_counted_by_address(make_app: Any, method: str) -> None:
    client = make_app(RATE_LIMIT_DEFAULT="3/minute").test_client()
    paths = ["/wp-admin", "//", "/api/v1/nothing", "/x"] if method == "GET" else ["/api/v1/agents"] * 4

    answers = [client.open(path, method=method) for path in paths]

    assert codes(answers) == [404 if method == "GET" else 405] * 3 + [429]


def test_a_preflight_has_a_rate_of_its_own_beside_refused_tokens(make_app: Any) -> None:
    client = make_app(RATE_LIMIT_DEFAULT="5/minute").test_client()
    headers = {"Origin": "http://localhost:5173", "Access-Control-Request-Method": "GET"}
    for _ in range(6):
        client.get("/api/v1/agents", headers={"Authorization": "Bearer nonsense"})

    answers = [client.options("/api/v1/agents", headers=headers).status_code for _ in range(6)]

    assert answers == [200] * 5 + [429]


def test_a_user_over_the_rate_is_refused_without_a_query(make_app: Any) -> None:
    app = make_app(RATE_LIMIT_DEFAULT="2/minute")
    ada = Caller(app.test_client(), "ada@example.com")
    answers = [ada.get("/agents") for _ in range(3)]

    with recorded(app) as sent:
        answers.append(ada.get("/agents"))

    assert codes(answers) == [200, 200, 429, 429]
    assert sent == []
    assert ada.post("/auth/refresh", token=ada.refresh).status_code == 200  # It has a rate of its own.


def test_a_rate_that_was_halved_while_redis_was_away_is_whole_when_it_is_back(monkeypatch: pytest.MonkeyPatch) -> None:
    counter = Counter("redis://127.0.0.1:1/0")
    shared = counter.shared = FixedWindowRateLimiter(MemoryStorage())
    rate = parse("4/minute")

    def away(*_: Any) -> bool:
        raise StorageError(OSError())

    with monkeypatch.context() as patch:
        patch.setattr(shared, "hit", away)
        assert [counter.hit(rate, "ada") > 0 for _ in range(3)] == [False, False, True]
    counter.away_until = 0.0  # The pause is over.

    assert counter.hit(rate, "bob") == 0
    assert [counter.hit(rate, "ada") > 0 for _ in range(5)] == [False] * 4 + [True]


def test_what_is_used_up_is_free_again_when_its_window_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    spent = Spent()
    spent.note(2, "ada")
    now = limits.time.monotonic()

    assert (spent.wait("ada"), spent.wait("bob")) == (2, 0)
    monkeypatch.setattr(limits.time, "monotonic", lambda: now + 2)
    assert spent.wait("ada") == 0


def test_no_more_is_remembered_as_used_up_than_the_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MOST_SPENT", 3)
    spent = Spent()

    for number in range(10):
        spent.note(9, str(number))

    assert len(spent._until) <= 3


def test_every_event_of_a_socket_is_counted_before_anything_of_it_is_read(make_app: Any) -> None:
    app = make_app(RATE_LIMIT_DEFAULT="6/minute")
    ada, bob = (Caller(app.test_client(), f"{name}@example.com") for name in ("ada", "bob"))
    here, his = (socketio.test_client(app, namespace="/ws", auth={"token": one.access}) for one in (ada, bob))
    events = ["stop", "resume", "authenticate", "unknown", "stop", "resume", "authenticate", "unknown"]

    told = [emit(here, event)["code"] for event in events]
    with recorded(app) as sent:
        told += [emit(here, event)["code"] for event in events]
    request = ada.get("/agents").status_code
    his_own = emit(his, "stop")["code"]
    for browser in (here, his):
        browser.disconnect("/ws")

    # To connect was the first of six.
    assert told == ["validation_error"] * 3 + ["not_found", "validation_error"] + ["rate_limited"] * 11
    assert (request, his_own) == (429, "validation_error")
    assert sent == []


def emit(browser: Any, event: str) -> Any:
    return browser.emit(event, {}, namespace="/ws", callback=True)["data"]


def test_a_message_that_cannot_be_read_counts_as_a_message(make_app: Any) -> None:
    app = make_app(RATE_LIMIT_MESSAGES="2/minute")
    ada = Caller(app.test_client(), "ada@example.com")
    browser = socketio.test_client(app, namespace="/ws", auth={"token": ada.access})

    told = [emit(browser, "message") for _ in range(3)]
    browser.disconnect("/ws")

    assert [one["code"] for one in told] == ["validation_error"] * 2 + ["rate_limited"]
    assert told[-1]["retry_after"] > 0


def test_sockets_with_a_token_that_is_refused_are_counted_by_address(make_app: Any) -> None:
    app = make_app(RATE_LIMIT_DEFAULT="3/minute")
    for _ in range(3):
        assert not socketio.test_client(app, namespace="/ws", auth={"token": "x"}).is_connected("/ws")

    nowhere = {"REMOTE_ADDR": ""}  # As Socket.IO's test client has it.
    assert app.test_client().get("/api/v1/agents", environ_base=nowhere).status_code == 429


def test_a_user_connects_so_many_sockets(make_app: Any) -> None:
    app = make_app(RATE_LIMIT_DEFAULT="2/minute")
    ada = Caller(app.test_client(), "ada@example.com")

    browsers = [socketio.test_client(app, namespace="/ws", auth={"token": ada.access}) for _ in range(3)]
    connected = [browser.is_connected("/ws") for browser in browsers]
    for browser in browsers[:2]:
        browser.disconnect("/ws")

    assert connected == [True, True, False]


def test_deliveries_with_a_wrong_signature_are_counted_by_address_and_others_are_not(make_app: Any) -> None:
    client = make_app(RATE_LIMIT_DEFAULT="3/minute", GITHUB_WEBHOOK_SECRET="x", WHATSAPP_VERIFY_TOKEN="y").test_client()
    named = {"X-GitHub-Event": "ping", "X-GitHub-Delivery": "1", "Content-Type": "application/json"}

    def deliver(headers: dict[str, str]) -> int:
        return int(client.post("/api/github/webhook", data=b"{}", headers=named | headers).status_code)

    forged = [deliver({}), deliver({HEADER: "sha256=0"})]
    forged.append(client.get("/api/whatsapp/webhook?hub.mode=subscribe&hub.verify_token=guess").status_code)
    forged.append(deliver({HEADER: "sha256=0"}))

    assert forged == [401, 401, 403, 429]
    assert [deliver({HEADER: sign("x", b"{}")}) for _ in range(5)] == [200] * 5


def test_an_address_of_a_broken_letter_is_counted_like_any_other(make_app: Any, redis_url: str) -> None:
    client = make_app(RATE_LIMIT_LOGIN="1/minute", REDIS_URL=redis_url).test_client()
    body = rb'{"email": "\ud800@example.com", "password": "not the one"}'

    answers = [client.post("/api/v1/auth/login", data=body, content_type="application/json") for _ in range(2)]

    assert codes(answers) == [400, 429]


@pytest.mark.parametrize("body", ["{", "[]", "null", "NaN", "[" * 100_000, "9" * 5000, "\xff"])
@pytest.mark.sqlite_only
def test_a_sign_in_that_is_no_object_is_refused_like_any_other_body(make_app: Any, body: str) -> None:
    client = make_app(RATE_LIMIT_LOGIN="99/minute").test_client()

    answer = client.post("/api/v1/auth/login", data=body.encode("latin-1"), content_type="application/json")

    assert (answer.status_code, answer.get_json()["data"]["code"]) == (400, "bad_request")


def test_processes_with_one_redis_count_together(make_app: Any, redis_url: str) -> None:
    settings = {"RATE_LIMIT_DEFAULT": "5/minute", "REDIS_URL": redis_url}
    one, other = make_app(**settings), make_app(**settings)
    ada = Caller(one.test_client(), "ada@example.com")

    answers = [ada.get("/agents") for _ in range(3)]
    ada.client = other.test_client()
    answers += [ada.get("/agents") for _ in range(3)]

    assert codes(answers) == [200] * 5 + [429]


@pytest.mark.parametrize("setting", ["RATE_LIMIT_DEFAULT", "RATE_LIMIT_AUTH", "RATE_LIMIT_LOGIN"])
def test_a_redis_that_is_away_makes_a_rate_stricter(make_app: Any, setting: str) -> None:
    app = make_app(**{setting: "6/minute", "REDIS_URL": f"redis://127.0.0.1:{closed_port()}/0"})
    client = app.test_client()
    login = {"email": "a@x.org", "password": "not the one"}

    if setting == "RATE_LIMIT_DEFAULT":
        answers = [client.get("/api/v1/openapi.json") for _ in range(4)]
    else:
        answers = [client.post("/api/v1/auth/login", json=login) for _ in range(4)]

    assert codes(answers)[-2:] in ([200, 429], [401, 429])


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    return port


def sign_in(client: Any, email: str, password: str, address: str) -> int:
    body = {"email": email, "password": password}
    status: int = client.post("/api/v1/auth/login", json=body, environ_base={"REMOTE_ADDR": address}).status_code
    return status


def test_strangers_who_guess_share_one_rate_however_many_they_are(make_app: Any) -> None:
    client = make_app(RATE_LIMIT_LOGIN="5/minute").test_client()
    Caller(client, "ada@example.com")

    answers = [sign_in(client, "ada@example.com", "a guess", f"203.0.113.{number}") for number in range(8)]

    assert answers == [401] * 5 + [429] * 3


def test_strangers_do_not_lock_the_owner_out_of_where_he_signed_in_before(make_app: Any) -> None:
    client = make_app(RATE_LIMIT_LOGIN="5/minute").test_client()
    ada = Caller(client, "ada@example.com")
    for number in range(8):
        sign_in(client, ada.email, "a guess", f"203.0.113.{number}")

    assert sign_in(client, ada.email, ada.password, "127.0.0.1") == 200
    assert sign_in(client, ada.email, ada.password, "203.0.113.99") == 429


@pytest.mark.parametrize(("days", "status"), [(89, 200), (91, 429)])
def test_a_network_is_known_for_ninety_days(make_app: Any, days: int, status: int) -> None:
    app = make_app(RATE_LIMIT_LOGIN="5/minute")
    client = app.test_client()
    ada = Caller(client, "ada@example.com")
    with app.app_context():
        db.session.execute(update(AuditEvent).values(created_at=now() - timedelta(days=days)))
        db.session.commit()
    for number in range(8):
        sign_in(client, ada.email, "a guess", f"203.0.113.{number}")

    assert sign_in(client, ada.email, ada.password, "127.0.0.1") == status


def test_a_network_that_was_only_guessed_from_is_a_strangers(make_app: Any) -> None:
    client = make_app(RATE_LIMIT_LOGIN="5/minute").test_client()
    ada = Caller(client, "ada@example.com")

    answers = [sign_in(client, ada.email, "a guess", f"203.0.113.{number}") for number in (1, 2, 3, 4, 5, 1)]

    assert answers == [401] * 5 + [429]


def test_a_network_that_is_known_may_not_guess_more_often_either(make_app: Any) -> None:
    client = make_app(RATE_LIMIT_LOGIN="5/minute").test_client()
    ada = Caller(client, "ada@example.com")  # Signs in once.

    assert [sign_in(client, ada.email, "a guess", "127.0.0.1") for _ in range(6)] == [401] * 4 + [429] * 2


def test_a_household_of_ipv6_is_one_address(make_app: Any) -> None:
    client = make_app(RATE_LIMIT_AUTH="2/minute").test_client()

    def register(address: str) -> int:
        status: int = client.post("/api/v1/auth/register", json={}, environ_base={"REMOTE_ADDR": address}).status_code
        return status

    assert [register(f"2001:db8:0:1::{number}") for number in range(3)] == [400, 400, 429]
    assert register("2001:db8:0:2::1") == 400
    assert [register("::ffff:203.0.113.7"), register("203.0.113.7"), register("203.0.113.7")] == [400, 400, 429]


def test_forwarded_addresses_are_counted_as_far_as_the_proxies_are_trusted(make_app: Any) -> None:
    def refused(hops: str) -> int:
        client = make_app(RATE_LIMIT_AUTH="2/minute", TRUSTED_PROXIES=hops).test_client()
        told = [{"X-Forwarded-For": f"198.51.100.{number}, 203.0.113.7"} for number in range(6)]
        answers = [client.post("/api/v1/auth/register", json={}, headers=headers) for headers in told]
        return codes(answers).count(429)

    assert refused("0") == 4  # Whatever is claimed, the peer is one.
    assert refused("1") == 4  # The proxy says that it is one.
    assert refused("2") == 0  # Two proxies say that these are six.
