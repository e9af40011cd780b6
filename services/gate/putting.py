"""Puts out: claim (each child's grants are checked again), publish behind the fence, and again whatever did not arrive.

One replica is active, and in it one worker a tool, so that a tool's numbers lie in its stream in order. The fence, not
the lock, makes it safe: every claim stands on the outlet's row, and every publish on the message that was the stream's
last when it was claimed. A publish whose answer was lost is settled by reading where the stream ends.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

import asyncpg

from services.gate import store
from services.gate.claiming import MARKERS, NOTE, TOLD, Claim, ClaimMarkers, ClaimPutOuts, Note, Told, claim_of
from services.gate.heard import Heard, Unread
from services.gate.leaving import Speech
from services.gate.model import NOWHERE, SERVICE, At, Kind, Outlet, ToolState
from services.gate.places import Alarm, Key, Place, ToolStreams, Wakes
from services.gate.streams import Late
from shared.actor import Actor
from shared.clock import Clock, Ids
from shared.db import LOST, Database
from shared.ending import end
from shared.errors import Problem, ProblemType, Transient
from shared.events.words import ActorKind
from shared.session import Session
from shared.unit import Asked, Endpoint
from shared.unit_run import Unit

log = logging.getLogger(__name__)

LOOK_EVERY_S = 1.0
BATCH = 100
TOOLS_AT_ONCE = 64
SHARED = 1600
"""Lines that the tools at work may claim together: they share a commit, which must fit in a statement's time."""
LEAST = 20
LONGEST_REST_S = 5.0
ALARM_AFTER = 30
"""Failures in a row, each rested after, until a tool that can't be put out to is an alarm."""


