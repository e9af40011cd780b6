"""All grants are made anew when the rules change or a lost tail was taken back: nobody keeps what no fact gives."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from services.network.policy import POLICY_VERSION
from services.network.restored import take_back
from shared.errors import ProblemType
from shared.events.base import Event
from shared.events.emergencies import EmergencyReviewOverdue
from shared.events.network import ConsentRenewalDue
from shared.events.words import Category
from tests.network.conftest import Network
from tests.network.erasing import hire, put_back, rows_of, second
from tests.network.family import Family, refused, settle
from tests.network.test_torn import school_roles

NEW = {"given_name": "Piet", "family_name": "Praat"}


@pytest.fixture
async def family(network: Network) -> Family:
    return await settle(network)


async def restored(network: Network, kept: dict[str, list[str]], tail: list[Event]) -> None:
    """Puts an older copy back, takes the tail back and does what the background task does then."""
    await put_back(network, kept)
    async with network.db.school(network.school) as conn:
        await take_back(conn, tail)
    await network.attend()


async def rules(network: Network, version: int) -> None:
    async with network.db.school(network.school) as conn:
        await conn.execute("UPDATE school_profile SET rules = $1", version)


async def published(network: Network) -> list[UUID]:
    """The subjects whose grants were published, in order."""
    return [event.about for event in await network.events() if event.type.endswith(".access.changed.v1")]


async def test_who_reached_every_child_and_left_in_the_tail_reaches_none(network: Network, family: Family) -> None:
    boss = await second(network)
    await network.attend()
    kept, since = await rows_of(network), len(await network.events())
    (named,) = await school_roles(network, boss)
    await network.manage("end-membership", **named)
    # As of a child that had to wait for its turn when the copy was lost.
    tail = [one for one in (await network.events())[since:] if one.about != family.kim]
    await restored(network, kept, tail)
    assert not await family.sees(boss, Category.NETWORK)
    body = {"child": family.kim, "purpose": "administration"}
    assert (await refused(network, "child-network", boss, **body)).type is ProblemType.FORBIDDEN


async def test_who_came_in_the_tail_and_is_lost_keeps_nothing(network: Network, family: Family) -> None:
    kept, since = await rows_of(network), len(await network.events())
    await network.manage("add-member", subject=family.kim, role="psychologist", new_person=NEW)
    boss = await hire(network, "school_administrator")
    await restored(network, kept, (await network.events())[since:])
    body = {"child": family.kim, "purpose": "administration"}
    assert (await refused(network, "child-network", boss, **body)).type is ProblemType.FORBIDDEN
    shown = await network.manage("school", purpose="administration")
    known = {UUID(one["person"]) for one in shown["members"]} | {family.mum, family.dad, family.logo, family.kim}
    known |= {family.juf, family.ib}
    for subject in (family.kim, network.subject):
        async with network.db.school(network.school) as conn:
            given = await conn.fetchval("SELECT grants FROM access WHERE id = $1", subject)
        assert {UUID(member) for member, grants in given.items() if grants} <= known


async def test_what_the_tail_has_fall_due_is_told(network: Network, family: Family) -> None:
    await hire(network, "school_leader")
    kept, since = await rows_of(network), len(await network.events())
    await network.ask("break-glass", family.juf, child=family.kim, reason="missing")
    await family.both_consent()
    await restored(network, kept, (await network.events())[since:])
    await network.shift(datetime.now(UTC) + timedelta(days=5))
    await network.attend()
    assert len(await network.facts(EmergencyReviewOverdue)) == 1
    await network.shift(datetime.now(UTC) + timedelta(days=350))
    await network.attend()
    assert len(await network.facts(ConsentRenewalDue)) == 1


async def test_new_rules_are_published_once_for_the_school_and_every_child(network: Network, family: Family) -> None:
    await network.attend()
    await rules(network, POLICY_VERSION - 1)
    since = len(await published(network))
    assert await network.attend() > 0
    assert sorted((await published(network))[since:]) == sorted([network.subject, family.kim])
    assert await network.attend() == 0


async def test_by_older_rules_than_the_school_has_a_child_waits_for_the_new_ones(
    network: Network, family: Family
) -> None:
    await network.attend()
    await rules(network, POLICY_VERSION + 1)
    await network.manage("add-member", subject=family.kim, role="psychologist", new_person=NEW)
    assert await network.attend() == 0
    async with network.db.school(network.school) as conn:
        assert await conn.fetchval("SELECT list_waiting($1, 9)", network.school) == [family.kim]
