"""A lane's events, applied in order and exactly once in effect: on a real database."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from random import Random
from uuid import UUID, uuid4

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.clock import Ids
from shared.db import Connection, Database
from shared.errors import Permanent
from shared.events.base import GENESIS, Act, Event, NewEvent
from shared.events.words import Action, ActorKind, Category, Purpose
from shared.projection import Applier, Blocked, Fork, Lane, Policy, Position, _sift
from shared.telemetry import Telemetry
from tests.shared.notes import NoteWritten
from tests.support.fixtures import DatabaseFactory

SCHOOL = "olm"
SEEN = """
CREATE TABLE seen (school text NOT NULL, number bigserial, seq bigint NOT NULL,
    CONSTRAINT seen_pk PRIMARY KEY (school, number));
SELECT tenant_policy('seen');
"""


def chain(
    count: int, *, about: Sequence[UUID] | None = None, first: int = 1, prev: str = GENESIS, epoch: int = 1
) -> list[Event]:
    """Returns a lane of events of producer `goals`, numbered and chained as its journal would."""
    act = Act(
        actor=uuid4(),
        kind=ActorKind.PERSON,
        door="samen",
        purpose=Purpose.GUIDANCE,
        action=Action.VIEW,
        category=Category.GOALS,
    )
    events = []
    for seq in range(first, first + count):
        child = about[(seq - first) % len(about)] if about else UUID(int=seq)
        new = NewEvent(NoteWritten(note=UUID(int=seq), version=1), child, act)
        body = new.body(SCHOOL, UUID(int=seq), datetime(2026, 1, 1, tzinfo=UTC))
        event = Event.parse(number(body, epoch, seq, prev))
        prev = event.hash
        events.append(event)
    return events


def number(body: str, epoch: int, seq: int, prev: str) -> bytes:
    content = json.loads(body) | {
        "epoch": epoch,
        "seq": seq,
        "prevhash": prev,
        "recordedat": "2026-01-01T00:00:00.000000Z",
        "networkepoch": 0,
        "networkseq": 0,
    }
    return json.dumps(content).encode()


class Toy:
    """An applier whose reaction notes what it saw, and refuses what it is told to."""

    def __init__(self, db: Database, policy: Policy) -> None:
        self.db = db
        self.poison: set[int] = set()
        self.applier = Applier(db, [Lane("goals", self.react, policy)], Ids(Random(1)), Telemetry("toy", export=False))

    async def react(self, conn: Connection, events: Sequence[Event]) -> Sequence[NewEvent]:
        for event in events:
            await conn.execute("INSERT INTO seen (school, seq) VALUES ($1, $2)", SCHOOL, event.seq)
            if event.seq in self.poison:
                raise Permanent("poison")
        return ()

    async def apply(self, events: Sequence[Event]) -> int | None:
        return (await self.applier.apply(SCHOOL, "goals", events)).missing_from

    async def retry(self, about: UUID) -> int:
        went = 0
        while await self.applier.retry_parked(SCHOOL, "goals", about):
            went += 1
        return went

    async def seen(self) -> list[int]:
        async with self.db.school(SCHOOL) as conn:
            return [
                row[0] for row in await conn.fetch("SELECT seq FROM seen WHERE school = $1 ORDER BY number", SCHOOL)
            ]

    async def cursor(self) -> int:
        return (await self.applier.positions())["goals", SCHOOL].seq

    async def letters(self) -> list[tuple[int, str]]:
        async with self.db.school(SCHOOL) as conn:
            rows = await conn.fetch("SELECT seq, state FROM dead_letter WHERE school = $1 ORDER BY seq", SCHOOL)
        return [(row["seq"], row["state"]) for row in rows]


@pytest.fixture
async def toy_database(database: DatabaseFactory) -> AsyncIterator[Database]:
    made = await database("goals")
    owner = await asyncpg.connect(made.owner_dsn)
    await owner.execute(SEEN)
    await owner.close()
    db = await Database.connect(made.dsn, 4)
    yield db
    await db.close()


@pytest.fixture
async def parking(toy_database: Database) -> Toy:
    return Toy(toy_database, Policy.PARK)


@pytest.fixture
async def blocking(toy_database: Database) -> Toy:
    return Toy(toy_database, Policy.BLOCK)


async def test_redelivered_events_have_their_effect_once(parking: Toy) -> None:
    events = chain(6)
    assert await parking.apply(events[:4]) is None
    assert await parking.apply(events[2:]) is None
    assert await parking.seen() == [1, 2, 3, 4, 5, 6]


async def test_what_follows_a_gap_waits_and_the_gap_is_named(parking: Toy) -> None:
    events = chain(6)
    assert await parking.apply(events[:2] + events[3:]) == 3
    assert (await parking.seen(), await parking.cursor()) == ([1, 2], 2)
    assert await parking.apply(events[2:]) is None
    assert await parking.seen() == [1, 2, 3, 4, 5, 6]


async def test_another_event_under_a_known_number_is_a_fork(parking: Toy) -> None:
    await parking.apply(chain(3))
    with pytest.raises(Fork):
        await parking.apply(chain(3)[2:])


async def test_an_event_that_does_not_carry_its_predecessors_hash_is_a_fork(parking: Toy) -> None:
    await parking.apply(chain(3))
    with pytest.raises(Fork):
        await parking.apply(chain(1, first=4, prev="1" * 64))
    assert await parking.cursor() == 3


async def test_a_newer_epoch_goes_on_and_an_older_one_is_a_fork(parking: Toy) -> None:
    first = chain(2, epoch=2)
    await parking.apply(first)
    with pytest.raises(Fork):
        await parking.apply(chain(1, first=3, prev=first[-1].hash, epoch=1))
    await parking.apply(chain(1, first=3, prev=first[-1].hash, epoch=3))
    assert await parking.cursor() == 3


async def test_a_poisoned_event_parks_only_its_own_child_in_order(parking: Toy) -> None:
    ill, well = uuid4(), uuid4()
    events = chain(8, about=[ill, well])
    parking.poison = {3}
    assert await parking.apply(events) is None
    assert await parking.seen() == [1, 2, 4, 6, 8]
    assert await parking.letters() == [(3, "parked"), (5, "waiting"), (7, "waiting")]
    assert await parking.retry(ill) == 0
    parking.poison = set()
    assert await parking.retry(ill) == 3
    assert await parking.seen() == [1, 2, 4, 6, 8, 3, 5, 7]
    assert await parking.letters() == []


async def test_a_poisoned_event_blocks_its_lane_until_it_can_be_applied(blocking: Toy) -> None:
    events = chain(4)
    blocking.poison = {3}
    with pytest.raises(Blocked):
        await blocking.apply(events)
    assert (await blocking.seen(), await blocking.letters()) == ([1, 2], [(3, "blocking")])
    blocking.poison = set()
    assert await blocking.apply(events) is None
    assert (await blocking.seen(), await blocking.letters()) == ([1, 2, 3, 4], [])


LANE = chain(12)


@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.lists(st.sampled_from(LANE), max_size=8), max_size=30))
def test_however_events_arrive_each_is_taken_once_and_in_order(deliveries: list[list[Event]]) -> None:
    at, taken = Position(), list[int]()
    for delivery in [*deliveries, LANE]:
        run, _ = _sift(at, delivery)
        taken += [event.seq for event in run]
        if run:
            at = Position(run[-1].epoch, run[-1].seq, run[-1].hash)
    assert taken == list(range(1, 13))
