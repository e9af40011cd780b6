"""Made-up facts for pure tests, and Hypothesis strategies for them."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from hypothesis import strategies as st

from services.network.model import Answer, AnswerKind, Authority, Child, Consent, Membership, School
from services.network.policy import EXTERNAL, ROLES_OF_CHILD, ROLES_OF_SCHOOL
from services.network.spans import FOREVER, Span
from shared.events.network import Capacity, ConsentState, Decision, Grant, RecipientKind
from shared.events.words import Action, Category, Purpose, Role

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
BEFORE, AFTER = NOW - timedelta(days=30), NOW + timedelta(days=30)
KIM, SCHOOL = UUID(int=1), UUID(int=2)
MUM, DAD, CARER = UUID(int=11), UUID(int=12), UUID(int=13)
CARE_ORG = UUID(int=20)


def member(person: UUID, role: Role, **more: object) -> Membership:
    fields: dict[str, Any] = {
        "id": uuid4(),
        "version": 1,
        "subject": KIM,
        "person": person,
        "role": role,
        "organisation": None,
        "on_behalf_of": None,
        "source": "hand",
        "starts_at": BEFORE,
        "ends_at": None,
    }
    fields.update(more)
    return Membership(**fields)


def authority(holder: UUID, **more: object) -> Authority:
    fields: dict[str, Any] = {
        "id": uuid4(),
        "version": 1,
        "child": KIM,
        "holder": holder,
        "scope": tuple(Decision),
        "source": "birth",
        "starts_at": BEFORE,
        "ends_at": None,
    }
    fields.update(more)
    return Authority(**fields)


def said(holder: UUID, kind: AnswerKind = AnswerKind.GIVEN, at: datetime = BEFORE) -> Answer:
    return Answer(holder, Capacity.AUTHORITY_HOLDER, kind, at)


def consent(*answers: Answer, **more: object) -> Consent:
    fields: dict[str, Any] = {
        "id": uuid4(),
        "version": 3,
        "child": KIM,
        "for_purpose": Purpose.CARE_COORDINATION,
        "recipient_kind": RecipientKind.MEMBER,
        "recipient": CARER,
        "categories": (Category.GOALS,),
        "notice_version": 1,
        "starts_at": BEFORE,
        "ends_at": AFTER,
        "state": ConsentState.ASKED,
        "answers": answers,
    }
    fields.update(more)
    return Consent(**fields)


def child(**more: object) -> Child:
    fields: dict[str, Any] = {"id": KIM, "version": 1, "born_on": date(2016, 2, 29), "wide": 1, "revision": 4}
    fields.update(more)
    return Child(**fields)


def school(*memberships: Membership) -> School:
    return School(SCHOOL, 1, 1, 1, memberships)


def allowed(
    grants: tuple[Grant, ...], who: UUID, action: Action, category: Category, purpose: Purpose, at: datetime = NOW
) -> bool:
    """Tells whether one of the grants allows it at that moment."""
    return any(
        grant.member == who
        and action in grant.actions
        and category in grant.categories
        and purpose in grant.purposes
        and Span(grant.valid_from, grant.valid_until or FOREVER).holds(at)
        for grant in grants
    )


PEOPLE = st.sampled_from([KIM, MUM, DAD, CARER])
MOMENTS = st.sampled_from([NOW + timedelta(days=days) for days in (-60, -30, -1, 0, 1, 30, 400, 3000)])
ENDS = st.none() | MOMENTS


def memberships(subject: UUID, roles: frozenset[Role]) -> st.SearchStrategy[Membership]:
    return st.builds(
        member,
        PEOPLE,
        st.sampled_from(sorted(roles)),
        subject=st.just(subject),
        organisation=st.sampled_from([None, CARE_ORG]),
        starts_at=MOMENTS,
        ends_at=ENDS,
    )


def _answers() -> st.SearchStrategy[tuple[Answer, ...]]:
    answer = st.builds(said, PEOPLE, st.sampled_from(AnswerKind), MOMENTS.filter(lambda at: at <= NOW))
    return st.lists(answer, max_size=4, unique_by=lambda one: one.holder).map(tuple)


CONSENTS = st.builds(
    lambda answers, **more: consent(*answers, **more),
    _answers(),
    recipient_kind=st.sampled_from(RecipientKind),
    recipient=st.sampled_from([CARER, MUM, CARE_ORG]),
    categories=st.sampled_from([(Category.GOALS,), (Category.GOALS, Category.OBSERVATIONS), (Category.CARE,)]),
    starts_at=MOMENTS,
    ends_at=MOMENTS,
)
AUTHORITIES = st.builds(
    authority,
    PEOPLE,
    scope=st.sampled_from([tuple(Decision), (Decision.SHARING,), (Decision.PLAN,), (Decision.CARE,)]),
    starts_at=MOMENTS,
    ends_at=ENDS,
)
_ANY = st.builds(
    child,
    born_on=st.none() | st.dates(date(2005, 1, 1), date(2024, 1, 1)),
    memberships=st.lists(memberships(KIM, ROLES_OF_CHILD), max_size=6).map(tuple),
    authorities=st.lists(AUTHORITIES, max_size=4).map(tuple),
    consents=st.lists(CONSENTS, max_size=3).map(tuple),
)
# Consent that holds is rare by chance: half of the children have one holder who said yes, and someone to share with.
_SHARING = st.builds(
    child,
    born_on=st.sampled_from([None, date(2016, 2, 29), date(2010, 11, 24)]),
    memberships=st.lists(memberships(KIM, EXTERNAL) | memberships(KIM, ROLES_OF_CHILD), min_size=2, max_size=6).map(
        tuple
    ),
    authorities=st.builds(authority, st.just(MUM), starts_at=MOMENTS, ends_at=ENDS).map(lambda one: (one,)),
    consents=st.lists(
        st.builds(
            lambda at, **more: consent(said(MUM, at=at), **more),
            MOMENTS.filter(lambda at: at <= NOW),
            recipient_kind=st.sampled_from(RecipientKind),
            recipient=st.sampled_from([CARER, DAD, CARE_ORG]),
            starts_at=MOMENTS,
        ),
        min_size=1,
        max_size=2,
    ).map(tuple),
)
CHILDREN = _ANY | _SHARING
SCHOOLS = st.lists(memberships(SCHOOL, ROLES_OF_SCHOOL), max_size=4).map(lambda found: school(*found))
