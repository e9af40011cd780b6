"""Events of other services, applied in order and exactly once in effect (DESIGN.md "Projection").

A lane is one producer's events of one school. Its cursor moves in the transaction of its effects; what the broker lost
or held back is fetched from the producer's journal.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from uuid import UUID

from pydantic import ValidationError

from shared.access_projection import subjects_of
from shared.clock import Ids
from shared.db import LOST, Connection, Database
from shared.errors import Permanent, Transient
from shared.events.base import GENESIS, Event, NewEvent
from shared.journal import append
from shared.telemetry import Telemetry

log = logging.getLogger(__name__)

MOST = 500
"""Events in one transaction, at most."""

OPEN_LANE = "SELECT * FROM open_lane($1, $2, $3)"
MOVE = """
UPDATE projection_cursor SET epoch = $3, seq = $4, hash = $5 WHERE school = $1 AND producer = $2
"""
SET_ASIDE = """
INSERT INTO dead_letter (school, producer, seq, about, event, state, code, tries)
SELECT $1, $2, * FROM unnest($3::bigint[], $4::uuid[], $5::text[], $6::text[], $7::text[]) AS x, (SELECT 1) one
ON CONFLICT (school, producer, seq) DO UPDATE SET tries = dead_letter.tries + 1, code = excluded.code
"""
UNBLOCK = "DELETE FROM dead_letter WHERE school = $1 AND producer = $2 AND state = 'blocking' AND seq <= $3"
PARKED = """
SELECT seq, event FROM dead_letter
 WHERE school = $1 AND producer = $2 AND about = $3 AND state <> 'blocking' ORDER BY seq LIMIT 1
"""
TAKE_BACK = "DELETE FROM dead_letter WHERE school = $1 AND producer = $2 AND seq = $3"
TRIED = """
UPDATE dead_letter SET tries = tries + 1, code = $4, state = 'parked' WHERE school = $1 AND producer = $2 AND seq = $3
"""


class Policy(StrEnum):
    """What an event that can never be applied does to its lane: hold it all, or only what concerns the same subject."""

    BLOCK = "block"
    PARK = "park"


React = Callable[[Connection, Sequence[Event]], Awaitable[Sequence[NewEvent]]]
"""Applies a run of one lane's events, in order, in the caller's transaction (the school is set); returns what follows
from them, to be journaled in the same transaction. Skips types it does not know. Raises Permanent (or pydantic's
ValidationError) for an event that can never be applied, Transient (or anything else) for one that may be later. Its
effects are a function of the events and the tables only: after an error the same events come again, one at a time."""


@dataclass(frozen=True, slots=True)
class Lane:
    """How one producer's events are applied by this service."""

    producer: str
    react: React
    policy: Policy
    applied: Callable[[str], object] = lambda _: None
    """Called with the school after each commit that applied something."""


@dataclass(frozen=True, slots=True)
class Position:
    """How far a lane has come: the last event applied, and its hash."""

    epoch: int = 0
    seq: int = 0
    hash: str = GENESIS


Reached = Callable[[Position], object]
"""Hears how far a lane has come, once that is committed."""


class Fork(Exception):
    """The producer's numbers now carry other events than those applied here: the lane stops until it is recovered."""


class Blocked(Exception):
    """An event that can never be applied holds its lane; the row in `dead_letter` says which and why."""


@dataclass(frozen=True, slots=True)
class Applied:
    """What became of a run of events: the lane's new position, and the first seq that is missing, if one is."""

    position: Position
    missing_from: int | None = None


