"""What people say of being heard moves the school's own goals: by figures of ten or more, which tell of nobody."""

from __future__ import annotations

import asyncio
from uuid import UUID

import asyncpg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.goals.measuring import level_at, share_of
from shared.actor import Actor
from shared.errors import ProblemType
from shared.events.words import Basis, Role
from tests.goals.plans import Json, grant
from tests.goals.rooms import Room
from tests.goals.support import proposal

THRESHOLDS = [40, 60, 75, 90]


async def own_goal(room: Room) -> UUID:
    """Returns a goal of the school's own approach that work goes on with."""
    table = room.table
    body = proposal(table.school, table.lead.id, domain="partnership", settings=["school"])
    goal = UUID((await table.ask(table.lead, "propose-goal", **body))["goal"])
    for version, step in ((1, "accept-goal"), (2, "activate-goal")):
        await table.ask(table.lead, step, goal=goal, version=version)
    return goal


async def answer(room: Room, count: int, said: str = "yes") -> list[Actor]:
    """Has so many parents say whether they were heard in one conversation."""
    table = room.table
    parents = [Actor(UUID(int=900 + n, version=4), table.mum.kind, table.desk.school, "door") for n in range(count)]
    await table.desk.give(
        table.child, *table.usual, *(grant(one.id, Role.GUARDIAN, Basis.AUTHORITY) for one in parents)
    )
    made = await room.held(table.teacher, *parents)
    for one in parents:
        await table.ask(one, "say-heard", conversation=made["conversation"], answer=said, words="only mine")
    return parents


async def measures(room: Room) -> list[Json]:
    found = await room.table.ask(room.table.lead, "heard-summary", about=room.table.school)
    listed: list[Json] = found["measures"]
    return listed


async def test_a_schools_own_goal_is_scored_from_what_ten_people_said(room: Room) -> None:
    table, goal = room.table, await own_goal(room)
    await table.ask(table.lead, "measure-by-heard", goal=goal, role="guardian", thresholds=THRESHOLDS)
    parents = await answer(room, 10, "partly")
    await table.ask(parents[0], "say-heard", conversation=await talk_of(room), answer="yes")
    early = await table.refused(table.lead, "score-from-heard", goal=goal)
    assert (early.type, early.more["smallest_group"]) == (ProblemType.CONFLICT, 10)
    assert [(one["level"], one["until"]) for one in await measures(room)] == [(None, None)]
    await room.later(24 * 32)
    (told,) = await measures(room)
    assert (told["level"], told["scored_until"]) == (-1, None)  # 55 percent
    made = await table.ask(table.lead, "score-from-heard", goal=goal)
    found = await table.ask(table.lead, "goal", goal=goal)
    (score,) = found["scores"]
    assert (score["id"], score["level"], score["setting"], score["note"]) == (made["scores"][0], -1, "school", None)
    assert score["observed_on"][:7] == told["until"]
    again = await table.refused(table.lead, "score-from-heard", goal=goal)
    assert (again.type, again.more["until"]) == (ProblemType.CONFLICT, told["until"])
    assert [one["scored_until"] for one in await measures(room)] == [told["until"]]
    facts = [*await room.facts("heard-measure.set"), *await room.facts("score.recorded")]
    named = {str(table.child), *(str(one.id) for one in parents), "only mine"}
    assert not [one for one in named if one in str(facts)]


async def talk_of(room: Room) -> str:
    found = await room.table.ask(room.table.teacher, "conversations", about=room.table.child)
    return str(found["conversations"][0]["id"])


async def test_nine_people_move_nothing_and_another_roles_answers_do_not_count(room: Room) -> None:
    table, goal = room.table, await own_goal(room)
    await table.ask(table.lead, "measure-by-heard", goal=goal, role="teacher", thresholds=THRESHOLDS)
    await answer(room, 10)
    await room.later(24 * 32)
    assert (await table.refused(table.lead, "score-from-heard", goal=goal)).more["smallest_group"] == 10
    await table.ask(table.lead, "measure-by-heard", goal=goal, role="guardian", thresholds=THRESHOLDS)
    await table.ask(table.lead, "score-from-heard", goal=goal)
    assert [one["level"] for one in (await table.ask(table.lead, "goal", goal=goal))["scores"]] == [2]


