"""A stricter policy that was set for a later day tells a withdrawal when that day has come, once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from services.network.spans import day_start
from tests.network.conftest import Network
from tests.network.family import Family, settle

ONE = {"decision": "sharing", "rule": "one_unless_objection"}
ALL = {"decision": "sharing", "rule": "all_holders"}


async def withdrawals(network: Network, policy: str) -> list[str | None]:
    async with network.db.school(network.school) as conn:
        rows = await conn.fetch("SELECT how, subject FROM withdrawal WHERE thing = $1", policy)
    assert {row["subject"] for row in rows} <= {network.subject}
    return [row["how"] for row in rows]


async def shared_on_one_yes(network: Network) -> Family:
    family = await settle(network)
    await network.manage("set-policy", **ONE)
    await network.attend()
    await network.ask("give-consent", family.mum, **family.consent())
    assert await family.sees(family.logo)
    return family


async def test_it_is_told_when_it_starts_and_every_child_is_published_anew(network: Network) -> None:
    family = await shared_on_one_yes(network)
    day = (datetime.now(UTC) + timedelta(days=30)).date()
    planned = await network.manage("set-policy", **ALL, starts_on=day)
    assert "withdrawal" not in planned
    await network.attend()
    assert await withdrawals(network, planned["policy"]) == []
    await network.shift(day_start(day) - timedelta(seconds=30))
    await network.attend()
    assert await withdrawals(network, planned["policy"]) == []
    await network.shift(day_start(day) + timedelta(seconds=1))
    before = len([one for one in await network.events() if one.about == family.kim])
    assert await network.attend() > 0
    assert await withdrawals(network, planned["policy"]) == [None]  # pending: told effective as others are
    assert len([one for one in await network.events() if one.about == family.kim]) > before
    assert not await family.sees(family.logo)
    assert await network.attend() == 0
    assert len(await withdrawals(network, planned["policy"])) == 1
    async with network.db.school(network.school) as conn:
        waits = await conn.fetchval(
            "SELECT waits_for_children($1, id) FROM withdrawal WHERE thing = $2", network.school, planned["policy"]
        )
    assert waits is False


async def test_one_that_starts_at_once_and_a_looser_one_are_not_told_again(network: Network) -> None:
    await shared_on_one_yes(network)
    strict = await network.manage("set-policy", **ALL)
    await network.attend()
    assert len(await withdrawals(network, strict["policy"])) == 1
    day = (datetime.now(UTC) + timedelta(days=30)).date()
    loose = await network.manage("set-policy", **ONE, starts_on=day)
    await network.shift(day_start(day) + timedelta(seconds=1))
    await network.attend()
    assert await withdrawals(network, loose["policy"]) == []


async def test_one_that_was_replaced_before_it_started_is_not_told(network: Network) -> None:
    await shared_on_one_yes(network)
    day = (datetime.now(UTC) + timedelta(days=30)).date()
    strict = await network.manage("set-policy", **ALL, starts_on=day)
    await network.manage("set-policy", **ONE, starts_on=day)
    await network.shift(day_start(day) + timedelta(seconds=1))
    await network.attend()
    assert await withdrawals(network, strict["policy"]) == []


async def test_it_is_told_where_no_child_waits_for_anything_too(network: Network) -> None:
    await settle(network)
    await network.manage("set-policy", **ONE)
    day = (datetime.now(UTC) + timedelta(days=30)).date()
    planned = await network.manage("set-policy", **ALL, starts_on=day)
    await network.attend()
    await network.shift(day_start(day) + timedelta(seconds=1))
    assert await network.attend() > 0
    assert await withdrawals(network, planned["policy"]) == [None]
