"""The report of `make bench`, what docs/deployment.md says by it, and the clients that measure."""

from __future__ import annotations

import json
import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from benchmarks import __main__ as bench
from benchmarks import fairness, floods, http_clients, sockets
from config import ROOT


def test_what_deployment_says_of_its_size_is_what_the_report_says() -> None:
    report = ROOT / "benchmarks" / "report.md"
    said = bench.SUMMARY.search(bench.PAGE.read_text())

    assert said
    if report.exists():
        short = re.search(r"(?<=## In short\n).*?(?=## )", report.read_text(), re.S)
        assert short
        assert said[0].strip() == short[0].strip()
    else:
        assert said[0] == bench.NOT_YET


def test_a_part_that_fails_leaves_the_others_in_the_report() -> None:
    good = bench.Ran("rest", "GET / 1", [{"kind": "headline", "cells": ["a", "b", "c", "d"]}], 1.0)
    bad = bench.Ran("logins", "", [], 2.0, "failed: no server")

    report = bench.report([good, bad], {"rest": ["plots/rest.png"]})

    assert "| a | b | c | d |" in report
    assert "![rest](plots/rest.png)" in report
    assert "## REST" in report
    assert "**failed: no server**" in report


def test_bars_of_one_picture_are_drawn_together() -> None:
    lines = [{"kind": "bars", "picture": name, "title": title} for name, title in (("a", "1"), ("b", "2"), ("a", "3"))]

    drawn = bench.Ran("rest", "", lines, 1.0).pictures()

    assert [[one["title"] for one in panels] for panels in drawn.values()] == [["1", "3"], ["2"]]


def test_every_part_is_known_to_the_order_or_comes_last() -> None:
    found = bench.parts()

    assert found[: len(bench.ORDER)] == list(bench.ORDER)
    assert "listeners" not in found


def test_the_summary_takes_its_place_on_the_page() -> None:
    ran = [bench.Ran("rest", "", [{"kind": "headline", "cells": ["a", "b", "c", "d"]}], 1.0)]

    page = bench.SUMMARY.sub(lambda _: bench.summary(ran), bench.PAGE.read_text())
    report = re.search(r"(?<=## In short\n).*?(?=## )", bench.report(ran, {}), re.S)

    assert report
    assert bench.SUMMARY.search(page)[0].strip() == report[0].strip()  # type: ignore[index]
    assert bench.SUMMARY.sub(lambda _: bench.summary(ran), page) == page


class Answering(BaseHTTPRequestHandler):
    """Answers 200, or the number in the path, and notes which paths were asked for."""

    protocol_version = "HTTP/1.1"
    asked: list[str]
    hold = threading.Event()

    def do_GET(self) -> None:
        self.asked.append(self.path)
        self.hold.wait(20)
        body = b"x" * 300_000
        self.send_response(int(self.path[1:] or 200))
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def answering() -> Iterator[tuple[int, list[str]]]:
    """Give the port of a server, and the paths that it is asked for."""
    asked: list[str] = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (Answering,), {"asked": asked}))
    Answering.hold.set()
    serving = threading.Thread(target=server.serve_forever, args=(0.01,))
    serving.start()
    try:
        yield server.server_port, asked
    finally:
        Answering.hold.set()
        server.shutdown()
        serving.join()
        server.server_close()


def test_a_closed_loop_deals_its_requests_out_and_asks_once_where_it_has_no_time() -> None:
    sent = [http_clients.request("GET", path) for path in ("/200", "/429")]

    with answering() as (port, asked):
        connections = [http_clients.connect(port) for _ in range(4)]
        turns: list[float] = []
        latencies = http_clients.closed_loop(connections, sent, 0, ("20", "429"), turns=turns)
        for connection in connections:
            connection.close()

    assert (len(latencies), sorted(asked)) == (4, ["/200", "/200", "/429", "/429"])
    assert turns == [0.25, 0.5, 0.75, 1.0]


