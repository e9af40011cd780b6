"""Deadlines of plans come near and pass: once each, on Dutch days, whatever was down meanwhile."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from services.goals.calendar import NONE_SET, SchoolCalendar
from services.goals.clocks import Clock, Clocks, Told, recounted, steps
from services.goals.model import today
from services.goals.reactions import on_network
from services.goals.recounting import recount_school
from services.goals.reminding import PLANS, take_back
from shared.db import Database
from shared.errors import Problem, ProblemType
from shared.events.base import Event, Fact
from shared.events.membership import MemberAdded, MembershipEnded
from shared.events.plans import Deadline, DeadlineDueSoon, DeadlineOverdue
from shared.events.words import Role
from shared.unit_run import Unit
from tests.goals.plans import Table, as_owner
from tests.goals.support import Desk
from tests.goals.test_reactions import event_of
from tests.network.talks import move_time
from tests.support.fixtures import DatabaseFactory
from tests.support.refusing import CASES, Refusing


class Calendar:
    """Moves a school's days, lets two processes remind, and reads what was told."""

    def __init__(self, table: Table, again: Database, owner_dsn: str) -> None:
        self.table, self.dbs, self.owner_dsn = table, (table.desk.db, again), owner_dsn
        self.units = table.desk.unit, Unit("goals", again, table.desk.ids)
        self.start = today(datetime.now(UTC))
        self.seq = 0

    async def day(self, days: int) -> None:
        """Makes it noon so many days from the start."""
        noon = datetime.combine(self.start + timedelta(days=days), datetime.min.time(), UTC) + timedelta(hours=11)
        await move_time(self.owner_dsn, noon - datetime.now(UTC))

    async def remind(self) -> int:
        """Lets both processes remind, one after the other and again; returns how many clocks were told of."""
        return sum([await PLANS.tell(unit, self.table.desk.school) for unit in (*self.units, *self.units)])

    async def told(self) -> list[tuple[str, str]]:
        """Returns what was told: which deadline, and how it stands."""
        return [(e["data"]["fact"]["deadline"], e["type"].split(".")[4]) for e in await self.events()]

    async def events(self) -> list[dict[str, Any]]:
        return [event for event in await self.table.desk.told() if ".deadline." in event["type"]]

    async def network(self, fact: Fact, about: UUID | None = None) -> None:
        """Lets goals hear this from network."""
        self.seq += 1
        event = event_of(self.table.desk, fact, about or self.table.child, self.seq)
        async with self.table.desk.db.school(self.table.desk.school) as conn:
            await on_network(conn, [event])

    async def enrol(self, days: int = 0) -> None:
        """Enrols the child, so many days after the start."""
        at = datetime.combine(self.start + timedelta(days=days), datetime.min.time(), UTC) + timedelta(hours=10)
        await self.network(MemberAdded(membership=UUID(int=1), member=self.table.child, role=Role.CHILD, starts_at=at))


@pytest.fixture
async def calendar(desk: Desk, database: DatabaseFactory) -> AsyncIterator[Calendar]:
    made = await database("goals")
    db = await Database.connect(made.dsn, 2)
    yield Calendar(await Table(desk).sit(), db, made.owner_dsn)
    await db.close()


async def test_a_first_plan_is_due_six_weeks_after_enrolment(calendar: Calendar) -> None:
    await calendar.enrol()
    seen = []
    for days in (27, 28, 29, 42, 43, 44, 400):
        await calendar.day(days)
        await calendar.remind()
        seen.append((days, len(await calendar.told())))
    assert seen == [(27, 0), (28, 1), (29, 1), (42, 1), (43, 2), (44, 2), (400, 2)]
    assert await calendar.told() == [("first_plan", "due-soon"), ("first_plan", "overdue")]
    facts = [event["data"]["fact"] for event in await calendar.events()]
    assert [fact["concerns"] for fact in facts] == [[str(calendar.table.coordinator.id)]] * 2
    (open_,) = (await calendar.table.ask(calendar.table.mum, "deadlines", about=calendar.table.child))["deadlines"]
    assert (open_["told"], open_["due_on"]) == ("overdue", str(calendar.start + timedelta(days=42)))


