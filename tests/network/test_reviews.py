"""Reviews fall due and become overdue: once each, on Dutch days, whatever was down meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from services.network.dialogue import Commitment, Reminded, Standing, amsterdam_day
from services.network.restored import take_back
from services.network.reviews import REVIEWS, steps
from shared.db import Database
from shared.errors import Problem, ProblemType
from shared.events.base import Event
from shared.events.dialogue import CompanionLeft, ExpectationWithdrawn, Party, ReviewDue, ReviewOverdue
from shared.unit_run import Unit
from tests.network.conftest import Network
from tests.network.talks import Talks, concerned, move_time, refused
from tests.support.fixtures import DatabaseFactory
from tests.support.refusing import CASES, Refusing

FACTS = (ReviewDue, ReviewOverdue)


@pytest.fixture
async def talks(network: Network) -> Talks:
    return await Talks.begin(network)


@pytest.fixture
async def again(network: Network, database: DatabaseFactory) -> AsyncIterator[Unit]:
    """Another process of the service, on the same database."""
    db = await Database.connect((await database("network")).dsn, 2)
    yield Unit("network", db, network.ids, authority=True)
    await db.close()


async def at(database: DatabaseFactory, moment: datetime) -> None:
    await move_time((await database("network")).owner_dsn, moment - datetime.now(UTC))


async def told(talks: Talks) -> list[str]:
    return [event.type.split(".")[4] for event in await talks.told(*FACTS)]


def noon(talks: Talks, days: int) -> datetime:
    return datetime.combine(talks.today + timedelta(days=days), datetime.min.time(), UTC) + timedelta(hours=11)


async def test_a_review_falls_due_on_its_day_and_is_overdue_a_week_later_once_each(
    talks: Talks, again: Unit, database: DatabaseFactory
) -> None:
    await talks.promise("juf", "ik oefen de jas", "mum", by_on=talks.day(10), review_on=talks.day(14))
    seen = []
    for days in (13, 14, 15, 20, 21, 22, 400):
        await at(database, noon(talks, days))
        for unit in (talks.network.unit, again, talks.network.unit):
            await REVIEWS.tell(unit, talks.network.school)
        seen.append((days, len(await told(talks))))
    assert seen == [(13, 0), (14, 1), (15, 1), (20, 1), (21, 2), (22, 2), (400, 2)]
    assert await told(talks) == ["due", "overdue"]
    assert concerned(await talks.told(*FACTS)) == [{talks["juf"], talks["mum"]}] * 2


async def test_after_weeks_of_outage_both_are_told_in_order(talks: Talks, database: DatabaseFactory) -> None:
    await talks.promise("juf", "ik oefen de jas", "mum", review_on=talks.day(14))
    await at(database, noon(talks, 60))
    assert await REVIEWS.tell(talks.network.unit, talks.network.school) == 1
    assert await REVIEWS.tell(talks.network.unit, talks.network.school) == 0
    assert await told(talks) == ["due", "overdue"]


async def test_two_replicas_at_once_tell_each_of_many_reviews_once(
    talks: Talks, again: Unit, database: DatabaseFactory
) -> None:
    for _ in range(60):  # more than a page
        await talks.promise("juf", "ik oefen de jas", "mum", review_on=talks.day(14))
    await at(database, noon(talks, 14))
    await asyncio.gather(*(REVIEWS.tell(unit, talks.network.school) for unit in (talks.network.unit, again) * 2))
    events = await talks.told(*FACTS)
    assert len(events) == len({event.fact(ReviewDue).commitment for event in events}) == 60


async def test_only_the_side_that_has_not_looked_back_is_reminded_and_nobody_after_both(
    talks: Talks, database: DatabaseFactory
) -> None:
    made = await talks.promise("juf", "ik oefen de jas", "mum", review_on=talks.day(14))
    one = await talks.say("review-commitment", "juf", made, outcome="kept")
    await at(database, noon(talks, 14))
    await REVIEWS.tell(talks.network.unit, talks.network.school)
    assert concerned(await talks.told(*FACTS)) == [{talks["mum"]}]
    (mine,) = await talks.mine("mum")
    assert (mine["todo"], mine["reminded"]) == ("review", "due")
    await talks.say("review-commitment", "mum", one, outcome="partly")
    await at(database, noon(talks, 40))
    await REVIEWS.tell(talks.network.unit, talks.network.school)
    assert await told(talks) == ["due"]


async def test_what_was_taken_back_is_not_reminded_of(talks: Talks, database: DatabaseFactory) -> None:
    made = await talks.promise("juf", "ik oefen de jas", "mum", review_on=talks.day(14))
    await talks.say("withdraw-expectation", "juf", made, words="ik ben ziek")
    await at(database, noon(talks, 40))
    assert await REVIEWS.tell(talks.network.unit, talks.network.school) == 0


async def test_a_reminder_makes_nobodys_version_stale(talks: Talks, database: DatabaseFactory) -> None:
    made = await talks.promise("juf", "ik oefen de jas", "mum", review_on=talks.day(14))
    await at(database, noon(talks, 14))
    await REVIEWS.tell(talks.network.unit, talks.network.school)
    assert (await talks.say("review-commitment", "mum", made, outcome="kept"))["version"] == made["dialogues"][0][
        "version"
    ] + 1


@pytest.mark.parametrize(
    ("review_on", "before", "after"),
    [
        # Summer time begins on 28 March 2027 and ends on 31 October: midnight is an hour earlier, or later, in UTC.
        ("2027-03-28", "2027-03-27T22:59:30Z", "2027-03-27T23:00:30Z"),
        ("2027-03-29", "2027-03-28T21:59:30Z", "2027-03-28T22:00:30Z"),
        ("2027-10-31", "2027-10-30T21:59:30Z", "2027-10-30T22:00:30Z"),
        ("2027-11-01", "2027-10-31T22:59:30Z", "2027-10-31T23:00:30Z"),
    ],
)
async def test_days_begin_at_midnight_in_the_netherlands_when_the_clock_is_changed_too(
    talks: Talks, database: DatabaseFactory, review_on: str, before: str, after: str
) -> None:
    await talks.promise("juf", "ik oefen de jas", "mum", by_on=review_on)
    for moment, count in ((before, 0), (after, 1)):
        await at(database, datetime.fromisoformat(moment))
        await REVIEWS.tell(talks.network.unit, talks.network.school)
        assert len(await told(talks)) == count, moment


def test_the_day_is_that_of_the_netherlands() -> None:
    assert amsterdam_day(datetime(2027, 3, 28, 21, 59, tzinfo=UTC)) == date(2027, 3, 28)
    assert amsterdam_day(datetime(2027, 3, 28, 22, 0, tzinfo=UTC)) == date(2027, 3, 29)
    assert amsterdam_day(datetime(2027, 10, 31, 22, 59, tzinfo=UTC)) == date(2027, 10, 31)


def test_what_is_to_be_told_does_not_depend_on_how_often_one_looks() -> None:
    day = date(2027, 3, 25)
    made = Commitment(
        *(uuid4(), 1, uuid4(), uuid4(), 0, Party.ASKED, day, day, Standing.STANDING, None, None),
        *(Reminded.NOT, day, datetime(2027, 3, 1, tzinfo=UTC)),
    )
    for pause in (1, 2, 5, 9, 30):
        one, seen = made, list[object]()
        for days in range(-3, 60, pause):
            for fact, after in steps(one, day + timedelta(days=days)):
                seen.append(fact)
                one = after
        assert seen == [ReviewDue, ReviewOverdue], pause


async def test_nobody_but_the_service_itself_tells_of_reviews(talks: Talks) -> None:
    for who in ("juf", "mum"):
        problem = await refused(talks.network.ask("remind-reviews", talks[who]))
        assert problem.type is ProblemType.FORBIDDEN


@pytest.mark.parametrize(("days", "known"), [(15, ["due"]), (30, ["due", "overdue"])])
async def test_a_restored_database_tells_nothing_again_and_gives_nothing_back(
    talks: Talks, database: DatabaseFactory, days: int, known: list[str]
) -> None:
    """The tail that the restore lost is taken back: what it took away or told stays so."""
    network = talks.network
    promised = await talks.promise("juf", "ik oefen de jas", "mum", review_on=talks.day(14))
    voiced = await talks.expect("mum", "bel mij", "juf")
    one = await talks.say("invite-companion", "mum", voiced, member=talks["smw"])
    joined = await talks.say("invite-companion", "juf", one, member=talks["smw"])
    other = await talks.promise("mum", "ik lees voor", "juf")
    head = len(await network.events())
    tables = ("dialogue", "commitment", "access", "withdrawal")
    async with network.db.school(network.school) as conn:
        before = {table: await conn.fetch(f"SELECT * FROM {table}") for table in tables}
    await talks.say("invite-companion", "mum", joined, member=talks["smw"], welcome=False)
    await talks.say("withdraw-expectation", "mum", other, words="het lukt niet")
    await at(database, noon(talks, days))
    await REVIEWS.tell(network.unit, network.school)
    tail = (await network.events())[head:]
    assert await told(talks) == known

    async with network.db.school(network.school) as conn:
        for table in ("commitment", "dialogue"):
            await conn.execute(f"UPDATE {table} SET version = 1")
            for row in before[table]:
                values = {name: value for name, value in row.items() if name not in {"school", "id"}}
                places = ", ".join(f"{name} = ${place}" for place, name in enumerate(values, 3))
                sql = f"UPDATE {table} SET {places} WHERE school = $1 AND id = $2"
                await conn.execute(sql, row["school"], row["id"], *values.values())
        await take_back(conn, tail)
        rows = {row["id"]: row for row in await conn.fetch("SELECT * FROM dialogue")}
    assert await REVIEWS.tell(network.unit, network.school) == 0
    assert rows[UUID(one["dialogue"])]["companions"] == []
    assert rows[UUID(other["dialogues"][0]["dialogue"])]["state"] == "withdrawn"
    assert _versions(tail, CompanionLeft, ExpectationWithdrawn) <= {row["version"] for row in rows.values()}
    assert rows[UUID(promised["dialogues"][0]["dialogue"])]["state"] == "agreed"
    await at(database, noon(talks, 60))
    await REVIEWS.tell(network.unit, network.school)
    assert await told(talks) == ["due", "overdue"]


def _versions(tail: list[Event], *facts: type[CompanionLeft | ExpectationWithdrawn]) -> set[int]:
    return {event.fact(fact).dialogue_version for event in tail for fact in facts if event.is_a(fact)}


@pytest.mark.parametrize(("problem", "alarmed"), CASES)
async def test_reviews_that_cannot_be_told_are_an_alarm_unless_it_is_only_not_now(
    problem: Problem, *, alarmed: bool
) -> None:
    unit = Refusing("network", problem)
    assert await REVIEWS.tell(unit, "olm") == 0
    assert unit.alarms == ["reviews_failed"] * alarmed
