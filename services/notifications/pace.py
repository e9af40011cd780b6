"""How fast a channel may send, and when it rests: limits a school and in all, circuits for what keeps failing. Pure.

Times are readings of one clock that only goes forward, in seconds.
"""

from __future__ import annotations

from dataclasses import dataclass, field

MINUTE_S = 60.0
OPENS_AFTER = 5
FIRST_REST_S = 30.0
LONGEST_REST_S = 1800.0
MOST_CIRCUITS = 10_000


@dataclass(slots=True)
class Bucket:
    """So many a minute, a tenth of a minute's at once. 0: as many as go."""

    per_minute: int
    level: float = 0.0
    at: float = 0.0

    def take(self, now: float, *, ahead: bool = False) -> bool:
        """Tells whether one may go now, and counts it. `ahead`: it goes anyway, and those after it wait for it."""
        if self.per_minute == 0:
            return True
        most = max(self.per_minute / 10, 1.0)
        self.level = max(0.0, self.level - (now - self.at) * self.per_minute / MINUTE_S)
        self.at = now
        if self.level + 1 > most and not ahead:
            return False
        self.level += 1
        return True


@dataclass(slots=True)
class Pace:
    """The limits of one channel in this process."""

    per_minute: int = 0
    per_minute_school: int = 0
    total: Bucket = field(init=False)
    schools: dict[str, Bucket] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.total = Bucket(self.per_minute)

    def take(self, school: str, now: float, *, urgent: bool) -> bool:
        """Tells whether a delivery may go now; what is urgent always may, at the others' expense."""
        own = self.schools.setdefault(school, Bucket(self.per_minute_school))
        if not own.take(now, ahead=urgent):
            return False
        if self.total.take(now, ahead=urgent):
            return True
        own.level = max(0.0, own.level - 1)
        return False


@dataclass(slots=True)
class Circuit:
    """Opens after failures in a row, closes with the first success; after each rest one may try."""

    failures: int = 0
    rests: int = 0
    until: float = 0.0

    def closed(self, now: float) -> bool:
        """Tells whether one may go now. After a rest only one may, until it is known how that went."""
        if self.failures < OPENS_AFTER:
            return True
        if now < self.until:
            return False
        self.until = now + FIRST_REST_S
        return True

    def failed(self, now: float) -> None:
        """Counts a failure; rests grow as long as they come in a row."""
        self.failures += 1
        if self.failures >= OPENS_AFTER:
            self.until = now + min(FIRST_REST_S * 2.0 ** min(self.rests, 16), LONGEST_REST_S)
            self.rests += 1


@dataclass(slots=True)
class Circuits:
    """A circuit for each mail domain, push service or outlet that fails now; none for those that don't."""

    open: dict[str, Circuit] = field(default_factory=dict)

    def closed(self, name: str, now: float) -> bool:
        """Tells whether one may go there now."""
        found = self.open.get(name)
        return found is None or found.closed(now)

    def worked(self, name: str) -> None:
        """Closes the circuit."""
        self.open.pop(name, None)

    def failed(self, name: str, now: float) -> None:
        """Counts a failure there."""
        if len(self.open) >= MOST_CIRCUITS:
            self.open.clear()  # better a server asked once too often than memory without an end
        self.open.setdefault(name, Circuit()).failed(now)
