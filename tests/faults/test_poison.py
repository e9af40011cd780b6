"""An event that cannot be applied holds up nobody but those it concerns, is seen, and goes on when it is mended."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from deploy.samen.status import _letters
from tests.faults import checker
from tests.faults.books import Books, at_rest
from tests.faults.cast import Kid, School, goal_for, open_school
from tests.faults.door import Door
from tests.faults.stage import Stage, until

pytestmark = pytest.mark.timeout(240)


async def propose(door: Door, school: School, kid: Kid) -> str:
    made = await door.must(school.slug, "goals.propose-goal", door.person(kid.teacher, school.slug), **goal_for(kid))
    return str(made["goal"])


async def letters(door: Door, service: str) -> list[dict[str, Any]]:
    answer = await door.operate(service, "dead-letters")
    return list(answer.ok["found"]) if answer.done else []


async def things(stage: Stage, kid: Kid) -> set[str]:
    """The goals that a child's dad has been told were proposed."""
    async with stage.admin("notifications") as conn:
        rows = await conn.fetch("SELECT thing::text FROM notice WHERE member = $1 AND kind = 'goal_proposed'", kid.dad)
    return {row[0] for row in rows}


async def mailed(stage: Stage) -> bool:
    async with stage.admin("notifications") as conn:
        return not await conn.fetchval("SELECT count(*) FROM delivery WHERE state IN ('queued', 'deferred', 'claimed')")


def wrong(books: Books) -> list[str]:
    return [*checker.journals(books), *checker.audited(books), *books.letters]


async def test_a_parked_event_holds_its_child_in_order_and_nobody_else(stage: Stage, door: Door) -> None:
    """The child's grants in notifications are made unreadable; what is told of the child then cannot be applied."""
    school = await open_school(door, "parked", 2)
    sick, sound = school.kids
    await propose(door, school, sick)
    assert wrong(await at_rest(stage)) == []
    # Whoever uses these grants has network tell them again, and sending a mail does: it is done first.
    await until(partial(mailed, stage), 20, "every mail")
    async with stage.admin("notifications") as conn:
        kept = await conn.fetchval("SELECT grants FROM access WHERE id = $1", sick.child)
        await conn.execute("UPDATE access SET grants = $2 WHERE id = $1", sick.child, {sick.dad: [{"id": "none"}]})
    first, second = await propose(door, school, sick), await propose(door, school, sick)
    other = await propose(door, school, sound)

    async def told() -> bool:
        return other in await things(stage, sound)

    await until(told, 30, "the other child's notice")
    assert not {first, second} & await things(stage, sick)
    found = [(one["state"], one["producer"], one["about"]) for one in await letters(door, "notifications")]
    assert found == [("parked", "goals", sick.child), ("waiting", "goals", sick.child)]
    counted = (await door.operate("notifications", "status")).ok["dead_letters"]
    assert [(one["state"], one["count"]) for one in counted] == [("parked", 1), ("waiting", 1)]
    assert _letters({"dead_letters": {"notifications": counted}}).row_count == 2

    retry: dict[str, Any] = {"school": school.slug, "producer": "goals", "about": sick.child}
    assert (await door.operate("notifications", "retry", **retry)).ok == {"applied": 0}  # nothing was mended yet
    assert (await letters(door, "notifications"))[0]["tries"] == 2
    async with stage.admin("notifications") as conn:
        await conn.execute("UPDATE access SET grants = $2 WHERE id = $1", sick.child, kept)
    assert (await door.operate("notifications", "retry", **retry)).ok == {"applied": 2}
    assert {first, second} <= await things(stage, sick)
    third = await propose(door, school, sick)
    books = await at_rest(stage)
    assert wrong(books) == []
    assert third in await things(stage, sick)
    assert list(checker.told(books, {sick.child, sound.child})) == []


BLOCK = """
CREATE FUNCTION poison() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.school = 'blocked' AND NEW.producer = 'goals' THEN
        RAISE EXCEPTION 'poisoned' USING ERRCODE = 'data_exception';
    END IF;
    RETURN NEW;
END $$;
GRANT EXECUTE ON FUNCTION poison() TO PUBLIC;
CREATE TRIGGER poison BEFORE INSERT ON line FOR EACH ROW EXECUTE FUNCTION poison();
"""


async def test_a_blocking_event_stops_its_own_lane_of_its_own_school_only(stage: Stage, door: Door) -> None:
    """audit may have no holes: its lane for goals of one school stands still, shows why, and loses nothing."""
    school, other = await open_school(door, "blocked", 1), await open_school(door, "free", 1)
    async with stage.admin("audit") as conn:
        await conn.execute(BLOCK)
    held = [await propose(door, school, school.kids[0]) for _ in range(2)]
    free = await propose(door, other, other.kids[0])
    admin = door.person(school.admin, school.slug)
    organisation = (await door.must(school.slug, "network.add-organisation", admin, name="Zorg"))["organisation"]

    async def lined() -> set[str]:
        async with stage.admin("audit") as conn:
            return {row[0] for row in await conn.fetch("SELECT thing FROM line WHERE thing IS NOT NULL")}

    async def others() -> bool:
        return {free, organisation} <= await lined()

    await until(others, 30, "the lines of the other lanes")
    await until(lambda: letters(door, "audit"), 20, "the dead letter")
    (letter,) = await letters(door, "audit")
    assert (letter["state"], letter["school"], letter["producer"]) == ("blocking", "blocked", "goals")
    assert not set(held) & await lined()
    lanes = (await door.operate("audit", "status")).ok["lanes"]
    stopped = [(lane["producer"], lane["school"]) for lane in lanes if lane["stopped"]]
    assert stopped == [("goals", "blocked")]

    async with stage.admin("audit") as conn:
        await conn.execute("DROP TRIGGER poison ON line")
    retry: dict[str, Any] = {"school": "blocked", "producer": "goals"}
    assert (await door.operate("audit", "retry", **retry)).done
    assert wrong(await at_rest(stage)) == []
    assert set(held) <= await lined()
