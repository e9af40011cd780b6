"""Notices that this service's database was put back: its journal is behind or beside what consumers have applied, or
what the stream holds.

Checked at start, after every lost database connection, and at every cursor that is announced. Until it is checked, and
while a school's lane is forked, nothing is answered for it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from typing import Any

import asyncpg
import pydantic_core
from nats.aio.msg import Msg
from pydantic import TypeAdapter

from shared.bus import Bus
from shared.db import LOST
from shared.errors import Transient
from shared.session import Session
from shared.telemetry import Telemetry

log = logging.getLogger(__name__)

ANSWERS_WITHIN_S = 1.0
TRY_AGAIN_S = 0.2
BEHIND, BESIDE = "behind", "beside"
STREAM = "EVENTS"
"""The witness that is no consumer: what was published and may not have been applied by anyone."""

COMPARE = """
SELECT x.school, coalesce(h.seq, 0) < x.seq AS behind, j.hash IS DISTINCT FROM x.hash AS beside
  FROM unnest($1::text[], $2::bigint[], $3::text[]) AS x (school, seq, hash)
  LEFT JOIN journal_head h ON h.school = x.school
  LEFT JOIN journal j ON j.school = x.school AND j.seq = x.seq
 WHERE x.seq > 0
"""


Position = tuple[int, int, str]
Positions = Mapping[str, Position]
"""By school: epoch, seq, hash."""
_POSITIONS: TypeAdapter[dict[str, Position]] = TypeAdapter(dict[str, Position])


async def _nothing() -> None:
    pass


class ForkGuard:
    """Knows of each school whether this service's journal can be trusted."""

    def __init__(
        self, session: Session, bus: Bus, consumers: Iterable[str], witnesses: Iterable[str], telemetry: Telemetry
    ) -> None:
        self._session = session
        self._bus = bus
        self._consumers = frozenset(consumers)
        self._witnesses = frozenset(witnesses)
        self._telemetry = telemetry
        self._forked: dict[str, str] = {}
        self._doubted = asyncio.Event()
        self._doubted.set()
        self._doubts = 0
        self._heard: dict[str, dict[str, str]] = {}
        self.first: Callable[[], Awaitable[None]] = _nothing
        """What comes before each check."""

    def stopped(self, school: str) -> str | None:
        """Returns why nothing may be answered for the school now, or None."""
        if self._doubted.is_set():
            return "unchecked"
        return self._forked.get(school)

    def withheld(self) -> Collection[str] | None:
        """Returns the schools of which the relay publishes nothing now; None: all."""
        return None if self._doubted.is_set() else self._forked

    @property
    def checked(self) -> bool:
        return not self._doubted.is_set()

    @property
    def forked(self) -> Mapping[str, str]:
        return self._forked

    def doubt(self) -> None:
        """Has everything checked again before anything more is answered."""
        self._doubts += 1
        self._doubted.set()

    async def run(self) -> None:
        """Checks until cancelled."""
        await self._bus.client.subscribe("cursor.>", cb=self._hear)
        while True:
            await self._doubted.wait()
            try:
                doubts = self._doubts
                await self._session.close()
                await self.first()
                if self._witnesses <= (await self.compare()).keys():
                    if doubts == self._doubts:  # else the database changed under the check: it is made again
                        self._doubted.clear()
                    continue
            except (Transient, asyncpg.PostgresError, *LOST) as error:
                log.warning("not checked", extra={"code": "fork_unchecked", "kind": type(error).__name__})
            await asyncio.sleep(TRY_AGAIN_S)

    async def compare(self) -> dict[str, Mapping[str, str | None]]:
        """Asks every consumer and the stream how far they have come; returns of each that answered how every school's
        journal stands to that: `behind`, `beside` (other events under the same numbers), or None, as it should.
        """
        asked = [*(self._cursors(name) for name in self._consumers)]
        if STREAM in self._witnesses:
            asked.append(self._published())
        return {name: await self._compare(name, at) for name, at in await asyncio.gather(*asked) if at is not None}

    async def _cursors(self, consumer: str) -> tuple[str, Positions | None]:
        # A subject each, which only that consumer may answer.
        try:
            told = await self._bus.ask(f"ask.cursors.{consumer}", {}, ANSWERS_WITHIN_S)
            return consumer, _POSITIONS.validate_python(told.get(self._bus.service, {}))
        except (Transient, ValueError, AttributeError):
            return consumer, None

    async def _published(self) -> tuple[str, Positions | None]:
        """Returns where this service's events end in the stream."""
        found: dict[str, Position] = {}
        page: list[list[Any]] = [[""]]
        try:
            while page:
                page = await self._bus.ask(f"ask.stream.{self._bus.service}", {"what": "heads", "after": page[-1][0]})
                found |= _POSITIONS.validate_python({school: head for school, *head in page})
        except (Transient, ValueError):
            return STREAM, None
        return STREAM, found

    async def _hear(self, message: Msg) -> None:
        consumer = message.subject.removeprefix("cursor.")
        if consumer not in self._consumers:
            return  # what a chosen reply subject brought here keeps its own subject
        try:
            told = pydantic_core.from_json(message.data).get(self._bus.service, {})
            await self._compare(consumer, _POSITIONS.validate_python(told))
        except (ValueError, AttributeError):
            log.warning("cursor not readable", extra={"code": "cursor_unreadable"})
        except (asyncpg.PostgresError, *LOST) as error:
            log.warning("cursor not compared", extra={"code": "fork_unchecked", "kind": type(error).__name__})
            self.doubt()

    async def _compare(self, consumer: str, at: Positions) -> Mapping[str, str | None]:
        found: dict[str, str | None] = {}
        if at:
            hashes = [hash_ for _, _, hash_ in at.values()]
            rows = await self._session.fetch(COMPARE, list(at), [seq for _, seq, _ in at.values()], hashes)
            found = {school: BEHIND if behind else BESIDE if beside else None for school, behind, beside in rows}
        for school, fork in found.items():
            self._note(school, consumer, fork)
        return found

    def _note(self, school: str, consumer: str, fork: str | None) -> None:
        by = self._heard.setdefault(school, {})
        if fork is None:
            by.pop(consumer, None)
        else:
            by[consumer] = fork
        if not by:
            self._forked.pop(school, None)
            return
        known = self._forked.get(school)
        self._forked[school] = max(by.values())  # beside is the worse
        if known is None:
            self._telemetry.alarm(
                "fork",
                "this journal is not the one that was published: run `samen recover`",
                school=school,
                consumer=consumer,
                reason=self._forked[school],
            )
