"""A conversation that nobody had planned is written down by who was there, and is then one that was held."""

from __future__ import annotations

from uuid import UUID

from shared.errors import ProblemType
from tests.goals.rooms import Room
from tests.goals.test_suggestions import differing, suggested


async def test_who_was_there_writes_down_a_conversation_that_nobody_planned(room: Room) -> None:
    table = room.table
    body = {
        "about": table.child,
        "why": "at the gate",
        "attended": [table.teacher.id, table.mum.id],
        "notes": "sleeps badly",
        **room.times(-1),
    }
    made = await table.ask(table.teacher, "record-conversation", **body)
    shown = (await room.shown(made))["conversation"]
    told = {name: shown[name] for name in ("status", "why", "notes", "sequence")}
    assert told == {"status": "held", "why": "at the gate", "notes": "sleeps badly", "sequence": 0}
    assert set(shown["attended"]) == set(shown["invited"]) == {str(table.teacher.id), str(table.mum.id)}
    (fact,) = await room.facts("conversation.held")
    assert set(fact["concerns"]) == set(shown["attended"])
    assert not await room.facts("conversation.planned")
    assert (
        await table.refused(table.dad, "conversation", conversation=made["conversation"])
    ).type is ProblemType.FORBIDDEN
    asked = {"conversation": made["conversation"]}
    await table.ask(table.mum, "say-heard", **asked, answer="yes")
    await table.ask(table.mum, "record-outcome", **asked, kind="action", words="rest earlier")


async def test_only_what_was_is_written_down_and_only_by_who_was_there(room: Room) -> None:
    table = room.table
    both = [table.teacher.id, table.mum.id]
    body = {"about": table.child, "why": "x", "attended": both, **room.times(-1)}
    for more, field in (
        ({"attended": [table.teacher.id]}, "attended"),
        ({"attended": [table.mum.id, table.dad.id]}, "attended"),
        ({"attended": [*both, UUID(int=1)]}, "attended"),
        ({"goals": [UUID(int=1)]}, "goals"),
        (room.times(), "ends_at"),
    ):
        wrong = await table.refused(table.teacher, "record-conversation", **{**body, **more})
        assert (wrong.type, wrong.more["field"]) == (ProblemType.INVALID, field)


async def test_what_it_was_about_is_settled_unless_it_was_before_that_was_suggested(room: Room) -> None:
    table = room.table
    goal = await differing(room)
    body = {"about": table.child, "why": "x", "attended": [table.teacher.id, table.mum.id], "goals": [goal]}
    made = await table.ask(table.teacher, "record-conversation", **body, **room.times(-1))
    assert [one["goal"] for one in (await room.shown(made))["points"]] == [str(goal)]
    assert [one["goal"] for one in await suggested(room)] == [str(goal)]
    await room.later(3)
    await table.ask(table.teacher, "record-conversation", **body, **room.times())
    assert await suggested(room) == []
    assert [one["how"] for one in await room.facts("suggestion.settled")] == ["talked"]
