"""The log of deltas of the replies that are being written in this process."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from codesherpa.chat import deltas
from codesherpa.chat.deltas import Part
from codesherpa.concurrency import spawn

TICK = 0.025  # Seconds between two deltas of a reply; what comes in between goes together.
LONGEST = 0.2  # The same while the process has more to do than it can.
SAVE = 0.5  # Seconds between two writes to the database: what was shown a second ago is kept.

Show = Callable[[int, int, int, str], None]  # Takes user_id, chat_id, seq and content.

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Unsaved:
    """Text that has been shown and is not in the database yet, with the ends of its deltas.

    It is the whole text where nobody knows how much of it the database has.
    """

    chat_id: int
    more: str
    more_ends: str
    is_whole: bool = False


class Stream:
    """The text of one reply as it grows, cut into deltas that count from 1."""

    def __init__(self, chat_id: int, user_id: int, show: Show) -> None:
        self.chat_id, self.user_id = chat_id, user_id
        self._show = show
        self._lock = threading.RLock()  # Who is shown a delta may find that one before it is missing.
        self._parts: list[str] = []
        self._ends: list[int] = []
        self._waiting: list[str] = []
        self._saved = 0
        self._in_doubt = False  # Whether a save failed, which may have been stored all the same.
        self.first_at: float | None = None  # When the first word was shown, by the monotonic clock.

    def append(self, text: str) -> None:
        """Take more text; the first is shown at once, what follows at the next tick."""
        if not text:
            return
        self._waiting.append(text)
        if not self._ends:
            self.flush()

    @property
    def has_more(self) -> bool:
        """Tell whether text waits to be shown; of many streams few have some at each beat, and a lock costs more."""
        return bool(self._waiting)

    def flush(self) -> None:
        """Show what has come since the last delta, as one delta, in order."""
        with self._lock:
            if not self._waiting:
                return
            self.first_at = self.first_at or time.monotonic()
            waiting, self._waiting = self._waiting, []
            content = "".join(waiting)
            self._parts.append(content)
            self._ends.append((self._ends[-1] if self._ends else 0) + len(content))
            self._show(self.user_id, self.chat_id, len(self._ends), content)

    def parts(self, after: int = 0) -> list[Part]:
        """Return the deltas that came after a seq."""
        with self._lock:
            return list(enumerate(self._parts[after:], after + 1))

    def after(self, seq: int) -> tuple[int, str]:
        """Return the last seq, and the text that came after `seq`."""
        with self._lock:
            return len(self._ends), "".join(self._parts[seq:])

    def unsaved(self) -> Unsaved | None:
        """Return what the database lacks; `saved` says that it has it now."""
        with self._lock:
            if self._saved == len(self._ends):
                return None
            if self._in_doubt:
                return Unsaved(self.chat_id, self.text, self.ends, is_whole=True)
            ends = "".join(f"{end}," for end in self._ends[self._saved :])
            return Unsaved(self.chat_id, "".join(self._parts[self._saved :]), ends)

    def unsaved_parts(self) -> list[Part]:
        """Return the deltas that the database lacks."""
        return self.parts(self._saved)

    def saved(self, unsaved: Unsaved) -> None:
        self._saved = unsaved.more_ends.count(",") + (0 if unsaved.is_whole else self._saved)
        self._in_doubt = False

    def not_saved(self) -> None:
        """Note that a save failed; its commit may have come through, and only the word of it got lost."""
        self._in_doubt = True

    @property
    def text(self) -> str:
        return "".join(self._parts)

    @property
    def ends(self) -> str:
        return "".join(f"{end}," for end in self._ends)


class Streams:
    """Every reply that is being written in this process, shown and saved at a steady beat.

    `show` is called with each delta; `save` writes a list of Unsaved in one transaction, an empty one too at
    each turn; it may fail, and is then called again with more. While it is `crowded`, where messages wait to be taken
    up, what is being written is read and shown as seldom as under load: others wait for their first word.
    """

    def __init__(
        self, save: Callable[[list[Unsaved]], None], show: Show, crowded: Callable[[], bool] = lambda: False
    ) -> None:
        self._save, self._show, self._crowded = save, show, crowded
        self._live: dict[int, Stream] = {}
        self._lock = threading.Lock()
        self._beating = False
        self.pause = TICK  # Seconds until the next beat.

    def rest(self) -> None:
        """Wait until about the next beat where beats are late: nobody is shown any sooner what is read before."""
        pause = LONGEST if self._crowded() else self.pause
        if pause > TICK:
            time.sleep(pause)

    def open(self, chat_id: int, user_id: int) -> Stream:
        with self._lock:
            stream = self._live[chat_id] = Stream(chat_id, user_id, self._show)
            if not self._beating:
                self._beating = True
                spawn(self._beat)
        return stream

    def close(self, stream: Stream) -> None:
        """Show what is left and let go of the stream."""
        stream.flush()
        self._live.pop(stream.chat_id, None)

    def _beat(self) -> None:
        """Show and save until no reply is left."""
        saved_at = ended = time.monotonic()
        while self._goes_on():
            time.sleep(self.pause)
            started = time.monotonic()
            for stream in [one for one in list(self._live.values()) if one.has_more]:
                try:
                    stream.flush()
                except Exception:  # One that cannot be shown holds up no other; what it lacks is seen at its end.
                    log.exception("delta not shown", chat_id=stream.chat_id)
            # Under load a round takes long, or comes late because others compute: the first words of other replies,
            # say. Then fewer and longer deltas are due, not a queue of them.
            late, ended = started - ended - self.pause, time.monotonic()
            self.pause = LONGEST if self._crowded() else min(max(TICK, 2 * (ended - started) + late), LONGEST)
            if started - saved_at >= SAVE:
                saved_at = started
                self._save_all()

    def _goes_on(self) -> bool:
        with self._lock:
            self._beating = bool(self._live)
            return self._beating

    def _save_all(self) -> None:
        unsaved = [(stream, more) for stream in list(self._live.values()) if (more := stream.unsaved())]
        try:
            self._save([more for _, more in unsaved])
        except Exception:  # The database may be away for a while; the text waits here.
            log.exception("deltas not saved")
            for stream, _ in unsaved:
                stream.not_saved()
            return
        for stream, more in unsaved:
            stream.saved(more)


def after(response: str, ends: str, seq: int) -> tuple[int, str]:
    """The same as Stream.after for a reply that is only in the database."""
    parts = deltas.cut(response, ends, seq)
    return ends.count(","), "".join(content for _, content in parts)
