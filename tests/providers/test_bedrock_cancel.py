"""Stopping an answer closes its connection at once: in native threads and under eventlet, with and without TLS."""

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from codesherpa.concurrency import Cancellation
from codesherpa.providers.bedrock import BedrockProvider
from codesherpa.providers.interface import Brief, End, Text, Tool, Turn
from tests.standins import bedrock

SONNET = "global.anthropic.claude-sonnet-4-6"
LLAMA = "us.meta.llama4-scout-17b-instruct-v1:0"
BRIEF = Brief("reply", "You review code.", (Turn("user", "What is a list?"),))
TOOL = Tool("review", "Give the review.", {"type": "object", "properties": {"summary": {"type": "string"}}})
SLOW = {"tokens": 200, "tokens_per_second": 20}
SILENT = {"fault": "silence", "at": "headers"}
ROOT = Path(__file__).parents[2]

# Run in a process of its own, patched as gunicorn's worker is: stops 20 answers at once, then asks once more. Then it
# loses the connection that waits for the next, and asks a last time.
GREEN = """
import eventlet

eventlet.monkey_patch()
import json, socket, sys, threading, time

from codesherpa.concurrency import Cancellation, is_silent, spawn
from codesherpa.providers.bedrock import BedrockProvider
from codesherpa.providers.interface import Brief, Turn

provider = BedrockProvider("us-east-1", "global.anthropic.claude-sonnet-4-6", backoff=60)
provider.client()
brief = Brief("reply", "", (Turn("user", sys.argv[1]),))
hello = Brief("reply", "", (Turn("user", "Hello"),))
for _ in range(int(sys.argv[2])):
    list(provider.stream(hello, Cancellation()))
ends, cancellations = [], [Cancellation() for _ in range(20)]

def listen(cancellation):
    *_, end = provider.stream(brief, cancellation)
    ends.append((end.reason, end.usage.estimated, time.time()))

listeners = [spawn(listen, cancellation) for cancellation in cancellations]
time.sleep(0.4)
stopped = time.time()
for cancellation in cancellations:
    cancellation.cancel()
for listener in listeners:
    listener.join(2)
alive = threading.active_count() - 1
*_, again = provider.stream(hello, Cancellation())
((_, pool),) = provider._direct._known.values()
connection = pool._get_conn()
silent = [is_silent(connection.sock)]
connection.sock.shutdown(socket.SHUT_RDWR)
silent.append(is_silent(connection.sock))
pool._put_conn(connection)
*_, last = provider.stream(hello, Cancellation())
again = [again.reason, last.reason]
print(json.dumps({"ends": ends, "stopped": stopped, "alive": alive, "again": again, "silent": silent}))
"""


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    return bedrock.certificate(tmp_path_factory.mktemp("tls")) or pytest.skip("no openssl to make a certificate with")


@pytest.fixture(scope="module")
def plain():
    with bedrock.running() as standin:
        yield standin


@pytest.fixture(scope="module")
def secure(certificate):
    with bedrock.running(certificate) as standin:
        yield standin


@pytest.fixture(params=["plain", "secure"])
def standin(request, monkeypatch):
    server = request.getfixturevalue(request.param)
    server.reset()
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    return server


@pytest.fixture
def provider(standin):
    made = BedrockProvider("us-east-1", SONNET, backoff=60)
    made.client()
    yield made
    made.close()


def closed(standin):
    """Return the last request, once the stand-in has seen that the client closed its connection."""
    request = standin.wait(lambda requests: requests and requests[-1]["outcome"])[-1]
    assert request["outcome"] == "closed by client"
    return request


@pytest.mark.parametrize("used_before", [False, True], ids=["new", "used before"])
@pytest.mark.parametrize(
    ("reply", "brief"),
    [
        (SLOW, BRIEF),
        (SILENT, BRIEF),
        ({"fault": "silence"}, BRIEF),
        (SILENT, Brief("review", "", BRIEF.turns, tool=TOOL, model_id=LLAMA)),
    ],
    ids=["while it speaks", "before the headers", "before the first token", "not streamed"],
)
def test_a_stop_closes_the_connection_within_half_a_second(provider, standin, reply, brief, used_before):
    if used_before:
        list(provider.stream(BRIEF, Cancellation()))
        standin.reset()
    standin.script(reply)
    cancellation, stopped = Cancellation(), []

    def stop():
        standin.wait(lambda requests: requests)
        time.sleep(0.1)
        stopped.append(time.time())
        cancellation.cancel()

    stopper = threading.Thread(target=stop)
    stopper.start()
    *pieces, end = provider.stream(brief, cancellation)
    stopper.join()

    assert time.time() - stopped[0] < 0.5
    assert closed(standin)["ended_at"] - stopped[0] < 0.5
    assert end.reason == "cancelled"
    assert end.usage.estimated
    assert end.usage.input_tokens > 0
    assert bool(pieces) is (reply is SLOW)
    assert (end.usage.output_tokens > 0) is bool(pieces)


