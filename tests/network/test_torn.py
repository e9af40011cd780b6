"""What changes while a reader reads is never undone by the commit that follows: no fact is older than its revision."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from services.network.draft import Draft
from services.network.model import Child, School
from shared.errors import Problem, ProblemType
from shared.events.base import Act
from shared.events.words import Action, ActorKind, Basis, Category, Purpose
from shared.unit import Snapshot
from shared.unit_run import Unit
from tests.network.conftest import Network, link, pupil
from tests.network.erasing import ask, confirm, hire, second
from tests.network.family import Family, settle

NEW = {"given_name": "Piet", "family_name": "Praat"}
HOLD = """
CREATE SEQUENCE calls;
CREATE TABLE held AS SELECT true AS held;
GRANT USAGE ON SEQUENCE calls TO PUBLIC;
GRANT SELECT ON held TO PUBLIC;
ALTER FUNCTION {held}(text, uuid[]) RENAME TO {held}_now;
CREATE FUNCTION {held}(p_school text, p_children uuid[]) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    IF nextval('calls') = {call} THEN
        WHILE EXISTS (SELECT FROM held) LOOP PERFORM pg_sleep(0.005); END LOOP;
    END IF;
    RETURN {held}_now(p_school, p_children);
END $$;
GRANT EXECUTE ON FUNCTION {held}(text, uuid[]) TO PUBLIC;
"""
IS_HELD = "SELECT is_called AND last_value >= $1 FROM calls"


@pytest.fixture
async def family(network: Network) -> Family:
    return await settle(network)


@asynccontextmanager
async def holding(network: Network, held: str, call: int) -> AsyncIterator[Callable[[], Awaitable[None]]]:
    """Holds that call of a function that reads facts, before it reads; yields what waits until it is held."""
    owner = await asyncpg.connect(network.owner)

    async def is_held() -> None:
        async with asyncio.timeout(20):
            while not await owner.fetchval(IS_HELD, call):  # noqa: ASYNC110  it is held in the database
                await asyncio.sleep(0.005)

    try:
        await owner.execute(HOLD.format(held=held, call=call))
        yield is_held
    finally:
        await owner.execute("DELETE FROM held")
        await owner.close()


async def meets(
    network: Network, slow: Awaitable[Any], quick: Callable[[Network], Awaitable[Any]], held: str, call: int = 1
) -> Any:  # noqa: ANN401  JSON
    """Returns what `slow` is answered, in the midst of whose reading another replica does `quick`."""
    other = Network(Unit("network", network.db, network.ids, authority=True), network.db, network.school, network.ids)
    other.admin, other.auditor = network.admin, network.auditor
    async with holding(network, held, call) as is_held:
        task = asyncio.ensure_future(slow)
        await is_held()
        await quick(other)
    return await task


def joins(network: Network, family: Family) -> Awaitable[Any]:
    return network.manage("add-member", subject=family.kim, role="psychologist", new_person=NEW)


async def test_emergency_access_that_ends_meanwhile_is_not_given_again(network: Network, family: Family) -> None:
    leader = await hire(network, "school_leader")
    glass = await network.ask("break-glass", family.juf, child=family.kim, reason="missing")
    judged = {"child": family.kim, "emergency": glass["emergency"], "version": 1, "outcome": "not_justified"}
    ends = lambda other: other.ask("review-emergency", leader, **judged, reason="nobody was missing")  # noqa: E731
    await meets(network, joins(network, family), ends, "child_circle_facts")
    now = datetime.now(UTC)
    grants = [one for one in await network.grants(family.kim) if one.emergency]
    assert [one for one in grants if one.valid_until is None or one.valid_until > now] == []


async def test_a_dispute_that_is_noted_meanwhile_stops_sharing(network: Network, family: Family) -> None:
    await network.manage("set-policy", decision="sharing", rule="one_unless_objection")
    await network.attend()
    await network.ask("give-consent", family.mum, **family.consent())
    assert await family.sees(family.logo)
    between = {"child": family.kim, "decision": "sharing", "between": [family.mum, family.dad]}
    disputes = lambda other: other.ask("note-dispute", family.ib, **between)  # noqa: E731
    await meets(network, joins(network, family), disputes, "child_circle_facts")
    assert not await family.sees(family.logo)


async def test_a_child_that_is_erased_meanwhile_is_nobodys(network: Network, family: Family) -> None:
    who, request = await second(network), await ask(network, family.kim)
    confirms = lambda other: confirm(other, who, request)  # noqa: E731
    await meets(network, hire(network, "school_administrator"), confirms, "child_whole_facts")
    assert await network.grants(family.kim) == ()


async def test_who_reached_every_child_and_left_meanwhile_reaches_none(network: Network, family: Family) -> None:
    boss = await second(network)
    await network.attend()
    assert await family.sees(boss, Category.NETWORK)
    (named,) = await school_roles(network, boss)
    ends = lambda other: other.manage("end-membership", **named)  # noqa: E731
    await meets(network, joins(network, family), ends, "child_facts")
    assert not await family.sees(boss, Category.NETWORK)


async def test_no_emergency_access_rests_on_what_ended_meanwhile(network: Network, family: Family) -> None:
    await network.operate(
        "import-roster",
        persons=[pupil("noor")],
        networks=[{"at": "users.csv:2", "child": "noor", "links": [link("juf", "teacher")]}],
    )
    await network.manage("end-membership", **(await family.membership(family.juf)))
    noor = await network.find("noor")
    shown = await network.manage("child-network", child=noor, purpose="administration")
    one = next(one for one in shown["members"] if one["person"] == str(family.juf))
    named = {"subject": noor, "membership": one["membership"], "version": one["version"]}
    ends = lambda other: other.manage("end-membership", **named)  # noqa: E731
    glass = network.ask("break-glass", family.juf, child=family.kim, reason="missing")
    for who in await school_roles(network, family.juf):
        await network.manage("end-membership", **who)
    with pytest.raises(Problem) as caught:
        await meets(network, glass, ends, "child_facts", 2)
    assert caught.value.type is ProblemType.FORBIDDEN


async def school_roles(network: Network, person: UUID) -> list[dict[str, Any]]:
    """The bodies that name a person's memberships of the school."""
    shown = await network.manage("school", purpose="administration")
    mine = [one for one in shown["members"] if one["person"] == str(person)]
    return [{"subject": network.subject, "membership": one["membership"], "version": one["version"]} for one in mine]


def test_a_child_that_is_newer_than_the_school_has_it_decided_anew() -> None:
    now = datetime(2027, 1, 1, tzinfo=UTC)
    act = Act(
        actor=uuid4(),
        kind=ActorKind.PERSON,
        door="test",
        purpose=Purpose.ADMINISTRATION,
        action=Action.MANAGE,
        category=Category.NETWORK,
        basis=Basis.PUBLIC_TASK,
    )
    for wide, expected in ((3, []), (4, []), (5, [7])):
        draft = Draft(Snapshot({}, {}, now, now), act)
        draft.publish_child(Child(uuid4(), 1, None, wide, 1), School(uuid4(), 7, 4, 1))
        assert [row.seen for row in draft.change().rows if row.table == "school_profile"] == expected
