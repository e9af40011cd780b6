"""How far a durable's delivery has come: whether the stream can still bring what a lane lacks, or only the journal can.

A lane that is behind need not have lost anything: its events may lie in the stream, behind those of others. A slow
consumer that fetched them from the journal as well would do everything twice.
"""

from __future__ import annotations

from dataclasses import dataclass

from nats.aio.msg import Msg

Key = tuple[str, str]
"""A lane: (producer, school)."""


@dataclass(slots=True)
class _Wait:
    """Since when, from which message on the stream's end is known, and where it was then (in the durable's count)."""

    since: float
    after: int
    end: int | None = None

    def is_over(self, handled: int) -> bool:
        return self.end is not None and self.end <= handled


class Backlog:
    """One consumer's view of its durable. Times are the event loop's, in seconds."""

    def __init__(self, patience_s: float) -> None:
        """Every lane waits for so long at least; nothing delivered for as long means that the stream has no more."""
        self._patience_s = patience_s
        self._waits: dict[Key, _Wait] = {}
        self._count = 0
        self._last: Msg | None = None
        self._last_at = 0.0
        self._handled = 0

    def begin(self, now: float) -> None:
        """Begins anew: what was delivered before went to another."""
        self._waits.clear()
        self._last, self._last_at, self._handled = None, now, 0

    def received(self, message: Msg, now: float) -> None:
        """Remembers what was delivered last."""
        self._count += 1
        self._last, self._last_at = message, now

    def handled(self, message: Msg) -> None:
        """Remembers up to which message everything is applied or set aside."""
        place = message.metadata.sequence.consumer
        if place < self._handled:  # the durable was made anew, and counts anew
            self._waits = {key: _Wait(wait.since, 0, 0) for key, wait in self._waits.items()}
        self._handled = place

    def suspect(self, key: Key, now: float) -> None:
        """Has a lane wait until the stream has brought all that is in it now; one that waits already goes on."""
        self._waits.setdefault(key, _Wait(now, self._count))

    def clear(self, key: Key) -> None:
        """Lets a lane wait no longer: it lacks nothing."""
        self._waits.pop(key, None)

    def passed(self, now: float, *, at_hand: bool) -> set[Key]:
        """Returns the lanes for which the stream has brought all that it had, in good time; they no longer wait.

        `at_hand`: something was delivered that is not handled yet.
        """
        if self._waits and self._last is not None:
            self._find_ends(self._last)
        idle = not at_hand and now - self._last_at >= self._patience_s
        found = {
            key
            for key, wait in self._waits.items()
            if now - wait.since >= self._patience_s and (idle or wait.is_over(self._handled))
        }
        for key in found:
            del self._waits[key]
        return found

    def _find_ends(self, last: Msg) -> None:
        unknown = [wait for wait in self._waits.values() if wait.end is None and wait.after < self._count]
        if unknown:
            told = last.metadata
            for wait in unknown:
                wait.end = told.sequence.consumer + told.num_pending
