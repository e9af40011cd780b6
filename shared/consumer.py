"""The loop that feeds projections: a pipelined pull from the durable, and the journal itself for what the bus lost."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from operator import attrgetter
from typing import Any

import asyncpg
import nats.errors
import pydantic_core
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from pydantic import TypeAdapter

from shared.backlog import Backlog, Key
from shared.bus import Bus, answer
from shared.db import LOST, RETRY
from shared.errors import Problem, ProblemType, Transient
from shared.events.base import Event
from shared.projection import Applied, Applier, Blocked, Fork, Position
from shared.replay import replayed
from shared.session import Session
from shared.telemetry import Telemetry

log = logging.getLogger(__name__)

AUTHORITY = "network"
BATCH = 500
UNDER_WAY = 2 * BATCH
"""Events that the durable lets be under way."""
PULL_EXPIRES_S = 3.0
BEHIND_S = 1.0
CURSORS_EVERY_S = 1.0
SCHOOLS_AT_ONCE = 4
REPLAY_LIMIT = 500
BUSY = 8
"""A turn of more events than this shows a busy bus: the next waits a little, so that more share a transaction."""
GATHER_S = 0.05
LONGEST_PAUSE_S = 5.0

Apply = Callable[[str, str, Sequence[Event]], Awaitable[Applied]]

HEADS = TypeAdapter(dict[str, tuple[int, int, str]])


@dataclass(slots=True)
class LaneState:
    """What this process knows of a lane beside the cursor in the database."""

    position: Position = field(default_factory=Position)
    head: Position = field(default_factory=Position)
    behind_since: float | None = None
    stopped: str | None = None
    """Why the lane stands still: `fork`, `blocked`, or the name of what failed last."""
    suspected: Position | None = None
    """Where the lane stood when a head was last heard that does not fit it."""
    try_at: float = 0.0
    pause_s: float = 0.1

    @property
    def held(self) -> bool:
        """Whether the lane stands still on purpose: it has an alarm of its own, and the others go on."""
        return self.stopped is not None and self.stopped.startswith(("fork", "blocked"))

    @property
    def lag(self) -> int:
        return max(0, self.head.seq - self.position.seq)


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
        self._inbox: asyncio.Queue[Msg] = asyncio.Queue()
        self._due: set[Key] = set()
        self._backlog = Backlog(BEHIND_S)
        self._woken = asyncio.Event()
        self._urgent = asyncio.Event()
        """Set when something of the authority was delivered: people wait for it to hold."""
        self._silent: set[str] = set()
        """Producers that did not answer in this turn: waiting for them once is enough, the other lanes go on."""
        self._left = 0
        self._asked_at = 0.0
        self._answered_at = 0.0
        self.lanes: defaultdict[Key, LaneState] = defaultdict(LaneState)
        self.turn = asyncio.Lock()
        """Held while events are applied: whoever needs the lanes still takes it."""

    # What is heard -------------------------------------------------------------------------------------------------

    async def listen(self) -> None:
        """Answers `ask.cursors` and hears heads: before anything else of the service, so that no cold start waits."""
        await self._bus.client.subscribe(f"ask.cursors.{self._bus.service}", cb=self._answer_cursors)
        for producer in self._producers:
            await self._bus.client.subscribe(f"head.{producer}", cb=self._hear_heads)

    async def _answer_cursors(self, message: Msg) -> None:
        try:
            await answer(message, self._cursors(await self._applier.positions()))
        except Exception as error:  # noqa: BLE001  whoever asked asks again
            log.warning("cursors not told", extra={"code": "cursors_unanswered", "kind": type(error).__name__})

    def _cursors(self, positions: dict[Key, Position]) -> bytes:
        told: dict[str, dict[str, list[Any]]] = {}
        for (producer, school), at in positions.items():
            told.setdefault(producer, {})[school] = [at.epoch, at.seq, at.hash]
        return pydantic_core.to_json(told)

    async def _hear_heads(self, message: Msg) -> None:
        _, producer = message.subject.split(".")  # what a chosen reply subject brings here keeps its own subject
        now = asyncio.get_running_loop().time()
        for school, head in HEADS.validate_json(message.data).items():
            lane = self.lanes[producer, school]
            lane.head = Position(*head)
            self._telemetry.lag.labels(producer, school).set(lane.lag)
            self._judge(producer, school, lane, now)

    def _judge(self, producer: str, school: str, lane: LaneState, now: float) -> None:
        at, head = lane.position, lane.head
        if head.seq < at.seq or (head.seq == at.seq and head.hash != at.hash):
            # A head may be told just before, and heard just after, the event that follows it: twice is no accident.
            if lane.suspected == at:
                self._stop_for_fork(producer, school, lane)
            lane.suspected = at
        elif head.seq == at.seq:
            lane.behind_since = None
            self._backlog.clear((producer, school))
            if lane.stopped == "fork":
                lane.stopped = None
        elif lane.behind_since is None:
            lane.behind_since = now
        elif now - lane.behind_since >= BEHIND_S and now >= lane.try_at and self._session.holds_lock:
            self._backlog.suspect((producer, school))

    def _stop_for_fork(self, producer: str, school: str, lane: LaneState) -> None:
        if lane.stopped != "fork":
            lane.stopped = "fork"
            self._telemetry.alarm(
                "fork",
                "a producer's journal is behind or beside what was applied: run `samen recover` for it",
                producer=producer,
                school=school,
                seq=lane.position.seq,
            )

    # The loop ------------------------------------------------------------------------------------------------------

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

    async def _hold(self) -> None:
        positions = await self._applier.positions()
        for lane in self.lanes.values():  # a restored database may not know a lane that this process remembers
            lane.position, lane.suspected, lane.behind_since = Position(), None, None
        for key, position in positions.items():
            self.lanes[key].position = position
        self._backlog.begin(asyncio.get_running_loop().time())
        # What was delivered to the replica before this one comes back to nobody for 30 s: the journal has it now.
        lagging = {key: lane.lag for key, lane in self.lanes.items() if lane.lag}
        if sum(lagging.values()) <= UNDER_WAY:
            self._due |= lagging.keys()
        self._left = 0
        subscription = await self._bus.client.subscribe(self._bus.client.new_inbox(), cb=self._receive)
        try:
            async with self._session.beating():
                while self._session.holds_lock:
                    await self._turn_once(subscription)
        finally:
            with contextlib.suppress(Exception):  # the connection may be gone already
                await subscription.unsubscribe()
            while not self._inbox.empty():
                self._inbox.get_nowait()

    async def _turn_once(self, subscription: Subscription) -> None:
        await self._pull(subscription)
        self._woken.clear()
        if self._inbox.empty() and not self._due:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.25):
                    await self._woken.wait()
        batch: list[Msg] = []
        async with self.turn:
            now = asyncio.get_running_loop().time()
            self._due |= self._backlog.passed(now, at_hand=not self._inbox.empty())
            due, self._due = self._due, set()
            self._silent.clear()
            await self._settle_all(dict.fromkeys(due, ()))
            self._urgent.clear()
            while len(batch) < BATCH and not self._inbox.empty():
                batch.append(self._inbox.get_nowait())
            if batch:
                await self._pull(subscription)
                await self._take(batch)
        if BUSY < len(batch) < BATCH:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(GATHER_S):
                    await self._urgent.wait()

    async def _pull(self, subscription: Subscription) -> None:
        """Keeps up to two batches asked for, so that the next travels while this one commits."""
        now = asyncio.get_running_loop().time()
        if self._left > BATCH and now - self._asked_at < PULL_EXPIRES_S + 1:
            return
        if now - self._asked_at >= PULL_EXPIRES_S + 1:
            self._left = 0
        durable = f"{self._bus.service}--events"
        request: dict[str, Any] = {"batch": BATCH, "expires": int(PULL_EXPIRES_S * 1e9)}
        if not self._answered_at:  # the first is answered at once, and so shows that the durable is there
            request = {"batch": BATCH, "no_wait": True}
        try:
            await self._bus.client.publish(
                f"$JS.API.CONSUMER.MSG.NEXT.EVENTS.{durable}",
                pydantic_core.to_json(request),
                reply=subscription.subject,
            )
        except Exception as error:  # noqa: BLE001  the client reconnects by itself
            log.warning("pull not sent", extra={"code": "pull_unsent", "kind": type(error).__name__})
            await asyncio.sleep(0.2)
        self._left += BATCH
        self._asked_at = now

    async def _receive(self, message: Msg) -> None:
        status = message.headers.get("Status") if message.headers else None
        if status is None or message.reply.startswith("$JS.ACK"):
            self._answered_at = asyncio.get_running_loop().time()
            self._left -= 1
            self._backlog.received(message, self._answered_at)
            self._inbox.put_nowait(message)
            self._woken.set()
            if _producer(message) == AUTHORITY:
                self._urgent.set()
        elif status in {"408", "404"}:  # the request ran out: some or none of it came
            self._answered_at = asyncio.get_running_loop().time()
            self._left = max(0, self._left - BATCH)
        elif status != "100":
            self._left = 0
            await asyncio.sleep(0.2)

    async def _take(self, batch: Sequence[Msg]) -> None:
        lanes: defaultdict[Key, list[Event]] = defaultdict(list)
        for message in batch:
            school, producer = message.subject.split(".", 2)[1], _producer(message)
            try:
                event = Event.parse(message.data)
            except ValueError:
                event = None
            if event is None or event.school != school or event.producer != producer:
                self._telemetry.alarm("event_unreadable", "an event is not what its subject says", school=school)
                continue
            lanes[producer, school].append(event)
        await self._settle_all({key: lanes[key] for key in sorted(lanes, key=lambda key: key[0] != AUTHORITY)})
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
                    await self._settle(key, lanes[key])

        ended = await asyncio.gather(*map(one_school, schools.values()), return_exceptions=True)
        for error in ended:
            if error is not None:
                raise error

    # One lane ------------------------------------------------------------------------------------------------------

    async def _settle(self, key: Key, events: Sequence[Event]) -> None:
        """Applies events to a lane, then what the journal still has, as far as it goes. Keeps trying while the database
        is away; gives a lane that fails a pause of its own and leaves the rest to the journal.
        """
        producer, school = key
        lane = self.lanes[key]
        loop = asyncio.get_running_loop()
        if lane.stopped not in {None, "fork"} and loop.time() < lane.try_at:
            return  # what is left out here, the journal still has; beside a fork it may not, so there all is tried
        try:
            await self._apply(key, lane, events)
        except Fork:
            self._stop_for_fork(producer, school, lane)
            lane.try_at = loop.time() + BEHIND_S
        except Blocked as blocked:
            self._pause(lane, f"blocked:{blocked}")
        except Transient as error:
            self._pause(lane, f"waiting:{error}")
            if lane.pause_s == LONGEST_PAUSE_S:
                self._telemetry.alarm("lane_waits", "a lane waits and waits", producer=producer, school=school)
        except LOST:
            if not await self._applier.reachable():
                raise
            self._pause(lane, "lost")  # only this lane's transaction ended: it was too long
        except Exception as error:
            log.exception("lane failed", extra={"code": "lane_failed", "producer": producer, "school": school})
            self._telemetry.alarm("lane_failed", "events cannot be applied now", producer=producer, school=school)
            self._pause(lane, type(error).__name__)
        else:
            lane.stopped, lane.pause_s, lane.behind_since = None, 0.1, None
            self._backlog.clear(key)

    def _pause(self, lane: LaneState, why: str) -> None:
        now = asyncio.get_running_loop().time()
        lane.stopped = why
        lane.try_at = now + lane.pause_s
        lane.pause_s = min(lane.pause_s * 2, LONGEST_PAUSE_S)
        lane.behind_since = lane.behind_since or now

    async def _apply(self, key: Key, lane: LaneState, events: Sequence[Event]) -> None:
        producer, school = key
        missing: int | None = None
        if events:
            missing = await self._try(key, lane, events)
        elif lane.head.seq > lane.position.seq:
            missing = lane.position.seq + 1
        while missing is not None:
            fetched = await self._fetch(producer, school, missing - 1)
            if not fetched:
                break
            await self._try(key, lane, fetched)
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

    async def retrace(self, school: str, events: Sequence[Event]) -> None:
        """Applies events of several producers, which were applied before, again in the order in which they are given.

        For a database that was put back, while nothing else is applied. Raises Transient when one does not fit.
        """
        async with self.turn:
            for producer, run in groupby(events, key=attrgetter("producer")):
                lane = self.lanes[producer, school]
                if await self._try((producer, school), lane, list(run), self._applier.retrace) is not None:
                    msg = "what is retraced does not follow"
                    raise Transient(msg)

    async def _try(self, key: Key, lane: LaneState, events: Sequence[Event], apply: Apply | None = None) -> int | None:
        producer, school = key
        apply = apply or self._applier.apply
        for attempt in range(8):
            try:
                applied = await apply(school, producer, events)
            except RETRY:
                await asyncio.sleep(0.01 * 2**attempt)
            else:
                moved = applied.position != lane.position
                lane.position = applied.position
                if moved and producer == AUTHORITY:  # a withdrawal waits to hear it
                    await self._tell({key: lane.position})
                return applied.missing_from
        msg = "locks"
        raise Transient(msg)

    @property
    def active(self) -> bool:
        """Whether this replica is the one that consumes."""
        return self._session.holds_lock

    # What is told --------------------------------------------------------------------------------------------------

    async def _announce(self) -> None:
        while True:
            if self._session.holds_lock:
                await self._tell({key: lane.position for key, lane in self.lanes.items() if lane.position.seq})
            await asyncio.sleep(CURSORS_EVERY_S)

    async def _tell(self, positions: dict[Key, Position]) -> None:
        with contextlib.suppress(Exception):  # announced again in a second
            await self._bus.client.publish(f"cursor.{self._bus.service}", self._cursors(positions))

    def healthy(self, now: float) -> bool:
        """Tells whether a dead consumer would have shown: pulls are answered, and no lane is long behind."""
        if not self._session.holds_lock:
            return True
        late = any(
            lane.behind_since is not None and now - lane.behind_since > 10 and not lane.held
            for lane in self.lanes.values()
        )
        return not late and now - self._answered_at < 3 * PULL_EXPIRES_S

    async def retry(self, school: str, producer: str, about: Any = None) -> int:  # noqa: ANN401  UUID or None
        """Tries what was set aside again: a parked child's or member's events, or a blocked lane."""
        if (producer, school) not in self.lanes:
            raise Problem(ProblemType.NOT_FOUND, "no such lane: `samen status` lists them")
        lane = self.lanes[producer, school]
        lane.try_at, lane.pause_s = 0.0, 0.1
        if about is None:
            self._due.add((producer, school))
            self._woken.set()
            return 0
        async with self.turn:
            return await self._applier.retry_parked(school, producer, about)


def _producer(message: Msg) -> str:
    """Returns whose event a message holds, by its subject `evt.<school>.<producer>.<entity>.<verb>`."""
    return message.subject.split(".", 3)[2]
