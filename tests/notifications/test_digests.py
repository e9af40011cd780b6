"""What waits for its moment: digests once a period, also over outages; quiet hours; what may not leave any more."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from random import Random
from uuid import UUID, uuid4

import asyncpg
import pytest

from services.notifications.reaching import Reach
from services.notifications.releasing import release, tell_on
from services.notifications.times import HERE
from services.notifications.wants_store import domain_now
from shared.access_projection import by_member
from shared.clock import Ids
from shared.db import Database
from shared.events.network import AccessChanged
from shared.events.notifications import NoticeCancelled, NoticeClaimed, NoticeSent
from shared.events.plans import DaysOff, SchoolYearSet
from shared.events.words import Category, Role, school_subject
from shared.projection import Applier
from tests.notifications.house import ACTOR, CHILD, MEMBER, OTHER, House
from tests.notifications.support import (
    ACCESS,
    LEASE,
    Lane,
    accepted,
    act,
    give_access,
    grant,
    journaled,
    make_due,
    states,
)
from tests.support.fixtures import DatabaseFactory

MONDAY = datetime(2026, 3, 23, 12, 0, tzinfo=HERE)
"""Of the week that ends with an hour less."""


@dataclass
class Time:
    """Domain time, as the demo shifts it."""

    dsn: str

    async def set(self, at: datetime) -> None:
        conn = await asyncpg.connect(self.dsn)
        await conn.execute("UPDATE time_shift SET shift = $1 - clock_timestamp()", at)
        await conn.close()


@pytest.fixture
async def time(database: DatabaseFactory, house: House) -> Time:
    del house  # first
    return Time((await database("notifications")).owner_dsn)


async def wants(db: Database, school: str, member: UUID, **settings: object) -> None:
    """Sets a person's preferences past the command."""
    async with db.school(school) as conn:
        await conn.execute(
            "INSERT INTO preference VALUES ($1, $2, 1, $3, now()) ON CONFLICT (school, id) DO UPDATE SET settings = $3",
            school,
            member,
            settings,
        )


def paced(pace: str, kind: str = "all") -> list[dict[str, str]]:
    return [{"kind": kind, "channel": "mail", "pace": pace}]


async def let_go(house: House) -> int:
    async with house.db.school(house.school) as conn:
        return await release(conn, house.school, await domain_now(conn))


async def tell(house: House, about: UUID = CHILD, thing: UUID | None = None, *members: UUID) -> None:
    """Tells of an accepted goal, at domain time."""
    await give_access(house.db, house.school, about, [grant(member) for member in members or (MEMBER, OTHER)])
    house.lane.at = datetime.now(UTC)
    event = house.lane.add(accepted(), about, act(ACTOR), thing or uuid4())
    await house.applier.apply(house.school, "goals", [event])


async def test_a_days_notices_are_one_mail_with_a_line_for_each(house: House, time: Time) -> None:
    await wants(house.db, house.school, MEMBER, paces=paced("daily"))
    await time.set(MONDAY)
    for _ in range(3):
        await tell(house, CHILD, None, MEMBER)
    await let_go(house)
    await house.sender().send_due(house.school)
    assert house.server.accepted == []
    await time.set(MONDAY + timedelta(hours=19, minutes=1))
    await let_go(house)
    await house.allow(MEMBER)
    await house.sender().send_due(house.school)
    assert len(house.server.accepted) == 1
    async with house.db.school(house.school) as conn:
        lines = Counter(event.type for event in await journaled(conn))
    assert (lines[NoticeClaimed.type()], lines[NoticeSent.type()]) == (3, 3)
    await let_go(house)
    await house.sender().send_due(house.school)
    assert len(house.server.accepted) == 1


