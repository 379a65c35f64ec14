"""What a worker that leaves owes to the last that come."""

from __future__ import annotations

import socket
from types import SimpleNamespace
from typing import Any

from codesherpa.farewell import Connections


def test_a_connection_that_comes_as_the_listener_closes_is_served() -> None:
    served: list[Any] = []
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.socket() as connection:
        name = listener.getsockname()
        worker = SimpleNamespace(
            handle=lambda listener, connection, address: served.append((listener.getsockname(), connection)),
            handle_request=lambda *request: None,
            sockets=[listener],
        )
        Connections(worker)
        listener.close()

        worker.handle(listener, connection, ("127.0.0.1", 1))

    assert served == [(name, connection)]
