"""Builders for the tests of notifications: chained events, grants, access rows with a lease behind them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from random import Random
from uuid import UUID, uuid4

from shared.access_projection import by_member
from shared.clock import Ids
from shared.db import Connection, Database
from shared.events.base import GENESIS, Act, Event, Fact, NewEvent, stamp
from shared.events.goals import GoalAccepted, Status
from shared.events.network import Grant
from shared.events.words import Action, ActorKind, Basis, Category, Purpose, Role

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


def grant(member: UUID, **changed: object) -> Grant:
    """Returns a grant to be told of goals, since long ago."""
    base: dict[str, object] = {
        "id": uuid4(),
        "member": member,
        "role": Role.TEACHER,
        "actions": (Action.VIEW, Action.RECEIVE),
        "categories": (Category.GOALS, Category.OBSERVATIONS),
        "purposes": (Purpose.GUIDANCE, Purpose.CARE_COORDINATION),
        "basis": Basis.PUBLIC_TASK,
        "valid_from": LONG_AGO,
    }
    return Grant.model_validate(base | changed)


def act(actor: UUID, **changed: object) -> Act:
    """Returns the act of a person who decides about goals."""
    base: dict[str, object] = {
        "actor": actor,
        "kind": ActorKind.PERSON,
        "door": "portal",
        "purpose": Purpose.GUIDANCE,
        "action": Action.DECIDE,
        "category": Category.GOALS,
    }
    return Act.model_validate(base | changed)


def accepted() -> GoalAccepted:
    """Returns the fact that a goal was accepted."""
    return GoalAccepted(version=2, previous=Status.PROPOSED, status=Status.ACCEPTED)


class Lane:
    """Numbers and chains events as a producer's journal does."""

    def __init__(self, school: str, producer: str = "goals", at: datetime = NOW) -> None:
        self.school = school
        self.producer = producer
        self.at = at
        self._seq = 0
        self._hash = GENESIS
        self._ids = Ids(Random(7))

    def add(self, fact: Fact, about: UUID, by: Act, thing: UUID | None = None) -> Event:
        """Returns the lane's next event."""
        new = NewEvent(fact, about, by, thing, producer=self.producer)
        self._seq += 1
        content = json.loads(new.body(self.school, self._ids.time_ordered(self.at), self.at))
        content |= {"epoch": 1, "seq": self._seq, "prevhash": self._hash, "recordedat": stamp(self.at)}
        event = Event.parse(json.dumps(content, separators=(",", ":")).encode())
        self._hash = event.hash
        return event


ACCESS = """
INSERT INTO access (school, id, version, grants, epoch, seq) VALUES ($1, $2, 1, $3, 1, 1)
ON CONFLICT (school, id) DO UPDATE SET grants = excluded.grants, version = access.version + 1
"""
LEASE = "INSERT INTO access_lease SELECT $1, clock_timestamp(), generation_now(), 0, 0 ON CONFLICT DO NOTHING"


async def give_access(db: Database, school: str, subject: UUID, grants: Iterable[Grant]) -> None:
    """Stores these grants as network's, with a lease that counts for five seconds."""
    async with db.school(school) as conn:
        await conn.execute(ACCESS, school, subject, by_member(grants))
        await conn.execute(LEASE, school)


async def states(db: Database, school: str) -> list[tuple[str, int, str | None]]:
    """Returns (state, tries, code) of each delivery of a school."""
    async with db.school(school) as conn:
        rows = await conn.fetch("SELECT state, tries, code FROM delivery ORDER BY id")
    return [(row["state"], row["tries"], row["code"]) for row in rows]


async def journaled(conn: Connection) -> Sequence[Event]:
    """Returns the school's journal."""
    return [Event.parse(row[0].encode()) for row in await conn.fetch("SELECT event FROM journal ORDER BY seq")]


async def told(db: Database, school: str) -> list[str]:
    """Returns the names of the events that notifications journaled, in order (`notice.queued`)."""
    async with db.school(school) as conn:
        return [event.type.removeprefix("nl.samenkracht.notifications.")[:-3] for event in await journaled(conn)]


async def make_due(db: Database, school: str) -> None:
    """Lets the time of every open delivery come."""
    async with db.school(school) as conn:
        await conn.execute("UPDATE delivery SET next_try_at = clock_timestamp() - interval '1 second'")


def later(**spans: float) -> datetime:
    """Returns NOW plus this."""
    return NOW + timedelta(**spans)
