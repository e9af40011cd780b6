"""What is told to who has authority and takes no part: by the grants that network gives them, through every rule."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from uuid import UUID, uuid4

from services.network.grants import child_grants
from services.network.model import Child
from services.notifications.model import may_hear, plan_audience
from services.notifications.rules import BY_KIND, NETWORK, PLANS
from shared.events import membership, network, plans
from shared.events.network import Grant
from shared.events.words import Category, Role
from tests.network.facts import DAD, KIM, MUM, NOW, authority, child, member, school
from tests.notifications.support import Lane, act

FACTS = child(
    memberships=(member(MUM, Role.GUARDIAN), member(DAD, Role.GUARDIAN, ends_at=NOW), member(KIM, Role.CHILD)),
    authorities=(authority(MUM), authority(DAD)),
)


def grants(facts: Child = FACTS) -> tuple[Grant, ...]:
    return child_grants(facts, school(), NOW)


def test_they_may_hear_of_consents_the_plan_and_conversations_and_of_nothing_else() -> None:
    own = [one for one in grants() if one.member == DAD]
    heard = {category for category in Category if any(may_hear(one, category) for one in own)}
    assert heard == {Category.NETWORK, Category.PLAN, Category.CONVERSATIONS}
    mums = [one for one in grants() if one.member == MUM]
    assert heard < {category for category in Category if any(may_hear(one, category) for one in mums)}


def _told(fact: membership.MembershipEnded | network.ConsentWithdrawn | plans.PlanConsulted, facts: Child) -> set[UUID]:
    event = Lane("berk", "network", NOW).add(fact, KIM, act(uuid4()))
    rule = {**NETWORK, **PLANS}[type(fact)]
    assert rule in BY_KIND.values()
    found = plan_audience(rule, event, grants(facts))
    assert found.untold.get(DAD) in {None, "not_in_circle", "no_grant"}
    return {notice.member for notice in found.notices}


def test_a_withdrawal_and_a_plan_to_agree_to_are_told_and_who_else_comes_or_goes_is_not() -> None:
    consent = {
        "consent": uuid4(), "consent_version": 3, "for_purpose": "guidance", "recipient_kind": "member",
        "recipient": uuid4(), "categories": ("goals",), "notice_version": 1, "starts_at": NOW, "ends_at": NOW,
        "state": "withdrawn", "giver": MUM, "capacity": "authority_holder",
    }  # fmt: skip
    moved = {"previous": plans.PlanStatus.DRAFT, "status": plans.PlanStatus.IN_CONSULTATION}
    asked = plans.PlanConsulted(plan=uuid4(), number=1, hash="0" * 64, concerns=(MUM, DAD), **moved)
    withdrawn = network.ConsentWithdrawn.model_validate(consent)
    left = membership.MembershipEnded(membership=uuid4(), member=uuid4(), role=Role.TEACHER, ends_at=NOW, reason="x")
    assert _told(withdrawn, FACTS) == _told(asked, FACTS) == {MUM, DAD}
    assert _told(left, FACTS) == {MUM}
    without = replace(FACTS, authorities=FACTS.authorities[:1])
    assert _told(withdrawn, without) == _told(asked, without) == {MUM}
    # From 16 the young person answers consents, and is told of them in the parents' place.
    grown = replace(FACTS, born_on=date(2010, 6, 1))
    assert DAD not in _told(withdrawn, grown)
    assert DAD in _told(asked, grown)
