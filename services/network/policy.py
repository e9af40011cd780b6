"""The policy: which facts give which grants. The table is data; `child_grants` and `school_grants` are pure.

Grants carry their own period, so that what starts or ends tomorrow takes effect without anyone calling.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TypeAlias
from uuid import UUID, uuid5

from services.network.model import (
    DECIDES_AT,
    EVER,
    FOREVER,
    OF_AGE_AT,
    Child,
    Consent,
    Membership,
    School,
    Span,
    given_spans,
    without,
)
from services.network.safeguards import Emergency
from shared.events.network import Decision, Grant
from shared.events.words import NAMESPACE, Action, Basis, Category, Purpose, Role

POLICY_VERSION = 2
FORESEEN = timedelta(hours=26)
"""A birthday is in the grants from a day (of at most 25 hours) and some before it; `Child.next_due` says when."""

SCHOOL_TEAM = frozenset(
    {Role.TEACHER, Role.COORDINATOR, Role.SOCIAL_WORKER, Role.PSYCHOLOGIST, Role.SUPPORT_COMMITTEE, Role.SCHOOL_LEADER}
)
ASKERS = SCHOOL_TEAM - {Role.TEACHER}
"""Of the team, those who may ask for consent and reach people for it."""
EXTERNAL = frozenset({Role.THERAPIST, Role.CARE_PROFESSIONAL, Role.LOCAL_TOOL})
"""Take part in a child's network, and see only what consent gives."""
WIDE = frozenset({Role.SCHOOL_ADMINISTRATOR, Role.AUDITOR})
"""Members of the school whose role reaches every child in it."""
REVIEWERS = frozenset({Role.SCHOOL_LEADER, Role.SUPPORT_COMMITTEE, Role.SOCIAL_WORKER})
"""Those who review others' emergency access."""
ROLES_OF_CHILD = SCHOOL_TEAM | EXTERNAL | {Role.GUARDIAN, Role.CHILD}
ROLES_OF_SCHOOL = SCHOOL_TEAM | WIDE | {Role.EXPERT_TEAM}


class Standing(StrEnum):
    """What a rule rests on, beside the membership."""

    MEMBER = "member"
    PLAN_AUTHORITY = "plan_authority"
    SHARING_AUTHORITY = "sharing_authority"
    NO_AUTHORITY = "no_authority"
    DECIDES_SELF = "decides_self"
    CONSENTS_SELF = "consents_self"
    CONSENT = "consent"
    EMERGENCY = "emergency"
    REVIEW = "review"


@dataclass(frozen=True, slots=True)
class Rule:
    """Members in these roles, with this standing, get this."""

    name: str
    roles: frozenset[Role]
    standing: Standing
    actions: tuple[Action, ...]
    categories: tuple[Category, ...]
    purposes: tuple[Purpose, ...]
    basis: Basis