def test_a_stop_works_while_nobody_reads(provider, standin):
    standin.script(SLOW)
    cancellation = Cancellation()
    stream = provider.stream(BRIEF, cancellation)
    assert isinstance(next(stream), Text)

    cancellation.cancel()

    closed(standin)
    assert [type(item) for item in stream] == [End]


def test_a_stop_before_the_start_asks_nobody(provider, standin, monkeypatch):
    cancellation, asked = Cancellation(), []
    cancellation.cancel()
    monkeypatch.setattr(provider, "client", lambda: asked.append(True))

    (end,) = provider.stream(BRIEF, cancellation)

    assert asked == []

    assert end.reason == "cancelled"
    assert (end.usage.input_tokens, end.usage.output_tokens, end.usage.estimated) == (0, 0, True)
    assert standin.requests() == []


def test_a_stop_between_two_tries_ends_the_wait(provider, standin, monkeypatch):
    monkeypatch.setattr("random.random", lambda: 1.0)
    standin.script({"fault": "ThrottlingException"})
    cancellation = Cancellation()
    threading.Timer(0.3, cancellation.cancel).start()
    began = time.monotonic()

    (end,) = provider.stream(BRIEF, cancellation)

    assert 0.25 < time.monotonic() - began < 0.8
    assert end.reason == "cancelled"
    assert len(standin.requests()) == 1

    standin.reset()
    before = standin.connections()
    *_, end = provider.stream(BRIEF, Cancellation())

    assert end.reason == "end"
    assert standin.connections() == before


def test_a_reader_that_goes_away_closes_the_connection(provider, standin):
    standin.script(SLOW)
    stream = provider.stream(BRIEF, Cancellation())
    next(stream)

    stream.close()

    closed(standin)


def test_a_stop_after_the_end_leaves_the_pool_alone(provider, standin):
    cancellation = Cancellation()
    list(provider.stream(BRIEF, cancellation))
    before = standin.connections()

    cancellation.cancel()
    *_, end = provider.stream(BRIEF, Cancellation())

    assert end.reason == "end"
    assert standin.connections() == before


def test_a_stop_ends_only_its_own_answer(provider, standin):
    standin.script({"tokens": 10, "tokens_per_second": 20})
    ends = {}

    def listen(number, cancellation):
        *_, ends[number] = provider.stream(BRIEF, cancellation)

    cancellations = [Cancellation() for _ in range(6)]
    readers = [threading.Thread(target=listen, args=pair) for pair in enumerate(cancellations)]
    for reader in readers:
        reader.start()
    standin.wait(lambda requests: len(requests) == 6)
    for cancellation in cancellations[::2]:
        cancellation.cancel()
    for reader in readers:
        reader.join(3)

    assert [ends[number].reason for number in range(6)] == ["cancelled", "end"] * 3


@pytest.mark.parametrize(
    ("reply", "before"),
    [(SLOW, 0), (SLOW, 1), (SILENT, 1), ({"fault": "ThrottlingException"}, 0)],
    ids=["speaking to botocore", "speaking", "silent", "waiting"],
)
def test_green_threads_stop_as_fast(standin, reply, before):
    standin.script({"text": "Hello."}, contains="Hello")
    standin.script(reply, contains="slowly")
    command = [sys.executable, "-W", "ignore", "-c", GREEN, "slowly", str(before)]

    done = subprocess.run(
        command, cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=30
    )

    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["again"] == ["end", "end"]
    assert told["alive"] == 0
    assert told["silent"] == [True, False]
    assert [reason for reason, _, _ in told["ends"]] == ["cancelled"] * 20
    assert max(ended for _, _, ended in told["ends"]) - told["stopped"] < 0.5
    if "tokens" in reply or reply is SILENT:
        count = before + 22
        requests = standin.wait(lambda requests: len(requests) == count and all(one["outcome"] for one in requests))
        stopped = requests[before:][:20]
        assert max(one["ended_at"] for one in stopped) - told["stopped"] < 0.5
        assert [one["outcome"] for one in stopped] == ["closed by client"] * 20
        assert [one["outcome"] for one in requests if one not in stopped] == ["sent"] * (before + 2)