async def test_after_weeks_of_outage_both_are_told_once_in_order(calendar: Calendar) -> None:
    await calendar.enrol()
    await calendar.day(60)
    assert await calendar.remind() == 1
    assert await calendar.told() == [("first_plan", "due-soon"), ("first_plan", "overdue")]


async def test_a_plan_in_force_stops_the_first_clock_and_starts_that_of_its_evaluation_and_actions(
    calendar: Calendar,
) -> None:
    table = calendar.table
    await calendar.enrol()
    plan = await table.in_force(table.action("reads", until=table.day(20)), table.action("sings", until=table.day(30)))
    reads, sings = [one["item"] for one in await table.items(plan)]
    found = (await table.ask(table.dad, "deadlines", about=table.child))["deadlines"]
    assert {(one["deadline"], one["action"]) for one in found} == {
        ("action", reads),
        ("action", sings),
        ("evaluation", None),
    }
    due = {one["deadline"]: one["due_on"] for one in found}
    assert due["evaluation"] == str(NONE_SET.end(NONE_SET.first_evaluation(calendar.start)))
    await calendar.day(14)
    await calendar.remind()
    assert await calendar.told() == [("action", "due-soon")]
    (event,) = await calendar.events()
    assert event["data"]["fact"]["concerns"] == [str(table.mum.id)]
    assert event["data"]["fact"]["action"] == reads
    await table.ask(table.mum, "finish-action", plan=plan["plan"], number=1, action=reads, outcome="done")
    await calendar.day(31)
    await calendar.remind()
    facts = [event["data"]["fact"] for event in await calendar.events()]
    assert [(fact["action"], fact["deadline"]) for fact in facts] == [(reads, "action")] + [(sings, "action")] * 2


async def test_a_new_day_for_an_action_counts_once_it_is_in_force(calendar: Calendar) -> None:
    table = calendar.table
    soon = table.day(10)
    plan = await table.in_force(*(table.action(what, until=soon) for what in ("reads", "draws", "sings")))
    await calendar.day(3)
    await calendar.remind()
    assert len(await calendar.told()) == 3
    text = await table.written(plan)
    text["actions"][0]["until"] = table.day(40)
    text["actions"].pop()
    revised = await table.ask(table.teacher, "revise-plan", **text)
    for who in (table.mum, table.dad):
        await table.agree(who, revised)
    await table.heard(revised, "changing")
    await table.ask(table.coordinator, "put-plan-in-force", plan=plan["plan"], number=2)
    await calendar.day(4)
    assert await calendar.remind() == 0  # what stayed as it is goes on as it was told
    await calendar.day(12)
    await calendar.remind()
    assert len(await calendar.told()) == 4  # that one; neither the old day, nor the action that was left out
    await calendar.day(33)
    await calendar.remind()
    assert len(await calendar.told()) == 5


async def test_evaluating_stops_the_clock_and_going_on_starts_it_for_the_next_school_year(calendar: Calendar) -> None:
    table = calendar.table
    plan = await table.in_force(table.action(until=table.day(700)))
    (voice,) = (await table.shown(plan))["voices"]
    told = {"plan": plan["plan"], "voice": voice["id"], "told_on": table.day(0)}
    await table.ask(table.mum, "tell-child-back", **told)

    async def due() -> list[str]:
        found = (await table.ask(table.dad, "deadlines", about=table.child))["deadlines"]
        return [one["due_on"] for one in found if one["deadline"] == "evaluation"]

    first = NONE_SET.end(NONE_SET.first_evaluation(calendar.start))
    assert await due() == [str(first)]
    await table.evaluated(plan)
    assert await due() == []
    await table.ask(table.coordinator, "continue-plan", plan=plan["plan"], number=1)
    assert await due() == [str(NONE_SET.end(NONE_SET.year_of(calendar.start) + 1))]
    await table.evaluated(plan, held_on=str(calendar.start - timedelta(days=365)))
    await table.ask(table.coordinator, "continue-plan", plan=plan["plan"], number=1)
    assert await due() == [str(NONE_SET.end(NONE_SET.year_of(calendar.start)))]
    await table.evaluated(plan)
    await table.ask(table.coordinator, "close-plan", plan=plan["plan"], number=1, reason="on to another school")
    assert (await table.ask(table.dad, "deadlines", about=table.child))["deadlines"] == []
    await calendar.day(1200)
    assert await calendar.remind() == 0


