"""What must hold at once of a tail that a restored database took back: a stricter rule, a dispute, an end, a review."""

from __future__ import annotations

from uuid import UUID

import pytest

from services.network.restored import take_back
from shared.events.base import Fact
from shared.events.emergencies import EmergencyEnded, EmergencyReviewed
from shared.events.network import DisputeNoted, PolicySet
from tests.network.conftest import Network
from tests.network.test_commands import Family, family, sees

__all__ = ["family"]

UNDO: dict[type[Fact], str] = {
    PolicySet: "DELETE FROM policy_version WHERE number = 2",
    DisputeNoted: "DELETE FROM dispute",
    EmergencyReviewed: "UPDATE emergency SET outcome = NULL, reviewed_by = NULL, ends_at = starts_at + interval '1 h'",
}
"""What a restored backup does not have, by the event that told it."""


@pytest.mark.parametrize("fact", UNDO)
async def test_what_a_restore_lost_holds_again_and_twice_changes_nothing(
    network: Network, family: Family, fact: type[Fact]
) -> None:
    await network.manage("set-policy", decision="sharing", rule="one_unless_objection")
    await network.ask("give-consent", family.mum, **family.consent())
    new = {"given_name": "Loes", "family_name": "Leiding"}
    leader = await network.manage("add-member", subject=network.subject, role="school_leader", new_person=new)
    glass = await network.ask("break-glass", family.juf, child=family.kim, reason="missing")
    if fact is PolicySet:
        await network.manage("set-policy", decision="sharing", rule="all_holders")
    elif fact is DisputeNoted:
        body = {"child": family.kim, "decision": "sharing", "between": [family.mum, family.dad]}
        await network.ask("note-dispute", family.ib, **body)
    else:
        body = {"child": family.kim, "emergency": glass["emergency"], "version": 1, "outcome": "not_justified"}
        await network.ask("review-emergency", UUID(leader["person"]), **body, reason="no")
    tail = [event for event in await network.events() if event.is_a(fact) or event.is_a(EmergencyEnded)]
    async with network.db.school(network.school) as conn:
        await conn.execute(UNDO[fact])
        for _ in range(2):
            await take_back(conn, tail)
    await network.attend()
    await network.ask("note-dispute", family.ib, child=family.kim, decision="care", between=[family.mum, family.dad])
    assert await sees(network, family, family.logo) is (fact is EmergencyReviewed)
    emergency = [one for one in await network.grants(family.kim) if one.emergency]
    assert bool(emergency) is (fact is not EmergencyReviewed)


async def test_an_unknown_emergency_in_a_tail_is_no_obstacle(network: Network, family: Family) -> None:
    glass = await network.ask("break-glass", family.juf, child=family.kim, reason="missing")
    end = {"child": family.kim, "emergency": glass["emergency"], "version": 1}
    await network.ask("end-emergency", family.juf, **end)
    tail = [event for event in await network.events() if event.type.endswith("emergency.ended.v1")]
    async with network.db.school(network.school) as conn:
        await conn.execute("DELETE FROM emergency")
        await take_back(conn, tail)
        assert await conn.fetchval("SELECT count(*) FROM emergency") == 0