async def test_what_waits_for_the_holidays_end_leaves_when_the_rest_of_its_digest_left_before(
    house: House, time: Time
) -> None:
    """Of somebody who is a parent and works here too: as a parent they are told in the holidays."""
    own = uuid4()
    await wants(house.db, house.school, MEMBER, paces=paced("daily"))
    await time.set(MONDAY)
    await tell(house, CHILD, None, MEMBER)
    as_parent = [grant(MEMBER, role=Role.GUARDIAN)]
    await give_access(house.db, house.school, own, as_parent)
    await house.applier.apply(house.school, "goals", [house.lane.add(accepted(), own, act(ACTOR), uuid4())])
    tuesday = MONDAY + timedelta(hours=19, minutes=1)
    await time.set(tuesday)
    await let_go(house)
    async with house.db.school(house.school) as conn:  # announced only now, or the mail server was down until now
        off = {"2026": [["2026-03-24", "2026-03-25"]]}
        await conn.execute(
            "INSERT INTO days_off VALUES ($1, $2, 1, $3)", house.school, school_subject(house.school), off
        )
    sender = replace(house.sender(), reach=Reach(anywhere))
    for days in (0, 1, 2):
        await time.set(tuesday + timedelta(days=days))
        await let_go(house)
        await house.allow(MEMBER)
        await give_access(house.db, house.school, own, as_parent)
        await make_due(house.db, house.school)
        await sender.send_due(house.school)
        assert len(house.server.accepted) == (1 if days < 2 else 2)
    assert {state for state, _, _ in await house.states()} == {"sent"}


@pytest.mark.parametrize("seed", range(3))
async def test_digests_come_once_a_period_whatever_is_down_meanwhile(house: House, time: Time, seed: int) -> None:
    """Random telling, releasing and sending over the week in which the clock changes, with outages over boundaries."""
    random = Random(seed)
    await wants(house.db, house.school, MEMBER, paces=paced("daily"))
    await wants(house.db, house.school, OTHER, paces=paced("weekly"), digest_on=random.randint(1, 7))
    told, now = 0, MONDAY
    for _ in range(22):
        now += timedelta(hours=random.choice((1, 5, 11, 30)))
        await time.set(now)
        for _ in range(random.randint(0, 2)):
            await tell(house)
            told += 1
        if random.random() < 0.6:
            await let_go(house)
        if random.random() < 0.6:
            await house.allow(MEMBER, OTHER)
            await house.sender().send_due(house.school)
    await time.set(now + timedelta(days=9))
    await let_go(house)
    await house.allow(MEMBER, OTHER)
    await house.sender().send_due(house.school)
    async with house.db.school(house.school) as conn:
        sent = [event for event in await journaled(conn) if event.is_a(NoticeSent)]
        went = await conn.fetch("SELECT member, bundle, period FROM delivery WHERE state = 'sent'")
    assert Counter(event.thing for event in sent).most_common(1)[0][1] == 1
    assert len(sent) == len(went) == 2 * told
    periods = {(row["member"], row["period"]): row["bundle"] for row in went}
    assert len(set(periods.values())) == len(periods) == len(house.server.accepted)
    assert len(set(house.server.ids)) == len(house.server.ids)


async def test_what_comes_late_for_a_digest_that_went_goes_with_the_next(house: House, time: Time) -> None:
    await wants(house.db, house.school, MEMBER, paces=paced("daily"))
    await time.set(MONDAY)
    await tell(house, CHILD, None, MEMBER)
    await time.set(MONDAY + timedelta(hours=20))
    await let_go(house)
    async with house.db.school(house.school) as conn:  # as if it had been planned a moment before, and committed after
        await conn.execute(
            "INSERT INTO delivery SELECT * FROM jsonb_populate_record((SELECT d FROM delivery d), $1)",
            {"id": uuid4(), "round": 1, "state": "held"},
        )
    await let_go(house)
    async with house.db.school(house.school) as conn:
        periods = await conn.fetch("SELECT state, period FROM delivery ORDER BY period")
    assert [tuple(row) for row in periods] == [("queued", "2026-03-24"), ("held", "2026-03-25")]


