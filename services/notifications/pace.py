"""How fast a channel may send, and when something rests: limits a school and in all, circuits for what keeps failing.

Both stand in the database, so that several processes hold them together. That costs a statement a batch and one for
each failure, and none for each letter.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256

import asyncpg

from services.notifications.store import Due
from shared.db import LOST, Connection, Database
from shared.events.notifications import Channel

log = logging.getLogger(__name__)

OPENS_AFTER = 5
FIRST_REST_S = 30.0
LONGEST_REST_S = 1800.0

BEGIN = """
SELECT take_pace($1, $2, $3, $4, $5, $6) AS given,
       (SELECT coalesce(jsonb_object_agg(c.name, jsonb_build_array(c.failures, extract(epoch FROM c.until - clock_timestamp()))), '{}')
          FROM circuit c) AS circuits
"""  # noqa: E501  read across
GIVE_BACK = "SELECT take_pace($1, $2, $3, 0, $4, $5)"
FAILED = "SELECT failures, rest_s FROM circuit_failed($1, $2, $3, $4)"
TRY = """
UPDATE circuit SET trying = true, until = clock_timestamp() + make_interval(secs => $2), at = clock_timestamp()
 WHERE name = $1 AND NOT until BETWEEN clock_timestamp() AND clock_timestamp() + make_interval(secs => $3)
RETURNING true
"""
WORKED = "DELETE FROM circuit WHERE name = $1"


@dataclass(frozen=True, slots=True)
class Limits:
    """So many a minute, in all and of a school; a tenth of it at once. 0: as many as go."""

    per_minute: int = 0
    per_minute_school: int = 0


@dataclass(frozen=True, slots=True)
class Circuit:
    """What fails now, as last read: how often in a row, and until when (the loop's time) it is left alone."""

    failures: int
    until: float


@dataclass(slots=True)
class Pace:
    """The limits of one channel, and what rests, as all processes know it."""

    db: Database
    channel: Channel
    limits: Limits
    known: dict[str, Circuit] = field(default_factory=dict)

    async def begin(self, conn: Connection, school: str, due: Sequence[Due]) -> list[Due]:
        """Returns which of these may go now, in their order, and counts them; reads what rests.

        What is urgent always may, at the others' expense.
        """
        urgent, limits = sum(one.urgent for one in due), self.limits
        want = len(due) - urgent
        row = await conn.fetchrow(
            BEGIN, school, self.channel, want, urgent, limits.per_minute_school, limits.per_minute
        )
        if row is None:
            return []
        now = asyncio.get_running_loop().time()
        self.known = {
            # One that rests for longer than any does is from before the clock was put back: it is over.
            name: Circuit(failures, now + (rest_s if rest_s <= LONGEST_REST_S else 0.0))
            for name, (failures, rest_s) in row["circuits"].items()
        }
        ordinary = [one for one in due if not one.urgent][: row["given"]]
        going = {one.delivery for one in ordinary}
        return [one for one in due if one.urgent or one.delivery in going]

    async def give_back(self, school: str, number: int) -> None:
        """Takes back what `begin` counted and did not go."""
        limits = self.limits
        if limits == Limits():
            return
        async with self.db.school(school) as conn:
            await conn.execute(GIVE_BACK, school, self.channel, -number, limits.per_minute_school, limits.per_minute)

    async def closed(self, school: str, name: str) -> bool:
        """Tells whether one may go there now. After a rest one may, until it is known how that went."""
        known, now = self.known.get(_hash(name)), asyncio.get_running_loop().time()
        if known is None or known.failures < OPENS_AFTER:
            return True
        if now < known.until:
            return False
        self.known[_hash(name)] = Circuit(known.failures, now + FIRST_REST_S)
        return bool(await self._note(school, TRY, _hash(name), FIRST_REST_S, LONGEST_REST_S))

    async def worked(self, school: str, name: str) -> None:
        """Closes the circuit, if it failed before."""
        if self.known.pop(_hash(name), None) is not None:
            await self._note(school, WORKED, _hash(name))

    async def failed(self, school: str, name: str) -> None:
        """Counts a failure there."""
        row = await self._note(school, FAILED, _hash(name), OPENS_AFTER, FIRST_REST_S, LONGEST_REST_S)
        if row is not None:
            until = asyncio.get_running_loop().time() + float(row["rest_s"])
            self.known[_hash(name)] = Circuit(row["failures"], until)

    async def _note(self, school: str, sql: str, *args: object) -> asyncpg.Record | None:
        try:
            async with self.db.school(school) as conn:
                return await conn.fetchrow(sql, *args)
        except (*LOST, asyncpg.PostgresError) as error:  # what became of a letter is not lost over this
            log.warning("circuit not noted", extra={"code": "circuit_not_noted", "kind": type(error).__name__})
            return None


def _hash(name: str) -> str:
    return sha256(name.encode()).hexdigest()