CONTENT = (
    Category.IDENTITY,
    Category.GOALS,
    Category.OBSERVATIONS,
    Category.PLAN,
    Category.CONVERSATIONS,
    Category.CARE,
    Category.EXPECTATIONS,
    Category.NETWORK,
)
WORKED_ON = (Category.GOALS, Category.OBSERVATIONS, Category.PLAN)
"""What people work on together, and may take along."""
TAKE_PART = (Action.VIEW, Action.PROPOSE, Action.ANSWER, Action.SCORE, Action.DECIDE, Action.RECEIVE)
HOME = (Purpose.GUIDANCE, Purpose.CARE_COORDINATION, Purpose.TRANSFER, Purpose.OWN_DATA)
WORK = (Purpose.GUIDANCE, Purpose.CARE_COORDINATION, Purpose.TRANSFER)
GUARDIAN, SELF = frozenset({Role.GUARDIAN}), frozenset({Role.CHILD})
ADMIN, AUDIT = frozenset({Role.SCHOOL_ADMINISTRATOR}), frozenset({Role.AUDITOR})
RECORDS = (Category.NETWORK, Category.IDENTITY, Category.CONTACT)
# Contact is in no guardian's or child's rule: separated parents must not find each other's address here.
CHILD_RULES = (
    Rule("guardian", GUARDIAN, Standing.PLAN_AUTHORITY, TAKE_PART, CONTENT, HOME, Basis.AUTHORITY),
    Rule("guardian-export", GUARDIAN, Standing.PLAN_AUTHORITY, (Action.EXPORT,), WORKED_ON, HOME, Basis.AUTHORITY),
    Rule(
        "guardian-consent",
        GUARDIAN,
        Standing.SHARING_AUTHORITY,
        (Action.VIEW, Action.CONSENT, Action.RECEIVE, Action.EXPORT),
        (Category.NETWORK,),
        HOME,
        Basis.AUTHORITY,
    ),
    Rule("guardian-log", GUARDIAN, Standing.PLAN_AUTHORITY, (Action.VIEW,), (Category.LOG,), HOME[3:], Basis.AUTHORITY),
    # Civil code 1:377c: who has no authority is still told important facts.
    Rule(
        "guardian-informed",
        GUARDIAN,
        Standing.NO_AUTHORITY,
        (Action.VIEW,),
        (Category.GOALS, Category.PLAN),
        HOME,
        Basis.LEGAL_DUTY,
    ),
    Rule("child", SELF, Standing.DECIDES_SELF, (*TAKE_PART, Action.EXPORT), CONTENT, HOME, Basis.OWN_DATA),
    Rule("child-consent", SELF, Standing.CONSENTS_SELF, (Action.CONSENT,), (Category.NETWORK,), HOME, Basis.OWN_DATA),
    Rule("child-log", SELF, Standing.DECIDES_SELF, (Action.VIEW,), (Category.LOG,), HOME[3:], Basis.OWN_DATA),
    Rule("team", SCHOOL_TEAM, Standing.MEMBER, TAKE_PART, CONTENT[:-1], WORK, Basis.PUBLIC_TASK),
    Rule(
        "team-network",
        SCHOOL_TEAM,
        Standing.MEMBER,
        (Action.VIEW, Action.RECEIVE),
        (Category.NETWORK,),
        WORK,
        Basis.PUBLIC_TASK,
    ),
    Rule(
        "asker",
        ASKERS,
        Standing.MEMBER,
        (Action.VIEW, Action.PROPOSE),
        (Category.NETWORK, Category.CONTACT),
        WORK,
        Basis.PUBLIC_TASK,
    ),
)
WIDE_RULES = (
    Rule(
        "administrator",
        ADMIN,
        Standing.MEMBER,
        (Action.VIEW, Action.PROPOSE, Action.MANAGE, Action.EXPORT),
        RECORDS,
        (Purpose.ADMINISTRATION, Purpose.GUIDANCE),
        Basis.PUBLIC_TASK,
    ),
    Rule(
        "auditor",
        AUDIT,
        Standing.MEMBER,
        (Action.VIEW, Action.EXPORT),
        (Category.LOG,),
        (Purpose.OVERSIGHT,),
        Basis.LEGAL_DUTY,
    ),
)
SCHOOL_RULES = (
    *WIDE_RULES,
    Rule(
        "school-team",
        SCHOOL_TEAM | {Role.EXPERT_TEAM},
        Standing.MEMBER,
        (Action.VIEW, Action.PROPOSE, Action.ANSWER, Action.SCORE, Action.RECEIVE),
        CONTENT[1:],
        WORK,
        Basis.PUBLIC_TASK,
    ),
    Rule(
        "school-lead",
        frozenset({Role.EXPERT_TEAM, Role.SCHOOL_LEADER}),
        Standing.MEMBER,
        (Action.DECIDE,),
        CONTENT[1:],
        WORK,
        Basis.PUBLIC_TASK,
    ),
)
EMERGENCY_RULE = Rule(
    "emergency",
    SCHOOL_TEAM | {Role.THERAPIST, Role.CARE_PROFESSIONAL},
    Standing.EMERGENCY,
    (Action.VIEW,),
    (Category.IDENTITY, Category.CONTACT, Category.CARE, Category.PLAN, Category.GOALS),
    (Purpose.GUIDANCE, Purpose.CARE_COORDINATION),
    Basis.VITAL_INTEREST,
)
# The log is what a review needs: who looked at what meanwhile. Nobody reviews their own.
REVIEW_RULE = Rule(
    "review",
    REVIEWERS,
    Standing.REVIEW,
    (Action.VIEW, Action.DECIDE, Action.RECEIVE),
    (Category.LOG,),
    (Purpose.OVERSIGHT,),
    Basis.LEGAL_DUTY,
)
CONSENTED_ACTIONS = (Action.VIEW, Action.ANSWER, Action.SCORE, Action.RECEIVE)


Held: TypeAlias = dict[tuple[Standing, UUID], list[Span]]
"""When a person has a standing, whatever they are a member as."""
_OF_CHILD = {role: tuple(rule for rule in CHILD_RULES if role in rule.roles) for role in Role}
_WIDE = {role: tuple(rule for rule in WIDE_RULES if role in rule.roles) for role in Role}


@dataclass(frozen=True, slots=True)
class Claim:
    """What one fact may give a member: by which rule, and in which spans all that it rests on is there (maybe none)."""

    rule: Rule
    membership: Membership
    spans: tuple[Span, ...]
    subject: UUID
    consent: Consent | None = None
    emergency: Emergency | None = None


def reaches_all(role: Role, school: School) -> bool:
    """Tells whether a change of members in this role changes grants on children beyond those they are members round."""
    return role in WIDE or (school.in_review and role in REVIEWERS)


