"""Withdrawn from a tool: taken out of its stream behind a fence, told, and waited for."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from services.gate.contract import ANSWERS
from services.gate.fence import held_back, take_lapsed
from services.gate.model import Message
from services.gate.obliging import CONFIRM, OVERDUE, ConfirmDeletion, TellOverdue
from services.gate.streams import Late, Streams
from shared.access_projection import by_member
from shared.actor import Actor, service_id
from shared.clock import Ids
from shared.errors import Problem, Transient
from shared.events.base import GENESIS
from shared.events.erasure import ChildErased
from shared.events.gate import DeletionOverdue, PutOutVoided, WithdrawalTold
from shared.events.network import AccessChanged
from shared.events.words import ActorKind, Category, school_subject
from shared.projection import Position
from shared.unit import Asked
from tests.gate.house import TEACHER, House, Tool
from tests.notifications.support import act

GOALS, PLAN = Category.GOALS, Category.PLAN


class Held(Streams):
    """Streams whose publishing a test stops just before it leaves, or whose answers are lost."""

    def __init__(self, house: House) -> None:
        super().__init__(house.client, Ids())
        self.ready, self.go = asyncio.Event(), asyncio.Event()
        self.lose_answers = 0

    async def publish(self, messages: Any, expected: int) -> int:  # noqa: ANN401
        self.ready.set()
        await self.go.wait()
        last = await super().publish(messages, expected)
        if self.lose_answers:
            self.lose_answers -= 1
            raise Transient("lost")
        return last


async def held(house: House) -> tuple[int, list[UUID]]:
    """How far network's cursor may be told, and what waits."""
    positions = await house.applier.positions()
    told, waits = await held_back(house.db, positions)
    return told["network", house.school].seq, [UUID(one) for one in waits.get(house.school, [])]


async def begun(house: House, *categories: Category) -> tuple[Tool, UUID, UUID]:
    """A tool that was put out two events of one child and one of another."""
    tool, child, other = await house.tool(), uuid4(), uuid4()
    for one in (child, other):
        await house.allow(one, tool, *(categories or (GOALS,)))
    await house.happens(child)
    await house.happens(other)
    await house.happens(child)
    await house.put()
    return tool, child, other


async def test_a_withdrawal_takes_out_what_was_not_fetched_and_says_which_numbers(house: House) -> None:
    tool, child, other = await begun(house)
    await house.happens(child)  # queued, and never to leave
    await house.allow(child, tool)
    assert await held(house) == (2, [tool.id]), "the cursor waits for the tool's stream"
    await house.put()
    assert (await held(house))[1] == []
    got = await house.fetch(tool)
    assert got.kinds() == ["goal.accepted", "withdrawal.told"]
    assert got.numbers == [2, 4]
    assert got.messages[0]["subject"] == tool.theirs(other)
    assert got.messages[1]["subject"] == tool.theirs(child)
    assert got.messages[1]["data"]["taken_out"] == [1, 3]
    (told,) = await house.told("withdrawal.told")
    assert (told.fact(WithdrawalTold).of, told.fact(WithdrawalTold).taken_out, told.about) == (GOALS, 2, child)


async def test_what_was_fetched_before_is_told_to_be_deleted_and_only_that_category(house: House) -> None:
    tool, child, _ = await begun(house, GOALS, PLAN)
    got = await house.fetch(tool)
    await house.noted(tool, 3)
    await house.allow(child, tool, PLAN)
    await house.put()
    await house.fetch(tool, got)
    assert got.kinds()[-1] == "withdrawal.told"
    assert (got.messages[-1]["category"], got.messages[-1]["data"]["taken_out"]) == ("goals", [])


async def test_a_tool_that_had_nothing_of_a_child_is_told_nothing(house: House) -> None:
    tool, child = await house.tool(), uuid4()
    await house.allow(child, tool, GOALS)
    await house.happens(child)
    await house.allow(child, tool)
    assert await held(house) == (2, [])
    await house.put()
    assert (await house.fetch(tool)).messages == []
    assert await house.told("put-out.made", "withdrawal.told") == []


