"""Out: what goes to which tool, under which number, on which line; and again when it was lost."""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from services.gate.claiming import NOTHING, ClaimPutOuts, decide_put_outs
from services.gate.heard import Heard
from services.gate.model import NOWHERE
from shared.actor import Actor
from shared.clock import Ids
from shared.errors import Problem
from shared.events.gate import PutOut
from shared.events.plans import PlanDrafted
from shared.events.words import ActorKind, Category
from shared.unit import Asked, Change, Endpoint, Row, Snapshot
from shared.unit_run import Unit
from tests.gate.house import Got, House, Tool

GOALS, PLAN = Category.GOALS, Category.PLAN
SECONDS = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


async def test_what_a_tool_may_receive_goes_out_in_order_each_with_its_line(house: House) -> None:
    tool, other, child, another = await house.tool(), await house.tool(), uuid4(), uuid4()
    await house.allow(child, tool, GOALS)
    events = [await house.happens(child) for _ in range(3)]
    await house.happens(another)
    await house.put()
    got = await house.fetch(tool)
    assert got.numbers == [1, 2, 3]
    assert [one["id"] for one in got.messages] == [tool.theirs(event.id) for event in events]
    assert {one["subject"] for one in got.messages} == {tool.theirs(child)}
    lines = await house.told("put-out.made")
    assert [line.fact(PutOut).source for line in lines] == [event.id for event in events]
    assert {(line.act.actor, line.act.category, line.act.grant is not None) for line in lines} == {
        (tool.id, GOALS, True)
    }
    assert (await house.fetch(other)).messages == []


async def test_a_tool_learns_no_id_of_ours_and_no_actor(house: House) -> None:
    tool, child = await house.tool(), uuid4()
    await house.allow(child, tool, GOALS)
    event = await house.happens(child)
    await house.put()
    (message,) = (await house.fetch(tool)).messages
    text = str(message)
    for ours in (child, event.id, event.thing, event.act.actor):
        assert str(ours) not in text
    assert message["role"] == "teacher"
    assert (message["category"], message["epoch"], message["sequence"]) == ("goals", 1, 1)


async def test_numbers_that_only_the_stream_remembers_stay_given_and_the_tool_knows_what_comes_twice_by_its_id(
    house: House,
) -> None:
    """The database was put back to before anything but the stream saw its last lines: nobody can give it its tail.

    No number is used twice. An event that had one comes once more, under the next, with the same `id`; the epoch is the
    same, for to the journal nothing was lost. So a tool that leaves out an `id` it has seen gets each event once.
    """
    tool, child = await house.tool(), uuid4()
    await house.allow(child, tool, GOALS)
    events = [await house.happens(child) for _ in range(3)]
    await house.put()
    got = await house.fetch(tool)
    async with house.db.school(house.school) as conn:
        await conn.execute("UPDATE put_out SET seq = NULL, epoch = NULL WHERE seq > 1")
        await conn.execute("UPDATE outlet SET seq = 1, out_seq = 1, acked = 1, stream_last = stream_last - 2")
    house.putter.places.clear()
    events.append(await house.happens(child))
    await house.put()
    got = await house.fetch(tool, got)
    ids = [tool.theirs(event.id) for event in events]
    assert [one["id"] for one in got.messages] == [*ids[:3], *ids[1:]]
    assert [(one["epoch"], one["sequence"]) for one in got.messages] == [(1, number) for number in range(1, 7)]
    assert len(await house.told("put-out.made")) == 6, "each time that it left has its line"


async def test_two_tools_can_line_up_what_they_are_told_neither_by_hashes_nor_by_moments(house: House) -> None:
    one, other, child = await house.tool(PLAN), await house.tool(PLAN), uuid4()
    await house.allow(child, one, PLAN)
    await house.allow(child, other, PLAN)
    hash_ = "ab" * 32
    for _ in range(2):
        await house.happens(child, PlanDrafted(plan=uuid4(), number=1, hash=hash_, goals=(), actions=()))
    await house.put()
    told = [(await house.fetch(tool)).messages for tool in (one, other)]
    hashes = [{message["data"]["hash"] for message in messages} for messages in told]
    assert [len(each) for each in hashes] == [1, 1], "equal for equal"
    assert len({hash_, *hashes[0], *hashes[1]}) == 3
    assert all(SECONDS.fullmatch(message["time"]) for messages in told for message in messages)