async def test_what_comes_in_quiet_hours_waits_for_their_end_and_urgent_things_do_not(house: House, time: Time) -> None:
    await wants(house.db, house.school, MEMBER, quiet="21:00-07:00")
    await time.set(datetime(2026, 3, 28, 23, 30, tzinfo=HERE))
    await tell(house, CHILD, None, MEMBER)
    async with house.db.school(house.school) as conn:
        row = await conn.fetchrow("SELECT state, release_at, why FROM delivery")
        await conn.execute("UPDATE delivery SET urgent = true, state = 'queued'")
    assert row is not None
    assert tuple(row) == ("held", datetime(2026, 3, 29, 7, 0, tzinfo=HERE), "quiet_hours")
    await house.sender().send_due(house.school)
    assert len(house.server.accepted) == 1


async def test_a_retry_that_falls_in_quiet_hours_is_held_until_their_end(house: House, time: Time) -> None:
    await time.set(datetime(2026, 10, 24, 20, 0, tzinfo=HERE))
    await tell(house, CHILD, None, MEMBER)
    await wants(house.db, house.school, MEMBER, quiet="21:00-07:00")
    await time.set(datetime(2026, 10, 25, 2, 30, tzinfo=HERE))
    await house.sender().send_due(house.school)
    assert [one[:2] for one in await house.states()] == [("held", 0)]
    assert await let_go(house) == 0
    await time.set(datetime(2026, 10, 25, 7, 0, tzinfo=HERE))
    assert await let_go(house) == 1
    await house.allow(MEMBER)
    await house.sender().send_due(house.school)
    assert len(house.server.accepted) == 1


async def test_a_digest_brings_only_what_its_recipient_may_still_hear(house: House, time: Time) -> None:
    sister = uuid4()
    await wants(house.db, house.school, MEMBER, paces=paced("daily"))
    await time.set(MONDAY)
    await tell(house, CHILD, None, MEMBER)
    house.lane.at = datetime.now(UTC)
    await give_access(house.db, house.school, sister, [grant(MEMBER)])
    await house.applier.apply(house.school, "goals", [house.lane.add(accepted(), sister, act(ACTOR), uuid4())])
    await give_access(house.db, house.school, sister, [])
    await time.set(MONDAY + timedelta(hours=20))
    await let_go(house)
    await house.allow(MEMBER)
    await house.sender().send_due(house.school)
    assert sorted(await house.states()) == [("cancelled", 1, "no_grant"), ("sent", 1, None)]
    assert len(house.server.accepted) == 1


async def test_what_was_withdrawn_between_two_tries_of_a_digest_is_not_said_to_have_been_told(
    house: House, time: Time
) -> None:
    sister = uuid4()
    await wants(house.db, house.school, MEMBER, paces=paced("daily"))
    await time.set(MONDAY)
    for child in (CHILD, sister):
        await tell(house, child, None, MEMBER)
    await time.set(MONDAY + timedelta(hours=20))
    await let_go(house)
    await house.allow(MEMBER)
    sender = replace(house.sender(), reach=Reach(anywhere))
    house.server.rcpt = lambda _: "451 later"
    await sender.send_due(house.school)
    changed = Lane(house.school, "network").add(AccessChanged(revision=9, grants=()), sister, act(ACTOR))
    await house.applier.apply(house.school, "network", [changed])
    house.server.rcpt = lambda _: "250 OK"
    await house.allow(MEMBER)
    await make_due(house.db, house.school)
    await sender.send_due(house.school)
    assert len(house.server.accepted) == 1
    assert sorted(await house.states()) == [("cancelled", 1, "no_grant"), ("sent", 2, None)]
    async with house.db.school(house.school) as conn:
        assert [event.about for event in await journaled(conn) if event.is_a(NoticeSent)] == [CHILD]


async def test_who_does_not_want_it_any_more_gets_nothing(house: House) -> None:
    await house.tell(MEMBER)
    await wants(house.db, house.school, MEMBER, paces=paced("off", "goal_accepted"))
    await house.sender().send_due(house.school)
    assert await house.states() == [("cancelled", 1, "not_wanted")]
    assert house.server.accepted == []