@pytest.mark.parametrize("today_", [date(2027, 7, 6), date(2027, 8, 30), date(2027, 9, 20), date(2028, 7, 31)])
def test_a_plan_evaluated_before_summer_is_evaluated_again_in_the_next_year_whenever_it_is_gone_on_with(
    today_: date,
) -> None:
    (row,) = Clocks(UUID(int=1), UUID(int=2), {}).at_continuation(date(2027, 7, 5), today_)
    assert (row.values or {})["due_on"] == date(2028, 7, 31)


def test_a_plan_gone_on_with_after_years_is_evaluated_in_the_year_that_runs() -> None:
    (row,) = Clocks(UUID(int=1), UUID(int=2), {}).at_continuation(date(2024, 7, 5), date(2027, 9, 1))
    assert (row.values or {})["due_on"] == date(2028, 7, 31)


async def test_two_processes_at_once_tell_each_of_many_deadlines_once(calendar: Calendar) -> None:
    table = calendar.table
    for number in range(70):  # more than a page
        child = UUID(int=1000 + number, version=4)
        fact = MemberAdded(membership=child, member=child, role=Role.CHILD, starts_at=datetime.now(UTC))
        await calendar.network(fact, child)
    await calendar.day(28)
    await asyncio.gather(*(PLANS.tell(unit, table.desk.school) for unit in calendar.units * 2))
    events = await calendar.events()
    assert len(events) == len({event["data"]["fact"]["clock"] for event in events}) == 70


async def test_a_child_that_left_is_waited_for_no_more_and_one_that_returns_is(calendar: Calendar) -> None:
    await calendar.enrol()
    gone = MembershipEnded(
        membership=UUID(int=1),
        member=calendar.table.child,
        role=Role.CHILD,
        ends_at=datetime(2026, 1, 1, tzinfo=UTC),
        reason="moved",
    )
    await calendar.network(gone)
    await calendar.day(60)
    assert await calendar.remind() == 0
    await calendar.enrol(days=60)
    await calendar.day(88)
    await calendar.remind()
    assert await calendar.told() == [("first_plan", "due-soon")]


async def test_a_child_that_returns_to_a_plan_in_force_has_its_clocks_again(calendar: Calendar) -> None:
    table = calendar.table
    plan = await table.in_force(*(table.action(what, until=table.day(days)) for what, days in DAYS.items()))
    done = (await table.items(plan))[1]["item"]
    await table.ask(table.mum, "finish-action", plan=plan["plan"], number=1, action=done, outcome="done")
    before = (await table.ask(table.dad, "deadlines", about=table.child))["deadlines"]
    gone = {"membership": UUID(int=1), "member": table.child, "role": Role.CHILD, "reason": "moved"}
    await calendar.network(MembershipEnded(**gone, ends_at=datetime(2026, 1, 1, tzinfo=UTC)))
    assert (await table.ask(table.dad, "deadlines", about=table.child))["deadlines"] == []
    await calendar.enrol(days=30)
    after = (await table.ask(table.dad, "deadlines", about=table.child))["deadlines"]
    assert [(one["id"], one["due_on"]) for one in after] == [(one["id"], one["due_on"]) for one in before]
    await calendar.day(30)
    await calendar.remind()
    assert await calendar.told() == [("action", "overdue")]  # of the 20th day; that of the 60th is to come
    await calendar.day(53)
    await calendar.remind()
    assert (await calendar.told())[1:] == [("action", "due-soon")]


