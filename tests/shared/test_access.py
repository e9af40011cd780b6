"""Leases and who gives them: on a real database and a real NATS."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from deploy.databases import ServiceDatabase
from shared.access_authority import Authority
from shared.access_projection import Leases, by_member
from shared.actor import SigningKey
from shared.bus import Bus
from shared.clock import Clock, Ids
from shared.db import Database
from shared.errors import Problem, ProblemType, Transient
from shared.events.base import Event
from shared.events.words import Purpose
from shared.session import Session
from shared.telemetry import Telemetry
from shared.unit_run import Unit
from tests.shared.conftest import Notes
from tests.shared.notes import SEE_ALL, WRITE, SeeAll, WriteNote, asked, give, grant, person
from tests.support.fixtures import DatabaseFactory, LoginFactory
from tests.support.servers import Servers

READING = "SELECT clock_timestamp(), generation_now()"
CURSOR = "INSERT INTO projection_cursor VALUES ('olm', 'network', 1, $1, repeat('0', 64))"

# Whoever is asked for leases ---------------------------------------------------------------------------------------


async def leases_of(notes: Notes) -> int:
    async with notes.db.school("olm") as conn:
        return int(await conn.fetchval("SELECT count(*) FROM access_lease WHERE school = 'olm'"))


async def test_every_lease_that_counts_is_kept_however_many_replicas_renew(leased_notes: Notes) -> None:
    """Replicas that slept a little store out of order: no lease that may still count is thrown away for another."""
    now, generation = await leased_notes.db.row(READING)
    for age_s in (6.0, *(age / 10 for age in range(20)), 1.95):
        await leased_notes.db.function("store_leases", now - timedelta(seconds=age_s), generation, {"olm": [1, 0]})
    assert await leases_of(leased_notes) == 21


@dataclass
class Told:
    """Network as `Leases` asks it."""

    told: dict[str, list[int]] = field(default_factory=lambda: {"olm": [1, 0]})

    async def ask(self, _subject: str, _question: object, **_: object) -> Any:  # noqa: ANN401  JSON
        return self.told


async def test_a_clock_that_stepped_back_voids_every_lease_with_an_alarm_and_then_goes_on(leased_notes: Notes) -> None:
    db, who, child = leased_notes.db, person(), uuid4()
    telemetry = Telemetry("goals", export=False)
    leases: Any = Leases(db, Told(), telemetry)  # type: ignore[arg-type]  # plays the bus
    await leases._renew()
    assert telemetry.alarms.labels("clock_stepped")._value.get() == 0
    # Until just now the clock showed a minute more: readings were taken by it, and one row was vouched for.
    now, generation = await db.row(READING)
    ahead = now + timedelta(minutes=1)
    await db.row("UPDATE access_generation SET read_at = $1 RETURNING true", ahead)
    async with db.school("olm") as conn:
        await conn.execute("INSERT INTO access_lease VALUES ('olm', $1, $2, 1, 0)", ahead, generation)
    await db.function("store_vouched", "olm", child, 1, by_member([grant(who.id)]), 1, 1, now, generation)
    await leased_notes.unit.run(WRITE, asked(who, WriteNote(child=child, words="the step was not noticed yet")))
    voiding: Any = Leases(db, Told({}), telemetry)  # type: ignore[arg-type]  # network tells of no school now
    await voiding._renew()
    assert telemetry.alarms.labels("clock_stepped")._value.get() == 1
    with pytest.raises(Problem) as refused:
        await leased_notes.unit.run(WRITE, asked(who, WriteNote(child=child, words="on a lease that is void")))
    assert refused.value.type is ProblemType.UNAVAILABLE
    await leases._renew()
    await leased_notes.unit.run(WRITE, asked(who, WriteNote(child=child, words="on a new one")))
    async with db.school("olm") as conn:
        assert not await conn.fetch("SELECT FROM access_lease WHERE school = 'olm' AND reading > clock_timestamp()")
    assert telemetry.alarms.labels("clock_stepped")._value.get() == 1
    telemetry.close()


# The position that is recorded -------------------------------------------------------------------------------------


async def test_an_event_records_the_position_that_its_own_subject_was_judged_by(leased_notes: Notes) -> None:
    """One child was vouched for at network's 9; the other's grants are those of the cursor, and it is judged by 5."""
    db, who, vouched, projected = leased_notes.db, person(), uuid4(), uuid4()
    async with db.school("olm") as conn:
        await conn.execute(CURSOR, 5)
    reading, generation = await db.row(READING)
    await db.function("store_leases", reading, generation, {"olm": [1, 5]})
    await give(db, projected, grant(who.id))
    await db.function("store_vouched", "olm", vouched, 1, by_member([grant(who.id)]), 2, 9, reading, generation)
    bodies = [WriteNote(child=child, words="so") for child in (vouched, projected) * 4]
    await asyncio.gather(*(leased_notes.unit.run(WRITE, asked(who, body)) for body in bodies))
    events = [Event.parse(row["event"].encode()) for row in await leased_notes.journal("olm")]
    positions = [(event.about, event.content["networkepoch"], event.content["networkseq"]) for event in events]
    assert sorted(positions) == sorted([(vouched, 2, 9), (projected, 1, 5)] * 4)


# Network's side ----------------------------------------------------------------------------------------------------


@dataclass
class Asking:
    """Network's authority over a database, and goals, which asks it."""

    db: Database
    made: ServiceDatabase
    network: Bus
    goals: Bus

    async def serve(self, db: Any = None, session: Session | None = None) -> Session:  # noqa: ANN401  plays a Database
        session = session or Session(self.made.relay_dsn, "leases", durable=True)
        await Authority(db or self.db, session, self.network, lambda _: None).serve()
        await self.network.client.flush()
        return session

    async def subject(self, subject: UUID, timeout_s: float = 4.0) -> Any:  # noqa: ANN401  JSON
        question = {"what": "subject", "school": "olm", "subject": subject}
        return await self.goals.ask("ask.access", question, timeout_s)


