"""Which facts give which grants: a table of cases, and what may never be."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given

from services.network.grants import FORESEEN, child_grants, school_grants
from services.network.model import AnswerKind, Child, School
from services.network.policy import EXTERNAL, WIDE
from services.network.spans import FOREVER, Span, day_start, joined
from shared.events.network import Decision, Grant, RecipientKind
from shared.events.words import Action, Basis, Category, Purpose, Role
from tests.network.facts import (
    AFTER,
    BEFORE,
    CARE_ORG,
    CARER,
    CHILDREN,
    DAD,
    KIM,
    MOMENTS,
    MUM,
    NOW,
    SCHOOL,
    SCHOOLS,
    allowed,
    authority,
    child,
    consent,
    member,
    said,
    school,
)

A, C, P = Action, Category, Purpose
TEACHER, ADMIN, AUDITOR, IB = (UUID(int=number) for number in (31, 32, 33, 34))
FAMILY = child(
    memberships=(
        member(MUM, Role.GUARDIAN),
        member(DAD, Role.GUARDIAN),
        member(KIM, Role.CHILD),
        member(CARER, Role.THERAPIST, organisation=CARE_ORG),
        member(TEACHER, Role.TEACHER),
        member(IB, Role.COORDINATOR),
    ),
    authorities=(authority(MUM),),
    consents=(consent(said(MUM)),),
)
STAFF = school(
    member(ADMIN, Role.SCHOOL_ADMINISTRATOR, subject=SCHOOL),
    member(AUDITOR, Role.AUDITOR, subject=SCHOOL),
    member(IB, Role.COORDINATOR, subject=SCHOOL),
)

CASES = [
    # who, action, category, purpose, yes or no
    (MUM, A.VIEW, C.GOALS, P.GUIDANCE, True),
    (MUM, A.DECIDE, C.PLAN, P.GUIDANCE, True),
    (MUM, A.SCORE, C.GOALS, P.GUIDANCE, True),
    (MUM, A.CONSENT, C.NETWORK, P.GUIDANCE, True),
    (MUM, A.VIEW, C.LOG, P.OWN_DATA, True),
    (MUM, A.VIEW, C.LOG, P.GUIDANCE, False),
    (MUM, A.VIEW, C.CONTACT, P.GUIDANCE, False),
    (MUM, A.MANAGE, C.NETWORK, P.ADMINISTRATION, False),
    (DAD, A.VIEW, C.GOALS, P.GUIDANCE, True),
    (DAD, A.VIEW, C.PLAN, P.OWN_DATA, True),
    (DAD, A.VIEW, C.OBSERVATIONS, P.GUIDANCE, False),
    (DAD, A.VIEW, C.CONTACT, P.GUIDANCE, False),
    (DAD, A.DECIDE, C.GOALS, P.GUIDANCE, False),
    (DAD, A.CONSENT, C.NETWORK, P.GUIDANCE, False),
    (DAD, A.RECEIVE, C.GOALS, P.GUIDANCE, False),
    (KIM, A.VIEW, C.GOALS, P.OWN_DATA, False),
    (TEACHER, A.DECIDE, C.GOALS, P.GUIDANCE, True),
    (TEACHER, A.SCORE, C.GOALS, P.GUIDANCE, True),
    (TEACHER, A.PROPOSE, C.NETWORK, P.GUIDANCE, False),
    (TEACHER, A.CONSENT, C.NETWORK, P.GUIDANCE, False),
    (TEACHER, A.VIEW, C.CONTACT, P.GUIDANCE, False),
    (IB, A.PROPOSE, C.NETWORK, P.GUIDANCE, True),
    (IB, A.VIEW, C.CONTACT, P.GUIDANCE, True),
    (CARER, A.VIEW, C.GOALS, P.CARE_COORDINATION, True),
    (CARER, A.SCORE, C.GOALS, P.CARE_COORDINATION, True),
    (CARER, A.VIEW, C.GOALS, P.GUIDANCE, False),
    (CARER, A.VIEW, C.OBSERVATIONS, P.CARE_COORDINATION, False),
    (CARER, A.DECIDE, C.GOALS, P.CARE_COORDINATION, False),
    (CARER, A.VIEW, C.NETWORK, P.CARE_COORDINATION, False),
    (ADMIN, A.MANAGE, C.NETWORK, P.ADMINISTRATION, True),
    (ADMIN, A.VIEW, C.CONTACT, P.ADMINISTRATION, True),
    (ADMIN, A.VIEW, C.GOALS, P.ADMINISTRATION, False),
    (AUDITOR, A.VIEW, C.LOG, P.OVERSIGHT, True),
    (AUDITOR, A.VIEW, C.GOALS, P.OVERSIGHT, False),
    (AUDITOR, A.VIEW, C.IDENTITY, P.OVERSIGHT, False),
]


@pytest.mark.parametrize(("who", "action", "category", "purpose", "yes"), CASES)
def test_the_policy_says_who_may_do_what(
    who: UUID, action: Action, category: Category, purpose: Purpose, yes: bool
) -> None:
    assert allowed(child_grants(FAMILY, STAFF, NOW), who, action, category, purpose) is yes


@pytest.mark.parametrize(
    ("who", "action", "category", "purpose", "yes"),
    [
        (ADMIN, A.MANAGE, C.NETWORK, P.ADMINISTRATION, True),
        (AUDITOR, A.VIEW, C.LOG, P.OVERSIGHT, True),
        (AUDITOR, A.VIEW, C.GOALS, P.OVERSIGHT, False),
        (IB, A.PROPOSE, C.GOALS, P.GUIDANCE, True),
        (IB, A.DECIDE, C.GOALS, P.GUIDANCE, False),
        (MUM, A.VIEW, C.GOALS, P.GUIDANCE, False),
    ],
)
def test_the_schools_own_network_has_its_own_rules(
    who: UUID, action: Action, category: Category, purpose: Purpose, yes: bool
) -> None:
    assert allowed(school_grants(STAFF, NOW), who, action, category, purpose) is yes


def test_a_grant_from_consent_names_the_consent_and_its_version() -> None:
    found = [grant for grant in child_grants(FAMILY, STAFF, NOW) if grant.member == CARER]
    assert [(one.basis, one.consent, one.consent_version) for one in found] == [
        (Basis.CONSENT, FAMILY.consents[0].id, 3)
    ]
    assert (found[0].valid_from, found[0].valid_until) == (BEFORE, AFTER)


def test_consent_for_an_organisation_reaches_its_members_round_this_child_only() -> None:
    shared = consent(said(MUM), recipient_kind=RecipientKind.ORGANISATION, recipient=CARE_ORG)
    grants = child_grants(replace(FAMILY, consents=(shared,)), STAFF, NOW)
    assert {grant.member for grant in grants if grant.consent} == {CARER}


def test_consent_gives_nothing_to_a_recipient_who_is_not_from_outside() -> None:
    for recipient in (MUM, TEACHER, KIM):
        facts = replace(FAMILY, consents=(consent(said(MUM), recipient=recipient),))
        assert not [grant for grant in child_grants(facts, STAFF, NOW) if grant.consent]


def test_a_guardian_with_authority_over_part_of_it_decides_on_that_part_only() -> None:
    facts = replace(FAMILY, authorities=(authority(MUM), authority(DAD, scope=(Decision.SHARING,))))
    grants = child_grants(facts, STAFF, NOW)
    assert allowed(grants, DAD, A.CONSENT, C.NETWORK, P.GUIDANCE)
    assert not allowed(grants, DAD, A.DECIDE, C.GOALS, P.GUIDANCE)
    # His silence means that not every holder gave it.
    assert not allowed(grants, CARER, A.VIEW, C.GOALS, P.CARE_COORDINATION)


def test_at_16_the_young_person_decides_and_at_18_authority_ends() -> None:
    facts = replace(FAMILY, born_on=date(2010, 6, 1))
    grants = child_grants(facts, STAFF, NOW)
    at_16, at_18 = day_start(date(2026, 6, 1)), day_start(date(2028, 6, 1))
    assert at_16 < NOW < at_18
    assert allowed(grants, KIM, A.CONSENT, C.NETWORK, P.GUIDANCE)
    assert allowed(grants, KIM, A.VIEW, C.LOG, P.OWN_DATA)
    assert not allowed(grants, MUM, A.CONSENT, C.NETWORK, P.GUIDANCE)
    assert allowed(grants, MUM, A.VIEW, C.GOALS, P.GUIDANCE)
    for day_before in (at_18 - timedelta(hours=24), at_18):
        grants = child_grants(facts, STAFF, day_before)
        assert not allowed(grants, MUM, A.VIEW, C.GOALS, P.GUIDANCE, at=at_18)
        assert not allowed(grants, DAD, A.VIEW, C.GOALS, P.GUIDANCE, at=at_18)


def test_grants_do_not_tell_a_birthday_before_its_time() -> None:
    facts = replace(FAMILY, born_on=date(2010, 12, 1))
    assert facts.next_due(NOW) == date(2026, 11, 30)
    early = {edge for grant in child_grants(facts, STAFF, NOW) for edge in (grant.valid_from, grant.valid_until)}
    assert early == {BEFORE, AFTER, None}
    due = day_start(date(2026, 11, 30))
    at_due = {edge for grant in child_grants(facts, STAFF, due) for edge in (grant.valid_from, grant.valid_until)}
    assert day_start(date(2026, 12, 1)) in at_due
    assert facts.next_due(due) == date(2028, 11, 30)
    assert facts.next_due(day_start(date(2028, 11, 30))) is None


def test_a_childs_grants_do_not_change_their_ids_when_facts_do_not() -> None:
    assert child_grants(FAMILY, STAFF, NOW) == child_grants(FAMILY, STAFF, NOW)
    ids = [grant.id for grant in child_grants(FAMILY, STAFF, NOW)]
    assert len(set(ids)) == len(ids)


def _span(grant: Grant) -> Span:
    return Span(grant.valid_from, grant.valid_until or FOREVER)


@given(CHILDREN, SCHOOLS, MOMENTS)
def test_no_grant_without_a_part_or_authority_that_covers_all_of_it(facts: Child, staff: School, at: datetime) -> None:
    for grant in child_grants(facts, staff, at):
        circle = staff.memberships if grant.role in WIDE else facts.memberships
        span = _span(grant)
        assert span, "a grant that never holds"
        assert any(
            one.person == grant.member
            and one.role == grant.role
            and one.span.since <= span.since
            and span.until <= one.span.until
            for one in circle
        ) or (_by_authority(grant) and _covers(facts, grant))
        assert span.until > at


def _by_authority(grant: Grant) -> bool:
    return (grant.role, grant.basis) == (Role.GUARDIAN, Basis.AUTHORITY) and not {*grant.actions} & {
        Action.PROPOSE,
        Action.SCORE,
        Action.EXPORT,
        Action.MANAGE,
    }


def _covers(facts: Child, grant: Grant) -> bool:
    matter = Decision.SHARING if Action.CONSENT in grant.actions else Decision.PLAN
    held = joined(one.span for one in facts.authorities if one.holder == grant.member and matter in one.scope)
    return any(_span(grant).within(one) == _span(grant) for one in held)


@given(CHILDREN, SCHOOLS, MOMENTS)
def test_from_outside_only_consent_gives_anything_and_only_its_categories(
    facts: Child, staff: School, at: datetime
) -> None:
    for grant in child_grants(facts, staff, NOW):
        assert (grant.basis is Basis.CONSENT) == (grant.role in EXTERNAL) == (grant.consent is not None)
        if grant.consent is not None:
            one = next(found for found in facts.consents if found.id == grant.consent)
            assert grant.categories == one.categories
            assert grant.purposes == (one.for_purpose,)
            if _span(grant).holds(at) and at <= NOW + FORESEEN:
                holders = facts.holders_at(at)
                assert holders
                assert holders <= {answer.holder for answer in one.answers if answer.answer is AnswerKind.GIVEN}


@given(CHILDREN, SCHOOLS)
def test_a_withdrawal_leaves_nothing_that_rested_on_it_and_takes_nothing_else(facts: Child, staff: School) -> None:
    for one in facts.consents:
        taken_back = tuple(replace(answer, answer=AnswerKind.WITHDRAWN) for answer in one.answers)
        rest = tuple(found for found in facts.consents if found.id != one.id)
        after = replace(facts, consents=(*rest, replace(one, answers=taken_back)))
        before_grants, after_grants = child_grants(facts, staff, NOW), child_grants(after, staff, NOW)
        assert not [grant for grant in after_grants if grant.consent == one.id]
        assert {grant.id for grant in before_grants if grant.consent != one.id} == {grant.id for grant in after_grants}


@given(CHILDREN, SCHOOLS)
def test_an_ended_membership_gives_nothing_and_leaves_what_authority_gives_alone(facts: Child, staff: School) -> None:
    over = tuple(replace(one, ends_at=NOW) for one in facts.memberships)
    gone = replace(staff, memberships=tuple(replace(one, ends_at=NOW) for one in staff.memberships))
    left = child_grants(replace(facts, memberships=over), gone, NOW)
    assert all(_by_authority(grant) and _covers(facts, grant) for grant in left)
    assert child_grants(replace(facts, memberships=over, authorities=()), gone, NOW) == ()
    assert school_grants(gone, NOW) == ()


@given(CHILDREN, SCHOOLS)
def test_no_guardian_and_no_child_ever_gets_contact_data(facts: Child, staff: School) -> None:
    for grant in child_grants(facts, staff, datetime(2000, 1, 1, tzinfo=UTC)):
        if grant.role in {Role.GUARDIAN, Role.CHILD, Role.AUDITOR, Role.TEACHER}:
            assert Category.CONTACT not in grant.categories
