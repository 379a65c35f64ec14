import itertools
import json
import struct
import zlib
from types import SimpleNamespace

import pytest
from botocore.eventstream import EventStreamBuffer
from hypothesis import given
from hypothesis import strategies as st

from codesherpa.providers.bedrock import stream
from codesherpa.providers.bedrock.frames import Corrupt, Decoder, dechunk
from codesherpa.providers.bedrock.wire import Call
from tests.standins.bedrock_answers import chunk, event, exception, frame

words = st.text(st.characters(codec="utf-8"), max_size=40)
messages = st.lists(st.tuples(st.sampled_from(["contentBlockDelta", "messageStop", "metadata"]), words), max_size=6)


def pieces(data, cuts):
    places = sorted({cut % (len(data) + 1) for cut in cuts} | {0, len(data)})
    return [data[one:two] for one, two in itertools.pairwise(places)]


def whole(decoder, data):
    """Tell whether these bytes are taken for messages and nothing else."""
    try:
        list(decoder.feed(data))
    except Corrupt:
        return False
    return not decoder.pending


def decode(decoder, parts):
    return [message for part in parts for message in decoder.feed(part)]


@given(messages, st.lists(st.integers(0, 10_000), max_size=12))
def test_every_message_comes_out_however_the_bytes_are_cut(said, cuts):
    data = b"".join(event(name, {"text": text}) for name, text in said)

    decoder = Decoder()
    found = decode(decoder, pieces(data, cuts))

    assert [(m.kind, m.name, json.loads(m.payload)) for m in found] == [("event", n, {"text": t}) for n, t in said]
    assert not decoder.pending


@given(messages)
def test_botocore_reads_the_same(said):
    data = b"".join(event(name, {"text": text}) for name, text in said) + exception("throttlingException", "slow")
    theirs = EventStreamBuffer()
    theirs.add_data(data)

    ours = decode(Decoder(), [data])

    assert [m.payload for m in theirs] == [m.payload for m in ours]
    assert ours[-1][:2] == ("exception", "throttlingException")


@given(messages.filter(bool), st.integers(0), st.integers(1, 255))
def test_no_flipped_byte_goes_unseen(said, place, flip):
    data = bytearray(b"".join(event(name, {"text": text}) for name, text in said))
    data[place % len(data)] ^= flip

    assert not whole(Decoder(), bytes(data))


def test_what_stands_before_a_corrupt_frame_is_given():
    good, bad = event("messageStart", {}), bytearray(event("messageStop", {}))
    bad[-1] ^= 1
    found = Decoder().feed(good + bad)

    assert next(found).name == "messageStart"
    with pytest.raises(Corrupt):
        next(found)


def test_a_broken_beginning_is_not_waited_for():
    beginning = bytearray(event("messageStart", {})[:12])
    beginning[2] ^= 1

    with pytest.raises(Corrupt):
        list(Decoder().feed(bytes(beginning)))


@pytest.mark.parametrize("total", [0, 15, 16 * 1024 * 1024 + 1, 2**32 - 1])
def test_an_impossible_length_is_refused_at_once(total):
    prelude = struct.pack("!II", total, 0)

    with pytest.raises(Corrupt):
        list(Decoder().feed(prelude + struct.pack("!I", zlib.crc32(prelude))))


def test_headers_of_every_type_are_skipped_over():
    values = [(0, b""), (1, b""), (2, b"x"), (3, b"xx"), (4, b"x" * 4), (5, b"x" * 8), (6, b"\0\2ab"), (8, b"x" * 8)]
    values += [(9, b"x" * 16), (7, b"\0\5event")]
    names = [b"h%d" % number for number in range(9)] + [b":message-type"]
    head = b"".join(bytes([len(n)]) + n + bytes([kind]) + value for n, (kind, value) in zip(names, values, strict=True))

    (message,) = Decoder().feed(framed(head, b"{}"))

    assert message.kind == "event"


@pytest.mark.parametrize("head", [b"\x05ab", b"\x01a\x63x", b"\x01a\x07\0"])
def test_headers_that_make_no_sense_are_corrupt(head):
    with pytest.raises(Corrupt):
        list(Decoder().feed(framed(head, b"{}")))


def framed(head, payload):
    prelude = struct.pack("!II", 16 + len(head) + len(payload), len(head))
    body = prelude + struct.pack("!I", zlib.crc32(prelude)) + head + payload
    return body + struct.pack("!I", zlib.crc32(body))


@given(st.lists(st.binary(min_size=1, max_size=50), max_size=6), st.lists(st.integers(0, 1_000), max_size=8))
def test_chunks_of_http_are_joined_however_they_are_cut(parts, cuts):
    body = b"".join(map(chunk, parts)) + b"0\r\n\r\n"
    reads = iter(piece for piece in pieces(body, cuts) if piece)

    assert b"".join(dechunk(lambda: next(reads, b""))) == b"".join(parts)


def test_a_trailer_after_the_last_chunk_is_read():
    reads = iter([b"1;name=value\r\na\r\n0\r\nx-check: 1\r\n", b"\r\n"])

    assert list(dechunk(lambda: next(reads))) == [b"a"]


@pytest.mark.parametrize("body", [b"", b"5\r\nab", b"1\r\na\r\n", b"1\r\na\r\n0\r\n", b"1"])
def test_a_body_that_ends_early_is_told(body):
    reads = iter([body] if body else [])

    with pytest.raises(EOFError):
        list(dechunk(lambda: next(reads, b"")))


@pytest.mark.parametrize("line", [b"zz\r\n", b"-5\r\n", b"\r\n"])
def test_a_chunk_without_a_length_is_corrupt(line):
    reads = iter([line])

    with pytest.raises(Corrupt):
        list(dechunk(lambda: next(reads, b"")))


def test_a_frame_of_the_stand_in_is_a_frame():
    assert len(frame({"a": "b"}, b"payload")) == 16 + 1 + 1 + 1 + 2 + 1 + 7


def test_each_read_of_an_answer_lets_others_run(monkeypatch):
    turns = []
    monkeypatch.setattr(stream.time, "sleep", turns.append)
    source = SimpleNamespace(read1=lambda size: b"x")

    assert [stream.timely(source, Call(10), 10) for _ in range(3)] == [b"x"] * 3

    assert turns == [0, 0, 0]
