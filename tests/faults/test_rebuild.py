"""A service's copy of the grants, built anew from network's journal: the same as before, and closed meanwhile."""

from __future__ import annotations

from typing import Any

import pytest

from tests.faults.cast import goal_for, open_school
from tests.faults.door import Door
from tests.faults.stage import Stage, until

SLUG = "rebuilt"

pytestmark = pytest.mark.timeout(180)


async def grants(stage: Stage, service: str) -> dict[str, Any]:
    async with stage.admin(service) as conn:
        rows = await conn.fetch("SELECT id, version, grants FROM access WHERE school = $1", SLUG)
    return {str(row["id"]): (row["version"], row["grants"]) for row in rows}


async def as_network_says(stage: Stage) -> bool:
    return await grants(stage, "goals") == await grants(stage, "network")


async def test_a_rebuilt_copy_is_what_network_says_even_where_it_had_gone_wrong(stage: Stage, door: Door) -> None:
    school = await open_school(door, SLUG, 3)
    kid = school.kids[0]
    teacher = door.person(kid.teacher, SLUG)
    await door.must(SLUG, "goals.propose-goal", teacher, **goal_for(kid))
    await until(lambda: as_network_says(stage), 60, "goals has applied all of network's grants")
    assert {one.child for one in school.kids} <= (await grants(stage, "goals")).keys()
    async with stage.admin("goals") as conn:
        await conn.execute("UPDATE access SET grants = '{}' WHERE school = $1 AND id = $2", SLUG, kid.child)
        await conn.execute("DELETE FROM access WHERE school = $1 AND id = $2", SLUG, school.kids[1].child)
    refused = await door.command(SLUG, "goals.propose-goal", teacher, **goal_for(kid))
    assert refused.kind == "forbidden"
    assert not await as_network_says(stage)
    answer = await door.operate("goals", "replay")
    assert answer.done, answer
    await until(lambda: as_network_says(stage), 30, "goals' copy is network's again")  # nothing but the replay mends it
    await door.must(SLUG, "goals.propose-goal", teacher, **goal_for(kid))


async def test_a_rebuild_that_was_cut_short_is_done_by_the_next_process(stage: Stage, door: Door) -> None:
    school = await open_school(door, SLUG, 1)
    kid = school.kids[0]
    teacher = door.person(kid.teacher, SLUG)
    await door.must(SLUG, "goals.propose-goal", teacher, **goal_for(kid))
    await stage.kill("goals")
    async with stage.admin("goals") as conn:
        await conn.execute("UPDATE access_generation SET rebuilding = true, generation = 'cut short'")
        await conn.execute("DELETE FROM access WHERE school = $1", SLUG)
    stage.start("goals")

    async def rebuilt() -> bool:
        return (await door.command(SLUG, "goals.propose-goal", teacher, **goal_for(kid))).done

    await until(rebuilt, 30, "the rebuild was finished")


HOLD = """
CREATE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'held'; END $$;
CREATE TRIGGER hold BEFORE INSERT ON line FOR EACH ROW EXECUTE FUNCTION hold();
"""


async def test_a_rebuild_leaves_what_else_the_lane_owes(stage: Stage, door: Door) -> None:
    """Audit is behind when its grants are built anew: the lines of what it has not applied yet must still come."""
    await open_school(door, SLUG, 1)
    async with stage.admin("audit") as conn:
        await conn.execute(HOLD)
    kids = (await open_school(door, "later", 1)).kids
    assert kids
    answer = await door.operate("audit", "replay")
    assert answer.done, answer
    async with stage.admin("audit") as conn:
        await conn.execute("DROP TRIGGER hold ON line")

    async def logged() -> bool:
        async with stage.admin("network") as network, stage.admin("audit") as audit:
            told = await network.fetchval("SELECT count(*) FROM journal WHERE school = 'later'")
            lines = await audit.fetchval("SELECT count(*) FROM line WHERE school = 'later' AND producer = 'network'")
        return bool(told and told == lines)

    await until(logged, 60, "every event of network has its line")
