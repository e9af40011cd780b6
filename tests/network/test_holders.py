"""Who has authority over a child and takes no part round it: what they are told, asked and shown, and what not."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from services.network.explain import Question, explain
from services.network.grants import child_grants
from services.network.model import Child
from services.network.spans import day_start
from shared.events.network import Decision, HolderRole
from shared.events.words import Action, Basis, Category, Purpose, Role
from tests.network.conftest import Network
from tests.network.facts import AFTER, BEFORE, DAD, KIM, MUM, NOW, allowed, authority, child, member
from tests.network.family import Family, forbidden, settle
from tests.network.test_policy import STAFF

A, C, P = Action, Category, Purpose
FACTS = child(
    memberships=(member(MUM, Role.GUARDIAN), member(DAD, Role.GUARDIAN, ends_at=NOW), member(KIM, Role.CHILD)),
    authorities=(authority(MUM), authority(DAD)),
)
WHOLE = {
    (A.VIEW, C.PLAN, P.GUIDANCE),
    (A.DECIDE, C.PLAN, P.GUIDANCE),
    (A.RECEIVE, C.PLAN, P.GUIDANCE),
    (A.VIEW, C.GOALS, P.GUIDANCE),
    (A.VIEW, C.CONVERSATIONS, P.GUIDANCE),
    (A.ANSWER, C.CONVERSATIONS, P.GUIDANCE),
    (A.RECEIVE, C.CONVERSATIONS, P.GUIDANCE),
    (A.CONSENT, C.NETWORK, P.GUIDANCE),
    (A.RECEIVE, C.NETWORK, P.GUIDANCE),
}
"""What authority alone gives for guidance; for seeing one's own data the log as well."""
CONSENTS = {one for one in WHOLE if one[1] is C.NETWORK}


def had(
    facts: Child, who: UUID = DAD, purpose: Purpose = P.GUIDANCE, at: datetime = NOW
) -> set[tuple[Action, Category, Purpose]]:
    grants = child_grants(facts, STAFF, at)
    asked = [(action, category, purpose) for action in A for category in C]
    found = {one for one in asked if allowed(grants, who, *one, at=at)}
    for one in asked:
        assert explain(facts, STAFF, Question(who, *one, at)).allowed == (one in found), one
    return found


def test_a_holder_without_a_part_is_told_and_asked_what_authority_is_about_and_sees_no_circle() -> None:
    assert had(FACTS) == WHOLE
    assert had(FACTS, purpose=P.OWN_DATA) == {(one[0], one[1], P.OWN_DATA) for one in WHOLE} | {
        (A.VIEW, C.LOG, P.OWN_DATA)
    }
    assert had(FACTS, purpose=P.ADMINISTRATION) == set()
    assert {grant.role for grant in child_grants(FACTS, STAFF, NOW) if grant.member == DAD} == {Role.GUARDIAN}


@pytest.mark.parametrize(
    ("part", "whole"),
    [
        ({"ends_at": NOW}, True),
        ({"ends_at": None, "starts_at": AFTER}, True),
        ({"ends_at": None, "role": Role.CARE_PROFESSIONAL}, True),
        ({"ends_at": None}, False),
    ],
)
def test_it_holds_while_there_is_no_part_and_never_beside_one(part: dict[str, Any], whole: bool) -> None:
    mum, dad, kim = FACTS.memberships
    facts = replace(FACTS, memberships=(mum, replace(dad, **part), kim))
    assert (had(facts) == WHOLE) is whole
    now = [one for one in child_grants(facts, STAFF, NOW) if one.member == DAD and one.valid_from <= NOW]
    assert ((A.CONSENT, A.RECEIVE) in {one.actions for one in now}) is whole


def test_a_part_that_is_suspended_gives_nothing_and_leaves_nothing_to_authority_until_it_ends() -> None:
    mum, dad, kim = FACTS.memberships
    suspended = replace(dad, suspended_at=BEFORE, ends_at=None)
    assert had(replace(FACTS, memberships=(mum, suspended, kim))) == set()
    assert had(replace(FACTS, memberships=(mum, replace(suspended, ends_at=NOW), kim))) == WHOLE


def test_it_begins_and_ends_with_the_part_and_with_the_authority() -> None:
    mum, dad, kim = FACTS.memberships
    facts = replace(
        FACTS,
        memberships=(mum, replace(dad, starts_at=NOW + timedelta(days=1), ends_at=NOW + timedelta(days=2)), kim),
        authorities=(replace(FACTS.authorities[1], ends_at=NOW + timedelta(days=3)),),
    )
    grants = child_grants(facts, STAFF, NOW)
    held = sorted((one.valid_from, one.valid_until) for one in grants if one.actions == (A.CONSENT, A.RECEIVE))
    assert held == [
        (BEFORE, NOW + timedelta(days=1)),
        (NOW + timedelta(days=2), NOW + timedelta(days=3)),
    ]