def claims(child: Child, school: School) -> Iterator[Claim]:
    """Yields all that the facts may give on the child. The only place where facts meet rules."""
    held: Held = {}
    for membership in child.memberships:
        for rule in _OF_CHILD[membership.role]:
            yield Claim(rule, membership, tuple(_standing(rule.standing, membership, child, held)), child.id)
    for membership in school.memberships:
        for rule in _WIDE[membership.role]:
            yield Claim(rule, membership, (membership.span,), child.id)
    for consent in child.consents:
        yield from _consented(consent, child)
    for emergency in child.emergencies:
        yield from _emergency(emergency, child, school)


def child_grants(child: Child, school: School, at: datetime) -> tuple[Grant, ...]:
    """Returns every grant on the child that holds at `at` or later, as the facts stand.

    A birthday counts from `FORESEEN` before it: until then the grants must not tell it.
    """
    seen = replace(child, veil=at + FORESEEN)
    return _kept([_grant(claim, span) for claim in claims(seen, school) for span in claim.spans if span], at)


def school_grants(school: School, at: datetime) -> tuple[Grant, ...]:
    """Returns every grant on the school itself that holds at `at` or later."""
    found = [
        _grant(Claim(rule, membership, (), membership.subject), membership.span)
        for membership in school.memberships
        for rule in SCHOOL_RULES
        if membership.role in rule.roles and membership.span
    ]
    return _kept(found, at)


def _standing(standing: Standing, membership: Membership, child: Child, held: Held) -> Iterator[Span]:
    """Yields the stretches of the membership in which the standing is there; `held` keeps what was found before."""
    span, person = membership.span, membership.person
    if standing is Standing.MEMBER:
        yield span
    elif standing is Standing.NO_AUTHORITY:
        minor = span.within(Span(EVER, child.reaches(OF_AGE_AT)))
        yield from without(minor, child.authority_spans(person, Decision.PLAN))
    else:
        if (standing, person) not in held:
            held[standing, person] = _held(standing, person, child)
        yield from (one.within(span) for one in held[standing, person])


def _held(standing: Standing, person: UUID, child: Child) -> list[Span]:
    if standing is Standing.PLAN_AUTHORITY:
        return child.authority_spans(person, Decision.PLAN)
    if standing is Standing.SHARING_AUTHORITY:
        return child.sharing_spans(person)
    if person != child.id:
        return []
    return child.self_spans() if standing is Standing.CONSENTS_SELF else [Span(child.reaches(DECIDES_AT))]


def _consented(consent: Consent, child: Child) -> Iterator[Claim]:
    spans = given_spans(consent, child)
    rule = Rule(
        f"consent-{consent.id}",
        EXTERNAL,
        Standing.CONSENT,
        CONSENTED_ACTIONS,
        consent.categories,
        (consent.for_purpose,),
        Basis.CONSENT,
    )
    for membership in child.memberships:
        if membership.role in EXTERNAL and consent.is_for(membership):
            held = tuple(span.within(membership.span) for span in spans)
            yield Claim(rule, membership, held, child.id, consent=consent)


def _emergency(emergency: Emergency, child: Child, school: School) -> Iterator[Claim]:
    """Yields what an emergency gives its member while it lasts, and its reviewers until one has judged it."""
    span = Span(emergency.starts_at, emergency.ends_at)
    for one in (*child.memberships, *school.memberships):
        if one.id == emergency.standing:
            span = span.within(one.span)
    used_by = Membership(
        emergency.id,
        emergency.version,
        child.id,
        emergency.member,
        emergency.role,
        emergency.organisation,
        None,
        "hand",
        span.since,
        span.until,
    )
    yield Claim(EMERGENCY_RULE, used_by, (span,), child.id, emergency=emergency)
    if emergency.outcome is None:
        rule = replace(REVIEW_RULE, name=f"review-{emergency.id}")
        for one in (*child.memberships, *school.memberships):
            if one.role in REVIEWERS and one.person != emergency.member:
                held = one.span.within(Span(emergency.starts_at))
                yield Claim(rule, one, (held,), child.id, emergency=emergency)


def _grant(claim: Claim, span: Span) -> Grant:
    """Returns the grant; its id is a function of what it rests on, so unchanged facts give the same grant."""
    rule, membership, consent = claim.rule, claim.membership, claim.consent
    return Grant(
        id=uuid5(NAMESPACE, f"grant:{claim.subject}:{membership.id}:{rule.name}:{span.since.isoformat()}"),
        member=membership.person,
        role=membership.role,
        organisation=membership.organisation,
        actions=rule.actions,
        categories=rule.categories,
        purposes=rule.purposes,
        basis=rule.basis,
        consent=consent.id if consent else None,
        consent_version=consent.version if consent else None,
        emergency=rule.standing is Standing.EMERGENCY,
        valid_from=span.since,
        valid_until=None if span.until == FOREVER else span.until,
    )


def _kept(found: list[Grant], at: datetime) -> tuple[Grant, ...]:
    return tuple(grant for grant in found if grant.valid_until is None or grant.valid_until > at)
