"""When a webhook that failed is tried again, and when its tool is left alone for a while. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

FIRST = timedelta(seconds=5)
GROWTH = 4
LONGEST = timedelta(hours=4)
GIVE_UP = timedelta(days=3)
JITTER = 0.2
"""So much of a pause is chance: who failed together does not come back together."""

FAILURES = 5
"""So many in a row, of whichever child, open the breaker."""
REST = timedelta(seconds=30)
LONGEST_REST = timedelta(minutes=10)


def next_try(
    tries: int, first: datetime, now: datetime, chance: float, asked: timedelta | None = None
) -> datetime | None:
    """Returns when to try again after `tries` failures, the first attempt having been at `first`; None: set aside.

    `chance` is in [0, 1); `asked` is what the receiver asked for (Retry-After), heeded within bounds. The last try is
    at the end of the three days, not before it.
    """
    end = first + GIVE_UP
    if now >= end:
        return None
    pause = LONGEST if tries > 10 else min(LONGEST, FIRST * GROWTH ** (tries - 1))
    if asked is not None:
        pause = min(LONGEST, max(pause, asked))
    return min(end, now + pause * (1 - JITTER + 2 * JITTER * chance))


@dataclass(frozen=True, slots=True)
class Breaker:
    """How a tool's receiver does. Open until `until`: nobody knocks; then one does, and its luck decides for all."""

    failures: int = 0
    openings: int = 0
    until: datetime | None = None
    probing: bool = False

    def may(self, now: datetime) -> bool:
        """Tells whether an attempt may begin."""
        return self.until is None or (now >= self.until and not self.probing)

    def begun(self) -> Breaker:
        """An attempt began: of an open breaker it is the one that tries the door."""
        return replace(self, probing=self.until is not None)

    def unheard(self) -> Breaker:
        """Nobody is at the door: whoever tried it and was not heard of keeps no other from trying."""
        return replace(self, probing=False)

    def succeeded(self) -> Breaker:
        """All is well again."""
        return Breaker()

    def failed(self, now: datetime, chance: float) -> Breaker:
        """An attempt failed: after so many, or when it was the one that tried, nobody knocks for a while."""
        failures = self.failures + 1
        if (failures < FAILURES) if self.until is None else not self.probing:  # the latter began before it opened
            return replace(self, failures=failures)
        rest = min(LONGEST_REST, REST * 2 ** min(self.openings, 10)) * (1 - JITTER + 2 * JITTER * chance)
        return Breaker(failures, self.openings + 1, now + rest)
