"""A mandate renewed in place: the same membership goes on, and what lay between two mandates stays without."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared.errors import ProblemType
from shared.events.membership import MembershipChanged
from shared.events.words import Action, Category, Purpose
from tests.network.conftest import Network
from tests.network.facts import allowed
from tests.network.family import Family, forbidden, refused, settle

NOW = datetime.now(UTC)


def day(days: int) -> str:
    return (NOW + timedelta(days=days)).date().isoformat()


@pytest.fixture
async def family(network: Network) -> Family:
    return await settle(network)


async def mandated(network: Network, family: Family, **mandate: str) -> dict[str, Any]:
    """The therapist with a mandate; returns what names that membership."""
    await network.manage("end-membership", **(await family.membership(family.logo)))
    body = {"subject": family.kim, "role": "therapist", "person": family.logo}
    made = await network.manage("add-member", **body, mandate={"code": "speech", **mandate})
    await family.both_consent()
    return {"subject": family.kim, "membership": made["membership"], "version": 1}


async def sees_at(network: Network, family: Family, at: datetime) -> bool:
    question = (Action.VIEW, Category.GOALS, Purpose.CARE_COORDINATION)
    return allowed(await network.grants(family.kim), family.logo, *question, at=at)


async def test_it_lasts_until_the_new_day_in_the_same_membership(network: Network, family: Family) -> None:
    named = await mandated(network, family, ends_on=day(10))
    assert not await sees_at(network, family, NOW + timedelta(days=20))
    assert await forbidden(network, "renew-mandate", family.ib, **named, ends_on=day(30))
    reply = await network.manage("renew-mandate", **named, ends_on=day(30))
    assert (reply["membership"], reply["version"]) == (named["membership"], 2)
    assert await sees_at(network, family, NOW + timedelta(days=20))
    assert not await sees_at(network, family, NOW + timedelta(days=31))
    (told,) = await network.facts(MembershipChanged)
    assert (told.mandate, told.mandate_starts_at, told.ends_at) == ("speech", None, None)
    assert told.mandate_ends_at == datetime.fromisoformat(reply["mandate"]["ends_at"])
    stale = await refused(network, "renew-mandate", network.admin, **named, ends_on=day(40))
    assert stale.type is ProblemType.STALE_VERSION
    await network.manage("renew-mandate", **named | {"version": 2}, ends_on=None)
    assert await sees_at(network, family, NOW + timedelta(days=300))


async def test_one_that_was_over_begins_anew_and_does_not_reach_back(network: Network, family: Family) -> None:
    named = await mandated(network, family, ends_on=day(10))
    later = NOW + timedelta(days=20)
    await network.shift(later)
    reply = await network.manage("renew-mandate", **named, ends_on=day(60))
    assert datetime.fromisoformat(reply["mandate"]["starts_at"]) >= later
    (told,) = await network.facts(MembershipChanged)
    assert told.mandate_starts_at is not None
    assert told.mandate_starts_at >= later


async def test_what_is_no_renewal_is_refused_with_what_to_do(network: Network, family: Family) -> None:
    named = await mandated(network, family, ends_on=day(10))
    for ends_on, type_ in (
        (day(9), ProblemType.CONFLICT),
        (day(10), ProblemType.CONFLICT),
        (day(0), ProblemType.INVALID),
    ):
        assert (await refused(network, "renew-mandate", network.admin, **named, ends_on=ends_on)).type is type_
    juf = await family.membership(family.juf)
    none = await refused(network, "renew-mandate", network.admin, **juf, ends_on=day(30))
    assert "no mandate" in none.detail
    await network.manage("end-placement", child=family.kim)
    gone = await refused(network, "renew-mandate", network.admin, **named | {"version": 2}, ends_on=day(30))
    assert gone.more.get("code") == "has_left"
