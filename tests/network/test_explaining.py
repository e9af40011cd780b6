"""Why the policy says yes or no, in words; for the administrator, the auditor and the person concerned."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from hypothesis import given
from hypothesis import strategies as st

from services.network.explain import RESTS_ON, Question, explain
from services.network.grants import child_grants
from services.network.model import Child, School
from services.network.policy import Standing
from services.network.safeguards import Dispute, PolicyVersion
from shared.errors import ProblemType
from shared.events.base import Viewed
from shared.events.network import Decision, PolicyRule
from shared.events.words import Action, Basis, Category, Purpose
from tests.network.conftest import Network
from tests.network.facts import BEFORE, CARER, CHILDREN, DAD, MOMENTS, MUM, NOW, PEOPLE, SCHOOLS, allowed, authority
from tests.network.test_commands import Family, family, refused
from tests.network.test_policy import FAMILY, STAFF

__all__ = ["family"]


def words(child: Child, who: UUID, *, discreet: bool = False, **more: Any) -> tuple[bool, str]:  # noqa: ANN401
    asked = {"action": Action.VIEW, "category": Category.GOALS, "purpose": Purpose.CARE_COORDINATION, "at": NOW, **more}
    found = explain(child, STAFF, Question(who, **asked), discreet=discreet)
    return found.allowed, " ".join(one.words for one in found.reasons)


@given(CHILDREN, SCHOOLS, PEOPLE, st.sampled_from(Action), st.sampled_from(Category), st.sampled_from(Purpose), MOMENTS)
def test_an_explanation_says_what_the_grants_of_that_moment_say(
    facts: Child, staff: School, who: UUID, action: Action, category: Category, purpose: Purpose, at: datetime
) -> None:
    found = explain(facts, staff, Question(who, action, category, purpose, at))
    grants = child_grants(facts, staff, at)
    assert found.allowed == allowed(grants, who, action, category, purpose, at=at)
    assert all(one.words.endswith(".") for one in found.reasons)


def test_every_standing_has_its_words() -> None:
    assert set(RESTS_ON) == set(Standing)


def test_a_yes_names_the_consent_its_period_and_the_rule_it_was_given_by() -> None:
    yes, told = words(FAMILY, CARER)
    assert yes
    for part in (
        "Takes part round this child as therapist",
        f"Consent {FAMILY.consents[0].id} version 3",
        "it is given",
    ):
        assert part in told
    assert "until 2026-12-23" in told
    assert "by the default policy, everyone who decides must say yes" in told


def test_a_no_says_which_fact_is_missing() -> None:
    silent = replace(FAMILY, authorities=(*FAMILY.authorities, authority(DAD)))
    assert words(silent, CARER)[0] is False
    assert "an answer that is needed is not there" in words(silent, CARER)[1]
    assert "no consent names this member" in words(replace(FAMILY, consents=()), CARER)[1]
    assert "Has no authority over plan: none is on record" in words(FAMILY, DAD, category=Category.CARE)[1]
    assert "rules allow this for oversight only" in words(FAMILY, UUID(int=33), category=Category.LOG)[1]
    assert "Takes no part" in words(FAMILY, uuid4())[1]
    gone = replace(FAMILY, memberships=tuple(replace(one, ends_at=NOW) for one in FAMILY.memberships))
    assert "(is over)" in words(gone, MUM)[1]


def test_a_policy_and_a_dispute_are_named_but_not_to_whom_they_do_not_concern() -> None:
    version = PolicyVersion(uuid4(), 4, Decision.SHARING, PolicyRule.ONE_UNLESS_OBJECTION, BEFORE)
    holders = (authority(MUM), authority(DAD))
    one_yes = replace(FAMILY, authorities=holders, policies=(version,))
    yes, told = words(one_yes, CARER)
    assert (yes, "version 4 of the school's policy" in told) == (True, True)
    disputed = replace(one_yes, disputes=(Dispute(uuid4(), 1, Decision.SHARING, (MUM, DAD), BEFORE, None),))
    yes, told = words(disputed, CARER)
    assert (yes, "a dispute on record" in told) == (False, True)
    _, told = words(disputed, CARER, discreet=True)
    assert ("dispute" in told, "it is not in force" in told) == (False, True)


async def test_only_the_administrator_the_auditor_and_the_person_concerned_may_ask_and_it_is_journaled(
    network: Network, family: Family
) -> None:
    body = {"who": family.logo, "child": family.kim, "action": "view", "category": "goals"}
    for who, purpose in ((network.admin, "administration"), (network.auditor, "oversight"), (family.logo, "own_data")):
        told = await network.ask("policy-explanation", who, **body, purpose=purpose)
        assert told["allowed"] is False
        last = (await network.events())[-1]
        assert last.is_a(Viewed)
        assert (last.about, last.thing, last.act.actor) == (family.kim, family.logo, who)
    assert last.act.basis is Basis.OWN_DATA
    for who in (family.juf, family.ib, family.mum):
        problem = await refused(network, "policy-explanation", who, **body, purpose="guidance")
        assert problem.type is ProblemType.FORBIDDEN


async def test_a_stranger_learns_not_even_that_the_child_is_there(network: Network, family: Family) -> None:
    stranger = uuid4()
    body = {"who": stranger, "action": "view", "category": "goals", "purpose": "own_data"}
    known = await refused(network, "policy-explanation", stranger, **body, child=family.kim)
    unknown = await refused(network, "policy-explanation", stranger, **body, child=uuid4())
    assert json.dumps(known.to_json()) == json.dumps(unknown.to_json())


async def test_someones_own_future_is_not_told_because_it_may_tell_a_birthday(network: Network, family: Family) -> None:
    later = (datetime.now(UTC) + timedelta(days=900)).isoformat()
    body = {"who": family.logo, "child": family.kim, "action": "view", "category": "goals", "at": later}
    problem = await refused(network, "policy-explanation", family.logo, **body, purpose="own_data")
    assert problem.type is ProblemType.INVALID
    assert not (await network.manage("policy-explanation", **body, purpose="administration"))["allowed"]