@pytest.mark.parametrize(
    ("scope", "given"),
    [((Decision.SHARING,), CONSENTS), ((Decision.PLAN,), WHOLE - CONSENTS), ((Decision.CARE,), set())],
)
def test_partial_authority_gives_its_own_matters_only(
    scope: tuple[Decision, ...], given: set[tuple[Action, Category, Purpose]]
) -> None:
    assert had(replace(FACTS, authorities=(authority(DAD, scope=scope),))) == given


def test_authority_that_is_over_suspended_or_still_to_come_gives_nothing() -> None:
    for more in ({"ends_at": NOW}, {"starts_at": AFTER}):
        assert had(replace(FACTS, authorities=(authority(DAD, **more),))) == set()
    assert had(replace(FACTS, authorities=())) == set()


def test_from_16_the_young_person_answers_consents_and_from_18_a_curator_is_told_and_no_parent() -> None:
    at_16 = replace(FACTS, born_on=date(2010, 6, 1))
    assert had(at_16) == WHOLE - CONSENTS
    at_18 = day_start(date(2028, 6, 1))
    curator = authority(MUM, role=HolderRole.CURATOR, source="court")
    grown = replace(at_16, memberships=FACTS.memberships[1:], authorities=(authority(DAD), curator))
    assert had(grown, DAD, at=at_18) == set()
    assert had(grown, MUM, at=at_18) == WHOLE


def test_two_without_a_part_each_have_their_own_and_contact_data_of_nobody() -> None:
    apart = replace(FACTS, memberships=tuple(replace(one, ends_at=NOW) for one in FACTS.memberships))
    grants = [one for one in child_grants(apart, STAFF, NOW) if one.role is Role.GUARDIAN]
    assert {one.member for one in grants} == {MUM, DAD}
    assert len({one.id for one in grants}) == len(grants)
    assert not any(C.CONTACT in one.categories or A.PROPOSE in one.actions for one in grants)


def test_an_explanation_names_the_authority_and_says_where_consents_are_read() -> None:
    def told(action: Action, category: Category) -> str:
        found = explain(FACTS, STAFF, Question(DAD, action, category, P.GUIDANCE, NOW))
        return " ".join(one.words for one in found.reasons)

    assert "rests on authority over sharing alone" in told(A.CONSENT, C.NETWORK)
    assert "Has parental authority over plan" in told(A.VIEW, C.PLAN)
    assert "they may see by their authority" in told(A.VIEW, C.NETWORK)
    assert "they may see by their authority" not in told(A.VIEW, C.CARE)


@pytest.fixture
async def family(network: Network) -> Family:
    return await settle(network)


async def test_who_takes_no_part_any_more_is_reached_and_answers_on_a_grant_until_the_authority_ends(
    network: Network, family: Family
) -> None:
    await network.manage("end-membership", **await family.membership(family.mum))
    body = {"member": family.mum, "about": family.kim, "purpose": "guidance"}
    service = network.service("notifications")
    assert await network.ask("contact-point", service, **body) == {"email": "mum@example.org"}
    asked = {"who": family.mum, "child": family.kim, "action": "consent", "category": "network", "purpose": "own_data"}
    assert (await network.ask("policy-explanation", family.mum, **asked))["allowed"]
    await network.ask("give-consent", family.mum, **family.consent())
    last = [one for one in await network.events() if one.type.endswith(".consent.given.v1")][-1]
    assert (last.act.basis, last.act.grant is not None) == (Basis.AUTHORITY, True)
    assert await forbidden(network, "child-network", family.mum, child=family.kim, purpose="own_data")
    assert await children(network, family.mum) == [family.kim]
    found = await network.manage("child-network", child=family.kim, purpose="administration")
    mums = next(one for one in found["authorities"] if one["holder"] == str(family.mum))
    await network.manage("end-authority", child=family.kim, authority=mums["authority"], version=mums["version"])
    assert await forbidden(network, "contact-point", service, **body)
    assert await forbidden(network, "children", family.mum, purpose="own_data")
    assert not (await network.ask("policy-explanation", family.mum, **asked))["allowed"]
    assert not [one for one in await network.grants(family.kim) if one.member == family.mum and _open(one)]


async def children(network: Network, who: UUID) -> list[UUID]:
    shown = await network.ask("children", who, purpose="own_data")
    return [UUID(one["id"]) for one in shown["children"]]


def _open(grant: Any) -> bool:  # noqa: ANN401  a grant
    return grant.valid_until is None or grant.valid_until > datetime.now(UTC)
