"""What a tool asks about itself: its own numbers, and to have some again; nobody else's."""

from __future__ import annotations

import pytest

from services.gate.contract import ANSWERS
from services.gate.owning import HEAD, replay
from shared.errors import Problem, ProblemType
from shared.events.gate import ReplayStarted
from tests.gate.door.support import Office

MOST = 10
OUTLET = "INSERT INTO outlet SELECT $1, $2, 1, 1, $3, $4, 0, '', 0, 0, false"


@pytest.fixture
async def owner(office: Office) -> Office:
    office.by_name |= {"head": HEAD, "replay": replay(MOST)}
    await office.register()
    return office


async def place(office: Office, seq: int, out_seq: int) -> None:
    async with office.db.school(office.school) as conn:
        await conn.execute("DELETE FROM outlet")
        await conn.execute(OUTLET, office.school, office.tool, seq, out_seq)


async def test_a_tool_sees_its_own_head_and_leaves_no_line(owner: Office) -> None:
    asked = {"purpose": "local_tool"}
    assert (await owner.ask("head", owner.as_tool(), **asked))["sequence"] == 0
    await place(owner, 7, 7)
    assert await owner.ask("head", owner.as_tool(), **asked) == {"epoch": 1, "sequence": 7, "acknowledged": 0}
    assert (await owner.ask("head", owner.as_tool(), **asked)).keys() == ANSWERS["head"].keys()
    assert await owner.names() == ["tool.registered"]


async def test_a_tool_has_its_own_numbers_let_out_again_once_at_a_time(owner: Office) -> None:
    await place(owner, 7, 7)
    made = await owner.ask("replay", owner.as_tool(), from_sequence=3)
    assert (made["from_sequence"], made["to_sequence"]) == (3, 7)
    assert made.keys() == ANSWERS["replay"].keys()
    (row,) = await owner.rows("SELECT out_seq, aside FROM outlet")
    assert (row["out_seq"], row["aside"]) == (2, True)
    fact = (await owner.told())[-1].fact(ReplayStarted)
    assert (fact.tool, fact.from_sequence) == (owner.tool, 3)
    with pytest.raises(Problem, match="still on its way"):
        await owner.ask("replay", owner.as_tool(), from_sequence=1)
    await place(owner, 7, 7)
    with pytest.raises(Problem, match="nothing from that number on"):
        await owner.ask("replay", owner.as_tool(), from_sequence=8)


async def test_a_tool_has_so_many_numbers_a_day_let_out_again_by_itself_and_the_school_any(owner: Office) -> None:
    await place(owner, 100, 100)
    with pytest.raises(Problem, match=r"10 more numbers .* ask from 91 on") as refused:
        await owner.ask("replay", owner.as_tool(), from_sequence=90)
    assert (refused.value.type, refused.value.more["left"]) == (ProblemType.RATE_LIMITED, MOST)
    for first in (94, 98):
        await owner.ask("replay", owner.as_tool(), from_sequence=first)
        await place(owner, 100, 100)
    with pytest.raises(Problem, match="no more numbers") as refused:
        await owner.ask("replay", owner.as_tool(), from_sequence=100)
    assert (await owner.names())[1:] == ["replay.started"] * 2
    await owner.ask("replay-tool", owner.keeper, from_sequence=1)
    await place(owner, 100, 100)
    async with owner.db.school(owner.school) as conn:
        await conn.execute("UPDATE own_replay SET since = since - interval '1 day'")
    await owner.ask("replay", owner.as_tool(), from_sequence=91)
    (row,) = await owner.rows("SELECT numbers, version FROM own_replay")
    assert (row["numbers"], row["version"]) == (MOST, 3)


async def test_nobody_else_asks_for_it_in_a_tools_name(owner: Office) -> None:
    await place(owner, 7, 7)
    for actor in (owner.as_tool(owner.other_tool), owner.keeper, owner.gate):
        for name, more in (("head", {"purpose": "local_tool"}), ("replay", {"from_sequence": 1})):
            with pytest.raises(Problem) as refused:
                await owner.ask(name, actor, **more)
            assert refused.value.type is ProblemType.FORBIDDEN
    assert (await owner.names())[1:] == ["access.denied"] * 6
