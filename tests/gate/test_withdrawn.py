"""Withdrawn from a tool that was removed, that was given it again at once, or that had it long ago or by asking."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from uuid import uuid4

import pytest

from services.gate.fence import take_lapsed
from shared.events.base import Event
from shared.events.erasure import ChildErased
from tests.gate.house import TEACHER, House
from tests.gate.test_fence import GOALS, begun, held
from tests.notifications.support import act


async def test_a_removed_tools_withdrawal_holds_only_when_its_stream_is_gone(house: House) -> None:
    """Until its slot is killed it can fetch yet, whatever the gate has written down of it."""
    tool, child, _ = await begun(house)
    await house.allow(child, tool)
    async with house.db.school(house.school) as conn:
        await conn.execute("UPDATE tool SET state = 'removed', secret = $2 WHERE id = $1", tool.id, uuid4().hex * 2)
    another = house.make_putter()
    await house.put(another)
    assert (await held(house))[1] == [tool.id]
    assert len((await house.fetch(tool)).numbers) == 3, "it could"
    await house.wipe(tool)
    await asyncio.sleep(0.15)
    await house.put(another)
    assert (await held(house))[1] == []


async def test_what_is_taken_and_given_again_at_once_was_withdrawn(house: House) -> None:
    tool, child, other = await begun(house)
    came: list[Event] = []

    async def kept(producer: str, *events: Event) -> None:
        del producer
        came.extend(events)

    with pytest.MonkeyPatch.context() as meanwhile:  # both come in one batch
        meanwhile.setattr(house, "apply", kept)
        await house.allow(child, tool)
        await house.allow(child, tool, GOALS)
    await house.apply("network", *came)
    assert await held(house) == (2, [tool.id])
    await house.put()
    got = await house.fetch(tool)
    assert got.kinds() == ["goal.accepted", "withdrawal.told"]
    assert got.messages[0]["subject"] == tool.theirs(other)
    await house.happens(child)
    await house.put()
    assert (await house.fetch(tool)).numbers == [5]


async def test_what_a_tool_had_long_ago_is_still_withdrawn(house: House) -> None:
    """Put-outs are forgotten after a while; that the tool has them is not."""
    tool, child, other = await begun(house)
    await house.fetch(tool)
    await house.noted(tool, 3)
    async with house.db.school(house.school) as conn:
        await conn.execute("SELECT forget_put_outs($1, interval '0', 1000)", house.school)
        assert await conn.fetchval("SELECT count(*) FROM put_out") == 0
        assert {row["about"] for row in await conn.fetch("SELECT about FROM holding")} == {child, other}
    await house.allow(child, tool)
    await house.put()
    got = await house.fetch(tool)
    assert (got.kinds(), got.messages[0]["subject"]) == (["withdrawal.told"], tool.theirs(child))
    await house.allow(child, tool, GOALS)
    await house.allow(child, tool)
    await house.put()
    assert (await house.fetch(tool)).messages == [], "it had nothing of the child any more"
    erased = house.network.add(ChildErased(erasure=uuid4(), rows={}, things=0), other, act(TEACHER), other)
    await house.apply("network", erased)
    async with house.db.school(house.school) as conn:
        assert await conn.fetchval("SELECT count(*) FROM holding") == 0


async def test_what_was_told_while_a_withdrawal_was_applied_is_found_by_the_round(house: House) -> None:
    tool, child, kept = await house.tool(), uuid4(), uuid4()
    for one in (child, kept):
        await house.allow(one, tool, GOALS)
    await house.allow(child, tool)
    async with house.db.school(house.school) as conn:
        for one in (child, kept):
            abouts = [one]
            await conn.execute("SELECT keep_told($1, $2, $3, '{}', '{}', 'goals')", house.school, tool.id, abouts)
    assert await take_lapsed(house.db, house.school, datetime.now(UTC), house.putter.ids) == 1
    assert await take_lapsed(house.db, house.school, datetime.now(UTC), house.putter.ids) == 0
    await house.put()
    got = await house.fetch(tool)
    assert (got.kinds(), got.messages[0]["subject"]) == (["withdrawal.told"], tool.theirs(child))