DAYS = {"reads": 20, "sings": 40, "draws": 60}


async def test_what_is_due_on_a_childs_last_day_is_waited_for(calendar: Calendar) -> None:
    table = calendar.table
    await table.in_force(table.action(until=table.day(20)), table.action("sings", until=table.day(21)))
    last = datetime.combine(calendar.start + timedelta(days=20), datetime.min.time(), UTC) + timedelta(hours=11)
    gone = {"membership": UUID(int=1), "member": table.child, "role": Role.CHILD, "reason": "moved"}
    await calendar.network(MembershipEnded(**gone, ends_at=last))
    left = (await table.ask(table.dad, "deadlines", about=table.child))["deadlines"]
    assert [one["due_on"] for one in left] == [str(last.date())]


async def test_an_erased_childs_enrolment_that_is_told_again_begins_nothing(calendar: Calendar) -> None:
    table = calendar.table
    async with table.desk.db.school(table.desk.school) as conn:
        await conn.execute("INSERT INTO erased VALUES ($1, $2, 1, clock_timestamp())", table.desk.school, table.child)
    await calendar.enrol()
    assert await table.desk.rows("SELECT id FROM plan_clock") == []


async def test_other_members_start_and_stop_nothing(calendar: Calendar) -> None:
    mum = calendar.table.mum.id
    at = datetime.now(UTC)
    await calendar.network(MemberAdded(membership=UUID(int=2), member=mum, role=Role.GUARDIAN, starts_at=at))
    await calendar.day(60)
    assert await calendar.remind() == 0
    await calendar.enrol(days=60)
    await calendar.network(
        MembershipEnded(membership=UUID(int=2), member=mum, role=Role.GUARDIAN, ends_at=at, reason="moved")
    )
    await calendar.day(88)
    assert await calendar.remind() == 1


async def test_what_a_lost_tail_had_told_is_not_told_again(calendar: Calendar) -> None:
    await calendar.enrol()
    for days in (28, 43):
        await calendar.day(days)
        await calendar.remind()
        tail = [Event.parse(_as_raw(event)) for event in await calendar.events()]
        school = calendar.table.desk.school
        await as_owner(calendar.owner_dsn, school, "UPDATE plan_clock SET told = 'nothing', next_on = due_on - 14")
        async with calendar.table.desk.db.school(school) as conn:
            await take_back(conn, tail)
        assert await calendar.remind() == 0
    assert len(await calendar.told()) == 2


def _as_raw(event: dict[str, Any]) -> bytes:

    return json.dumps(event).encode()


async def test_only_the_service_itself_reminds(calendar: Calendar) -> None:
    refused = await calendar.table.refused(calendar.table.coordinator, "remind-plans")
    assert refused.type is ProblemType.FORBIDDEN


@pytest.mark.parametrize(
    ("day", "end"),
    [
        (date(2026, 8, 1), date(2027, 7, 31)),
        (date(2027, 7, 31), date(2027, 7, 31)),
        (date(2027, 1, 1), date(2027, 7, 31)),
    ],
)
def test_a_school_year_ends_on_the_last_of_july(day: date, end: date) -> None:
    assert NONE_SET.end(NONE_SET.year_of(day)) == end


@pytest.mark.parametrize(
    ("in_force_on", "year"), [(date(2026, 10, 1), 2027), (date(2027, 5, 8), 2027), (date(2027, 5, 9), 2028)]
)
def test_an_evaluation_is_due_in_each_school_year_and_never_at_once(in_force_on: date, year: int) -> None:
    assert NONE_SET.first_evaluation(in_force_on) == year


AUTUMN = (date(2026, 10, 17), date(2026, 10, 25))
SET = SchoolCalendar(3, {2027: date(2027, 7, 9)}, (AUTUMN,))


