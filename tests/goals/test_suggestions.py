"""Where people see a goal far apart they are asked to talk about it: once, until they did or see the same again."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from services.goals.suggesting import POINT
from shared.actor import Actor
from shared.errors import ProblemType
from shared.events.words import Action, Basis, Category, Role
from tests.goals.plans import Json, grant
from tests.goals.rooms import Room
from tests.goals.test_commands import CARER, MOTHER, TEACHER, kept, score

PLANNING = (Action.VIEW, Action.PROPOSE)


async def differing(room: Room) -> UUID:
    """Returns a goal that home sees three levels below school."""
    goal = await room.table.goal()
    await scored(room, goal, room.table.mum, "home", -2)
    await scored(room, goal, room.table.teacher, "school", 1)
    return goal


async def scored(room: Room, goal: UUID, who: Actor, setting: str, level: int) -> None:
    body = {"goal": goal, "level": level, "setting": setting, "observed_on": room.table.day(0)}
    await room.table.ask(who, "score-goal", **body)


async def suggested(room: Room, who: Actor | None = None) -> list[Json]:
    found = await room.table.ask(who or room.table.mum, "conversations", about=room.table.child)
    listed: list[Json] = found["suggested"]
    return listed


async def plan(room: Room, goal: UUID, *guests: Actor) -> Json:
    return await room.plan(room.table.teacher, *guests, goal=goal)


async def hold(room: Room, made: Json) -> None:
    table = room.table
    await room.later()
    asked = {"conversation": made["conversation"], "sequence": 0, "attended": [table.teacher.id, table.mum.id]}
    await table.ask(table.teacher, "hold-conversation", **asked)


async def test_all_round_the_child_see_what_there_is_to_talk_about_and_plan_it_with_the_goal_on_the_agenda(
    room: Room,
) -> None:
    table = room.table
    goal = await differing(room)
    for who in (table.mum, table.dad, table.teacher):
        (found,) = await suggested(room, who)
        assert (found["goal"], found["planned"]) == (str(goal), [])
        assert [(one["lower"], one["higher"]) for one in found["diverging"]] == [("home", "school")]
        (listed,) = (await table.ask(who, "goals-of-child", about=table.child))["goals"]
        assert listed["talk_suggested_at"] == found["since"]
    made = await plan(room, goal, table.mum)
    (point,) = (await room.shown(made))["points"]
    assert (point["words"], point["goal"]) == (POINT, str(goal))
    for who, planned in (
        (table.mum, [made["conversation"]]),
        (table.coordinator, [made["conversation"]]),
        (table.dad, []),
    ):
        (found,) = await suggested(room, who)
        assert [one["conversation"] for one in found["planned"]] == planned, "of the other parent's own: nothing"
    await hold(room, made)
    assert await suggested(room) == []
    assert await room.facts("conversation.suggested") == [{"goal": str(goal)}]
    assert await room.facts("suggestion.settled") == [
        {"goal": str(goal), "how": "talked", "conversation": made["conversation"]}
    ]
    await scored(room, goal, table.mum, "home", -1)
    assert await suggested(room) == [], "they talked about it: the same two are no news"
    later = await room.plan(goal=goal, **room.times(1))
    assert (await room.shown(later))["points"] == []


async def test_a_goal_is_put_on_the_agenda_of_a_conversation_that_is_planned_already(room: Room) -> None:
    table = room.table
    made = await room.plan()
    goal = await differing(room)
    other = await table.desk.goal(about=table.desk.other_child)
    asked = {"conversation": made["conversation"], "words": "how she reads"}
    wrong = await table.refused(table.mum, "add-point", **asked, goal=other)
    assert (wrong.type, wrong.more["field"]) == (ProblemType.INVALID, "goal")
    await table.ask(table.mum, "add-point", **asked, goal=goal)
    (found,) = await suggested(room)
    assert [one["conversation"] for one in found["planned"]] == [made["conversation"]]
    await hold(room, made)
    assert await suggested(room) == []


async def test_a_conversation_that_is_called_off_or_about_something_else_settles_nothing(room: Room) -> None:
    table = room.table
    goal = await differing(room)
    off = await plan(room, goal, table.mum)
    await table.ask(table.teacher, "cancel-conversation", conversation=off["conversation"], sequence=0, reason="ill")
    other = await room.plan()
    await hold(room, other)
    (found,) = await suggested(room)
    assert found["planned"] == []


async def test_what_was_talked_about_without_having_been_planned_is_settled_too(room: Room) -> None:
    table = room.table
    goal, named, became = await differing(room), await differing(room), await differing(room)
    other = await table.desk.goal(about=table.desk.other_child)
    made = await room.plan()
    await room.later()
    asked = {"conversation": made["conversation"], "sequence": 0, "attended": [table.teacher.id, table.mum.id]}
    wrong = await table.refused(table.teacher, "hold-conversation", **asked, goals=[goal, other])
    assert (wrong.type, wrong.more["field"], wrong.more["goals"]) == (ProblemType.INVALID, "goals", [str(other)])
    await table.ask(table.teacher, "hold-conversation", **asked, goals=[named])
    assert {one["goal"] for one in await suggested(room)} == {str(goal), str(became)}
    assert [one["goal"] for one in (await room.shown(made))["points"]] == [str(named)]
    outcome = {"conversation": made["conversation"], "kind": "goal", "words": "the same, another way"}
    made = await table.ask(table.mum, "record-outcome", **outcome)
    await table.ask(table.teacher, "settle-outcome", outcome=made["outcome"], version=1, became=became)
    assert [one["goal"] for one in await suggested(room)] == [str(goal)]
    assert [one["how"] for one in await room.facts("suggestion.settled")] == ["talked", "talked"]


async def test_an_agenda_tells_nobody_who_sees_no_scores_that_they_are_apart(room: Room) -> None:
    table = room.table
    goal = await differing(room)
    blind = grant(table.lead.id, Role.SUPPORT_COMMITTEE, Basis.PUBLIC_TASK, PLANNING, (Category.CONVERSATIONS,))
    await table.desk.give(table.child, *table.usual, blind)
    made = await room.plan(table.lead, table.carer, table.mum, goal=goal)
    assert (await room.shown(made))["points"] == []


async def test_what_was_talked_about_before_it_was_seen_apart_settles_nothing(room: Room) -> None:
    table = room.table
    goal = await table.goal()
    made = await room.plan(goal=goal)
    await room.later(3)  # it took place, and is written down after the scores
    await scored(room, goal, table.mum, "home", -2)
    await scored(room, goal, table.teacher, "school", 1)
    asked = {"conversation": made["conversation"], "sequence": 0, "attended": [table.teacher.id, table.mum.id]}
    await table.ask(table.teacher, "hold-conversation", **asked)
    assert len(await suggested(room)) == 1


async def test_it_is_settled_when_the_scores_meet_and_opens_anew_when_they_part(room: Room) -> None:
    table = room.table
    goal = await differing(room)
    await scored(room, goal, table.mum, "home", 0)
    assert await suggested(room) == []
    await scored(room, goal, table.mum, "home", -1)
    assert len(await suggested(room)) == 1
    version = (await table.ask(table.teacher, "goal", goal=goal))["goal"]["version"]
    await table.ask(table.teacher, "cancel-goal", goal=goal, version=version, reason="moved")
    assert await suggested(room) == []
    assert [one["how"] for one in await room.facts("suggestion.settled")] == ["met", "goal_over"]
    assert len(await room.facts("conversation.suggested")) == 2


async def test_who_may_not_see_scores_hears_of_no_suggestion(room: Room) -> None:
    table = room.table
    await differing(room)
    talks = grant(table.stepdad.id, Role.CARE_PROFESSIONAL, Basis.CONSENT, (Action.VIEW,), (Category.CONVERSATIONS,))
    goals = grant(table.carer.id, Role.SUPPORT_COMMITTEE, Basis.PUBLIC_TASK, (Action.VIEW,), (Category.GOALS,))
    usual = [one for one in table.usual if one.member not in {table.stepdad.id, table.carer.id}]
    await table.desk.give(table.child, *usual, talks, goals)
    assert await suggested(room, table.stepdad) == []
    (listed,) = (await table.ask(table.carer, "goals-of-child", about=table.child))["goals"]
    assert {"talk_suggested_at", "latest", "diverging"} & set(listed) == set()


async def test_what_is_suggested_has_its_lines_in_the_log(room: Room) -> None:
    await differing(room)
    await suggested(room)
    looks = [one for one in await room.table.desk.told() if one["data"]["fact"].get("query") == "conversations"]
    assert [one["data"]["act"]["category"] for one in looks] == ["conversations", "goals", "observations"]


async def test_who_corrects_or_settles_too_late_learns_what_was_written_meanwhile(room: Room) -> None:
    table = room.table
    goal = await table.desk.goal(about=table.child)
    wrong = await table.desk.score(goal, table.mum, -2, day=datetime.now(UTC).date().isoformat())
    made = await table.ask(table.mum, "correct-score", score=wrong, version=1, reason="slip", level=0)
    late = await table.refused(table.teacher, "correct-score", score=wrong, version=1, reason="slip too")
    assert (late.type, late.more["replaced_by"]) == (ProblemType.STALE_VERSION, made["scores"][0])
    assert late.more["changes"] == [{"version": 2, "fields": ["in_error_at", "in_error_by", "in_error_reason"]}]
    talk = await room.held()
    asked = {"conversation": talk["conversation"], "kind": "goal", "words": "to read"}
    outcome = (await table.ask(table.mum, "record-outcome", **asked))["outcome"]
    await table.ask(table.mum, "settle-outcome", outcome=outcome, version=1, became=goal)
    late = await table.refused(table.teacher, "settle-outcome", outcome=outcome, version=1, dropped_because="no")
    assert late.type is ProblemType.STALE_VERSION
    assert late.more["changes"] == [{"version": 2, "fields": ["became", "settled_at", "settled_by"]}]


SETTINGS = ((TEACHER, "school"), (MOTHER, "home"), (CARER, "care"))


@given(st.lists(st.tuples(st.sampled_from(SETTINGS), st.integers(-2, 2)), max_size=12))
def test_one_is_open_exactly_from_when_settings_part_until_they_all_meet(scores: list[Any]) -> None:
    goal, latest, was = kept("active"), dict[str, int](), False
    for number, ((who, setting), level) in enumerate(scores):
        score(goal, who, setting, level, day=f"2026-02-{number + 1:02}")
        latest[setting] = level
        apart = max(latest.values()) - min(latest.values()) >= 2
        assert goal.last is not None
        names = [new.fact.NAME for new in goal.last.events]
        assert names.count("conversation.suggested") == (apart and not was)
        assert names.count("suggestion.settled") == (was and not apart)
        assert bool(goal.suggestion and goal.suggestion["open"]) == apart
        was = apart
