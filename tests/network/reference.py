"""The policy once more, slowly, in the words of the domain: may this person do this, at this moment?

Written apart from services/network/policy.py and grants.py, and shares nothing with them but the shape of the facts: no
spans, no grants, no tables. One moment, one question, straight from who is there, who has authority and what was
answered.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Protocol
from uuid import UUID
from zoneinfo import ZoneInfo

from services.network.model import AnswerKind, Authority, Child, Consent, Membership, School
from shared.events.network import Decision, HolderRole, PolicyRule, RecipientKind
from shared.events.words import Action, Category, Purpose, Role

TEAM = {
    Role.TEACHER,
    Role.COORDINATOR,
    Role.SOCIAL_WORKER,
    Role.PSYCHOLOGIST,
    Role.SUPPORT_COMMITTEE,
    Role.SCHOOL_LEADER,
}
REVIEWING = {Role.SCHOOL_LEADER, Role.SUPPORT_COMMITTEE, Role.SOCIAL_WORKER}
OUTSIDE = {Role.THERAPIST, Role.CARE_PROFESSIONAL, Role.LOCAL_TOOL}
EVERYTHING = set(Category) - {Category.CONTACT, Category.LOG}
"""What those who work with the child see of it. Contact data and the log are apart."""
PARTNERSHIP = {Action.VIEW, Action.PROPOSE, Action.ANSWER, Action.SCORE, Action.DECIDE, Action.RECEIVE}
WORKING = {Purpose.GUIDANCE, Purpose.CARE_COORDINATION, Purpose.TRANSFER}
AT_HOME = WORKING | {Purpose.OWN_DATA}


class Period(Protocol):
    @property
    def starts_at(self) -> datetime: ...
    @property
    def ends_at(self) -> datetime | None: ...


def holds(fact: Period, at: datetime) -> bool:
    return fact.starts_at <= at and (fact.ends_at is None or at < fact.ends_at)


def age(born_on: date | None, at: datetime) -> int:
    """In whole years, by the calendar of the Netherlands; unknown counts as a small child."""
    if born_on is None:
        return 0
    today = at.astimezone(ZoneInfo("Europe/Amsterdam")).date()
    return today.year - born_on.year - ((today.month, today.day) < (born_on.month, born_on.day))


def may(
    child: Child, school: School, who: UUID, action: Action, category: Category, purpose: Purpose, at: datetime
) -> bool:
    """Tells whether `who` may do this to the child's data, as the facts stand at `at`."""
    asked = (action, category, purpose)
    if any(one.guardian == who and holds(one, at) for one in child.withheld):
        return False  # a court, or the child's interest, keeps all of it from this one
    if category is Category.CONTACT and any(
        one.person == who and one.role is Role.GUARDIAN for one in child.memberships
    ):
        return False  # who is or was a guardian, whatever else: separated parents don't find each other here
    round_child = [one for one in child.memberships if one.person == who and holds(one, at)]
    in_school = [one for one in school.memberships if one.person == who and holds(one, at)]
    return (
        any(_round_child(child, one, *asked, at) for one in round_child)
        or (not any(one.role is Role.GUARDIAN for one in round_child) and _by_authority(child, who, *asked, at))
        or any(_in_school(one, *asked) for one in in_school)
        or _emergency(child, school, who, *asked, at)
        or _reviewing(child, [*round_child, *in_school], who, *asked, at)
    )


def _round_child(
    child: Child, me: Membership, action: Action, category: Category, purpose: Purpose, at: datetime
) -> bool:
    if me.role is Role.GUARDIAN:
        return _guardian(child, me.person, action, category, purpose, at)
    if me.role is Role.CHILD:
        return _young_person(child, me.person, action, category, purpose, at)
    if me.role in TEAM:
        return _team(me.role, action, category, purpose)
    return me.role in OUTSIDE and any(_shared(child, one, me, action, category, purpose, at) for one in child.consents)


def _guardian(child: Child, me: UUID, action: Action, category: Category, purpose: Purpose, at: datetime) -> bool:
    """Who has authority is a partner; who has none is told important facts, until the child is of age."""
    plans = any(one.holder == me for one in deciding(child, Decision.PLAN, at))
    shares = me in deciders(child, at)
    if category is Category.LOG:
        return plans and action is Action.VIEW and purpose is Purpose.OWN_DATA
    if purpose not in AT_HOME:
        return False
    if plans and action in PARTNERSHIP and category in EVERYTHING:
        return True
    if plans and action is Action.EXPORT and category in {Category.GOALS, Category.OBSERVATIONS, Category.PLAN}:
        return True
    if (
        shares
        and category is Category.NETWORK
        and action in {Action.VIEW, Action.CONSENT, Action.RECEIVE, Action.EXPORT}
    ):
        return True
    informed = not plans and age(child.born_on, at) < 18
    return informed and action is Action.VIEW and category in {Category.GOALS, Category.PLAN}


def _by_authority(child: Child, me: UUID, action: Action, category: Category, purpose: Purpose, at: datetime) -> bool:
    """Who decides, and takes no part as a guardian: is asked and told what there is to decide, and sees the log."""
    plans = any(one.holder == me for one in deciding(child, Decision.PLAN, at))
    shares = me in deciders(child, at) - {child.id}
    if category is Category.LOG:
        return plans and action is Action.VIEW and purpose is Purpose.OWN_DATA
    if category is Category.NETWORK:
        return shares and action in {Action.CONSENT, Action.RECEIVE} and purpose in AT_HOME
    allowed = {
        Category.PLAN: {Action.VIEW, Action.DECIDE, Action.RECEIVE},
        Category.CONVERSATIONS: {Action.VIEW, Action.ANSWER, Action.RECEIVE},
        Category.GOALS: {Action.VIEW},
    }
    return plans and action in allowed.get(category, set()) and purpose in AT_HOME