async def test_a_replay_gives_nothing_of_a_withdrawn_child_but_the_withdrawal_also_when_it_is_given_again(
    house: House,
) -> None:
    tool, child, _ = await begun(house)
    await house.fetch(tool)
    await house.allow(child, tool)
    await house.put()
    await house.fetch(tool)
    await house.allow(child, tool, GOALS)
    await replay(house, tool)
    await house.put()
    again = await house.fetch(tool)
    assert again.numbers == [1, 2, 3, 4]
    assert again.kinds() == ["put-out.voided", "goal.accepted", "put-out.voided", "withdrawal.told"]
    await house.happens(child)
    await house.put()
    assert (await house.fetch(tool)).numbers == [5]


async def replay(house: House, tool: Tool, from_sequence: int = 1) -> None:
    """As `replay-tool` commits it."""
    async with house.db.school(house.school) as conn:
        await conn.execute(
            "UPDATE outlet SET out_seq = $3, aside = true, version = version + 1 WHERE school = $1 AND id = $2",
            house.school,
            tool.id,
            from_sequence - 1,
        )


async def test_what_was_decided_before_a_withdrawal_and_leaves_after_it_is_refused(house: House) -> None:
    """A putter stands still between its commit and its publish; another takes over and tells the withdrawal."""
    tool, child, _ = await begun(house)
    streams = Held(house)
    slow = house.make_putter(streams)
    await house.happens(child)
    stuck = asyncio.create_task(house.put(slow))
    await streams.ready.wait()
    await house.allow(child, tool)
    other = house.make_putter()
    await house.put(other)
    assert (await held(house))[1] == []
    streams.go.set()
    await stuck
    info = await house.api(f"STREAM.INFO.OUT-{tool.account}", subjects_filter=">")
    mine = f"out.{tool.account}.{tool.theirs(child)}.goals"
    assert info["state"]["subjects"][mine] == 1, "only the marker lies there"
    await house.put(house.make_putter())
    got = await house.fetch(tool)
    assert sorted(zip(got.numbers, got.kinds(), strict=True)) == [
        (2, "goal.accepted"),
        (4, "put-out.voided"),
        (5, "withdrawal.told"),
    ]
    assert [event.fact(PutOutVoided).sequence for event in await house.told("put-out.voided")] == []


async def test_a_lost_answer_is_settled_by_where_the_stream_ends(house: House) -> None:
    tool, child, _ = await begun(house)
    streams = Held(house)
    streams.go.set()
    streams.lose_answers = 1
    putter = house.make_putter(streams)
    await house.happens(child)
    await house.put(putter)
    await asyncio.sleep(0.15)
    await house.happens(child)
    await house.put(putter)
    got = await house.fetch(tool)
    assert (got.numbers, got.repeated) == ([1, 2, 3, 4, 5], [])
    assert len(await house.told("put-out.made")) == 5, "what had arrived had one line"


async def test_an_unacknowledged_marker_holds_the_cursor_and_is_told_once(house: House) -> None:
    tool, child, _ = await begun(house)
    await house.fetch(tool)
    streams = Held(house)
    streams.go.set()
    streams.lose_answers = 1
    putter = house.make_putter(streams)
    await house.allow(child, tool)
    await house.put(putter)
    assert (await held(house))[1] == [tool.id]
    await asyncio.sleep(0.15)
    await house.put(putter)
    assert (await held(house))[1] == []
    got = await house.fetch(tool)
    assert set(got.kinds()) == {"withdrawal.told"}
    assert got.numbers == [4]
    assert len(await house.told("withdrawal.told")) == 1


async def test_a_late_publish_is_refused_whole(house: House) -> None:
    tool, child, _ = await begun(house)
    streams, at = Streams(house.client, Ids()), house.at(tool)
    await house.happens(child)
    await house.put()
    speech = house.place(tool).speech
    assert speech is not None
    messages = [speech.say(Message.void(1, n), house.putter.clock.now()) for n in (8, 9)]
    with pytest.raises(Late):
        await streams.publish(messages, at.stream_last)
    assert (await house.fetch(tool)).numbers == [1, 2, 3, 4]


