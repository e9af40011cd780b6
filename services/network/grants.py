"""Which grants follow from the facts, by the policy. Pure.

Grants carry their own period, so that what starts or ends tomorrow takes effect without anyone calling.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TypeAlias
from uuid import UUID, uuid5

from services.network.consent_state import given_spans
from services.network.model import DECIDES_AT, OF_AGE_AT, Child, Consent, Membership, School
from services.network.policy import (
    CHILD_RULES,
    CONSENTED_ACTIONS,
    EMERGENCY_RULE,
    EXTERNAL,
    HOLDER_RULES,
    REVIEW_RULE,
    REVIEWERS,
    SCHOOL_RULES,
    WIDE_RULES,
    Rule,
    Standing,
    open_to,
)
from services.network.safeguards import Emergency
from services.network.spans import EVER, FOREVER, Span, joined, without
from shared.events.network import Decision, Grant
from shared.events.words import NAMESPACE, Basis, Role

FORESEEN = timedelta(hours=26)
"""A birthday is in the grants from a day (of at most 25 hours) and some before it; `Child.next_due` says when."""

Held: TypeAlias = dict[tuple[Standing, UUID], list[Span]]
"""When a person has a standing, whatever they are a member as."""
_OF_CHILD = {role: tuple(rule for rule in CHILD_RULES if role in rule.roles) for role in Role}
_WIDE = {role: tuple(rule for rule in WIDE_RULES if role in rule.roles) for role in Role}


@dataclass(frozen=True, slots=True)
class Claim:
    """What one fact may give a member: by which rule, and in which spans all that it rests on is there (maybe none).

    Of authority alone, `membership` stands for the part that its holder does not take.
    """

    rule: Rule
    membership: Membership
    spans: tuple[Span, ...]
    subject: UUID
    consent: Consent | None = None
    emergency: Emergency | None = None


def claims(child: Child, school: School) -> Iterator[Claim]:
    """Yields all that the facts may give on the child. The only place where facts meet rules."""
    guardians = child.guardians
    silent = {one.guardian for one in child.withheld}
    for claim in _claims(child, school):
        found = _closed(claim, child) if claim.membership.person in guardians else claim
        yield _silenced(found, child) if claim.membership.person in silent else found


def _closed(claim: Claim, child: Child) -> Claim:
    """Returns what a guardian may claim, who may work here too: all but contact data."""
    categories = open_to(child, claim.membership.person, claim.rule.categories)
    if categories == claim.rule.categories:
        return claim
    spans = claim.spans if categories else ()
    return replace(claim, rule=replace(claim.rule, categories=categories), spans=spans)


def _silenced(claim: Claim, child: Child) -> Claim:
    """Returns what somebody may claim from whom information is withheld, in whatever role: nothing meanwhile."""
    person = claim.membership.person
    taken = joined(Span(one.starts_at, one.ends_at or FOREVER) for one in child.withheld if one.guardian == person)
    return replace(claim, spans=tuple(left for span in claim.spans for left in without(span, taken)))


def _claims(child: Child, school: School) -> Iterator[Claim]:
    held: Held = {}
    for membership in child.memberships:
        for rule in _OF_CHILD[membership.role]:
            yield Claim(rule, membership, tuple(_standing(rule.standing, membership, child, held)), child.id)
    for holder in sorted({one.holder for one in child.authorities}):
        yield from _alone(holder, child, held)
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


def _alone(holder: UUID, child: Child, held: Held) -> Iterator[Claim]:
    """Yields what authority gives by itself, while its holder takes no part as a guardian, not even a suspended one."""
    own = (one for one in child.memberships if one.person == holder and one.role is Role.GUARDIAN)
    taking_part = joined(replace(one, suspended_at=None).span for one in own)
    as_holder = Membership(holder, 0, child.id, holder, Role.GUARDIAN, None, None, "authority", EVER, None)
    for rule in HOLDER_RULES:
        if (rule.standing, holder) not in held:
            whole = _held(rule.standing, holder, child)
            held[rule.standing, holder] = [left for span in whole for left in without(span, taking_part)]
        if spans := held[rule.standing, holder]:
            yield Claim(rule, as_holder, tuple(spans), child.id)


def _held(standing: Standing, person: UUID, child: Child) -> list[Span]:
    if standing in {Standing.PLAN_AUTHORITY, Standing.PLAN_ALONE}:
        return child.authority_spans(person, Decision.PLAN)
    if standing in {Standing.SHARING_AUTHORITY, Standing.SHARING_ALONE}:
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
