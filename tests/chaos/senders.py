"""The other service's end of a webhook: hands deliveries over until somebody has acknowledged each.

It runs in a process of its own, so that what it measures is not what the drill's other threads hold it up with.
"""

from __future__ import annotations

import http.client
import multiprocessing
import random
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue

TIMEOUT = 10.0  # Seconds after which GitHub gives up.


@dataclass(frozen=True, slots=True)
class Delivery:
    """One POST, as it is sent each time."""

    headers: dict[str, str]
    body: bytes


@dataclass(slots=True)
class Acknowledged:
    """How long each acknowledgement took, in seconds, how many tries got none in time, and which answers were none."""

    seconds: list[float] = field(default_factory=list)
    late: int = 0
    faults: list[str] = field(default_factory=list)


class Sender:
    """One of several that share what is to be sent; a delivery that finds nobody goes to the next worker."""

    def __init__(self, waiting: SimpleQueue[Delivery], path: str, ports: Sequence[int], number: int) -> None:
        self.waiting, self.path, self.ports, self.turn = waiting, path, ports, number
        self.chance = random.Random(number)
        self.lines: dict[int, http.client.HTTPConnection] = {}
        self.found = Acknowledged()
        self.ended = False

    def run(self) -> None:
        while True:
            try:
                self.deliver(self.waiting.get_nowait())
            except Empty:
                break
        self.close()

    def close(self) -> None:
        for line in self.lines.values():
            line.close()

    def deliver(self, one: Delivery) -> None:
        """Try until it is acknowledged, or this has ended; the time is that of the try that was."""
        while not self.ended:
            port = self.ports[(turn := self.turn) % len(self.ports)]
            self.turn = turn + 1
            started = time.perf_counter()
            try:
                status = self.post(port, one)
            except TimeoutError:
                self.found.late += 1
                self.lines.pop(port).close()
                continue
            except (OSError, http.client.HTTPException):
                self.lines.pop(port).close()
                time.sleep(self.chance.uniform(0.01, 0.1))
                continue
            self.found.seconds.append(time.perf_counter() - started)
            if status not in (200, 202):
                self.found.faults.append(f"a delivery was answered {status}")
            return

    def post(self, port: int, one: Delivery) -> int:
        line = self.lines.setdefault(port, http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT))
        line.request("POST", self.path, one.body, one.headers)
        answer = line.getresponse()
        answer.read()
        return answer.status


def hand_over(deliveries: Sequence[Delivery], path: str, ports: Sequence[int], count: int) -> Acknowledged:
    """Send everything, from so many threads, and return how it was acknowledged."""
    waiting: SimpleQueue[Delivery] = SimpleQueue()
    for one in deliveries:
        waiting.put(one)
    senders = [Sender(waiting, path, ports, number) for number in range(count)]
    threads = [threading.Thread(target=sender.run) for sender in senders]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    whole = Acknowledged()
    for sender in senders:
        whole.seconds += sender.found.seconds
        whole.late += sender.found.late
        whole.faults += sender.found.faults
    return whole


def process() -> ProcessPoolExecutor:
    """Start the other process, which shares nothing with this one."""
    return ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn"))
