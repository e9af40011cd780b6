"""The ecogram as data, and what members say of their own ties."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import pytest

from shared.actor import Actor
from shared.errors import ProblemType
from shared.events.words import ActorKind
from tests.network.conftest import Network
from tests.network.family import Family, forbidden, refused, settle


@pytest.fixture
async def family(network: Network) -> Family:
    return await settle(network)


async def ecogram(family: Family, who: UUID, purpose: str = "guidance") -> dict[str, Any]:
    found: dict[str, Any] = await family.network.ask("ecogram", who, child=family.kim, purpose=purpose)
    return found


async def test_the_ecogram_tells_who_in_which_role_and_setting_until_when(network: Network, family: Family) -> None:
    await network.manage("suspend-membership", **(await family.membership(family.juf)))
    await network.manage("end-membership", **(await family.membership(family.dad)))
    await network.manage(
        "add-member",
        subject=family.kim,
        role="care_professional",
        new_person={"given_name": "Nel", "family_name": "Nieuw"},
        mandate={"code": "home-care", "ends_on": "2199-01-01"},
        ends_on="2199-06-01",
    )
    shown = await ecogram(family, family.mum)
    assert (shown["given_name"], shown["status"]) == ("Kim", "active")
    members = {one["given_name"]: (one["role"], one["setting"], one["status"]) for one in shown["members"]}
    assert members == {
        "Mum": ("guardian", "home", "active"),
        "Juf": ("teacher", "school", "suspended"),
        "Ib": ("internal_coordinator", "school", "active"),
        "Logo": ("therapist", "care", "active"),
        "Nel": ("care_professional", "care", "active"),
    }
    nel = next(one for one in shown["members"] if one["given_name"] == "Nel")
    assert (nel["mandate"], nel["until"][:10]) == ("home-care", "2198-12-31")
    assert [one["organisation_name"] for one in shown["members"] if one["given_name"] == "Logo"] == ["Zorg Samen"]
    for who in (family.logo, family.dad, uuid4()):
        assert await forbidden(network, "ecogram", who, child=family.kim, purpose="guidance")


async def test_members_state_their_own_tie_and_every_version_is_kept(network: Network, family: Family) -> None:
    said = ("weak", "strong", "strained")
    for number, strength in enumerate(said, 1):
        reply = await network.ask("state-tie", family.logo, child=family.kim, strength=strength)
        assert reply["version"] == number
    await network.ask("state-tie", family.juf, child=family.kim, to=family.mum, strength="ordinary")
    ties = {
        (one["from"], one["to"]): (one["strength"], one["version"])
        for one in (await ecogram(family, family.ib))["ties"]
    }
    assert ties == {
        (str(family.logo), str(family.kim)): ("strained", 3),
        (str(family.juf), str(family.mum)): ("ordinary", 1),
    }
    async with network.db.school(network.school) as conn:
        rows = await conn.fetch("SELECT strength FROM tie_version WHERE tie = $1 ORDER BY number", UUID(reply["tie"]))
    assert [row[0] for row in rows] == list(said)
    lost = await refused(network, "state-tie", family.logo, child=family.kim, strength="weak", version=1)
    assert lost.type is ProblemType.STALE_VERSION
    told = await family.events("tie.stated")
    assert {word for one in told for word in one} == {"tie", "tie_version", "member", "other"}, "not how strong"


async def test_only_an_active_member_states_a_tie_and_only_to_whom_it_may_see(network: Network, family: Family) -> None:
    tie: dict[str, Any] = {"child": family.kim, "strength": "strong"}
    for who in (uuid4(), network.admin, Actor(family.juf, ActorKind.SERVICE, network.school, "x")):
        assert await forbidden(network, "state-tie", who, **tie)
    assert await forbidden(network, "state-tie", family.juf, **{**tie, "child": uuid4()})
    # The therapist may not see who takes part: real members and strangers are answered alike.
    for other in (family.mum, uuid4()):
        assert await forbidden(network, "state-tie", family.logo, **tie, to=other)
    for other in (uuid4(), family.juf, network.admin):
        assert (await refused(network, "state-tie", family.juf, **tie, to=other)).type is ProblemType.INVALID
    await network.manage("suspend-membership", **(await family.membership(family.juf)))
    assert (await refused(network, "state-tie", family.juf, **tie)).type is ProblemType.INVALID


async def test_what_one_guardian_says_of_another_member_does_not_reach_the_other_guardian(
    network: Network, family: Family
) -> None:
    for other in (None, family.dad, family.juf):
        await network.ask("state-tie", family.mum, child=family.kim, to=other, strength="broken")
    for who, count in ((family.mum, 3), (family.ib, 3), (family.dad, 1)):
        assert len((await ecogram(family, who))["ties"]) == count
    # Nor what others say of their tie to the other guardian; one's own word one sees.
    for who in (family.juf, family.ib, family.dad):
        await network.ask("state-tie", who, child=family.kim, to=family.mum, strength="weak")
    own = (str(family.dad), str(family.mum))
    for who, count, known in ((family.mum, 5, False), (family.ib, 6, True), (family.dad, 2, True)):
        ties = [(one["from"], one["to"]) for one in (await ecogram(family, who))["ties"]]
        assert (len(ties), own in ties) == (count, known)