async def test_a_tool_confirms_its_own_deletion_and_a_missing_one_is_told_once(house: House) -> None:
    tool, child, _ = await begun(house)
    await house.allow(child, tool)
    await house.put()
    (told,) = await house.told("withdrawal.told")
    assert told.thing is not None
    stranger = Actor(uuid4(), ActorKind.TOOL, house.school, "gate")
    actor = Actor(tool.id, ActorKind.TOOL, house.school, "gate")
    with pytest.raises(Problem, match="may not"):
        await house.unit.run(
            CONFIRM, Asked(stranger, house.school, ConfirmDeletion(withdrawal=told.thing), house.putter.ids)
        )
    service = Actor(service_id("gate"), ActorKind.SERVICE, house.school, "gate")
    overdue = Asked(service, house.school, TellOverdue(), house.putter.ids)
    assert (await house.unit.run(OVERDUE, overdue))["told"] == 0
    async with house.db.school(house.school) as conn:
        await conn.execute("UPDATE marker SET due_at = clock_timestamp() - interval '1 second'")
    assert (await house.unit.run(OVERDUE, overdue))["told"] == 1
    assert (await house.unit.run(OVERDUE, overdue))["told"] == 0
    (late,) = await house.told("deletion.overdue")
    assert (late.fact(DeletionOverdue).tool, late.about) == (tool.id, child)
    for _ in range(2):
        body = ConfirmDeletion(withdrawal=told.thing)
        confirmed = await house.unit.run(CONFIRM, Asked(actor, house.school, body, house.putter.ids))
        assert confirmed == {"withdrawal": str(told.thing), "state": "confirmed"}
        assert confirmed.keys() == ANSWERS["confirm-deletion"].keys()
    assert len(await house.told("deletion.confirmed")) == 1
    assert school_subject(house.school) not in {event.about for event in await house.told("deletion.confirmed")}


async def test_a_cursor_that_holds_nothing_back_is_told_as_it_is(house: House) -> None:
    key = ("network", house.school)
    told, waits = await held_back(
        house.db, {key: Position(1, 7, GENESIS), ("goals", house.school): Position(1, 9, GENESIS)}
    )
    assert (told[key].seq, waits) == (7, {})


async def test_a_grant_that_runs_out_by_itself_takes_out_what_was_not_fetched(house: House) -> None:
    tool, child, other = await begun(house)
    until = datetime.now(UTC) + timedelta(days=1)
    await house.allow(child, tool, GOALS, until=until)
    assert await take_lapsed(house.db, house.school, datetime.now(UTC), house.putter.ids) == 0
    async with house.db.school(house.school) as conn:  # the day has come
        grants = by_member(house.changes[-1].fact(AccessChanged).grants)
        ended = {who: [one | {"valid_until": "2026-01-01T00:00:00Z"} for one in held] for who, held in grants.items()}
        await conn.execute("UPDATE access SET grants = $2 WHERE id = $1", child, ended)
    assert await take_lapsed(house.db, house.school, datetime.now(UTC), house.putter.ids) == 1
    assert await take_lapsed(house.db, house.school, datetime.now(UTC), house.putter.ids) == 0
    await house.put()
    got = await house.fetch(tool)
    assert got.kinds() == ["goal.accepted", "withdrawal.told"]
    assert got.messages[0]["subject"] == tool.theirs(other)
    assert (await held(house))[1] == []


@pytest.mark.parametrize("told_before", [True, False])
async def test_an_erased_childs_withdrawal_goes_on_under_the_name_that_its_tool_knew(
    house: House, *, told_before: bool
) -> None:
    tool, child, _ = await begun(house)
    await house.allow(child, tool)
    if told_before:
        await house.put()
    erased = house.network.add(ChildErased(erasure=uuid4(), rows={}, things=0), child, act(TEACHER), child)
    await house.apply("network", erased)
    async with house.db.school(house.school) as conn:
        for table in ("marker", "put_out", "heard", "pseudonym"):
            rows = await conn.fetch(f"SELECT t::text FROM {table} t")
            assert not [row[0] for row in rows if str(child) in row[0]], table
    await house.wipe(tool)
    await house.make_stream(tool)
    await house.lease()
    await house.put()
    await house.putter.look_after()
    await house.put()
    got = await house.fetch(tool)
    told = [one for one in got.messages if one["type"].endswith("withdrawal.told.v1")]
    assert {one["subject"] for one in told} == {tool.theirs(child)}
    assert (await held(house))[1] == []