async def test_what_is_withdrawn_is_cancelled_at_once_and_the_log_says_so(
    db: Database, applier: Applier, school: str
) -> None:
    await give_access(db, school, CHILD, [grant(MEMBER), grant(OTHER)])
    await applier.apply(school, "goals", [Lane(school).add(accepted(), CHILD, act(ACTOR), uuid4())])
    changed = AccessChanged(revision=9, grants=(grant(OTHER), grant(MEMBER, categories=(Category.PLAN,))))
    await applier.apply(school, "network", [Lane(school, "network").add(changed, CHILD, act(ACTOR))])
    assert sorted(await states(db, school)) == [("cancelled", 0, "no_grant"), ("queued", 0, None)]
    async with db.school(school) as conn:
        (told,) = [event for event in await journaled(conn) if event.is_a(NoticeCancelled)]
    assert (told.fact(NoticeCancelled).recipient, told.fact(NoticeCancelled).code) == (MEMBER, "no_grant")
    assert (told.about, told.act.on_behalf_of) == (CHILD, ACTOR)


async def test_events_about_one_thing_are_one_notice_and_one_mail(house: House) -> None:
    goal = uuid4()
    for _ in range(3):
        await tell(house, CHILD, goal, MEMBER)
    await house.sender().send_due(house.school)
    assert len(house.server.accepted) == 1
    assert sorted(one[2] or "" for one in await house.states()) == ["", "folded", "folded"]
    async with house.db.school(house.school) as conn:
        assert await conn.fetchval("SELECT array_agg(folds ORDER BY folds) FROM notice WHERE folded_into IS NULL") == [
            2
        ]
        assert await conn.fetchval("SELECT count(*) FROM notice") == 3


async def test_ten_thousand_recipients_each_get_their_own(db: Database, applier: Applier, school: str) -> None:
    many = [uuid4() for _ in range(10_000)]
    await give_access(db, school, CHILD, [grant(member) for member in many])
    await applier.apply(school, "goals", [Lane(school).add(accepted(), CHILD, act(ACTOR), uuid4())])
    going = True
    while going:
        with contextlib.suppress(TimeoutError):  # of a busy machine: the task tries again too
            going = await tell_on(db, Ids(), school)
    async with db.school(school) as conn:
        assert await conn.fetchval("SELECT count(DISTINCT member) FROM notice") == len(many)
        assert await conn.fetchval("SELECT count(*) FROM delivery WHERE state = 'queued'") == len(many)


async def test_a_digest_says_how_many_and_not_a_word_of_what_or_whom(house: House, time: Time) -> None:
    await wants(house.db, house.school, MEMBER, paces=paced("daily"), language="en")
    await time.set(MONDAY)
    goals = [uuid4(), uuid4()]
    for goal in goals:
        await tell(house, CHILD, goal, MEMBER)
    await time.set(MONDAY + timedelta(hours=20))
    await let_go(house)
    await house.allow(MEMBER)
    await house.sender().send_due(house.school)
    ((_, mail),) = house.server.accepted
    parts = [part.get_content() for part in mail.walk() if part.get_content_maintype() == "text"]
    said = " ".join([*parts, *map(str, mail.values())]).lower()
    assert "2 new messages" in said
    telling = (CHILD, *goals, MEMBER, ACTOR, house.school, "goal_accepted", "goal", "child", "doel", "accepted")
    assert [word for word in telling if str(word) in said] == []


async def test_however_much_a_day_brought_its_digest_is_one_mail_that_says_there_is_more(
    house: House, time: Time
) -> None:
    """Twice as much as one message tells of and a bit; the rest is in the inbox, and `why` says so."""
    await wants(house.db, house.school, MEMBER, paces=paced("daily"), language="nl")
    await time.set(MONDAY)
    await tell(house, CHILD, None, MEMBER)
    async with house.db.school(house.school) as conn:
        await conn.execute(
            "WITH more AS (INSERT INTO notice SELECT (jsonb_populate_record(n, jsonb_build_object("
            "   'id', gen_random_uuid(), 'source', gen_random_uuid()))).* FROM notice n, generate_series(1, 449)"
            " RETURNING id)"
            " INSERT INTO delivery SELECT (jsonb_populate_record(d, jsonb_build_object("
            "   'id', gen_random_uuid(), 'notice', m.id))).* FROM delivery d, more m"
        )
    await time.set(MONDAY + timedelta(hours=20))
    await let_go(house)
    await house.allow(MEMBER)
    sender = house.sender()
    house.server.rcpt = lambda _: "451 later"
    await sender.send_due(house.school)
    assert Counter(state for state, _, _ in await house.states()) == {"deferred": 200, "queued": 250}
    house.server.rcpt = lambda _: "250 OK"
    for _ in range(5):
        await make_due(house.db, house.school)
        await house.allow(MEMBER)
        await sender.send_due(house.school)
    ((_, mail),) = house.server.accepted
    text = mail.get_body(("plain",))
    assert text is not None
    assert "meer dan 200 nieuwe berichten" in text.get_content()
    assert "meer dan 200 nieuwe berichten" in mail["Subject"]
    assert Counter((state, code) for state, _, code in await house.states()) == {
        ("sent", None): 200,
        ("cancelled", "digest_full"): 250,
    }


