"""Two workers that share a PostgreSQL database and a Redis, and what a reader of their replies puts together."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from tests.live.conftest import Browser, Server, started_at_once
from tests.services import RedisServer
from tests.standins import bedrock


@dataclass
class Workers:
    """Two servers of one service; what reaches one of them reaches all."""

    one: Server
    two: Server
    redis: RedisServer
    model: bedrock.StandIn

    @property
    def both(self) -> tuple[Server, Server]:
        return self.one, self.two


@contextmanager
def running(folder: Path, mode: str, database: str, **settings: str) -> Iterator[Workers]:
    with ExitStack() as opened:
        redis = RedisServer(folder)
        opened.callback(redis.stop)
        model = opened.enter_context(bedrock.running())
        shared = {"ASYNC_MODE": mode, "DATABASE_URL": database, "REDIS_URL": redis.url, "MODEL_PROVIDER": "bedrock"}
        start = partial(Server, folder, **shared, **model.environment, **settings)
        servers = started_at_once(start, start)
        for server in servers:
            opened.callback(server.stop)
        opened.callback(redis.go_on)
        yield Workers(*servers, redis, model)


def slowly(tokens: int, per_second: float = 50) -> str:
    """A message whose reply has so many tokens, so many a second."""
    return "@chat <<standin " + json.dumps({"tokens": tokens, "tokens_per_second": per_second}) + ">>"


def open_tab(server: Server, browser: Callable[[], Browser], token: str, **options: Any) -> Browser:
    tab = browser().connect(server.url, token, **options)
    tab.until("ready")
    return tab


def deltas(tab: Browser, chat_id: int) -> list[tuple[int, str]]:
    return [(one["seq"], one["content"]) for one in tab.payloads("delta") if one["chat_id"] == chat_id]


def assert_whole(tab: Browser, chat: dict[str, Any], after: int = 0, begun: str = "") -> None:
    """Check that what a tab had and was shown is the reply: no gap, nothing twice, to the letter, one end."""
    shown = [(seq, content) for seq, content in deltas(tab, chat["id"]) if seq > after]
    assert [seq for seq, _ in shown] == list(range(after + 1, after + 1 + len(shown)))
    assert begun + "".join(content for _, content in shown) == chat["response"]
    ends = [one for one in tab.payloads("response") + tab.payloads("error") if one.get("chat_id") == chat["id"]]
    assert len(ends) == 1