async def test_the_same_event_again_goes_out_once(house: House) -> None:
    tool, child = await house.tool(), uuid4()
    await house.allow(child, tool, GOALS)
    await house.happens(child)
    await house.put()
    await house.put(house.make_putter())
    await house.put()
    assert (await house.fetch(tool)).numbers == [1]


@pytest.mark.parametrize("restarted", [False, True])
async def test_a_wiped_stream_gets_again_what_was_not_acknowledged(house: House, *, restarted: bool) -> None:
    tool, child, got = await house.tool(), uuid4(), Got()
    await house.allow(child, tool, GOALS)
    for _ in range(4):
        await house.happens(child)
    await house.put()
    await house.fetch(tool, got, most=2)
    await house.noted(tool, 2)
    await house.wipe(tool)
    await house.make_stream(tool)
    if restarted:
        house.putter = house.make_putter()
        await house.happens(child)
        await house.put()
    else:
        await house.lease()
        await house.putter.look_after()
        await house.put()
    await house.fetch(tool, got)
    assert got.numbers == [1, 2, 3, 4, *([5] if restarted else [])]
    assert got.repeated == []


async def test_what_a_tool_may_not_receive_any_more_leaves_the_queue_and_the_others_go_on(house: House) -> None:
    """A grant that is about to end permits nothing, and no change of access tells of its end."""
    tool, child, other = await house.tool(), uuid4(), uuid4()
    await house.allow(child, tool, GOALS, until=datetime.now(UTC) + timedelta(seconds=1))
    await house.allow(other, tool, GOALS)
    await house.happens(child)
    event = await house.happens(other)
    await house.put()
    assert [one["id"] for one in (await house.fetch(tool)).messages] == [tool.theirs(event.id)]
    async with house.db.school(house.school) as conn:
        assert await conn.fetchval("SELECT count(*) FROM put_out WHERE seq IS NULL") == 0
    assert await house.told("access.denied") == []


async def test_what_was_queued_before_a_withdrawal_never_leaves_also_when_it_is_given_again(house: House) -> None:
    tool, child = await house.tool(), uuid4()
    await house.allow(child, tool, GOALS)
    await house.happens(child)
    await house.allow(child, tool)
    await house.allow(child, tool, GOALS)
    event = await house.happens(child)
    await house.put()
    assert [one["id"] for one in (await house.fetch(tool)).messages] == [tool.theirs(event.id)]


async def test_putters_that_claim_at_once_give_each_event_one_number_and_let_it_out_once(house: House) -> None:
    tool, child = await house.tool(), uuid4()
    await house.allow(child, tool, GOALS)
    putters = [house.make_putter(unit=Unit("gate", house.db, Ids())) for _ in range(4)]
    for _ in range(5):
        await house.happens(child)
        await asyncio.gather(*(house.put(putter) for putter in putters))
        await asyncio.sleep(0.15)
        await house.put(putters[0])
    lines = [line.fact(PutOut) for line in await house.told("put-out.made")]
    assert len({(line.sequence, line.source) for line in lines}) == len({line.sequence for line in lines}) == 5
    assert (await house.fetch(tool)).numbers == [1, 2, 3, 4, 5]


async def test_a_dead_tool_holds_up_nobody_and_sees_by_its_numbers_what_its_stream_dropped(house: House) -> None:
    dead, alive, child = await house.tool(), await house.tool(), uuid4()
    await house.api(f"STREAM.UPDATE.OUT-{dead.account}", **{**await house.config(dead), "max_bytes": 4_000})
    for tool in (dead, alive):
        await house.allow(child, tool, GOALS)
    for _ in range(40):
        await house.happens(child)
    await house.put()
    assert (await house.fetch(alive)).numbers == list(range(1, 41))
    got = await house.fetch(dead)
    assert got.numbers == list(range(41 - len(got.numbers), 41))
    assert 0 < len(got.numbers) < 20
    assert house.alarms == []


