"""Time, identifiers and randomness, handed in so that a seed and a clock replay any run."""

from __future__ import annotations

from datetime import UTC, datetime
from random import Random, SystemRandom
from uuid import UUID


class Clock:
    """The process's wall clock. Access is never judged by it: the database's clock does that."""

    def now(self) -> datetime:
        """Returns the present moment, aware, in UTC."""
        return datetime.now(UTC)


class Ids:
    """Makes identifiers from one source of randomness."""

    def __init__(self, randomness: Random | None = None) -> None:
        self._random = randomness or SystemRandom()

    def pseudonym(self) -> UUID:
        """Returns a UUIDv4: for persons and children, whose ids must not tell when they came."""
        return UUID(int=self._random.getrandbits(128), version=4)

    def time_ordered(self, now: datetime) -> UUID:
        """Returns a UUIDv7 (RFC 9562, 5.7) for `now`: for everything that is no person."""
        millis = int(now.timestamp() * 1000)
        value = (millis & (2**48 - 1)) << 80 | self._random.getrandbits(80)
        value = value & ~(0xF << 76) | 0x7 << 76
        return UUID(int=value & ~(0x3 << 62) | 0x2 << 62)
