"""What was acknowledged and what each client saw, written down outside the application, held against what is stored.

Clients and driver append records, a line of JSON each, to files of their own; `at` is in seconds since 1970.

    sent          who, cmid                       a client is about to send a message
    acknowledged  who, cmid, chat_id              it was told that the message is stored
    delta         who, connection, chat_id, seq, content
    asked         who, connection, chat_id        a resume was sent
    missed        who, connection, chat_id, after, seq, content, status      its answer
    last          who, connection, chat_id, event, status, response          `response` or `error`
    stopped       who, chat_id, status            a stop was acknowledged
    reloaded      who                             the page was left
    unanswered    who, cmid                       it gave up waiting for the acknowledgement
    waiting       who, chat_id                    it was never told the end
    fault         text                            something broke in a client
    killed        worker, how, until, alone       the driver killed a worker; another served from `until` on
    away          what, until                     Redis or PostgreSQL was gone from `at` until then

`who` is one page of a client, from load to reload; `connection` counts its connections.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

Record = dict[str, Any]

KEPT_AFTER = 1.0  # Text that was shown so many seconds before a crash is kept.
TOLD_WITHIN = 30.0  # Seconds in which a reply of a dead worker is interrupted.
AROUND = 5.0  # Seconds after an outage in which what was lost in it shows.
ENDED = ("complete", "stopped", "failed", "interrupted")


@dataclass(frozen=True, slots=True)
class Stored:
    """A chat as it is in the database; `ends` are the lengths of the response after each delta."""

    id: int
    cmid: str | None
    status: str
    response: str
    ends: tuple[int, ...] = ()
    completed_at: float | None = None

    def between(self, after: int, seq: int) -> str:
        """Return what the deltas after one and up to another hold."""
        if seq <= after:
            return ""
        return self.response[self.ends[after - 1] if after else 0 : self.ends[seq - 1]]


@dataclass
class Ledger:
    """All records, in the order of their times."""

    records: list[Record] = field(default_factory=list)

    @classmethod
    def read(cls, *paths: Path) -> Ledger:
        lines = [line for path in paths if path.exists() for line in path.read_text("utf-8").splitlines()]
        return cls(sorted((json.loads(line) for line in lines), key=lambda record: float(record["at"])))

    def of(self, *kinds: str) -> Iterator[Record]:
        return (record for record in self.records if record["kind"] in kinds)

    def check(self, stored: Iterable[Stored], calls: Counter[str] | None = None) -> list[str]:
        """Return every violation as a sentence; `calls` counts the calls of the model by cmid."""
        chats = {chat.id: chat for chat in stored}
        return [
            *self._messages(chats),
            *self._ends(chats),
            *self._texts(chats),
            *self._order(),
            *self._interrupted(chats),
            *(
                f"waits: {record['who']} was never told the end of chat {record['chat_id']}"
                for record in self.of("waiting")
            ),
            *(f"waits: {record['who']} was never answered on {record['cmid']}" for record in self.of("unanswered")),
            *(f"fault: {record['text']}" for record in self.of("fault")),
            *(
                f"twice: the model was called {count} times for {cmid}"
                for cmid, count in (calls or {}).items()
                if count > 1
            ),
        ]

    def _messages(self, chats: dict[int, Stored]) -> Iterator[str]:
        """Each acknowledged message is stored, once, under the id that was told; nothing else is."""
        by_cmid: dict[str | None, list[int]] = defaultdict(list)
        for chat in chats.values():
            by_cmid[chat.cmid].append(chat.id)
        told: dict[str, set[int]] = defaultdict(set)
        for record in self.of("acknowledged"):
            told[record["cmid"]].add(record["chat_id"])
        sent = {record["cmid"] for record in self.of("sent")}
        for cmid, ids in told.items():
            if len(ids) > 1:
                yield f"twice: {cmid} was acknowledged as chats {sorted(ids)}"
            if not by_cmid[cmid]:
                yield f"lost: {cmid} was acknowledged as chat {min(ids)} and is not stored"
            elif not ids & set(by_cmid[cmid]):
                yield f"wrong: {cmid} was acknowledged as chat {min(ids)} and is stored as {by_cmid[cmid]}"
        for cmid, stored_as in by_cmid.items():
            if len(stored_as) > 1:
                yield f"twice: {cmid} is stored as chats {stored_as}"
            if stored_as and cmid not in sent:
                yield f"invented: chat {stored_as[0]} ({cmid}) was sent by nobody"

    def _ends(self, chats: dict[int, Stored]) -> Iterator[str]:
        """Each chat has ended, and nobody was told another end, or two."""
        for chat in chats.values():
            if chat.status not in ENDED:
                yield f"stuck: chat {chat.id} is still {chat.status}"
        seen: Counter[tuple[str, int]] = Counter()
        for record in self.of("last", "stopped"):
            id, end = record["chat_id"], chats.get(record["chat_id"])
            if end is None:
                yield f"lost: {record['who']} was told the end of chat {id}, which is not stored"
            elif record["status"] != end.status:
                yield f"wrong: {record['who']} was told that chat {id} is {record['status']}, stored is {end.status}"
            elif record["kind"] == "last" and record["response"] != end.response:
                yield f"wrong: {record['who']} was told another response of chat {id} than is stored"
            if record["kind"] == "last":
                seen[record["who"], id] += 1
        yield from (f"twice: {who} was told the end of chat {id} {n} times" for (who, id), n in seen.items() if n > 1)

    def _texts(self, chats: dict[int, Stored]) -> Iterator[str]:
        """Whatever a client was shown stands in the stored response at its place, and nothing is missing in the end."""
        had: dict[tuple[str, int], set[int]] = defaultdict(set)
        for record in self.of("delta", "missed"):
            chat = chats.get(record["chat_id"])
            if chat is None:
                yield f"lost: {record['who']} was shown text of chat {record['chat_id']}, which is not stored"
                continue
            seq, after = record["seq"], record.get("after", record["seq"] - 1)
            had[record["who"], chat.id].update(range(after + 1, seq + 1))
            if chat.ends and chat.ends[-1] != len(chat.response):
                yield f"wrong: the deltas of chat {chat.id} hold {chat.ends[-1]} of {len(chat.response)} characters"
            elif seq > len(chat.ends):
                if chat.status != "interrupted":  # Of those the last second may be lost; see _interrupted.
                    yield f"lost: {record['who']} was shown delta {seq} of chat {chat.id}, which has {len(chat.ends)}"
            elif record["content"] != chat.between(after, seq):
                yield f"wrong: {record['who']} was shown other text as {after + 1}-{seq} of chat {chat.id} than is kept"
        left = {record["who"] for record in self.of("reloaded")}
        for (who, id), seqs in had.items():
            if who in left:
                continue
            if missing := set(range(1, len(chats[id].ends) + 1)) - seqs:
                yield f"gap: {who} never got {sorted(missing)[:5]} of chat {id}, which has {len(chats[id].ends)} deltas"

    def _order(self) -> Iterator[str]:
        """On one connection the deltas of a chat follow one another by 1, and join what a resume gave."""
        seqs: dict[tuple[str, int, int], list[tuple[int, float]]] = defaultdict(list)
        resumed: dict[tuple[str, int, int], int] = {}
        ended: set[tuple[str, int, int]] = set()
        knows: dict[tuple[str, int], int] = {}  # On which connection a page was told an end; it asks for no more then.
        waits: Counter[tuple[str, int]] = Counter()
        overtaken: set[tuple[str, int, int]] = set()
        for record in self.of("delta", "asked", "missed", "last"):
            who, id = record["who"], record["chat_id"]
            key = (who, record["connection"], id)
            match record["kind"]:
                case "delta":
                    if knows.get((who, id), key[1]) != key[1]:
                        continue
                    if key not in seqs and waits[who, id] > 0:
                        overtaken.add(key)
                    seqs[key].append((record["seq"], record["at"]))
                    if key in ended:
                        yield f"late: {who} was shown delta {record['seq']} of chat {id} after its end"
                case "asked":
                    waits[who, id] += 1
                case "missed":
                    waits[who, id] -= 1
                    resumed[key] = max(resumed.get(key, 0), record["seq"])
                case "last":
                    ended.add(key)
                    knows.setdefault((who, id), key[1])
        for key, arrived in seqs.items():
            # Deltas may overtake the answer to a resume, and the connection may break before that comes.
            unknown = key in overtaken and key not in resumed
            yield from self._one_by_one(*key, arrived[0][0] - 1 if unknown else resumed.get(key, 0), arrived)

    def _one_by_one(
        self, who: str, connection: int, id: int, resumed: int, arrived: list[tuple[int, float]]
    ) -> Iterator[str]:
        first, began = arrived[0]
        if first > resumed + 1 and not self._excused(began):
            yield f"gap: {who} was shown delta {first} of chat {id} after {resumed}, on connection {connection}"
        for (one, _), (following, at) in pairwise(arrived):
            if following > one + 1 and not self._excused(at):
                yield f"gap: {who} was shown delta {following} of chat {id} after {one}, on connection {connection}"
            elif following <= one:
                yield f"twice: {who} was shown delta {following} of chat {id} after {one}, on connection {connection}"

    @cached_property
    def _away(self) -> list[tuple[float, float]]:
        return [(record["at"], record["until"]) for record in self.of("away")]

    def _excused(self, at: float) -> bool:
        return any(gone - 1 <= at <= back + AROUND for gone, back in self._away)

    def _interrupted(self, chats: dict[int, Stored]) -> Iterator[str]:
        """What was shown a second before its worker died is kept, and the end is told in time."""
        shown: dict[int, list[tuple[float, int]]] = defaultdict(list)
        for record in self.of("delta"):
            shown[record["chat_id"]].append((record["at"], record["seq"]))
        kills = [record["at"] for record in self.of("killed", "away")]
        for chat in chats.values():
            if chat.status != "interrupted":
                continue
            top = max((seq for _, seq in shown[chat.id]), default=0)
            # When its last words were shown first; another worker may show them again to others, later.
            last = min((at for at, seq in shown[chat.id] if seq == top), default=0.0)
            death = min((at for at in kills if at >= last - 0.5), default=None)
            if death is None:
                yield f"interrupted: chat {chat.id}, and no worker was killed after its last words"
                continue
            due = max((seq for at, seq in shown[chat.id] if at <= death - KEPT_AFTER), default=0)
            if due > len(chat.ends):
                yield f"lost: delta {due} of chat {chat.id} had been shown a second, {len(chat.ends)} are kept"
            took = (chat.completed_at or death) - death - self._without_anybody(death, chat.completed_at or death)
            if last and took > TOLD_WITHIN and not self._excused(death):
                yield f"slow: chat {chat.id} was interrupted {took:.0f} s after the kill"

    @cached_property
    def _alone(self) -> list[tuple[float, float]]:
        return [(record["at"], record["until"]) for record in self.of("killed") if record.get("alone")]

    def _without_anybody(self, since: float, until: float) -> float:
        """Return for how long nobody was there to tell anything, where there is one worker that died again."""
        return sum(max(0.0, min(back, until) - max(gone, since)) for gone, back in self._alone)


def by_kind(violations: Iterable[str]) -> Counter[str]:
    return Counter(violation.partition(":")[0] for violation in violations)
