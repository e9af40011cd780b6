"""A school's own quiet hours, digests and holidays: within the foundation's bounds, and a person's own win."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.notifications.times import HERE, NoticeSettings, Quiet, foundation, out_of_hours, read_usual
from shared.db import Database
from shared.errors import Problem, ProblemType
from shared.events.notifications import HoursSet
from shared.events.words import Purpose, Role, school_subject
from shared.projection import Applier
from shared.unit_run import Unit
from tests.notifications.house import CHILD as TOLD_OF
from tests.notifications.house import MEMBER, OTHER, House
from tests.notifications.support import Lane, accepted, act, give_access, grant, journaled, make_due
from tests.notifications.test_adjusting import ACTOR, CHILD, KEEPER, keep
from tests.notifications.test_commands import ask
from tests.notifications.test_digests import Time, let_go, wants
from tests.support.fixtures import DatabaseFactory

HOURS = st.times(max_value=time(23, 59)).map(lambda at: at.replace(second=0, microsecond=0))
QUIET = st.builds(Quiet, HOURS, HOURS).filter(lambda quiet: quiet.since != quiet.until)


async def set_hours(unit: Unit, school: str, number: int = 0, **more: object) -> dict[str, Any]:
    body: dict[str, object] = {"about": school_subject(school), "purpose": Purpose.ADMINISTRATION, "number": number}
    return await ask(unit, school, "set-hours", KEEPER, **body | more)


async def hours(unit: Unit, school: str) -> Any:  # noqa: ANN401  JSON
    body = {"about": school_subject(school), "purpose": Purpose.ADMINISTRATION}
    return (await ask(unit, school, "school-hours", KEEPER, **body))["hours"]


@given(QUIET, QUIET)
def test_hours_cover_others_when_every_minute_of_those_is_quiet_by_them(one: Quiet, other: Quiet) -> None:
    def minutes(quiet: Quiet) -> set[int]:
        since, until = (60 * at.hour + at.minute for at in (quiet.since, quiet.until))
        return {minute % 1440 for minute in range(since, until if since < until else until + 1440)}

    assert one.covers(other) == (minutes(other) <= minutes(one))


@pytest.mark.parametrize(
    ("quiet", "says"),
    [("18:00-08:00", None), ("none", "at least|wants"), ("16:00-08:00", "within"), ("23:00-06:00", "wants"),
     ("09:00-17:00", "within")],
)  # fmt: skip
def test_a_schools_quiet_hours_lie_within_the_foundations_bounds(quiet: str, says: str | None) -> None:
    ours = NoticeSettings(quiet="21:00-07:00", quiet_most="17:00-09:00", quiet_least="22:00-06:00")
    why = out_of_hours(quiet, ours)
    assert (why is None) == (says is None)
    kept = {"number": 3, "settings": {"quiet": quiet, "digest_at": 8}}
    # Bounds that came later hold too.
    assert str(read_usual(kept, ours).quiet) == (quiet if says is None else ours.quiet)
    assert read_usual(kept, ours).digest_at == 8


async def test_a_school_sets_its_hours_as_versions_and_is_told_of_bounds(db: Database, unit: Unit, school: str) -> None:
    await keep(db, school)
    assert (await hours(unit, school))["number"] == 0
    await set_hours(unit, school, quiet="19:00-08:00", days_off=True)
    with pytest.raises(Problem, match="you saw version 0"):
        await set_hours(unit, school)
    for wrong in ("12:00-13:00", "late"):
        with pytest.raises(Problem) as refused:
            await set_hours(unit, school, 1, quiet=wrong)
        assert refused.value.type is ProblemType.INVALID
    await set_hours(unit, school, 1, digest_at=8)
    shown = await hours(unit, school)
    assert (shown["number"], shown["quiet"], shown["digest_at"], shown["days_off"]) == (2, foundation().quiet, 8, None)
    async with db.school(school) as conn:
        facts = [event.fact(HoursSet) for event in await journaled(conn) if event.is_a(HoursSet)]
    assert [(fact.number, fact.quiet, fact.digest_at) for fact in facts] == [(1, "19:00-08:00", None), (2, None, 8)]
    assert (await ask(unit, school, "preferences", MEMBER))["else"]["digest_at"] == 8


async def test_only_who_keeps_the_records_sets_a_schools_hours(db: Database, unit: Unit, school: str) -> None:
    await keep(db, school)
    body = {"about": school_subject(school), "purpose": Purpose.ADMINISTRATION, "number": 0}
    with pytest.raises(Problem) as refused:
        await ask(unit, school, "set-hours", MEMBER, **body)
    assert refused.value.type is ProblemType.FORBIDDEN


@pytest.fixture
async def clock(database: DatabaseFactory, house: House) -> Time:
    del house  # first
    return Time((await database("notifications")).owner_dsn)


async def test_who_has_set_nothing_is_told_in_the_schools_hours_and_a_persons_own_win(
    house: House, clock: Time
) -> None:
    await keep(house.db, house.school)
    await set_hours(house.unit, house.school, quiet="19:00-08:00")
    await wants(house.db, house.school, OTHER, quiet="none")
    evening = datetime(2026, 3, 28, 19, 30, tzinfo=HERE)  # the night has an hour less
    await clock.set(evening)
    await house.tell(MEMBER, OTHER)
    async with house.db.school(house.school) as conn:
        rows = {tuple(row) for row in await conn.fetch("SELECT member, state, release_at, hours FROM delivery")}
    assert rows == {(MEMBER, "held", datetime(2026, 3, 29, 8, 0, tzinfo=HERE), 1), (OTHER, "queued", None, None)}
    assert (await said(house)).endswith(
        "for their end (by version 1 of the school's hours, but for what this person had set)"
    )
    await house.sender().send_due(house.school)
    assert [to for to, _ in house.server.accepted] == ["twee@elders.example"]
    # Set to later while it waits: the claim goes by what holds then.
    await keep(house.db, house.school)
    await set_hours(house.unit, house.school, 1, quiet="19:00-09:00")
    await clock.set(datetime(2026, 3, 29, 8, 5, tzinfo=HERE))
    await let_go(house)
    await house.allow(MEMBER)
    await make_due(house.db, house.school)
    await house.sender().send_due(house.school)
    async with house.db.school(house.school) as conn:
        assert await conn.fetchval("SELECT release_at FROM delivery WHERE state = 'held'") == datetime(
            2026, 3, 29, 9, 0, tzinfo=HERE
        )
    assert "held until 2026-03-29 09:00" in await said(house)
    assert "by version 2 of the school's hours" in await said(house)


async def said(house: House) -> str:
    """Returns what `why` says last to MEMBER of the newest event."""
    words: list[str] = (await ask(house.unit, house.school, "why", MEMBER, about=TOLD_OF))["facts"][0]["words"]
    return words[-1]


async def test_a_school_that_moves_its_digests_sends_one_a_day_all_the_same(house: House, clock: Time) -> None:
    paces = [{"kind": "all", "channel": "mail", "pace": "daily"}]
    await wants(house.db, house.school, MEMBER, paces=paces)

    async def at(day: int, hour: int, *, tells: bool = False, digest_at: int | None = None) -> int:
        """Lets that moment come; returns how many mails went since the last."""
        before = len(house.server.accepted)
        await clock.set(datetime(2026, 3, day, hour, 1, tzinfo=HERE))
        if digest_at is not None:
            await keep(house.db, house.school)
            await set_hours(house.unit, house.school, await number(house), digest_at=digest_at)
        if tells:
            await house.tell(MEMBER)
        await let_go(house)
        await house.allow(MEMBER)
        await house.sender().send_due(house.school)
        return len(house.server.accepted) - before

    assert await at(27, 12, tells=True) == 0
    assert await at(28, 7) == 1
    assert await at(28, 11, tells=True, digest_at=18) == 0
    assert await at(28, 18) == 0  # this day's went
    assert await at(29, 18) == 1  # of the day that has an hour less
    assert await at(29, 20, tells=True, digest_at=7) == 0
    assert await at(30, 7) == 1
    assert await at(30, 18) == 0
    async with house.db.school(house.school) as conn:
        periods = [row[0] for row in await conn.fetch("SELECT period FROM digest ORDER BY period")]
    assert periods == ["2026-03-28", "2026-03-29", "2026-03-30"]


async def number(house: House) -> int:
    found: int = (await hours(house.unit, house.school))["number"]
    return found


@pytest.mark.parametrize(("days_off", "held"), [(True, {MEMBER, OTHER}), (False, set()), (None, {MEMBER})])
async def test_a_school_says_whose_notices_wait_in_its_holidays(
    db: Database, unit: Unit, applier: Applier, school: str, days_off: bool | None, held: set[object]
) -> None:
    await keep(db, school)
    await set_hours(unit, school, days_off=days_off)
    async with db.school(school) as conn:
        today = (await conn.fetchval("SELECT clock_timestamp()")).astimezone(HERE).date()
        span = [str(today), str(today + timedelta(days=1))]
        await conn.execute("INSERT INTO days_off VALUES ($1, $2, 1, $3)", school, school_subject(school), {"1": [span]})
        await conn.execute("INSERT INTO preference VALUES ($1, $2, 1, $3, now())", school, MEMBER, {"quiet": "none"})
        await conn.execute("INSERT INTO preference VALUES ($1, $2, 1, $3, now())", school, OTHER, {"quiet": "none"})
    await give_access(db, school, CHILD, [grant(MEMBER), grant(OTHER, role=Role.GUARDIAN)])
    await applier.apply(school, "goals", [Lane(school).add(accepted(), CHILD, act(ACTOR), uuid4())])
    async with db.school(school) as conn:
        assert {row[0] for row in await conn.fetch("SELECT member FROM delivery WHERE why = 'days_off'")} == held