@pytest.mark.parametrize("seed", range(2))
async def test_whatever_flips_while_a_digest_waits_only_what_may_be_told_then_is_claimed(
    house: House, time: Time, seed: int
) -> None:
    """Grants on five children come and go between the telling and the sending, and while it is sent."""
    random, children = Random(seed), [uuid4() for _ in range(5)]
    await wants(house.db, house.school, MEMBER, paces=paced("daily"))
    await time.set(MONDAY)
    for child in children * 3:
        await tell(house, child, None, MEMBER)
    await time.set(MONDAY + timedelta(hours=20))
    await let_go(house)
    allowed = set[tuple[UUID, int]]()

    async def flip(times: int) -> None:
        for _ in range(times):
            child, may = random.choice(children), random.random() < 0.5
            async with house.db.school(house.school) as conn:
                await conn.execute("SELECT pg_advisory_xact_lock(access_key($1, $2))", house.school, child)
                await conn.execute(ACCESS, house.school, child, by_member([grant(MEMBER)] if may else []))
                await conn.execute(LEASE, house.school)
                revision = await conn.fetchval("SELECT version FROM access WHERE id = $1", child)
            if may:
                allowed.add((child, revision))

    async with house.db.school(house.school) as conn:
        await conn.execute(LEASE, house.school)
        allowed |= {(row[0], row[1]) for row in await conn.fetch("SELECT id, version FROM access")}
    await flip(5)
    sender = replace(house.sender(), reach=Reach(anywhere))
    await asyncio.gather(flip(20), sender.send_due(house.school))
    async with house.db.school(house.school) as conn:
        claims = [event for event in await journaled(conn) if event.is_a(NoticeClaimed)]
    assert {(claim.about, claim.act.revision) for claim in claims} <= allowed
    assert len(house.server.accepted) == (1 if claims else 0)
    assert {state for state, _, _ in await house.states()} <= {"sent", "cancelled"}


async def anywhere(school: str, member: UUID, about: UUID) -> str | None:
    del school, member, about
    return "een@thuis.example"


async def test_the_schools_holidays_are_known_from_its_calendar_and_only_who_works_there_is_left_alone(
    house: House, time: Time
) -> None:
    spring = DaysOff(first_on=date(2026, 3, 21), last_on=date(2026, 3, 29))
    first, last = date(2025, 8, 25), date(2026, 7, 10)
    year = SchoolYearSet(version=1, starts_on=first, ends_on=last, holidays=1, days_off=(spring,))
    subject = school_subject(house.school)
    await house.applier.apply(house.school, "goals", [house.lane.add(year, subject, act(ACTOR), subject)])
    await time.set(MONDAY)
    parent = grant(OTHER, role=Role.GUARDIAN)
    await give_access(house.db, house.school, CHILD, [grant(MEMBER), parent])
    event = house.lane.add(accepted(), CHILD, act(ACTOR), uuid4())
    await house.applier.apply(house.school, "goals", [event])
    async with house.db.school(house.school) as conn:
        rows = await conn.fetch("SELECT member, state, why, release_at FROM delivery")
    waits = datetime(2026, 3, 30, 0, 0, tzinfo=HERE)
    assert {tuple(row) for row in rows} == {(MEMBER, "held", "days_off", waits), (OTHER, "queued", None, None)}
