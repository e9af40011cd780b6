"""Limits and circuits, which all processes share through the database."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest

from services.notifications.pace import FIRST_REST_S, LONGEST_REST_S, OPENS_AFTER, Limits, Pace
from services.notifications.store import Due
from services.notifications.turns import Woken
from shared.db import Database
from shared.events.notifications import Channel
from tests.notifications.house import MEMBER, House
from tests.support.fixtures import DatabaseFactory

ROOT = Path(__file__).parents[2]


def due(number: int, *, urgent: bool = False) -> list[Due]:
    return [Due(uuid4(), uuid4(), urgent) for _ in range(number)]


async def begin(pace: Pace, school: str, wanted: Sequence[Due]) -> int:
    async with pace.db.school(school) as conn:
        return len(await pace.begin(conn, school, wanted))


async def passes(db: Database, school: str, seconds: float) -> None:
    """Lets time go by, as the rows see it."""
    async with db.school(school) as conn:
        for table, column in (("school_pace", "at"), ("channel_pace", "at"), ("circuit", "until")):
            await conn.execute(f"UPDATE {table} SET {column} = {column} - make_interval(secs => $1)", seconds)


def of(db: Database, per_minute: int = 0, per_minute_school: int = 0) -> Pace:
    return Pace(db, Channel.MAIL, Limits(per_minute, per_minute_school))


async def test_a_tenth_of_a_minutes_may_go_at_once_and_the_rest_as_time_goes_by(db: Database, school: str) -> None:
    pace = of(db, per_minute=6)  # one at once, and another after ten seconds
    assert await begin(pace, school, due(8)) == 1
    await passes(db, school, 9)
    assert await begin(pace, school, due(8)) == 0
    await passes(db, school, 2)
    assert await begin(pace, school, due(8)) == 1


async def test_one_schools_limit_is_not_anothers_and_the_total_is_everyones(db: Database, school: str) -> None:
    pace = of(db, per_minute=100, per_minute_school=60)
    assert await begin(pace, school, due(7)) == 6
    assert await begin(pace, f"{school}-2", due(7)) == 4


async def test_what_is_urgent_goes_anyway_at_the_others_expense(db: Database, school: str) -> None:
    pace = of(db, per_minute=60, per_minute_school=60)
    assert await begin(pace, school, [*due(20, urgent=True), *due(3)]) == 20
    await passes(db, school, 13)
    assert await begin(pace, school, due(3)) == 0
    await passes(db, school, 3)
    assert await begin(pace, school, due(3)) >= 1


async def test_without_a_limit_as_many_go_as_will(db: Database, school: str) -> None:
    assert await begin(of(db), school, due(1000)) == 1000


async def test_what_was_counted_and_did_not_go_is_given_back(db: Database, school: str) -> None:
    pace = of(db, per_minute=60, per_minute_school=60)
    assert await begin(pace, school, due(7)) == 6
    await pace.give_back(school, 4)
    assert await begin(pace, school, due(7)) == 4


async def test_two_processes_share_a_circuit_and_one_of_them_tries_after_its_rest(db: Database, school: str) -> None:
    one, two = of(db), of(db)
    for each in (one, two, one, two):
        await each.failed(school, "x.example")
    await begin(two, school, due(1))
    assert await two.closed(school, "x.example")
    await one.failed(school, "x.example")
    await begin(two, school, due(1))
    assert not await two.closed(school, "x.example")
    assert await two.closed(school, "y.example")
    await passes(db, school, FIRST_REST_S)
    await asyncio.gather(begin(one, school, due(1)), begin(two, school, due(1)))
    tries = [await each.closed(school, "x.example") for each in (one, two, one, two)]
    assert tries == [True, False, False, False]
    await one.failed(school, "x.example")
    await passes(db, school, FIRST_REST_S + 1)
    await begin(two, school, due(1))
    assert not await two.closed(school, "x.example")  # twice as long
    await passes(db, school, FIRST_REST_S)
    await begin(two, school, due(1))
    assert await two.closed(school, "x.example")
    await two.worked(school, "x.example")
    await begin(one, school, due(1))
    assert await one.closed(school, "x.example")
    async with db.school(school) as conn:
        assert await conn.fetchval("SELECT count(*) FROM circuit") == 0


async def test_rests_have_an_end_and_failures_under_way_do_not_lengthen_them(db: Database, school: str) -> None:
    pace = of(db)
    for _ in range(OPENS_AFTER + 7):
        await pace.failed(school, "x.example")
    async with db.school(school) as conn:
        assert await conn.fetchval("SELECT rests FROM circuit") == 1
        await conn.execute("UPDATE circuit SET rests = 2000, trying = true")
    await pace.failed(school, "x.example")
    async with db.school(school) as conn:
        rest_s = await conn.fetchval("SELECT extract(epoch FROM until - clock_timestamp()) FROM circuit")
    assert LONGEST_REST_S - 60 < rest_s <= LONGEST_REST_S


async def test_a_clock_that_is_put_back_a_day_lets_nothing_rest_for_a_day(db: Database, school: str) -> None:
    one = of(db, per_minute=6)
    assert await begin(one, school, due(2)) == 1
    for _ in range(OPENS_AFTER):
        await one.failed(school, "x.example")
    await passes(db, school, -86_400)
    await begin(one, school, due(1))
    assert [await one.closed(school, "x.example") for _ in range(2)] == [True, False]
    await passes(db, school, 11)
    assert await begin(one, school, due(8)) == 1


async def test_a_circuit_is_kept_under_no_name_and_not_for_ever(db: Database, school: str) -> None:
    pace = of(db)
    await pace.failed(school, "mail/familie.example")
    async with db.school(school) as conn:
        assert "familie" not in await conn.fetchval("SELECT name FROM circuit")
        await conn.execute("UPDATE circuit SET at = at - interval '2 days'")
    await pace.failed(school, "mail/x.example")
    async with db.school(school) as conn:
        assert await conn.fetchval("SELECT count(*) FROM circuit") == 1


@pytest.mark.filterwarnings("ignore:subprocess")
async def test_two_processes_send_no_more_together_than_the_limit(house: House, database: DatabaseFactory) -> None:
    for _ in range(12):
        await house.tell(MEMBER)
    dsn = (await database("notifications")).dsn
    command = (sys.executable, "-m", "tests.notifications.another", dsn, house.school, str(house.server.port), "60")
    pipe = asyncio.subprocess.PIPE
    both = [await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe, cwd=ROOT) for _ in range(2)]
    try:
        async with asyncio.timeout(60):
            for one in both:
                assert one.stdout is not None
                assert await one.stdout.readline() == b"ready\n"
            began = datetime.now(UTC)
            await house.allow(MEMBER)  # with a lease that begins now
            said = [int(out) for out, _ in await asyncio.gather(*(one.communicate(b"go\n") for one in both))]
    finally:
        for one in both:
            if one.returncode is None:
                one.kill()
    # Six at once, and one a second since.
    assert 6 <= sum(said) <= 6 + 1 + (datetime.now(UTC) - began).total_seconds()
    assert sum(said) == len(house.server.accepted) == len(set(house.server.ids))


def test_who_is_woken_looks_at_that_school_and_now_and_then_at_all() -> None:
    woken = Woken()
    assert woken.take(10.0) == []
    woken.wake("berk")
    assert woken.take(10.1) == ["berk"]
    woken.wake("berk")
    assert woken.take(10.6) == []  # all of them
