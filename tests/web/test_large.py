"""Messages and replies that are larger than a frame once was: the page settles, and nothing is carried twice."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.live.conftest import MODES, Server
from tests.standins import bedrock
from tests.web.conftest import DONE, Page, say, served

pytestmark = pytest.mark.xdist_group("web-large")

Tab = Callable[..., Page]
LITTLE = 20_000  # Bytes of all that a page sends and receives beside texts.
REPLY = ("\u0928\u092e\u0938\u094d\u0924\u0947 " * 150 + "\n\n") * 100  # 90,000 letters.


@pytest.fixture(scope="module", params=MODES)
def talkative(
    request: pytest.FixtureRequest, model: bedrock.StandIn, tmp_path_factory: pytest.TempPathFactory, empty_sqlite: Path
) -> Iterator[Server]:
    """A server of either mode, whose model says REPLY where it is told to."""
    model.script({"text": REPLY}, contains="at length")
    settings = model.environment | {"MODEL_PROVIDER": "bedrock", "ASYNC_MODE": request.param}
    with served(tmp_path_factory.mktemp("talkative"), empty_sqlite, **settings) as server:
        yield server


in_one_mode = pytest.mark.parametrize("talkative", MODES[:1], indirect=True)  # What the page alone does.


def test_as_much_code_as_is_taken_goes_once_in_each_direction_and_with_the_end(talkative: Server, tab: Tab) -> None:
    page = tab(talkative).register("code@example.com")
    code = ("\u0436" * 99 + "\n") * 1950
    before = page.traffic()

    page.give("drop", ".composer", {"files": {"letters.txt": code}})
    page.write("Hello.").see(DONE)

    size, after = len(code.encode()), page.traffic()
    assert after["connections"] == 1
    assert 0 < after["sent"] - before["sent"] - size < LITTLE
    assert 0 < after["received"] - before["received"] - 2 * size < LITTLE  # The acknowledgement, and the last event.


def test_a_long_reply_comes_over_one_connection(talkative: Server, tab: Tab) -> None:
    page = tab(talkative).register("reply@example.com")

    page.write("Answer at length.").see(DONE)

    size, traffic = len(REPLY.encode()), page.traffic()
    assert traffic["connections"] == 1
    assert traffic["sent"] < LITTLE
    # The deltas; of the last event the chat's response and result, and the result again.
    assert 0 < traffic["received"] - 4 * size < LITTLE


CLIENT = """(async (message) => {
  const { Client } = await import("/app/client.js");
  const client = new Client();
  client.live.open();
  const online = (done) => client.live.addEventListener("state", ({ detail }) => detail.state === "online" && done());
  await new Promise(online);
  %s
})(%s)"""


def run(page: Page, script: str, message: dict[str, Any] | None = None) -> Any:
    """Run a script with a client of its own, which shares the page's session."""
    return page.evaluate(CLIENT % (script, json.dumps(message)))


@in_one_mode
def test_a_large_message_whose_acknowledgement_is_lost_is_not_sent_again(talkative: Server, tab: Tab) -> None:
    page = tab(talkative).register("lost-ack@example.com")
    code = "\u0436" * 150_000
    before = page.traffic()

    chat = run(
        page,
        """
        const { socket } = client.live;
        socket.onack = () => { delete socket.onack; socket.io.engine.close(); };
        return await client.live.send(message);
        """,
        {"message": say("Hello."), "code_context": code},
    )

    after = page.traffic()
    assert chat["code_context"] == code
    assert after["connections"] - before["connections"] == 2
    assert after["sent"] - before["sent"] < len(code.encode()) + LITTLE


@in_one_mode
def test_a_large_message_that_did_not_arrive_is_sent_again(talkative: Server, tab: Tab) -> None:
    page = tab(talkative).register("lost@example.com")
    message = {"message": say("Hello."), "code_context": "\u0436" * 20_000}

    chat = run(
        page,
        """
        const { socket } = client.live;
        const { packet } = socket;
        socket.packet = () => { socket.packet = packet; socket.io.engine.close(); };
        return await client.live.send(message);
        """,
        message,
    )

    assert chat["code_context"] == message["code_context"]


@in_one_mode
def test_a_message_that_is_lost_again_and_again_is_sent_less_and_less_often(talkative: Server, tab: Tab) -> None:
    page = tab(talkative).register("back-off@example.com")

    pauses = run(
        page,
        """
        const [{ setTimeout }, pauses] = [window, []];
        Math.random = () => 0.5;
        window.setTimeout = (act, pause) => setTimeout(act, pauses.push(pause) * 0);
        client.live.ask = async () => { if (pauses.length < 8) throw new Error("lost"); return { chat: {} }; };
        await client.live.send({ message: "Hello." });
        return pauses;
        """,
    )

    assert pauses == [0, 1000, 2000, 4000, 8000, 16000, 30000, 30000]


@in_one_mode
def test_a_message_that_no_frame_can_carry_is_refused_at_once(talkative: Server, tab: Tab) -> None:
    page = tab(talkative).register("too-large@example.com")

    page.give("drop", ".composer", {"files": {"bells.txt": "\a" * 190_000}})  # Six bytes each in JSON.
    page.write("Hello.").see("[data-status=refused]")

    assert page.text(".trouble p") == "This is too large to be sent."
    assert page.traffic()["sent"] < LITTLE


@in_one_mode
def test_what_nothing_is_missing_of_is_not_asked_for_after_a_lost_connection(talkative: Server, tab: Tab) -> None:
    page = tab(talkative).register("nothing-missing@example.com")

    asked, response = run(
        page,
        """
        const ended = new Promise((done) => client.live.addEventListener("end", ({ detail }) => done(detail.chat)));
        await client.live.send(message);
        const { ask } = client.live, asked = [];
        client.live.ask = (event, payload) => asked.push(event) && ask.call(client.live, event, payload);
        client.live.socket.io.engine.close();
        return [asked, (await ended).response];
        """,
        {"message": say("At last.", delay=3)},
    )

    assert (asked, response) == ([], "At last.")


REPLIES_ALONE = """(async () => {
  const { Replies } = await import("/app/client/replies.js");
  const asked = [], answers = [];
  const ask = (event, { chat_id }) => asked.push(chat_id) && new Promise((answer) => answers.push(answer));
  const replies = new Replies({ ask, tell: () => {}, socket: { connected: true } });
  const turn = () => new Promise((done) => setTimeout(done));
  %s
})()"""


@in_one_mode
def test_replies_are_resumed_one_after_another(talkative: Server, tab: Tab) -> None:
    page = tab(talkative).show()

    seen = page.evaluate(
        REPLIES_ALONE
        % """
        const seen = [];
        replies.follow([1, 2, 3].map((chat_id) => ({ chat_id, seq: 1 })));
        for (let number = 0; number < 3; number++) {
          await turn();
          seen.push([...asked]);
          answers[number]({ chat: { status: "streaming" }, seq: 1, content: "x" });
        }
        return seen;
        """
    )

    assert seen == [[1], [1, 2], [1, 2, 3]]


@in_one_mode
def test_a_reply_that_ended_before_the_acknowledgement_is_not_expected_any_more(talkative: Server, tab: Tab) -> None:
    page = tab(talkative).show()

    texts = page.evaluate(
        REPLIES_ALONE
        % """
        replies.end({ id: 1 });
        for (const id of [1, 2]) replies.expect({ id });
        return [replies.text(1) ?? "ended", replies.text(2)];
        """
    )

    assert texts == ["ended", ""]