def test_a_warning_comes_so_many_school_days_before_and_never_in_a_holiday() -> None:
    assert SET.soon(date(2026, 10, 10), timedelta(weeks=1)) == date(2026, 10, 3)
    assert SET.soon(date(2026, 10, 28), timedelta(weeks=1)) == date(2026, 10, 12)
    assert SET.soon(date(2026, 11, 1), timedelta(weeks=1)) == date(2026, 10, 16)
    assert SET.soon(date(2026, 10, 20), timedelta(0)) == date(2026, 10, 16)


def test_a_year_ends_as_the_school_says_and_its_last_days_belong_to_the_next() -> None:
    assert (SET.year_of(date(2027, 7, 9)), SET.year_of(date(2027, 7, 10))) == (2027, 2028)
    assert SET.end(2028) == date(2028, 7, 31)


def test_what_was_told_is_not_told_again_by_another_calendar() -> None:
    clock = Clock(
        UUID(int=1),
        1,
        UUID(int=2),
        Deadline.EVALUATION,
        None,
        None,
        date(2027, 7, 31),
        date(2027, 7, 3),
        Told.NOTHING,
        (),
    )
    moved = recounted(clock, SET, 2027)
    assert (moved.due_on, moved.next_on) == (date(2027, 7, 9), date(2027, 6, 11))
    told = recounted(replace(clock, told=Told.DUE_SOON, next_on=date(2027, 8, 1)), SET, 2027)
    assert (told.told, told.next_on) == (Told.DUE_SOON, date(2027, 7, 10))
    over = replace(clock, told=Told.OVERDUE, next_on=None)
    assert recounted(over, SET, 2027) == over


async def test_a_schools_calendar_moves_running_clocks_and_each_is_still_told_once(calendar: Calendar) -> None:
    table = calendar.table
    await calendar.enrol()
    plan = await table.in_force(table.action(until=table.day(60)))
    due = calendar.start + timedelta(days=60)
    holiday = {"name": "vakantie", "first_on": str(due - timedelta(days=9)), "last_on": str(due - timedelta(days=3))}
    end = due + timedelta(days=100)
    year = {"starts_on": str(calendar.start - timedelta(days=30)), "ends_on": str(end), "holidays": [holiday]}
    await table.ask(table.lead, "set-school-year", about=table.school, version=0, **year)
    await calendar.day(54)
    assert await calendar.remind() == 0  # nothing is told by days that are out of date
    processes = [recount_school(db, table.desk.school) for db in calendar.dbs]
    assert sum(await asyncio.gather(*processes)) == 3  # that of the first plan too, though it stands still
    assert await calendar.remind() == 1
    assert await calendar.told() == [("action", "due-soon")]
    found = (await table.ask(table.dad, "deadlines", about=table.child))["deadlines"]
    assert {one["deadline"]: one["due_on"] for one in found}["action"] == str(due)
    later = {**year, "holidays": []}
    await table.ask(table.lead, "set-school-year", about=table.school, version=1, **later)
    assert await recount_school(calendar.dbs[0], table.desk.school) == 3
    assert await calendar.remind() == 0
    await calendar.day(61)
    assert await calendar.remind() == 1
    assert await calendar.told() == [("action", "due-soon"), ("action", "overdue")]
    await table.ask(table.mum, "finish-action", plan=plan["plan"], number=1, action=found[0]["action"], outcome="done")


async def test_an_evaluation_is_due_at_the_end_of_the_year_that_the_school_set(calendar: Calendar) -> None:
    table, start = calendar.table, calendar.start
    end = start + timedelta(days=120)
    year = {"starts_on": str(start - timedelta(days=200)), "ends_on": str(end)}
    await table.ask(table.lead, "set-school-year", about=table.school, version=0, **year)
    await table.in_force(table.action())
    found = (await table.ask(table.dad, "deadlines", about=table.child))["deadlines"]
    assert {one["deadline"]: one["due_on"] for one in found}["evaluation"] == str(end)
    sooner = {**year, "ends_on": str(end - timedelta(days=5))}
    if end.year == (end - timedelta(days=5)).year:
        await table.ask(table.lead, "set-school-year", about=table.school, version=1, **sooner)
        await recount_school(calendar.dbs[0], table.desk.school)
        found = (await table.ask(table.dad, "deadlines", about=table.child))["deadlines"]
        assert {one["deadline"]: one["due_on"] for one in found}["evaluation"] == sooner["ends_on"]