def _young_person(child: Child, me: UUID, action: Action, category: Category, purpose: Purpose, at: datetime) -> bool:
    """From 16 the young person takes part and decides, unless a court named a curator or mentor who does."""
    if me != child.id or age(child.born_on, at) < 16:
        return False
    if category is Category.LOG:
        return action is Action.VIEW and purpose is Purpose.OWN_DATA
    if action is Action.CONSENT:
        return category is Category.NETWORK and purpose in AT_HOME and deciders(child, at) == {child.id}
    return action in PARTNERSHIP | {Action.EXPORT} and category in EVERYTHING and purpose in AT_HOME


def _team(role: Role, action: Action, category: Category, purpose: Purpose) -> bool:
    """The team works with the child's data; it sees the network, and but for teachers it asks and reaches people."""
    if purpose not in WORKING:
        return False
    if category in {Category.NETWORK, Category.CONTACT}:
        asks = role is not Role.TEACHER and action in {Action.VIEW, Action.PROPOSE}
        return asks or (category is Category.NETWORK and action in {Action.VIEW, Action.RECEIVE})
    return category in EVERYTHING and action in PARTNERSHIP


def _in_school(me: Membership, action: Action, category: Category, purpose: Purpose) -> bool:
    """The administrator keeps the records of every child, the auditor reads every log; neither sees content."""
    if me.role is Role.SCHOOL_ADMINISTRATOR:
        kept = category in {Category.NETWORK, Category.IDENTITY, Category.CONTACT}
        keeps = action in {Action.VIEW, Action.PROPOSE, Action.MANAGE, Action.EXPORT}
        told = (action, category, purpose) == (Action.RECEIVE, Category.IDENTITY, Purpose.ADMINISTRATION)
        return told or (kept and keeps and purpose in {Purpose.ADMINISTRATION, Purpose.GUIDANCE})
    if me.role is Role.AUDITOR:
        reads = action in {Action.VIEW, Action.EXPORT}
        return reads and category is Category.LOG and purpose is Purpose.OVERSIGHT
    return False


# Authority and consent ------------------------------------------------------------------------------------------------


def deciding(child: Child, matter: Decision, at: datetime) -> list[Authority]:
    """Parental authority ends at 18; a curator or mentor decides from then."""
    grown = age(child.born_on, at) >= 18
    return [
        one
        for one in child.authorities
        if matter in one.scope and holds(one, at) and (one.role is not HolderRole.PARENTAL) == grown
    ]


def deciders(child: Child, at: datetime) -> set[UUID]:
    """Whose answer to a consent counts: under 16 those with authority, from 16 the child, or who decides for it."""
    years = age(child.born_on, at)
    named = {one.holder for one in deciding(child, Decision.SHARING, at)}
    if years < 16 or (years >= 18 and named):
        return named
    return {child.id}


def one_is_enough(child: Child, at: datetime) -> bool:
    """By the version of the school's policy in force, unless those who decide are in dispute."""
    if any(one.decision is Decision.SHARING and holds(one, at) for one in child.disputes):
        return False
    rule = PolicyRule.ALL_HOLDERS
    for one in sorted(child.policies, key=lambda one: (one.starts_at, one.number)):
        if one.decision is Decision.SHARING and one.starts_at <= at:
            rule = one.rule
    return rule is PolicyRule.ONE_UNLESS_OBJECTION


def agreed(child: Child, consent: Consent, at: datetime) -> bool:
    """Nobody who decides said no or took a yes back, and enough of them said yes before."""
    who = deciders(child, at)
    said = [one for one in consent.answers if one.holder in who]
    if any(one.answer is not AnswerKind.GIVEN for one in said):
        return False
    yes = {one.holder for one in said if one.at <= at}
    return bool(yes) and (yes == who or one_is_enough(child, at))


def _shared(
    child: Child, consent: Consent, me: Membership, action: Action, category: Category, purpose: Purpose, at: datetime
) -> bool:
    to_me = consent.recipient == (me.person if consent.recipient_kind is RecipientKind.MEMBER else me.organisation)
    named = category in consent.categories and purpose is consent.for_purpose
    lets = action in {Action.VIEW, Action.ANSWER, Action.SCORE, Action.RECEIVE}
    return to_me and named and lets and holds(consent, at) and agreed(child, consent, at)


# Emergencies ----------------------------------------------------------------------------------------------------------


def _emergency(
    child: Child, school: School, who: UUID, action: Action, category: Category, purpose: Purpose, at: datetime
) -> bool:
    shown = {Category.IDENTITY, Category.CONTACT, Category.CARE, Category.PLAN, Category.GOALS}
    if action is not Action.VIEW or category not in shown:
        return False
    if purpose not in {Purpose.GUIDANCE, Purpose.CARE_COORDINATION}:
        return False
    left = {one.id for one in (*child.memberships, *school.memberships) if not holds(one, at)}
    return any(one.member == who and holds(one, at) and one.standing not in left for one in child.emergencies)


def _reviewing(
    child: Child,
    mine: list[Membership],
    who: UUID,
    action: Action,
    category: Category,
    purpose: Purpose,
    at: datetime,
) -> bool:
    if category is not Category.LOG or purpose is not Purpose.OVERSIGHT:
        return False
    if action not in {Action.VIEW, Action.DECIDE, Action.RECEIVE}:
        return False
    waits = any(one.outcome is None and one.member != who and one.starts_at <= at for one in child.emergencies)
    return waits and any(one.role in REVIEWING for one in mine)
