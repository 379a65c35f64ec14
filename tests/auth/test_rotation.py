"""Rotation: whatever is done with a session's tokens, in whatever order, one holder stays in or nobody does."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from hypothesis.strategies import integers
from sqlalchemy import update

from codesherpa.auth import service
from codesherpa.auth.models import AuthSession
from codesherpa.errors import TokenRevoked
from codesherpa.extensions import db
from tests.auth.forgery import decode
from tests.conftest import Caller


class Rotations(RuleBasedStateMachine):
    """One session beside another of the same user; the model knows which token is unspent, and who is dead."""

    app: Flask
    ada: Caller

    @initialize()
    def sign_in(self) -> None:
        self.ada.login()
        self.beside = self.ada.access
        self.ada.login()
        self.chain, self.access = [self.ada.refresh], [self.ada.access]
        self.alive, self.within_grace = True, True
        self.id = decode(self.ada.access.split(".")[1])["sid"]

    def refresh(self, token: str) -> Any:
        answer = self.ada.post("/auth/refresh", token=token)
        return answer.json["data"]["refresh_token"] if answer.status_code == 200 else answer.json["data"]["code"]

    @rule()
    def refresh_with_the_unspent_one(self) -> None:
        answer = self.ada.post("/auth/refresh", token=self.chain[-1])
        if not self.alive:
            assert answer.json["data"]["code"] == "token_revoked"
            return
        assert answer.status_code == 200
        assert answer.json["data"]["refresh_token"] not in self.chain
        self.chain.append(answer.json["data"]["refresh_token"])
        self.access.append(answer.json["data"]["access_token"])
        self.within_grace = True

    @precondition(lambda self: len(self.chain) > 1)
    @rule()
    def repeat_the_last_refresh(self) -> None:
        got = self.refresh(self.chain[-2])
        if self.alive and self.within_grace:
            assert got == self.chain[-1]
        else:
            assert got == "token_revoked"
            self.alive = False

    @precondition(lambda self: len(self.chain) > 2)
    @rule(back=integers(3, 6))
    def use_an_older_one(self, back: int) -> None:
        assert self.refresh(self.chain[max(0, len(self.chain) - back)]) == "token_revoked"
        self.alive = False

    @rule()
    def let_the_grace_pass(self) -> None:
        before = AuthSession.rotated_at.is_not(None), AuthSession.id == self.id
        with self.app.app_context():
            for session in db.session.scalars(db.select(AuthSession).where(*before)):
                db.session.execute(
                    update(AuthSession)
                    .where(AuthSession.id == self.id)
                    .values(rotated_at=session.rotated_at - 2 * service.GRACE)
                )
            db.session.commit()
        self.within_grace = False

    @rule(which=integers(0, 9))
    def sign_out_now_and_then(self, which: int) -> None:
        if which == 0:
            status = self.ada.post("/auth/logout", token=self.access[-1]).status_code
            assert status == (200 if self.alive else 401)
            self.alive = False

    @invariant()
    def every_access_token_of_the_session_lives_as_it_does(self) -> None:
        if hasattr(self, "access"):
            for token in {self.access[0], self.access[-1]}:
                assert self.ada.get("/user/me", token=token).status_code == (200 if self.alive else 401)

    @invariant()
    def the_session_beside_is_left_alone(self) -> None:
        if hasattr(self, "beside"):
            assert self.ada.get("/user/me", token=self.beside).status_code == 200


def test_no_order_of_rotations_lets_two_go_on_with_one_session(app: Flask, ada: Caller) -> None:
    bound = type("Bound", (Rotations,), {"app": app, "ada": ada})

    run_state_machine_as_test(
        bound,
        settings=settings(
            max_examples=15,
            stateful_step_count=12,
            deadline=None,
            derandomize=True,
            database=None,
            phases=[Phase.generate, Phase.shrink],
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.mark.parametrize(("seconds", "code"), [(9, None), (11, "token_revoked")])
def test_the_grace_is_ten_seconds(app: Flask, ada: Caller, seconds: int, code: str | None) -> None:
    successor = ada.post("/auth/refresh", token=ada.refresh).json["data"]["refresh_token"]
    with app.app_context():
        db.session.execute(update(AuthSession).values(rotated_at=service.now() - timedelta(seconds=seconds)))
        db.session.commit()

    again = ada.post("/auth/refresh", token=ada.refresh).json["data"]

    assert (again.get("code"), again.get("refresh_token")) == (code, None if code else successor)


def test_a_dead_session_stays_dead_for_all_that_came_of_it(app: Flask, ada: Caller) -> None:
    chain = [ada.refresh]
    access = [ada.access]
    for _ in range(4):
        data = ada.post("/auth/refresh", token=chain[-1]).json["data"]
        chain.append(data["refresh_token"])
        access.append(data["access_token"])

    ada.post("/auth/refresh", token=chain[0])  # Stolen.

    def codes() -> set[str]:
        refreshed = {ada.post("/auth/refresh", token=token).json["data"]["code"] for token in chain}
        return refreshed | {ada.get("/user/me", token=token).json["data"]["code"] for token in access}

    assert codes() == {"token_revoked"}
    with app.app_context():  # A minute later.
        values = {"rotated_at": AuthSession.rotated_at, "ended_at": service.now() - 6 * service.GRACE}
        db.session.execute(update(AuthSession).values(values))
        db.session.commit()
    assert codes() == {"token_revoked"}
    assert [event["action"] for event in audit(app)].count("refresh_token_reused") == 1


def test_a_session_that_ends_while_its_token_is_being_spent_is_carried_on_by_nobody(app: Flask, ada: Caller) -> None:
    with app.test_request_context():
        session = db.session.scalars(db.select(AuthSession)).one()
        jti = session.refresh_jti
        service.end(session)

        with pytest.raises(TokenRevoked):
            service.refresh(session, jti)

        assert db.session.scalars(db.select(AuthSession)).one().refresh_jti == jti
    assert "refresh_token_reused" not in [event["action"] for event in audit(app)]


def audit(app: Flask) -> list[dict[str, Any]]:
    from codesherpa.user.audit import AuditEvent

    with app.app_context():
        return [{"action": event.action, "ip": event.ip} for event in db.session.scalars(db.select(AuditEvent))]


def test_a_lost_answer_is_made_good_by_asking_again(ada: Caller, monkeypatch: Any) -> None:
    def lost(_: AuthSession) -> None:
        raise RuntimeError("killed between commit and answer")

    with monkeypatch.context() as patch:
        patch.setattr(service.tokens, "issue", lost)
        assert ada.post("/auth/refresh", token=ada.refresh).status_code == 500

    again = ada.post("/auth/refresh", token=ada.refresh)

    assert again.status_code == 200
    assert ada.post("/auth/refresh", token=again.json["data"]["refresh_token"]).status_code == 200
