"""The Socket.IO namespace /ws: ask a sherpa and see the reply as it is written."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from functools import wraps
from typing import Any

import structlog
from flask import Flask, request
from flask_socketio import ConnectionRefusedError, Namespace, SocketIO
from marshmallow import Schema, ValidationError

from codesherpa import edge
from codesherpa.api import MOST_VALUES, envelope, refusal
from codesherpa.auth import tokens
from codesherpa.chat import audience, following, rooms, schemas, service
from codesherpa.chat.process import Process, here
from codesherpa.chat.sockets import Socket, Sockets
from codesherpa.chat.wire import Members, Wire
from codesherpa.errors import (
    AppError,
    BadRequest,
    Forbidden,
    NotFound,
    RateLimited,
    TokenExpired,
    Unauthorized,
    kind_of,
)
from codesherpa.extensions import db, socketio
from codesherpa.json import Packets
from codesherpa.limits import count_event
from codesherpa.observability import metrics
from codesherpa.user.models import User
from codesherpa.user.schemas import User as UserSchema

log = structlog.get_logger(__name__)

USER = UserSchema()
asked_for_acknowledgement: ContextVar[bool] = ContextVar("asked_for_acknowledgement", default=True)


def taking(
    shape: type[Schema], message: str, again: Callable[[User, Any], Any] = lambda user, payload: None
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Read an event's payload by `shape`, and acknowledge in the envelope what the handler returns or raises.

    `again` may know what a payload of another shape was answered with before.
    """
    schema = shape()

    def decorate(handle: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(handle)
        def answer(self: Events, *payload: Any) -> dict[str, Any]:
            event = handle.__name__.removeprefix("on_")
            with metrics.watching(event) as watched:
                try:
                    watched.user_id = self.count(event)
                    user = self.user()
                    sent = only_object(payload)
                    try:
                        wanted = schema.load(sent)
                    except ValidationError:
                        if known := again(user, sent):
                            return envelope(known, message)
                        raise
                    return envelope(handle(self, user, wanted), message)
                except Exception as fault:  # noqa: BLE001 (kind_of logs what has no name)
                    kind = kind_of(fault)
                    watched.code = kind.code
                    return refuse(kind)
                finally:
                    db.session.remove()

        return answer

    return decorate


def only_object(payload: tuple[Any, ...]) -> dict[str, Any]:
    if len(payload) != 1 or not isinstance(payload[0], dict) or len(payload[0]) > MOST_VALUES:
        raise BadRequest("Send one JSON object.")
    return payload[0]


def refuse(fault: AppError) -> dict[str, Any]:
    """Tell a refused payload in the acknowledgement, and by an event where the client asked for none."""
    if not asked_for_acknowledgement.get():
        told = {"type": "error", "code": fault.code, "content": fault.message, **fault.data}
        audience.tell_one(request.sid, "error", told)  # type: ignore[attr-defined]
    return refusal(fault.code, fault.message, fault.data)


def sent_before(user: User, payload: Any) -> dict[str, Any] | None:
    chat = service.sent_before(user, payload)
    return {"chat": rooms.CHAT.dump(chat)} if chat else None


class Events(Namespace):
    """The events of the contract's section 3; a handler is a route."""

    def __init__(self, app: Flask) -> None:
        super().__init__(audience.NAMESPACE)
        self.app = app
        self.sockets = Sockets(app, self.warn, self.close)
        self.wire: Wire

    def on_connect(self, auth: Any = None) -> None:
        """Let a socket in that has an access token; `welcome` follows when it knows that it is in."""
        with metrics.watching("connect") as watched:
            try:
                token = auth.get("token") if isinstance(auth, dict) else None
                session, expires_at = tokens.identify(token if isinstance(token, str) else "")
                count_event("connect", session.user_id)
            except Exception as error:  # noqa: BLE001 (kind_of logs what has no name)
                fault = kind_of(error)
                watched.code = fault.code
            else:
                watched.user_id = session.user_id
                self.sockets.add(request.sid, Socket(session.user_id, session.id, expires_at))  # type: ignore[attr-defined]
                return
        self.turn_away(fault)

    def turn_away(self, fault: AppError) -> None:
        """Refuse a socket, with the reason as `connect_error` tells it."""
        if fault.status >= 500:  # A client takes a refusal for the last word, and does not come again.
            self.wire.drop(socketio.server.manager.eio_sid_from_sid(request.sid, audience.NAMESPACE))  # type: ignore[attr-defined]
        told = refusal(fault.code, fault.message, fault.data)["data"] | {"message": fault.message}
        raise ConnectionRefusedError(fault.message, told)

    def welcome(self, sid: str) -> None:
        """Let a socket hear what its user is told, and tell it what is being written."""
        socket = self.sockets.get(sid)
        if socket is None:  # It has gone already.
            return
        with self.app.app_context():
            here().bus.start()
            user = tokens.glance(socket.session_id).user
            ready = {"user": USER.dump(user), "active": [], "expires_in": socket.expires_in}
            here().delivery.welcome(sid, user.id, ready, following.active(user))
            following.catch_up(user)

    def trigger_event(self, event: str, *args: Any) -> Any:
        """Handle an event; one that leaves needs no request around it, and thousands may leave at once."""
        if event == "disconnect":
            return self.on_disconnect(*args)
        return super().trigger_event(event, *args)

    def on_disconnect(self, sid: str, reason: Any = None) -> None:
        """Forget a socket; what is being written for its user goes on."""
        socket = self.sockets.remove(sid)
        if connection := socketio.server.manager.eio_sid_from_sid(sid, audience.NAMESPACE):
            self.wire.left_namespace(connection)
        if socket is not None:
            audience.leave(sid, socket.user_id)
            process: Process = self.app.extensions["process"]
            process.delivery.left(socket.user_id, connection)

    @taking(schemas.Message, "The message is stored.", sent_before)
    def on_message(self, user: User, message: dict[str, Any]) -> dict[str, Any]:
        """Store a message and have it answered."""
        chat, _ = service.submit(user, **message)
        return {"chat": rooms.CHAT.dump(chat)}

    @taking(schemas.Stop, "The reply has been stopped.")
    def on_stop(self, user: User, wanted: dict[str, Any]) -> dict[str, Any]:
        """Stop a reply; its text so far is kept."""
        return {"chat": rooms.CHAT.dump(service.stop(user, wanted["chat_id"]))}

    @taking(schemas.Resume, "This is what you missed.")
    def on_resume(self, user: User, wanted: dict[str, Any]) -> dict[str, Any]:
        """Give what came of a reply after a delta."""
        chat, seq, content = following.resume(user, wanted["chat_id"], wanted["after_seq"])
        return {"chat": rooms.CHAT.dump(chat), "seq": seq, "content": content}

    @taking(schemas.Token, "The session goes on.")
    def on_authenticate(self, user: User, sent: dict[str, Any]) -> dict[str, Any]:
        """Let the socket live on with a new access token of the same user."""
        session, expires_at = tokens.identify(sent["token"])
        if session.user_id != user.id:
            raise Forbidden("This token belongs to somebody else.")
        socket = Socket(user.id, session.id, expires_at)
        self.sockets.add(request.sid, socket)  # type: ignore[attr-defined]
        return {"expires_in": socket.expires_in}

    def on_unknown(self, *payload: Any) -> dict[str, Any]:
        """Refuse an event that there is not."""
        with metrics.watching("unknown") as watched:
            fault: AppError = NotFound("There is no such event.")
            try:
                watched.user_id = self.count("unknown")
            except RateLimited as refused:
                fault = refused
            watched.code = fault.code
            return refuse(fault)

    def warn(self, sid: str, socket: Socket) -> None:
        """Tell a socket that its session ends soon, so that it can authenticate anew."""
        audience.tell_one(sid, "session_expiring", {"expires_in": socket.expires_in})

    def close(self, sid: str) -> None:
        """Tell a socket that its session has ended, and close it; what is being written for its user goes on."""
        connection = socketio.server.manager.eio_sid_from_sid(sid, audience.NAMESPACE)
        audience.tell_one(sid, "session_expired", {})
        socketio.server.disconnect(sid, namespace=audience.NAMESPACE)
        self.sockets.remove(sid)
        if connection:
            self.wire.hang_up(connection)

    def count(self, event: str) -> int | None:
        """Count an event against the user of its socket, and return that user's id. Raises RateLimited."""
        socket = self.sockets.get(request.sid)  # type: ignore[attr-defined]
        user_id = socket.user_id if socket else None
        count_event(event, user_id)
        return user_id

    def user(self) -> User:
        """Return who is at the other end, apart from the ORM's session. Raises what the token would over HTTP."""
        socket = self.sockets.get(request.sid)  # type: ignore[attr-defined]
        if socket is None:
            raise Unauthorized
        if not socket.expires_in:
            raise TokenExpired
        return tokens.glance(socket.session_id).user


def init_app(app: Flask, server: SocketIO) -> None:
    """Bind an application's Socket.IO server, with a namespace of its own."""
    # A second application in one process starts afresh, and must not hear the first one's events.
    server.server_options.clear()
    server.namespace_handlers.clear()
    server.init_app(
        app,
        async_mode=app.config["ASYNC_MODE"] or "threading",
        async_handlers=False,  # One socket's events keep their order, and cannot become thousands of threads.
        cors_allowed_origins=edge.allows(app.config["CORS_ORIGINS"]),
        http_compression=False,  # Of answers to long polling: 360 KB can take a second, in which every socket waits.
        max_http_buffer_size=app.config["MAX_CONTENT_LENGTH"],
        client_manager=Members(),
        manage_session=False,
        json=Packets,
        logger=False,
        engineio_logger=False,
    )
    events = Events(app)
    server.on_namespace(events)
    events.wire = app.extensions["wire"] = Wire(server, events.welcome)
    remember_acknowledgements(server, events.wire)


def remember_acknowledgements(server: SocketIO, wire: Wire) -> None:
    """Note for each event whether the client waits for an acknowledgement: handlers are not told.

    An acknowledgement carries a chat, so the large ones before it are written first.
    """
    handle = server.server._handle_event_internal

    def handle_event(inner: Any, sid: str, eio_sid: str, data: Any, namespace: str, id: int | None) -> None:
        wire.drain(eio_sid)
        asked_for_acknowledgement.set(id is not None)
        handle(inner, sid, eio_sid, data, namespace, id)

    server.server._handle_event_internal = handle_event
