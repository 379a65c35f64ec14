"""A TCP relay on loopback that delays, cuts and stalls what passes through it."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import threading
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any

CHUNK = 64 * 1024


class Relay:
    """Hands each connection to the next of its `targets` (ports on loopback) that accepts one.

    `delay` is the seconds that each chunk takes, each way. All methods may be called from any thread.
    """

    def __init__(self, *targets: int) -> None:
        self._targets = list(targets)
        self._turns: Iterator[int] = itertools.count()
        self.delay = 0.0
        self.port = 0
        self._loop = asyncio.new_event_loop()
        self._flowing = asyncio.Event()
        self._open: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._server: asyncio.Server | None = None
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._call(self._flowing.set)
        self.come_back()

    def __enter__(self) -> Relay:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def connections(self) -> int:
        return len(self._open) // 2

    def cut(self) -> None:
        """Break every connection, as a cable that is pulled; new ones are let through."""
        self._call(self._abort)

    def stall(self) -> None:
        """Let nothing through, and leave the connections open."""
        self._call(self._flowing.clear)

    def flow(self) -> None:
        """Let everything through again, what waited first."""
        self._call(self._flowing.set)

    def go_away(self) -> None:
        """Break every connection and refuse new ones."""
        self._run(self._leave())

    def come_back(self) -> None:
        """Accept connections again, on the same port."""
        self._run(self._listen())

    def close(self) -> None:
        self._run(self._leave())
        self._call(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    def _call(self, act: Callable[[], Any]) -> None:
        self._loop.call_soon_threadsafe(act)

    def _run(self, work: Any) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    def _abort(self) -> None:
        for writer in list(self._open):
            writer.transport.abort()

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _leave(self) -> None:
        if self._server:
            self._server.close()
        self._abort()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = self._loop.create_task(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ends = [writer]
        try:
            there_reader, there_writer = await self._connect()
            ends.append(there_writer)
            self._open.update(ends)
            ways = [self._pump(reader, there_writer), self._pump(there_reader, writer)]
            await asyncio.gather(*ways)
        except OSError:
            pass  # One end is gone; the other learns it now.
        finally:
            for end in ends:
                self._open.discard(end)
                end.transport.abort()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Reach the next target that accepts. Raises OSError where none does."""
        start = next(self._turns)
        for number in range(len(self._targets)):
            target = self._targets[(start + number) % len(self._targets)]
            with contextlib.suppress(OSError):
                return await asyncio.open_connection("127.0.0.1", target)
        raise OSError("no target accepts a connection")

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(CHUNK):
            if self.delay:
                await asyncio.sleep(self.delay)
            await self._flowing.wait()
            writer.write(data)
            await writer.drain()
        if writer.can_write_eof() and not writer.is_closing():
            writer.write_eof()