async def test_what_was_claimed_too_long_ago_does_not_leave_and_is_claimed_again_with_a_new_line(house: House) -> None:
    tool, child = await house.tool(), uuid4()
    await house.allow(child, tool, GOALS)
    await house.happens(child)
    slept = house.make_putter()
    slept.release_within_s = -1  # as if it had been paused behind its commit
    await house.put(slept)
    assert (await house.fetch(tool)).messages == []
    assert len(await house.told("put-out.made")) == 1
    await house.put()
    assert (await house.fetch(tool)).numbers == [1]
    assert len(await house.told("put-out.made")) == 2, "each time that it may leave has its line"


async def test_what_is_more_than_a_batch_goes_out_at_one_look(house: House) -> None:
    tool, child = await house.tool(), uuid4()
    await house.allow(child, tool, GOALS)
    house.putter.batch = 3
    for _ in range(7):
        await house.happens(child)
    await house.put()
    assert (await house.fetch(tool)).numbers == list(range(1, 8))


async def test_a_putter_that_begins_reads_what_waits_and_of_many_who_want_an_event_one_reads_it(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    tool, child, read = await house.tool(), uuid4(), list[str]()
    await house.allow(child, tool, GOALS)
    events = [await house.happens(child) for _ in range(2)]
    sources = [str(one.id) for one in events]
    await house.put(house.make_putter())
    assert [one["id"] for one in (await house.fetch(tool)).messages] == [tool.theirs(one.id) for one in events]
    kept = Heard.keep

    def keep(heard: Heard, school: str, source: str, raw: bytes | str) -> None:
        read.append(source)
        kept(heard, school, source, raw)

    monkeypatch.setattr(Heard, "keep", keep)
    heard = Heard()
    await asyncio.gather(*(heard.read(house.db, house.school, sources) for _ in range(3)))
    assert sorted(read) == sorted(sources)


async def test_a_tool_whose_registration_ended_is_put_out_nothing_more(house: House) -> None:
    tool, child = await house.tool(), uuid4()
    await house.allow(child, tool, GOALS)
    await house.happens(child)
    await house.put()
    await _change(house, tool, "ends_at = clock_timestamp() - interval '1 s'")
    await house.happens(child)
    await house.put()
    assert ((await house.fetch(tool)).numbers, len(await house.told("put-out.made"))) == ([1], 1)


async def test_what_was_decided_for_a_tool_as_it_was_before_is_not_written(house: House) -> None:
    """Somebody pauses it while its next events are being claimed."""
    tool, child, rows = await house.tool(), uuid4(), list[Row]()
    await house.allow(child, tool, GOALS)
    await house.happens(child)
    await house.lease()

    def decide(asked: Asked[ClaimPutOuts], seen: Snapshot) -> Change:
        rows.extend(decide_put_outs(asked, seen, heard=house.heard).rows)
        raise NOTHING

    actor, body = Actor(tool.id, ActorKind.TOOL, house.school, "gate"), ClaimPutOuts(tool=tool.id, at=NOWHERE, limit=9)
    claim = Endpoint("claim-put-outs", ClaimPutOuts, "read_put_outs", decide)
    with pytest.raises(Problem):
        await house.unit.run(claim, Asked(actor, house.school, body, Ids()))
    written = [{"id": str(row.id), "seen": row.seen, "values": row.values} for row in rows]
    for how, stale in (("label = 'control'", []), ("state = 'paused', version = version + 1", [tool.id])):
        await _change(house, tool, how)
        async with house.db.school(house.school) as conn:
            found = await conn.fetch("SELECT * FROM stale_outlet($1, $2)", house.school, written)
        assert [row[0] for row in found] == stale


async def _change(house: House, tool: Tool, how: str) -> None:
    async with house.db.school(house.school) as conn:
        await conn.execute(f"UPDATE tool SET {how} WHERE id = $1", tool.id)