@pytest.fixture
async def asking(database: DatabaseFactory, nats_login: LoginFactory, infra: Servers) -> AsyncIterator[Asking]:
    made = await database("network")
    key = SigningKey.load(infra.keys.token_key("network"))
    buses = [Bus(await nats_login(name), name, key, Clock()) for name in ("network", "goals")]
    db = await Database.connect(made.dsn, 4)
    yield Asking(db, made, *buses)
    await db.close()


async def opened(asking: Asking, subject: UUID) -> None:
    async with asking.db.school("olm") as conn:
        await conn.execute("INSERT INTO journal_head VALUES ('olm', 1, 7, repeat('0', 64))")
    await give(asking.db, subject, grant(uuid4()), revision=3)


async def test_a_vouch_is_read_where_it_is_proven_that_the_primary_still_writes(
    asking: Asking, database: DatabaseFactory
) -> None:
    """The pool still talks to an old primary, on which no write comes back; another session found the new one."""
    subject = uuid4()
    await opened(asking, subject)
    elsewhere = Session((await database("goals")).relay_dsn, "leases", durable=True)
    await asking.serve(session=elsewhere)
    owner = await asyncpg.connect(asking.made.owner_dsn)
    async with owner.transaction():
        await owner.execute("SELECT asked FROM lease_question FOR UPDATE")
        with pytest.raises(Transient):
            await asking.subject(subject, timeout_s=2)
    await owner.close()
    told = await asking.subject(subject)  # the control
    assert (told["revision"], told["epoch"], told["seq"]) == (3, 1, 7)
    assert (await asking.subject(uuid4()))["revision"] is None
    await elsewhere.close()


LOOKS = """
CREATE FUNCTION is_durable() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF current_setting('synchronous_commit') <> 'on' THEN RAISE 'not durable'; END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER is_durable BEFORE UPDATE ON lease_question FOR EACH ROW EXECUTE FUNCTION is_durable();
"""


async def test_a_vouch_is_durable_whatever_the_database_does_by_default(asking: Asking) -> None:
    subject = uuid4()
    await opened(asking, subject)
    owner = await asyncpg.connect(asking.made.owner_dsn)
    await owner.execute(LOOKS)
    name = await owner.fetchval("SELECT current_database()")
    await owner.execute(f'ALTER DATABASE "{name}" SET synchronous_commit = off')
    await owner.close()
    careless = await Database.connect(asking.made.dsn, 1)
    assert (await careless.row("SHOW synchronous_commit"))[0] == "off"
    session = await asking.serve(careless)
    assert (await asking.subject(subject))["revision"] == 3
    await session.close()
    await careless.close()


@dataclass
class Held:
    """A database whose reads of subjects come back when they are let go."""

    go: asyncio.Event = field(default_factory=asyncio.Event)
    first: asyncio.Event = field(default_factory=asyncio.Event)
    reads: list[int] = field(default_factory=list)

    async def function(self, _: str, questions: list[dict[str, Any]]) -> list[dict[str, Any]]:
        self.reads.append(len(questions))
        self.first.set()
        await self.go.wait()
        return [{"revision": None, "asked": question["subject"]} for question in questions]


async def test_one_read_serves_all_who_wait_and_heads_wait_for_no_subject(asking: Asking) -> None:
    held, subjects = Held(), [uuid4() for _ in range(20)]
    session = await asking.serve(held)
    alone = asyncio.create_task(asking.subject(uuid4()))
    async with asyncio.timeout(20):
        await held.first.wait()
    waiting = [asyncio.create_task(asking.subject(subject)) for subject in (*subjects, subjects[0])]
    await asyncio.sleep(0)  # they are sent
    assert await asking.goals.ask("ask.access", {"what": "heads"}) == {}  # and so heard before this
    held.go.set()
    told = await asyncio.gather(*waiting)
    assert [one["asked"] for one in told] == [str(subject) for subject in (*subjects, subjects[0])]
    assert (await alone)["revision"] is None
    assert held.reads == [1, 20]
    await session.close()


async def test_of_several_children_each_is_asked_about_when_no_lease_stands_behind_them(leased_notes: Notes) -> None:
    """That one could be verified says nothing of the next; where network is away, it says so and does not refuse."""
    db, who, children = leased_notes.db, person(), (uuid4(), uuid4(), uuid4())
    asked_about: list[UUID] = []

    async def vouch(school: str, subject: UUID) -> bool:
        asked_about.append(subject)
        if len(asked_about) > 4:
            raise Transient("away")
        reading, generation = await db.row("SELECT clock_timestamp(), generation_now()")
        grants = by_member([grant(who.id)])
        await db.function("store_vouched", school, subject, 1, grants, 1, 1, reading, generation)
        return True

    unit = Unit("goals", db, Ids(), vouch=vouch)
    assert await unit.run(SEE_ALL, asked(who, SeeAll(children=children, purpose=Purpose.GUIDANCE))) == {"seen": 3}
    assert asked_about == list(children)
    more = SeeAll(children=(uuid4(), uuid4()), purpose=Purpose.GUIDANCE)
    with pytest.raises(Problem, match="cannot be verified"):
        await unit.run(SEE_ALL, asked(who, more))
