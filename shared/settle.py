"""One lane's events, applied, and fetched from the journal where the bus lost them; and what its failures lead to."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

from shared.backlog import Key
from shared.bus import Bus
from shared.db import LOST, RETRY
from shared.errors import Transient
from shared.events.base import Event
from shared.lanes import LONGEST_PAUSE_S, Announcer, Lanes, LaneState
from shared.projection import Applied, Applier, Blocked, Fork
from shared.pull import AUTHORITY
from shared.replay import NotTold, replayed
from shared.telemetry import Telemetry

REPLAY_LIMIT = 500
"""Events of a lane that are asked for in one turn: the other lanes have theirs before the next."""
SILENT_S = 5.0
"""So long a producer that did not answer is not asked again, unless a head of it is heard."""
TRIES = 8
ALARM_EVERY_S = 60.0

Apply = Callable[[str, str, Sequence[Event]], Awaitable[Applied]]


class Settler:
    """Brings a consumer's lanes on, one call a lane."""

    def __init__(
        self, bus: Bus, applier: Applier, lanes: Lanes, telemetry: Telemetry, announcer: Announcer | None = None
    ) -> None:
        self._bus = bus
        self._announcer = announcer or Announcer(bus)
        self._applier = applier
        self._lanes = lanes
        self._telemetry = telemetry
        self._silent: dict[str, float] = {}
        """Until when producers that did not answer are not asked again: the other lanes do not wait for them."""
        self._heard: set[str] = set()

    def begin_turn(self, now: float) -> None:
        """Has silent producers asked again of which a head was heard meanwhile, and others in a while."""
        self._silent = {who: until for who, until in self._silent.items() if who not in self._heard and now < until}
        self._heard.clear()

    def heard(self, producer: str) -> None:
        """Notes that a producer lives."""
        if producer in self._silent:
            self._heard.add(producer)

    async def settle(self, key: Key, events: Sequence[Event]) -> bool:
        """Applies events to a lane, then a page of what the journal still has; tells whether more of it is left.

        Raises what `LOST` names while the database is away. Gives a lane that fails a pause of its own, and leaves the
        rest to the journal.
        """
        producer, school = key
        lane = self._lanes[key]
        loop = asyncio.get_running_loop()
        if events:
            lane.delivered = max(lane.delivered, events[-1].seq)
        if lane.stopped not in {None, "fork"} and loop.time() < lane.try_at:
            return False  # what is left out here, the journal still has; beside a fork it may not: there all is tried
        before = lane.position
        try:
            more = await self._apply(key, lane, events)
        except Fork:
            self._lanes.stop_for_fork(key)
        except Blocked as blocked:
            self._lanes.pause(key, f"blocked:{blocked}", loop.time())
        except Transient as error:
            self._wait(key, f"waiting:{error}")
        except LOST:
            if not await self._applier.reachable():
                raise
            self._wait(key, "lost")  # only this lane's transaction ended: it was too long
        except Exception as error:  # noqa: BLE001  its alarm carries the traceback
            self._telemetry.alarm("lane_failed", "events cannot be applied now", producer=producer, school=school)
            self._lanes.pause(key, type(error).__name__, loop.time())
        else:
            self._lanes.settled(key, loop.time(), moved=lane.position != before)
            return more
        return False

    def _wait(self, key: Key, why: str) -> None:
        """Pauses a lane; an alarm when even the longest pause did not help, at most once a minute."""
        producer, school = key
        lane, now = self._lanes[key], asyncio.get_running_loop().time()
        if lane.pause_s == LONGEST_PAUSE_S and now >= lane.alarm_at:
            lane.alarm_at = now + ALARM_EVERY_S
            self._telemetry.alarm("lane_waits", "a lane waits and waits", producer=producer, school=school, reason=why)
        self._lanes.pause(key, why, now)

    async def _apply(self, key: Key, lane: LaneState, events: Sequence[Event]) -> bool:
        missing: int | None = None
        if events:
            missing = await self.attempt(key, events)
        elif lane.known > lane.position.seq:
            missing = lane.position.seq + 1
        if missing is None:
            return False
        before = lane.position
        fetched = await self._fetch(key, missing - 1)
        if fetched:
            await self.attempt(key, fetched)
        return before.seq < lane.position.seq < lane.known

    async def _fetch(self, key: Key, after: int) -> list[Event]:
        producer, school = key
        if producer in self._silent:
            msg = "silent"
            raise Transient(msg)
        try:
            return await replayed(self._bus, producer, school, after, REPLAY_LIMIT)
        except NotTold:
            raise
        except Transient:
            self._silent[producer] = asyncio.get_running_loop().time() + SILENT_S
            raise

    async def attempt(self, key: Key, events: Sequence[Event], apply: Apply | None = None) -> int | None:
        """Applies events, again where a lock was lost; returns the first seq that is missing, if one is.

        What was committed counts, whatever is raised for what follows: it is not gone over again.
        """
        producer, school = key
        lane = self._lanes[key]
        before = lane.position
        apply = apply or partial(self._applier.apply, reached=lane.reach)
        try:
            for attempt in range(TRIES):
                try:
                    applied = await apply(school, producer, events)
                except RETRY:
                    await asyncio.sleep(0.01 * 2**attempt)
                else:
                    lane.reach(applied.position)
                    return applied.missing_from
        finally:
            if lane.position != before and producer == AUTHORITY:  # a withdrawal waits to hear it
                await self._announcer.tell({key: lane.position})
        msg = "locks"
        raise Transient(msg)
