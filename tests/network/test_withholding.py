"""Information is withheld from a guardian: nothing is told or shown in whatever role; what they decide stays theirs."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from services.network.grants import child_grants
from services.network.model import Child
from services.network.safeguards import Withholding
from shared.errors import ProblemType
from shared.events.words import Action, Category, Purpose, Role
from tests.network.conftest import Network
from tests.network.facts import AFTER, BEFORE, DAD, KIM, MUM, NOW, authority, child, member
from tests.network.family import Family, forbidden, refused, settle
from tests.network.test_policy import STAFF

FACTS = child(
    memberships=(member(MUM, Role.GUARDIAN), member(DAD, Role.GUARDIAN), member(DAD, Role.COORDINATOR)),
    authorities=(authority(MUM), authority(DAD)),
)


def _had(facts: Child, who: UUID, at: datetime = NOW) -> list[Any]:
    found = [one for one in child_grants(facts, STAFF, at) if one.member == who]
    return [one for one in found if one.valid_from <= at and (one.valid_until is None or at < one.valid_until)]


def _silent(**more: Any) -> Child:  # noqa: ANN401  fields
    fields: dict[str, Any] = {"id": KIM, "version": 1, "guardian": DAD, "source": "court", "starts_at": BEFORE}
    return replace(FACTS, withheld=(Withholding(**{**fields, "ends_at": None, **more}),))


@pytest.mark.parametrize("takes_part", [True, False])
@pytest.mark.parametrize("decides", [True, False])
def test_nothing_is_given_in_whatever_role_while_it_lasts(takes_part: bool, decides: bool) -> None:
    facts = replace(
        _silent(ends_at=AFTER),
        memberships=FACTS.memberships if takes_part else FACTS.memberships[:1],
        authorities=FACTS.authorities if decides else FACTS.authorities[:1],
    )
    before = BEFORE - timedelta(seconds=1)
    assert _had(facts, DAD) == _had(facts, DAD, AFTER - timedelta(seconds=1)) == []
    assert _had(facts, DAD, AFTER) == _had(replace(facts, withheld=()), DAD, AFTER) or _had(facts, DAD, AFTER)
    assert bool(_had(facts, DAD, AFTER)) is (takes_part or decides)
    assert _had(facts, MUM) == _had(FACTS, MUM), "nobody else has less"
    assert _had(facts, DAD, before) == [], "control: nothing was given before the part either"


@pytest.fixture
async def family(network: Network) -> Family:
    return await settle(network)


async def test_it_takes_all_but_the_say_and_is_told_again_when_it_ends(network: Network, family: Family) -> None:
    await family.both_consent()
    body = {"child": family.kim, "guardian": family.dad, "source": "court"}
    assert await forbidden(network, "withhold-information", family.ib, **body, purpose="administration")
    reply = await network.manage("withhold-information", **body)
    assert (reply["version"], reply["effective"]) == (1, "pending")
    assert not await family.sees(family.dad)
    assert await family.sees(family.mum)
    assert await forbidden(network, "child-network", family.dad, child=family.kim, purpose="own_data")
    # What rests on his yes stands, and he may still take it back.
    assert await family.sees(family.logo)
    assert (await network.ask("withdraw-consent", family.dad, **family.consent()))["state"] == "withdrawn"
    again = {"child": family.kim, "withholding": reply["withholding"]}
    problem = await refused(network, "withhold-information", network.admin, **body, purpose="administration")
    assert (problem.type, problem.more["withholding"]) == (ProblemType.CONFLICT, reply["withholding"])
    assert (await refused(network, "restore-information", network.admin, **again, version=7)).type is (
        ProblemType.STALE_VERSION
    )
    assert (await network.manage("restore-information", **again, version=1))["version"] == 2
    assert await family.sees(family.dad)
    problem = await refused(network, "restore-information", network.admin, **again, version=2)
    assert problem.type is ProblemType.CONFLICT
    assert [one["guardian"] for one in await family.events("information.withheld")] == [str(family.dad)]
    assert len(await family.events("information.restored")) == 1


async def test_only_of_a_guardian_and_for_a_time_to_come(network: Network, family: Family) -> None:
    body = {"child": family.kim, "source": "court", "purpose": "administration"}
    stranger = await refused(network, "withhold-information", network.admin, **body, guardian=family.juf)
    past = await refused(
        network, "withhold-information", network.admin, **body, guardian=family.dad, ends_on="2020-01-01"
    )
    nothing = {"child": family.kim, "withholding": family.mum, "version": 1, "purpose": "administration"}
    unknown = await refused(network, "restore-information", network.admin, **nothing)
    assert {one.type for one in (stranger, past, unknown)} == {ProblemType.INVALID}


async def test_who_keeps_the_records_sees_what_is_withheld_and_the_family_does_not(
    network: Network, family: Family
) -> None:
    body = {"child": family.kim, "guardian": family.dad, "source": "court"}
    reply = await network.manage("withhold-information", **body)
    asked = {"child": family.kim, "purpose": "guidance"}
    shown = (await network.ask("deciders", family.ib, **asked))["withheld"]
    assert [(one["withholding"], one["guardian"], one["source"]) for one in shown] == [
        (reply["withholding"], str(family.dad), "court")
    ]
    assert (await network.ask("deciders", family.mum, **asked))["withheld"] == []
    question = {"who": family.dad, "child": family.kim, "action": "view", "category": "plan"}
    own = await network.ask("policy-explanation", family.dad, **question, purpose="own_data")
    assert not own["allowed"]
    (words,) = [one["words"] for one in own["reasons"] if one["kind"] == "withheld"]
    assert "the school can say why" in words
    assert "court" not in words
    kept = await network.manage("policy-explanation", **question, purpose="administration")
    assert "source court" in " ".join(one["words"] for one in kept["reasons"])


async def test_it_ends_by_itself_on_its_day(network: Network, family: Family) -> None:
    until = (datetime.now(UTC) + timedelta(days=30)).date()
    body = {"child": family.kim, "guardian": family.dad, "source": "court", "ends_on": str(until)}
    await network.manage("withhold-information", **body)
    grants = [one for one in await network.grants(family.kim) if one.member == family.dad]
    assert {one.valid_from.date() for one in grants} <= {until, until - timedelta(days=1)}  # midnight here, in UTC
    assert any((Action.VIEW in one.actions, Category.PLAN in one.categories, Purpose.GUIDANCE in one.purposes) == (
        True, True, True) for one in grants)  # fmt: skip
