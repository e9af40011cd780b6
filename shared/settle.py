"""One lane's events, applied, and fetched from the journal where the bus lost them; and what its failures lead to."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence

from shared.backlog import Key
from shared.bus import Bus
from shared.db import LOST, RETRY
from shared.errors import Transient
from shared.events.base import Event
from shared.lanes import BEHIND_S, LONGEST_PAUSE_S, Lanes, LaneState, tell
from shared.projection import Applied, Applier, Blocked, Fork
from shared.pull import AUTHORITY
from shared.replay import replayed
from shared.telemetry import Telemetry

log = logging.getLogger(__name__)

REPLAY_LIMIT = 500
TRIES = 8

Apply = Callable[[str, str, Sequence[Event]], Awaitable[Applied]]


class Settler:
    """Brings a consumer's lanes on, one call a lane."""

    def __init__(self, bus: Bus, applier: Applier, lanes: Lanes, telemetry: Telemetry) -> None:
        self._bus = bus
        self._applier = applier
        self._lanes = lanes
        self._telemetry = telemetry
        self._silent: set[str] = set()
        """Producers that did not answer in this turn: waiting for them once is enough, the other lanes go on."""

    def begin_turn(self) -> None:
        """Has silent producers asked again."""
        self._silent.clear()

    async def settle(self, key: Key, events: Sequence[Event]) -> None:
        """Applies events to a lane, then what the journal still has, as far as it goes. Keeps trying while the database
        is away; gives a lane that fails a pause of its own and leaves the rest to the journal.
        """
        producer, school = key
        lane = self._lanes[key]
        loop = asyncio.get_running_loop()
        if lane.stopped not in {None, "fork"} and loop.time() < lane.try_at:
            return  # what is left out here, the journal still has; beside a fork it may not, so there all is tried
        try:
            await self._apply(key, lane, events)
        except Fork:
            self._lanes.stop_for_fork(key)
            lane.try_at = loop.time() + BEHIND_S
        except Blocked as blocked:
            self._lanes.pause(key, f"blocked:{blocked}", loop.time())
        except Transient as error:
            self._lanes.pause(key, f"waiting:{error}", loop.time())
            if lane.pause_s == LONGEST_PAUSE_S:
                self._telemetry.alarm("lane_waits", "a lane waits and waits", producer=producer, school=school)
        except LOST:
            if not await self._applier.reachable():
                raise
            self._lanes.pause(key, "lost", loop.time())  # only this lane's transaction ended: it was too long
        except Exception as error:
            log.exception("lane failed", extra={"code": "lane_failed", "producer": producer, "school": school})
            self._telemetry.alarm("lane_failed", "events cannot be applied now", producer=producer, school=school)
            self._lanes.pause(key, type(error).__name__, loop.time())
        else:
            self._lanes.settled(key, loop.time())

    async def _apply(self, key: Key, lane: LaneState, events: Sequence[Event]) -> None:
        producer, school = key
        missing: int | None = None
        if events:
            missing = await self.attempt(key, events)
        elif lane.head.seq > lane.position.seq:
            missing = lane.position.seq + 1
        while missing is not None:
            fetched = await self._fetch(producer, school, missing - 1)
            if not fetched:
                break
            await self.attempt(key, fetched)
            ahead = max(lane.head.seq, events[-1].seq if events else 0)
            missing = lane.position.seq + 1 if lane.position.seq < ahead else None

    async def _fetch(self, producer: str, school: str, after: int) -> list[Event]:
        if producer in self._silent:
            msg = "silent"
            raise Transient(msg)
        try:
            return await replayed(self._bus, producer, school, after, REPLAY_LIMIT)
        except Transient:
            self._silent.add(producer)
            raise

    async def attempt(self, key: Key, events: Sequence[Event], apply: Apply | None = None) -> int | None:
        """Applies events, again where a lock was lost; returns the first seq that is missing, if one is."""
        producer, school = key
        lane = self._lanes[key]
        apply = apply or self._applier.apply
        for attempt in range(TRIES):
            try:
                applied = await apply(school, producer, events)
            except RETRY:
                await asyncio.sleep(0.01 * 2**attempt)
            else:
                moved = applied.position != lane.position
                lane.position = applied.position
                if moved and producer == AUTHORITY:  # a withdrawal waits to hear it
                    await tell(self._bus, {key: lane.position})
                return applied.missing_from
        msg = "locks"
        raise Transient(msg)
