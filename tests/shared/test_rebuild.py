"""Grants built anew while another replica applies: on a real database, with network's journal played by a list."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random
from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from shared.access_projection import project_access
from shared.clock import Ids
from shared.db import Database
from shared.errors import Problem, Transient
from shared.events.base import GENESIS, Act, Event, NewEvent
from shared.events.network import AccessChanged, Grant
from shared.events.words import Action, ActorKind, Category, Purpose
from shared.projection import Applier, Lane, Policy
from shared.rebuild import finish_rebuild, is_rebuilding, rebuild
from shared.telemetry import Telemetry
from tests.shared.notes import grant
from tests.shared.test_projection import SCHOOL, number
from tests.support.fixtures import DatabaseFactory

CHILD, MEMBER = uuid4(), uuid4()
WAITS = """
SELECT count(*) > 0 FROM pg_locks
 WHERE locktype = 'advisory' AND NOT granted
   AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""


async def nothing() -> None:
    """What mostly happens between a read and what rests on it."""


@dataclass
class Copy:
    """A service's copy of the grants, the journal it is made from, and another replica that applies it."""

    db: Database
    owner_dsn: str
    journal: list[Event] = field(default_factory=list)
    then: Callable[[], Awaitable[None]] = nothing
    """What happens once, just after this process has read the journal to its end."""

    def __post_init__(self) -> None:
        lane = Lane("network", project_access, Policy.BLOCK)
        self.other = Applier(self.db, [lane], Ids(Random(1)), Telemetry("toy", export=False))
        self.site: Any = SimpleNamespace(
            consumer=SimpleNamespace(active=True, turn=asyncio.Lock()), leases=object(), db=self.db, bus=self
        )

    def change(self, revision: int, *grants: Grant) -> None:
        act = Act(
            actor=uuid4(),
            kind=ActorKind.PERSON,
            door="samen",
            purpose=Purpose.ADMINISTRATION,
            action=Action.MANAGE,
            category=Category.NETWORK,
        )
        body = NewEvent(AccessChanged(revision=revision, grants=grants), CHILD, act).body(
            SCHOOL, uuid4(), datetime(2026, 1, 1, tzinfo=UTC)
        )
        prev = self.journal[-1].hash if self.journal else GENESIS
        self.journal.append(Event.parse(number(body, 1, len(self.journal) + 1, prev)))

    async def ask(self, _: str, asked: dict[str, Any]) -> list[str]:
        found = [event.raw.decode() for event in self.journal[asked["after"] :]]
        if not found:
            then, self.then = self.then, nothing
            await then()
        return found

    async def apply(self) -> None:
        await self.other.apply(SCHOOL, "network", self.journal)

    async def held(self) -> tuple[int, list[str]]:
        """The child's revision here, and who has grants."""
        async with self.db.school(SCHOOL) as conn:
            row = await conn.fetchrow("SELECT version, grants FROM access WHERE school = $1 AND id = $2", SCHOOL, CHILD)
        assert row is not None
        return row["version"], list(row["grants"])


@pytest.fixture
async def copy(database: DatabaseFactory) -> AsyncIterator[Copy]:
    made = await database("goals")
    db = await Database.connect(made.dsn, 4)
    one = Copy(db, made.owner_dsn)
    one.change(1, grant(MEMBER))
    await one.apply()
    yield one
    await db.close()


async def test_a_rebuild_that_slept_does_not_put_a_withdrawn_grant_back(copy: Copy) -> None:
    """It has read revision 1 and sleeps; another replica takes over and applies revision 2, which takes all away."""

    async def withdraw() -> None:
        copy.change(2)
        await copy.apply()

    copy.then = withdraw
    assert await rebuild(copy.site) == {SCHOOL: 1}
    assert await copy.held() == (2, [])
    assert not await is_rebuilding(copy.site)


async def test_a_rebuild_from_a_journal_that_lacks_what_was_applied_is_not_done(copy: Copy) -> None:
    copy.change(2)
    await copy.apply()
    copy.journal.pop()
    with pytest.raises(Transient, match="ends before"):
        await rebuild(copy.site)
    assert await copy.held() == (2, [])
    assert await is_rebuilding(copy.site)


async def test_only_the_latest_rebuild_ends_it(copy: Copy) -> None:
    async def begin_elsewhere() -> None:
        await copy.db.row("UPDATE access_generation SET generation = 'elsewhere' RETURNING true")

    copy.then = begin_elsewhere
    with pytest.raises(Problem, match="another rebuild"):
        await rebuild(copy.site)
    assert await is_rebuilding(copy.site)


async def test_a_rebuild_waits_for_who_holds_a_subject(copy: Copy) -> None:
    """A lock is not there in 100 ms: the page is tried again."""
    owner = await asyncpg.connect(copy.owner_dsn)
    async with owner.transaction():
        await owner.execute("SELECT pg_advisory_xact_lock(access_key($1, $2))", SCHOOL, CHILD)
        going = asyncio.create_task(rebuild(copy.site))
        for waits in (True, False):  # until it has given up once
            while await owner.fetchval(WAITS) is not waits:
                assert not going.done()
    await owner.close()
    assert await going == {SCHOOL: 1}


async def test_a_rebuild_that_was_cut_short_is_finished_once(copy: Copy) -> None:
    copy.journal, kept = [], copy.journal
    with pytest.raises(Transient):
        await rebuild(copy.site)
    copy.journal = kept
    await finish_rebuild(copy.site)
    assert (await copy.held(), await is_rebuilding(copy.site)) == ((1, [str(MEMBER)]), False)

    async def asked_again() -> None:
        raise AssertionError

    copy.then = asked_again
    await finish_rebuild(copy.site)


async def test_a_rebuild_under_way_is_not_begun_again_behind_it(copy: Copy) -> None:
    finishing: list[asyncio.Task[None]] = []
    begun: list[UUID | str] = []

    async def meanwhile() -> None:
        begun.append((await copy.db.row("SELECT generation FROM access_generation"))[0])
        finishing.append(asyncio.create_task(finish_rebuild(copy.site)))
        while not copy.site.consumer.turn._waiters:  # noqa: ASYNC110  a lock has no event of who waits
            await asyncio.sleep(0)

    copy.then = meanwhile
    await rebuild(copy.site)
    await finishing[0]
    assert begun == [(await copy.db.row("SELECT generation FROM access_generation"))[0]]
