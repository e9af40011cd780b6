"""The loop that feeds projections: a pipelined pull from the durable, and the journal itself for what the bus lost."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import groupby
from operator import attrgetter
from typing import Any

import asyncpg
import nats.errors
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

from shared.backlog import Backlog, Key
from shared.bus import Bus, answer
from shared.db import LOST
from shared.errors import Problem, ProblemType, Transient
from shared.events.base import Event
from shared.lanes import BEHIND_S, Announcer, Lanes, told
from shared.projection import Applier
from shared.pull import AUTHORITY, BATCH, UNDER_WAY, Pull, producer_of
from shared.session import Session
from shared.settle import Settler
from shared.telemetry import Telemetry

log = logging.getLogger(__name__)

CURSORS_EVERY_S = 1.0
SCHOOLS_AT_ONCE = 4
LANES_A_TURN = 8
"""Lanes that take from the journal before what is delivered meanwhile has its turn."""
BUSY = 8
"""A turn of more events than this shows a busy bus: the next waits a little, so that more share a transaction."""
GATHER_S = 0.05
LOOK_EVERY_S = 0.25


class Consumer:
    """One service's consumer of events. One replica is active; the cursor rows, not the lock, make it safe."""

    def __init__(
        self, session: Session, bus: Bus, applier: Applier, producers: Sequence[str], telemetry: Telemetry
    ) -> None:
        self._session = session
        self._bus = bus
        self._applier = applier
        self._producers = tuple(producers)
        self._telemetry = telemetry
        self._due: dict[Key, None] = {}
        """Lanes to be brought on from the journal, in the order in which they came to be."""
        self._backlog = Backlog(BEHIND_S)
        self._pull = Pull(bus, self._backlog)
        self.lanes = Lanes(self._backlog, telemetry)
        self.announcer = Announcer(bus)
        self._settler = Settler(bus, applier, self.lanes, telemetry, self.announcer)
        self.turn = asyncio.Lock()
        """Held while events are applied: whoever needs the lanes still takes it."""

    async def listen(self) -> None:
        """Answers `ask.cursors` and hears heads: before anything else of the service, so that no cold start waits."""
        await self._bus.client.subscribe(f"ask.cursors.{self._bus.service}", cb=self._answer_cursors)
        for producer in self._producers:
            await self._bus.client.subscribe(f"head.{producer}", cb=self._hear_heads)

    async def _answer_cursors(self, message: Msg) -> None:
        try:
            await answer(message, told(await self._applier.positions()))
        except Exception as error:  # noqa: BLE001  whoever asked asks again
            log.warning("cursors not told", extra={"code": "cursors_unanswered", "kind": type(error).__name__})

    async def _hear_heads(self, message: Msg) -> None:
        _, producer = message.subject.split(".")  # what a chosen reply subject brings here keeps its own subject
        self.lanes.hear(producer, message.data, asyncio.get_running_loop().time(), active=self.active)
        self._settler.heard(producer)

    async def run(self) -> None:
        """Consumes until cancelled."""
        announcing = asyncio.create_task(self._announce())
        try:
            while True:
                await self._session.wait_for_lock()
                try:
                    await self._hold()
                except (*LOST, asyncpg.PostgresError, nats.errors.Error) as error:
                    log.warning("consumer began anew", extra={"code": "consumer_anew", "kind": type(error).__name__})
                    await asyncio.sleep(0.2)
        finally:
            announcing.cancel()

    async def _announce(self) -> None:
        while True:
            await self.announce()
            await asyncio.sleep(CURSORS_EVERY_S)

    async def announce(self) -> None:
        """Announces every cursor now, if this replica is the one that consumes."""
        if self.active:
            await self.announcer.tell({key: lane.position for key, lane in self.lanes.items() if lane.position.seq})

    async def _hold(self) -> None:
        self.lanes.begin(await self._applier.positions())
        self._backlog.begin(asyncio.get_running_loop().time())
        # What was delivered to the replica before this one comes back to nobody for 30 s: the journal has it now.
        lagging = {key: lane.lag for key, lane in self.lanes.items() if lane.lag}
        if sum(lagging.values()) <= UNDER_WAY:
            self._due |= dict.fromkeys(lagging)
        subscription = await self._pull.subscribe()
        try:
            async with self._session.beating():
                while self.active:
                    await self._turn_once(subscription)
        finally:
            await self._pull.end(subscription)

    async def _turn_once(self, subscription: Subscription) -> None:
        await self._pull.ask(subscription)
        self._pull.woken.clear()
        if not self._pull.at_hand and not self._due:
            await _happens(self._pull.woken, LOOK_EVERY_S)
        async with self.turn:
            batch = await self._bring_on(subscription, asyncio.get_running_loop().time())
        if BUSY < len(batch) < BATCH:
            await _happens(self._pull.urgent, GATHER_S)

    async def _bring_on(self, subscription: Subscription, now: float) -> list[Msg]:
        """Brings on the authority's lanes that are due, then what was delivered, then some of the other lanes due.

        Those that are due get a page each; what is left is due again. Returns what was delivered.
        """
        self._settler.begin_turn(now)
        passed = self._backlog.passed(now, at_hand=self._pull.at_hand)
        self._due |= dict.fromkeys([*self.lanes.rested(now), *passed])
        due = sorted(self._due, key=_of_others)[:LANES_A_TURN]
        for key in due:
            del self._due[key]
        await self._settle_all({key: () for key in due if not _of_others(key)})
        self._pull.urgent.clear()
        batch = self._pull.take()
        if batch:
            await self._pull.ask(subscription)
            await self._take(batch)
        await self._settle_all({key: () for key in due if _of_others(key)})
        return batch

    async def _take(self, batch: Sequence[Msg]) -> None:
        lanes: defaultdict[Key, list[Event]] = defaultdict(list)
        for message in batch:
            school, producer = message.subject.split(".", 2)[1], producer_of(message)
            try:
                event = Event.parse(message.data)
            except ValueError:
                event = None
            if event is None or event.school != school or event.producer != producer:
                self._telemetry.alarm("event_unreadable", "an event is not what its subject says", school=school)
                continue
            lanes[producer, school].append(event)
        await self._settle_all({key: lanes[key] for key in sorted(lanes, key=_of_others)})
        self._backlog.handled(batch[-1])
        await self._bus.client.publish(batch[-1].reply, b"+ACK")

    async def _settle_all(self, lanes: Mapping[Key, Sequence[Event]]) -> None:
        """Settles a school's lanes one after the other, some schools at once."""
        schools: defaultdict[str, list[Key]] = defaultdict(list)
        for key in lanes:
            schools[key[1]].append(key)
        limit = asyncio.Semaphore(SCHOOLS_AT_ONCE)

        async def one_school(keys: Sequence[Key]) -> None:
            async with limit:
                for key in keys:
                    if await self._settler.settle(key, lanes[key]):
                        self._due[key] = None

        ended = await asyncio.gather(*map(one_school, schools.values()), return_exceptions=True)
        for error in ended:
            if error is not None:
                raise error

    async def retrace(self, school: str, events: Sequence[Event]) -> None:
        """Applies events of several producers, which were applied before, again in the order in which they are given.

        For a database that was put back, while nothing else is applied. Raises Transient when one does not fit.
        """
        async with self.turn:
            for producer, run in groupby(events, key=attrgetter("producer")):
                missing = await self._settler.attempt((producer, school), list(run), self._applier.retrace)
                if missing is not None:
                    msg = "what is retraced does not follow"
                    raise Transient(msg)

    @property
    def active(self) -> bool:
        """Whether this replica is the one that consumes."""
        return self._session.holds_lock

    def healthy(self, now: float) -> bool:
        """Tells whether a dead consumer would have shown: pulls are answered, and no lane is long behind."""
        return not self.active or (not self.lanes.late(now) and self._pull.answered(now))

    async def retry(self, school: str, producer: str, about: Any = None) -> int:  # noqa: ANN401  UUID or None
        """Tries what was set aside again: a parked child's or member's events, or a blocked lane; says how many went.

        They are taken between the turns, one each: what is delivered meanwhile does not wait for all of them.
        """
        # A process that has only just begun may not have read its lanes yet.
        if (producer, school) not in self.lanes and (producer, school) not in await self._applier.positions():
            raise Problem(ProblemType.NOT_FOUND, "no such lane: `samen status` lists them")
        self.lanes.try_now((producer, school))
        if about is None:
            self._due[producer, school] = None
            self._pull.woken.set()
            return 0
        went = 0
        while True:
            async with self.turn:  # whoever waits for it has it before the next
                if not await self._applier.retry_parked(school, producer, about):
                    return went
            went += 1


def _of_others(key: Key) -> bool:
    """Sorts the authority's lanes first."""
    return key[0] != AUTHORITY


async def _happens(event: asyncio.Event, within_s: float) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(within_s):
            await event.wait()
