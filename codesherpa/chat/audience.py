"""The sockets of this process: who is here, and how they are told."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from engineio.exceptions import SocketIsClosedError
from engineio.packet import MESSAGE, Packet

from codesherpa.extensions import socketio
from codesherpa.json import Packets

NAMESPACE = "/ws"


def room(user_id: int) -> str:
    return f"user:{user_id}"


def sockets(user_id: int) -> list[str]:
    """Return the connections of a user's tabs and devices to this process."""
    members = socketio.server.manager.rooms.get(NAMESPACE, {}).get(room(user_id))
    return list(members.values()) if members else []


def users() -> list[int]:
    """Return who has a socket here."""
    rooms = list(socketio.server.manager.rooms.get(NAMESPACE, {}))
    return [int(name.removeprefix("user:")) for name in rooms if name and name.startswith("user:")]


def leave(sid: str, user_id: int) -> None:
    """Take a socket out of its user's room."""
    socketio.server.manager.basic_leave_room(sid, NAMESPACE, room(user_id))


def tell(user_id: int, event: str, payload: dict[str, Any]) -> None:
    """Emit an event to every socket that a user has here."""
    send(sockets(user_id), event, payload)


def tell_one(sid: str, event: str, payload: dict[str, Any]) -> None:
    """Emit an event to one socket."""
    connection = socketio.server.manager.eio_sid_from_sid(sid, NAMESPACE)
    if connection:
        send([connection], event, payload)


def send(connections: list[str], event: str, payload: dict[str, Any]) -> None:
    """Encode an event once, and give it to each connection's own queue.

    What `socketio.emit` does beside this, at twice the time, is for acknowledgements and binary data.
    """
    if not connections:
        return
    packet = Packet(MESSAGE, data=f"2{NAMESPACE},{Packets.dumps([event, payload])}")
    for connection in connections:
        with suppress(SocketIsClosedError):  # Between the look and the word; it is told nothing more.
            socketio.server._send_eio_packet(connection, packet)