@dataclass(slots=True)
class Putter:
    """Everything that putting out needs. `told` is called when withdrawals were told: the cursor may be announced."""

    db: Database
    unit: Unit
    ids: Ids
    clock: Clock
    streams: ToolStreams
    wakes: Wakes
    heard: Heard
    alarm: Alarm
    release_within_s: float
    deletion_within: timedelta
    told: Callable[[], None] = lambda: None
    batch: int = BATCH
    places: dict[Key, Place] = field(default_factory=dict)
    working: int = 0
    limit: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(TOOLS_AT_ONCE))

    async def run(self, session: Session) -> None:
        """Puts out until cancelled, while this replica is the active one."""
        while True:
            await session.wait_for_lock()
            self.places.clear()
            watching = asyncio.create_task(self._watch(session))
            try:
                async with session.beating():
                    await self._hold(session)
            except (*LOST, asyncpg.PostgresError) as error:
                log.warning("putting out rests", extra={"code": "putting_rests", "kind": type(error).__name__})
                await asyncio.sleep(0.2)
            finally:
                workers = [place.worker for place in self.places.values() if place.worker is not None]
                await end([watching, *workers])

    async def _hold(self, session: Session) -> None:
        loop, looked = asyncio.get_running_loop(), 0.0
        while session.holds_lock:
            woken = await self.wakes.schools(max(0.0, looked + LOOK_EVERY_S - loop.time()))
            if loop.time() >= looked + LOOK_EVERY_S:
                looked = loop.time()
                woken |= set(await self.db.schools())
            for school in woken:
                await self.look(school)

    async def look(self, school: str) -> None:
        """Gives every tool of a school for which something waits its worker."""
        for tool, untold in (await store.list_waiting(self.db, school)).items():
            place = self.places.setdefault((school, tool), Place())
            place.untold |= untold
            self._employ((school, tool))

    def _employ(self, key: Key) -> None:
        place = self.places.setdefault(key, Place())
        if place.worker is not None and not place.worker.done():
            place.again = True
        elif asyncio.get_running_loop().time() >= place.until:
            place.worker = asyncio.create_task(self._work(key, place))

    async def _work(self, key: Key, place: Place) -> None:
        async with self.limit, self._at_work():
            place.again = True
            while place.again:
                place.again = False
                try:
                    await self.serve(key, place)
                except (Problem, Transient, Late, *LOST, asyncpg.PostgresError) as error:
                    place.at, place.untold = None, True  # whatever arrived, it is read where the stream ends
                    if _moved(error) and place.failures == 0:
                        place.failures, place.again = 1, True
                        continue
                    self._rest(key, place, error)
                    return
                place.failures = 0

    @asynccontextmanager
    async def _at_work(self) -> AsyncIterator[None]:
        self.working += 1
        try:
            yield
        finally:
            self.working -= 1

    def _rest(self, key: Key, place: Place, error: Exception) -> None:
        place.failures += 1
        rest = min(0.05 * 2.0 ** min(place.failures, 12), LONGEST_REST_S)
        place.until = asyncio.get_running_loop().time() + rest
        kind = error.type.value if isinstance(error, Problem) else type(error).__name__
        if place.failures % ALARM_AFTER == 0:
            text = "nothing can be put out to a tool; what it is owed waits"
            self.alarm("tool_unreachable", text, school=key[0], tool=str(key[1]), kind=kind)
        else:
            log.warning("a tool waits", extra={"code": "tool_waits", "kind": kind, "school": key[0]})

    async def serve(self, key: Key, place: Place) -> None:
        """Tells a tool of its withdrawals, then puts out what waits, until nothing does."""
        while True:
            if place.at is None:
                place.at = await self._find(key, place)
            if place.at is None:
                return
            if place.untold:
                place.untold = await self._step(key, place, MARKERS, ClaimMarkers)
                continue
            if not await self._step(key, place, claim_of(self.heard), ClaimPutOuts):
                return

    async def _step(self, key: Key, place: Place, endpoint: Endpoint[Any], claim: type[Claim]) -> bool:
        """Claims a batch and publishes it; tells whether there may be another."""
        if place.at is None or place.speech is None:
            return False
        before = asyncio.get_running_loop().time() + self.release_within_s
        share = max(LEAST, SHARED // max(1, self.working))
        body = claim(tool=key[1], at=place.at, limit=min(self.batch, share))
        claimed = await self._claim(key, endpoint, body)
        if claimed is None:
            return False
        outlet: Outlet = claimed["outlet"]
        place.at, place.seq = outlet.at, outlet.seq
        messages = claimed["messages"]
        leaving = [place.speech.say(message, self.clock.now()) for message in messages]
        if leaving:
            if asyncio.get_running_loop().time() > before:
                msg = "claimed too long ago"
                raise Transient(msg)
            last = await self.streams.publish(leaving, outlet.at.stream_last)
            place.at = outlet.at.grown(leaving[-1].seq, last)
        told = tuple(m.withdrawal for m in messages if m.kind is Kind.WITHDRAWAL and m.withdrawal is not None)
        if told and endpoint is MARKERS:
            await self._write_told(key, told)
        return bool(claimed.get("more", True))

    async def _claim(self, key: Key, endpoint: Endpoint[Any], body: Claim) -> dict[str, Any] | None:
        try:
            return await self._ask(key, endpoint, body)
        except Unread as unread:
            await self.heard.read(self.db, key[0], unread.sources)
        return await self._ask(key, endpoint, body)

    async def _ask(self, key: Key, endpoint: Endpoint[Any], body: Any) -> dict[str, Any] | None:  # noqa: ANN401  a Request
        """Runs an endpoint as the tool; None: nothing waits."""
        school, tool = key
        actor = Actor(tool, ActorKind.TOOL, school, SERVICE)
        try:
            found: dict[str, Any] = await self.unit.run(endpoint, Asked(actor, school, body, self.ids))
        except Problem as problem:
            if problem.type is ProblemType.NOT_FOUND:
                return None
            raise
        return found

    async def _write_told(self, key: Key, told: tuple[UUID, ...]) -> None:
        body = Told(tool=key[1], at=None, withdrawals=told, due_in_s=self.deletion_within.total_seconds())
        await self._ask(key, TOLD, body)
        self.told()

    async def _part(self, key: Key, account: str | None, untold: tuple[UUID, ...]) -> None:
        """Has a removed tool's withdrawals hold, once its stream is gone: until its slot is killed it can fetch yet."""
        if not untold:
            return
        if account is not None and await self.streams.standing(account) is not None:
            msg = "a removed tool's stream is still there"
            raise Transient(msg)
        await self._write_told(key, untold)

    async def _find(self, key: Key, place: Place) -> At | None:
        """Reads where a tool stands, in its row and in its stream; None: nothing can be put out to it now."""
        school, tool = key
        async with self.db.school(school) as conn:
            row = await store.get_place(conn, school, tool)
        if row is None or row["channel"] != "nats":
            return None
        if row["state"] == ToolState.REMOVED:
            await self._part(key, row["account"], tuple(row["untold"]))
            return None
        if row["account"] is None:
            return None
        standing = await self.streams.standing(row["account"])
        if standing is None:
            msg = "its stream is not there yet"
            raise Transient(msg)
        place.speech = Speech(school, row["account"], row["secret"])
        at = NOWHERE if row["version"] is None else store.at_of(dict(row))
        place.seq = row["seq"] or 0
        new_epoch = row["version"] is not None and row["journal_epoch"] > row["epoch"]
        found = at.met(standing.made, standing.last, place.seq, new_epoch=new_epoch)
        if standing.made != at.stream_made or standing.last <= at.stream_last:
            return found
        shown = await self.streams.number_at(row["account"], standing.last)
        if shown is not None and shown > place.seq:
            # This database was put back to before anything told of those numbers but the stream: they stay given.
            return found.model_copy(update={"out_seq": shown, "stream_since": standing.last + 1})
        if found.out_seq > at.out_seq and found.out_seq != shown:
            # It grew, and not by what was claimed: only what the tool acknowledged is sure.
            return found.model_copy(update={"out_seq": min(at.acked, place.seq), "stream_since": standing.last + 1})
        return found

    # Streams that are lost, and what tools have acknowledged ------------------------------------------------------

    async def _watch(self, session: Session) -> None:
        """Looks once a second whether every stream is still what it was, and how far its tool has come."""
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            if not session.holds_lock:
                continue
            try:
                await self.look_after()
            except (Transient, *LOST, asyncpg.PostgresError) as error:
                log.warning("streams not seen", extra={"code": "streams_unseen", "kind": type(error).__name__})

    async def look_after(self) -> None:
        """Has what a lost stream held put out again, and notes what was acknowledged."""
        standings = await self.streams.standings()
        for key, place in list(self.places.items()):
            if place.at is None or place.speech is None or (place.worker is not None and not place.worker.done()):
                continue
            found = standings.get(place.speech.account)
            if found is None or (found.made, found.last) != (place.at.stream_made, place.at.stream_last):
                log.warning("a tool's stream was lost", extra={"code": "stream_lost", "school": key[0]})
                place.at, place.until = None, 0.0
                self._employ(key)
            elif place.at.out_seq > place.at.acked or place.at.out_seq > place.noted:
                await self._note(key, place)

    async def _note(self, key: Key, place: Place) -> None:
        if place.at is None or place.speech is None:
            return
        floor = await self.streams.acknowledged(place.speech.account)
        working = place.worker is not None and not place.worker.done()
        if floor is None or working or place.at is None:
            return
        at = place.at.acknowledged(floor)
        if at == place.at and at.out_seq == place.noted:
            return
        try:
            noted = await self._ask(key, NOTE, Note(tool=key[1], at=at))
        except Problem:
            place.at = None
            return
        if noted is not None and not (place.worker is not None and not place.worker.done()):
            place.at, place.noted = noted["outlet"].at, at.out_seq


def _moved(error: Exception) -> bool:
    """Tells whether the tool stands elsewhere than was known: it is looked up, and goes on at once."""
    return isinstance(error, Late) or (isinstance(error, Problem) and error.type is ProblemType.CONFLICT)
