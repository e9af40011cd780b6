"""One therapist who works in two schools: what happens in one of them is nothing to the other."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID, uuid4

import pytest

from shared.events.base import Viewed
from shared.events.network import WithdrawalEffective
from shared.events.words import Action, Category
from tests.network.conftest import Network
from tests.network.family import Family, forbidden, secret, settle


@dataclass
class Place:
    """A school with Kim's family, and the therapist in it, whom the door knows by one and the same id in both."""

    network: Network
    family: Family
    therapist: UUID

    async def everything(self) -> list[str]:
        """All that the school's journal holds, in order."""
        return [str(event.content) for event in await self.network.events()]

    async def sees(self) -> bool:
        return await self.family.sees(self.therapist)


async def place(network: Network, therapist: UUID) -> Place:
    """Has the therapist invited to Kim's network and consented to, by both guardians."""
    family = await settle(network)
    await network.ask("invite-member", family.ib, subject=family.kim, role="therapist", secret=secret())
    new = {"given_name": "Thea", "family_name": "Praat"}
    await network.ask("take-invitation", therapist, secret=secret(), new_person=new)
    for who in (family.mum, family.dad):
        await network.ask("give-consent", who, **family.consent(recipient=therapist))
    return Place(network, family, therapist)


@pytest.fixture
async def places(network: Network) -> tuple[Place, Place]:
    therapist = uuid4()
    other = Network(network.unit, network.db, f"{network.school[:20]}-other", network.ids, network.owner)
    return await place(network, therapist), await place(other, therapist)


async def test_grants_looks_and_withdrawals_in_one_school_leave_the_other_as_it_was(
    places: tuple[Place, Place],
) -> None:
    here, there = places
    for one, other in ((here, there), (there, here)):
        assert await one.sees()
        mine = [grant for grant in await one.network.grants(one.family.kim) if grant.member == one.therapist]
        assert [(grant.categories, Action.VIEW in grant.actions) for grant in mine] == [((Category.GOALS,), True)]
        # Round the other school's child nobody is known here, the therapist no more than a stranger.
        about = {"child": other.family.kim, "reason": "r"}
        assert await forbidden(one.network, "break-glass", one.therapist, **about)
        assert not await one.network.grants(other.family.kim)
    before, held = await there.everything(), await there.network.grants(there.family.kim)

    looks = {"child": here.family.kim, "who": here.therapist, "action": "view", "category": "goals"}
    shown = await here.network.ask("policy-explanation", here.therapist, **looks, purpose="own_data")
    assert shown["allowed"] is False, "for guidance: consent was for care coordination"
    assert [event.is_a(Viewed) for event in await here.network.events()][-1], "the look has its line here"
    taken = await here.network.ask("withdraw-consent", here.family.mum, **here.family.consent(recipient=here.therapist))
    assert taken["effective"] == "pending"
    assert (await here.sees(), await there.sees()) == (False, True)
    await here.network.ask("leave-network", here.therapist, **(await here.family.membership(here.therapist)))
    await here.network.manage("end-placement", child=here.family.kim)

    assert await there.everything() == before, "not a line more"
    assert await there.network.grants(there.family.kim) == held
    assert not await there.network.facts(WithdrawalEffective)
    async with there.network.db.school(there.network.school) as conn:
        waiting = await conn.fetchval("SELECT count(*) FROM withdrawal")
    assert waiting == 0
    assert (await there.family.shown(there.therapist))["status"] == "active"
    assert (await here.family.shown(here.therapist))["status"] == "inactive"