class Applier:
    """Applies runs of events of a lane: one transaction a run, its cursor under lock, its follow-ups journaled last."""

    def __init__(
        self,
        db: Database,
        lanes: Sequence[Lane],
        ids: Ids,
        telemetry: Telemetry,
        committed: Callable[[str], None] = lambda _: None,
        stopped: Callable[[str], str | None] = lambda _: None,
    ) -> None:
        self._committed = committed
        self._stopped = stopped
        self._most: defaultdict[tuple[str, str], int] = defaultdict(lambda: MOST)
        self._db = db
        self._lanes = {lane.producer: lane for lane in lanes}
        self._ids = ids
        self._telemetry = telemetry

    async def apply(
        self, school: str, producer: str, events: Sequence[Event], reached: Reached = lambda _: None
    ) -> Applied:
        """Applies what of `events` comes next, skips what was applied, stops before a gap or where it took too long.

        Tells `reached` how far the lane has come, after each commit. Raises Fork, Blocked, or what the reaction raised:
        of what was not reached then, nothing was changed. Try again from there.
        """
        done, rest = Applied(Position()), list(events)
        while rest and done.missing_from is None:
            most = self._most[school, producer]
            run, rest = rest[:most], rest[most:]
            try:
                done = await self._run(school, producer, run)
            except (Permanent, ValidationError) as error:
                done = await self._singly(school, producer, run, error, reached)
            except LOST:
                # Perhaps the run outlived the longest transaction: the next is half as long.
                self._most[school, producer] = max(1, len(run) // 2)
                if done.position.seq:
                    return Applied(done.position, done.position.seq + 1)
                raise
            reached(done.position)
            self._most[school, producer] = min(MOST, most + 1 + most // 8)
        return done

    async def retrace(self, school: str, producer: str, events: Sequence[Event]) -> Applied:
        """The same for at most `MOST` events that were applied before, also while the journal is in doubt.

        Only for reactions from which no events follow.
        """
        return await self._run(school, producer, events, lambda: None)

    def _refuse_stopped(self, school: str) -> None:
        if (why := self._stopped(school)) is not None:  # what follows from events would reuse this journal's numbers
            raise Transient(why)

    async def _singly(
        self, school: str, producer: str, events: Sequence[Event], error: Exception, reached: Reached
    ) -> Applied:
        """Finds the event of a run that can never be applied; what precedes it is applied, what follows goes on."""
        done = Applied(Position())
        for event in events:
            try:
                done = await self._run(school, producer, [event])
            except (Permanent, ValidationError) as found:
                done = await self._set_aside(school, producer, event, found)
            reached(done.position)
            if done.missing_from is not None:
                break
        log.warning("a run was applied singly", extra={"code": "run_singly", "kind": type(error).__name__})
        return done

    async def _run(
        self, school: str, producer: str, events: Sequence[Event], ready: Callable[[], object] | None = None
    ) -> Applied:
        lane = self._lanes[producer]
        traced = [text for event in events if (text := event.content.get("traceparent"))]
        with self._telemetry.batch("project", producer, school, len(events), traced):
            async with self._db.lane(ready or partial(self._refuse_stopped, school)) as conn:
                opened = await conn.fetchrow(OPEN_LANE, school, producer, subjects_of(events))
                if opened is None:
                    raise RuntimeError("open_lane returned no row")
                at = Position(opened["epoch"], opened["seq"], opened["hash"])
                run, missing_from = _sift(at, events)
                if not run:
                    return Applied(at, missing_from)
                parked = set(opened["parked"] or ())
                free = [event for event in run if event.about not in parked]
                follow_ups = list(await lane.react(conn, free)) if free else []
                if len(free) < len(run):
                    await self._wait_behind(conn, school, producer, [e for e in run if e.about in parked])
                last = run[-1]
                moved = Position(last.epoch, last.seq, last.hash)
                await conn.execute(MOVE, school, producer, moved.epoch, moved.seq, moved.hash)
                if opened["blocked"]:
                    await conn.execute(UNBLOCK, school, producer, moved.seq)
                await append(conn, school, follow_ups, self._ids, opened["domain_now"])
        self._telemetry.applied.labels(producer).inc(len(run))
        lane.applied(school)
        if follow_ups:
            self._committed(school)
        return Applied(moved, missing_from)

    async def _wait_behind(self, conn: Connection, school: str, producer: str, events: Sequence[Event]) -> None:
        await conn.execute(
            SET_ASIDE,
            school,
            producer,
            [event.seq for event in events],
            [event.about for event in events],
            [event.raw.decode() for event in events],
            ["waiting"] * len(events),
            ["behind_parked"] * len(events),
        )

    async def _set_aside(self, school: str, producer: str, event: Event, error: Exception) -> Applied:
        """Follows the lane's policy for an event that can never be applied."""
        code = error.code if isinstance(error, Permanent) else "does_not_validate"
        lane = self._lanes[producer]
        state = "blocking" if lane.policy is Policy.BLOCK else "parked"
        async with self._db.lane(partial(self._refuse_stopped, school)) as conn:
            opened = await conn.fetchrow(OPEN_LANE, school, producer, [])
            if opened is None or opened["seq"] != event.seq - 1:
                return Applied(
                    Position() if opened is None else Position(opened["epoch"], opened["seq"], opened["hash"])
                )
            text = event.raw.decode("utf-8", "replace")
            await conn.execute(SET_ASIDE, school, producer, [event.seq], [event.about], [text], [state], [code])
            if lane.policy is Policy.PARK:
                await conn.execute(MOVE, school, producer, event.epoch, event.seq, event.hash)
        self._telemetry.alarm(
            f"event_{state}", "an event cannot be applied", producer=producer, school=school, seq=event.seq, reason=code
        )
        if lane.policy is Policy.BLOCK:
            raise Blocked(code)
        return Applied(Position(event.epoch, event.seq, event.hash))

    async def retry_parked(self, school: str, producer: str, about: UUID) -> bool:
        """Applies the next parked event of one child or member again, under the lane's lock; says whether one went.

        None goes before the one that still cannot be applied: what waits behind it goes on waiting.
        """
        async with self._db.lane(partial(self._refuse_stopped, school)) as conn:
            opened = await conn.fetchrow(OPEN_LANE, school, producer, [])
            letter = await conn.fetchrow(PARKED, school, producer, about)
            if letter is None or opened is None:
                return False
            event = Event.parse(letter["event"].encode())
            try:
                async with conn.transaction():
                    follow_ups = await self._lanes[producer].react(conn, [event])
            except (Permanent, ValidationError) as error:
                code = error.code if isinstance(error, Permanent) else "does_not_validate"
                await conn.execute(TRIED, school, producer, event.seq, code)
                return False
            await conn.execute(TAKE_BACK, school, producer, event.seq)
            await append(conn, school, follow_ups, self._ids, opened["domain_now"])
        return True

    async def reachable(self) -> bool:
        """Tells whether the database answers."""
        return await self._db.alive()

    async def positions(self) -> dict[tuple[str, str], Position]:
        """Returns every lane's position by (producer, school), as committed."""
        rows = await self._db.rows("SELECT * FROM list_cursors()")
        return {(r["producer"], r["school"]): Position(r["epoch"], r["seq"], r["hash"]) for r in rows}


def _sift(at: Position, events: Sequence[Event]) -> tuple[list[Event], int | None]:
    """Returns the events that follow `at` without a gap, and the first missing seq if something comes later.

    Raises Fork when a number that was applied, or the chain, shows other events than those seen here.
    """
    run: list[Event] = []
    epoch, seq, hash_ = at.epoch, at.seq, at.hash
    for event in events:
        if event.seq <= seq:
            if event.seq == seq and event.hash != hash_:
                raise Fork(f"seq {seq}")
            continue
        if event.seq > seq + 1:
            return run, seq + 1
        if event.prev_hash != hash_ or event.epoch < epoch:
            raise Fork(f"seq {event.seq}")
        run.append(event)
        epoch, seq, hash_ = event.epoch, event.seq, event.hash
    return run, None
