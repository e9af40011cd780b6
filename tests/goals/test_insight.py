"""A school and its foundation see counts of ten children or more, of its own goals all, and nothing of a child."""

from __future__ import annotations

from datetime import date
from typing import Any
from uuid import UUID

import pytest

from deploy.samen.insight import table_of
from services.goals.insight import counted
from shared.actor import Actor
from shared.errors import ProblemType
from shared.events.words import ActorKind, Basis, Role
from tests.goals.plans import Table, grant
from tests.goals.support import Desk, proposal


@pytest.fixture
async def table(desk: Desk) -> Table:
    return await Table(desk).sit()


async def goals_of(table: Table, number: int) -> None:
    """Lets so many children have a goal each, the first of them two."""
    for child in [UUID(int=3000 + one, version=4) for one in range(number)]:
        await table.desk.give(child, grant(table.mum.id, Role.GUARDIAN, Basis.AUTHORITY))
        await table.ask(table.mum, "propose-goal", **proposal(child, table.mum.id))
    await table.ask(table.mum, "propose-goal", **proposal(UUID(int=3000, version=4), table.mum.id))


async def test_fewer_than_ten_children_are_not_told_and_ten_are(table: Table) -> None:
    await goals_of(table, 9)
    asked = {"about": table.school}
    assert (await table.ask(table.lead, "insight", **asked))["children"] == {"goal_proposed": None}
    await goals_of(table, 10)
    found = await table.ask(table.lead, "insight", **asked)
    assert (found["children"], found["children_rounded_down_to"]) == ({"goal_proposed": 10}, 5)
    await goals_of(table, 14)  # who asks before and after learns of no single child
    assert (await table.ask(table.lead, "insight", **asked))["children"] == {"goal_proposed": 10}


async def test_a_schools_own_goals_are_about_no_child_and_are_counted_as_they_are(table: Table) -> None:
    await table.ask(table.lead, "propose-goal", **proposal(table.school, table.lead.id, domain="partnership"))
    found = await table.ask(table.lead, "insight", about=table.school)
    assert (found["own_approach"], found["children"]) == ({"proposed": 1}, {})


async def test_the_foundations_operator_sees_them_too_and_the_log_says_on_what_ground(table: Table) -> None:
    operator = Actor(UUID(int=99), ActorKind.OPERATOR, table.desk.school, "samen", operator="o")
    assert await table.ask(operator, "insight", about=table.school)
    assert (await table.refused(operator, "insight", about=table.child)).more["field"] == "about"
    act = (await table.desk.told())[-1]["data"]["act"]
    assert (act["kind"], act["basis"], act["category"]) == ("operator", "anonymous_aggregate", "goals")
    for who in (table.mum, table.desk.stranger):
        assert (await table.refused(who, "insight", about=table.school)).type is ProblemType.FORBIDDEN
    assert (await table.refused(table.mum, "insight", about=table.child)).more["field"] == "about"


def test_over_schools_only_what_is_told_is_summed() -> None:
    empty = {"own_approach": {"active": 2}, "heard": [], "figures": []}
    found = {
        slug: counted({**empty, "children": {"goal_active": n}}, date(2027, 1, 1))
        for slug, n in (("a", 9), ("b", 12), ("c", 20))
    }
    shown = table_of(found)
    cells = [list(column.cells) for column in shown.columns]
    assert [column[0] for column in cells] == ["goal_active", "-", "10", "20", "30"]
    assert [column[1] for column in cells][-1] == "6"


def test_who_felt_heard_is_shown_by_role_and_school() -> None:
    ten = [
        {"role": "guardian", "answer": "yes", "month": "2027-01", "member": str(one), "conversation": "c"}
        for one in range(10)
    ]
    empty: dict[str, Any] = {"own_approach": {}, "children": {}, "figures": []}
    found = {slug: counted({**empty, "heard": said}, date(2027, 2, 1)) for slug, said in (("a", ten), ("b", []))}
    shown = {row[0]: row[1:] for row in zip(*(column.cells for column in table_of(found).columns), strict=True)}
    assert shown["were you heard, guardian: yes"] == ("10", "-", "10")