async def test_figures_that_went_back_are_not_scored_again(room: Room) -> None:
    """The newest go back to an earlier month when a child's answers are erased."""
    table, goal = room.table, await own_goal(room)
    await table.ask(table.lead, "measure-by-heard", goal=goal, role="guardian", thresholds=THRESHOLDS)
    await answer(room, 10)
    await room.later(24 * 32)
    owner = await asyncpg.connect(room.owner_dsn, server_settings={"app.school": table.desk.school})
    await owner.execute("UPDATE heard_measure SET scored_until = '2999-01'")
    await owner.close()
    again = await table.refused(table.lead, "score-from-heard", goal=goal)
    assert (again.type, again.more["until"]) == (ProblemType.CONFLICT, "2999-01")


async def test_figures_that_were_told_stay_when_a_child_is_erased_and_later_ones_add_to_them(room: Room) -> None:
    table = room.table
    parents = await answer(room, 11)
    await room.later(24 * 32)
    told = await table.ask(table.lead, "heard-summary", about=table.school)
    assert told["roles"] == {"guardian": {"yes": 11, "partly": 0, "no": 0}}, "control"
    async with table.desk.db.school(table.desk.school) as conn:
        await conn.execute("DELETE FROM conversation_heard WHERE member = $1", parents[0].id)  # as an erasure does
    assert await table.ask(table.lead, "heard-summary", about=table.school) == told
    insight = await table.ask(table.lead, "insight", about=table.school)
    assert insight["heard"]["roles"] == told["roles"]
    for n, one in enumerate(parents[1:]):
        await table.ask(one, "say-heard", conversation=await talk_of(room), answer="no" if n else "partly")
    await room.later(24 * 64)
    later = await table.ask(table.lead, "heard-summary", about=table.school)
    assert later["roles"] == {"guardian": {"yes": 1, "partly": 1, "no": 9}}
    assert later["until"]["guardian"] > told["until"]["guardian"]


async def test_of_figures_that_were_told_no_answer_is_read_again(room: Room) -> None:
    table = room.table
    parents = await answer(room, 10)
    await room.later(24 * 32)
    await table.ask(table.lead, "heard-summary", about=table.school)
    await table.ask(parents[3], "say-heard", conversation=await talk_of(room), answer="no")
    args = {"school": table.desk.school, "about": str(table.school)}
    ((found,),) = [row.values() for row in await table.desk.rows("SELECT read_heard($1::jsonb)", args)]
    assert [(one["answer"], one["before"]) for one in found["answers"]] == [("no", "yes")]


async def test_figures_asked_twice_at_once_are_told_alike(room: Room) -> None:
    table = room.table
    await answer(room, 10)
    await room.later(24 * 32)
    asked = [table.ask(table.lead, "heard-summary", about=table.school) for _ in range(4)]
    first, *others = await asyncio.gather(*asked)
    assert first["roles"]
    assert all(one == first for one in others)
    assert len(await table.desk.rows("SELECT FROM heard_figure")) == 1


async def test_only_the_schools_own_goals_are_measured_so_and_by_who_decides(room: Room) -> None:
    table, goal = room.table, await own_goal(room)
    body = {"role": "guardian", "thresholds": THRESHOLDS}
    childs = await table.goal()
    wrong = await table.refused(table.teacher, "measure-by-heard", goal=childs, **body)
    assert (wrong.type, wrong.more["field"]) == (ProblemType.INVALID, "goal")
    assert (await table.refused(table.mum, "measure-by-heard", goal=goal, **body)).type is ProblemType.FORBIDDEN
    assert (await table.refused(table.mum, "score-from-heard", goal=goal)).type is ProblemType.FORBIDDEN
    assert "set by whose" in (await table.refused(table.lead, "score-from-heard", goal=goal)).detail
    for thresholds in ([40, 40, 60, 70], [90, 75, 60, 40], [0, 1, 2, 3]):
        with pytest.raises(ValueError, match="thresholds"):
            await table.ask(table.lead, "measure-by-heard", goal=goal, role="guardian", thresholds=thresholds)


@given(st.integers(0, 50), st.integers(0, 50), st.integers(0, 50))
def test_more_who_were_heard_never_lower_the_level(yes: int, partly: int, no: int) -> None:
    def level(**counts: int) -> int:
        return level_at(share_of(counts), THRESHOLDS)

    now = level(yes=yes, partly=partly, no=no)
    assert now <= level(yes=yes + 1, partly=partly, no=no) <= 2
    if no:
        assert now <= level(yes=yes, partly=partly + 1, no=no - 1)
    assert level(yes=1, partly=0, no=0) == 2
    assert level(yes=0, partly=0, no=1) == -2