async def test_a_calendar_is_the_schools_and_in_order(calendar: Calendar) -> None:
    table = calendar.table
    year = {"starts_on": "2026-08-24", "ends_on": "2027-07-09"}
    body = {"about": table.school, "version": 0, **year}
    assert (await table.refused(table.mum, "set-school-year", **body)).type is ProblemType.FORBIDDEN
    elsewhere = await table.refused(table.coordinator, "set-school-year", **{**body, "about": table.child})
    assert elsewhere.more["field"] == "about"
    await table.ask(table.lead, "set-school-year", **body)
    assert (await table.refused(table.lead, "set-school-year", **body)).type is ProblemType.STALE_VERSION
    shares = {**body, "version": 1, "starts_on": "2027-07-01", "ends_on": "2028-07-01"}
    assert (await table.refused(table.lead, "set-school-year", **shares)).more["field"] == "starts_on"
    (event,) = [event for event in await table.desk.told() if "school-year.set" in event["type"]]
    assert event["data"]["fact"] == {"version": 1, **year, "holidays": 0, "days_off": []}
    seen = await table.ask(table.mum, "school-years", about=table.child)
    assert seen["years"]["2027"]["ends_on"] == "2027-07-09"
    twice = [{"name": "a", "first_on": "2026-10-17", "last_on": "2026-10-25"}] * 2
    for wrong in ({"ends_on": "2026-08-01"}, {"ends_on": "2028-08-01"}, {"holidays": twice}):
        with pytest.raises(ValueError, match=r"must end|within|share a day"):
            await table.ask(table.lead, "set-school-year", **{**body, "version": 1, **wrong})


@pytest.mark.parametrize(
    ("moment", "day"),
    [
        (datetime(2026, 6, 1, 21, 59, tzinfo=UTC), date(2026, 6, 1)),
        (datetime(2026, 6, 1, 22, 0, tzinfo=UTC), date(2026, 6, 2)),
        (datetime(2026, 12, 1, 22, 59, tzinfo=UTC), date(2026, 12, 1)),
        (datetime(2026, 12, 1, 23, 0, tzinfo=UTC), date(2026, 12, 2)),
    ],
)
async def test_a_deadline_is_told_on_its_dutch_day(calendar: Calendar, moment: datetime, day: date) -> None:
    await calendar.enrol()
    sql = "UPDATE plan_clock SET due_on = $1, next_on = $1"
    await as_owner(calendar.owner_dsn, calendar.table.desk.school, sql, date(2026, moment.month, 2))
    await move_time(calendar.owner_dsn, moment - datetime.now(UTC))
    assert await PLANS.tell(calendar.table.desk.unit, calendar.table.desk.school) == (day.day == 2)


@pytest.mark.parametrize(("problem", "alarmed"), CASES)
async def test_deadlines_that_cannot_be_told_are_an_alarm_unless_it_is_only_not_now(
    problem: Problem, *, alarmed: bool
) -> None:
    unit = Refusing("goals", problem)
    assert await PLANS.tell(unit, "olm") == 0
    assert unit.alarms == ["deadlines_failed"] * alarmed


def test_steps_go_in_order_and_end() -> None:
    clock = Clock(
        UUID(int=1), 1, UUID(int=2), Deadline.ACTION, None, None, date(2026, 6, 8), date(2026, 6, 1), Told.NOTHING, ()
    )
    assert [fact for fact, _ in steps(clock, date(2026, 6, 8))] == [DeadlineDueSoon]
    told = list(steps(clock, date(2026, 6, 9)))
    assert [fact for fact, _ in told] == [DeadlineDueSoon, DeadlineOverdue]
    assert list(steps(told[-1][1], date(2199, 1, 1))) == []