def test_a_status_that_is_not_expected_ends_a_measurement() -> None:
    with (
        answering() as (port, _),
        http_clients.connect(port) as connection,
        pytest.raises(SystemExit, match=r"not one of 20: b'HTTP/1\.1 500"),
    ):
        http_clients.closed_loop([connection], [http_clients.request("GET", "/500")], 0)


def test_probes_that_are_due_while_one_waits_have_waited_too() -> None:
    end = http_clients.End()
    with answering() as (port, _):
        Answering.hold.clear()
        threading.Timer(0.3, Answering.hold.set).start()
        began = time.perf_counter()
        latencies = http_clients.probe(port, http_clients.request("GET", "/"), 0.25, end)

    assert len(latencies) == pytest.approx(0.25 / http_clients.EVERY, abs=1)
    assert all(began + 0.3 - 0.02 <= began + number * 0.01 + wait for number, wait in enumerate(latencies))


def test_a_client_process_is_told_when_to_begin_and_when_to_stop() -> None:
    with answering() as (port, asked):
        sent = http_clients.request("GET", "/")
        looping = http_clients.looping(port, sent, connections=2, seconds=0)
        probing = http_clients.probing(port, sent)
        before = len(asked)
        answers = looping.begin().found()
        probed = probing.begin().stop()

    assert (before, len(answers)) == (0, 2)
    assert len(asked) == 2 + len(probed)


def test_pipelined_requests_are_sent_before_their_answers_are_read_and_all_are_answered() -> None:
    with answering() as (port, asked):
        fairness.pipeline(port, http_clients.request("GET", "/") * 30, 30)

    assert len(asked) == 30


def test_the_least_fair_route_is_what_the_summary_tells(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENCH_RECORD", str(tmp_path / "record"))
    even = fairness.Shared(8, [0.008] * 1000, 1.0, 1.0, [1.0] * 1000)
    starved = fairness.Shared(8, [0.001] * 980 + [0.4] * 20, 1.0, 1.0, [0.125] * 980 + [50.0] * 20)

    fairness.tell(8, {"GET /even": even, "GET /starved": starved})

    (line,) = [json.loads(line) for line in (tmp_path / "record").read_text().splitlines() if "headline" in line]
    assert even.fair == starved.fair == 8.0
    assert line["cells"] == [
        "p99 at 8 connections, the least fair route (GET /starved)",
        "400.0 ms",
        "8 / throughput: 8.0 ms",
        "50.00; 50.00 turns (goal 2)",
    ]


@pytest.mark.parametrize("size", [1, 125, 126, 65_535, 65_536, 1024 * 1024])
def test_a_frame_says_how_long_it_is(size: int) -> None:
    frame = sockets.frame(b"x" * size, 0x82)

    told, at = frame[1] & 127, 2
    if told > 125:
        at += 2 if told == 126 else 8
        told = int.from_bytes(frame[2:at], "big")
    assert (frame[0], told, frame[at + 4 :]) == (0x82, size, b"x" * size)


def test_a_flood_ends_by_its_count_by_its_time_and_when_it_is_hung_up_on() -> None:
    later = time.perf_counter() + 20

    def flooded(end: float, most: int, *, closed: bool = False) -> int:
        here, there = socket.socketpair()
        with here, there:
            here.setblocking(False)
            if closed:
                there.close()
            return floods.pour_into(here, b"frame", end, most)

    assert flooded(later, 15) == 15
    assert flooded(time.perf_counter() - 1, 15) == 0
    assert flooded(time.perf_counter() + 0.05, 10**9) < 10**9
    assert flooded(later, 10**9, closed=True) == 0


def test_every_flood_of_the_drills_has_a_name_of_its_own_and_fits_the_contract() -> None:
    names = [drill.name for drill in floods.drills({})]

    assert len(set(names)) == len(names) == 11
    assert len(floods.NEARLY_CODE) <= 10_000
    assert len("x\n" * floods.LINES) <= 200_000
