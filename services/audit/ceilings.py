"""What grants in each role may hold at most, and on what: a ceiling for each basis, apart from network's policy. Pure.

`weighing.py` holds published grants against them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from shared.events.network import Grant
from shared.events.words import Action, Basis, Category, Purpose, Role

TEAM = {
    Role.TEACHER,
    Role.COORDINATOR,
    Role.SOCIAL_WORKER,
    Role.PSYCHOLOGIST,
    Role.SUPPORT_COMMITTEE,
    Role.SCHOOL_LEADER,
}
CONTENT = {
    Category.IDENTITY,
    Category.GOALS,
    Category.OBSERVATIONS,
    Category.PLAN,
    Category.CONVERSATIONS,
    Category.CARE,
    Category.EXPECTATIONS,
}
PART = {Action.VIEW, Action.PROPOSE, Action.ANSWER, Action.SCORE, Action.DECIDE, Action.RECEIVE}
WORK = {Purpose.GUIDANCE, Purpose.CARE_COORDINATION, Purpose.TRANSFER}
HOME = WORK | {Purpose.OWN_DATA}
NETWORK, LOG, PLAN = {Category.NETWORK}, {Category.LOG}, {Category.PLAN}
OUTSIDE = {Role.THERAPIST, Role.CARE_PROFESSIONAL, Role.LOCAL_TOOL}
REVIEWERS = {Role.SCHOOL_LEADER, Role.SUPPORT_COMMITTEE, Role.SOCIAL_WORKER}


@dataclass(frozen=True, slots=True)
class Ceiling:
    """What grants in these roles on this basis may hold at most; `needs` names what they rest on beside membership."""

    basis: Basis
    roles: frozenset[Role]
    actions: frozenset[Action]
    categories: frozenset[Category]
    purposes: frozenset[Purpose]
    needs: str = ""
    on_school: bool | None = False
    """On the school itself (True), on a child (False), on both (None)."""
    alone: bool = False
    """It needs no membership beside what `needs` names."""

    def holds(self, grant: Grant) -> bool:
        """Tells whether the grant fits under it."""
        return (
            grant.basis is self.basis
            and grant.role in self.roles
            and self.actions.issuperset(grant.actions)
            and self.categories.issuperset(grant.categories)
            and self.purposes.issuperset(grant.purposes)
        )


def _ceiling(
    basis: Basis,
    roles: Iterable[Role],
    may: tuple[Iterable[Action], Iterable[Category], Iterable[Purpose]],
    needs: str = "",
    *,
    on_school: bool | None = False,
    alone: bool = False,
) -> Ceiling:
    actions, categories, purposes = may
    reach = frozenset(actions), frozenset(categories), frozenset(purposes)
    return Ceiling(basis, frozenset(roles), *reach, needs, on_school, alone)


GUARDIAN, SELF = {Role.GUARDIAN}, {Role.CHILD}
WORKED_ON = {Category.GOALS, Category.OBSERVATIONS, Category.PLAN}
LOG_OWN = ({Action.VIEW}, LOG, {Purpose.OWN_DATA})
SHARING = {Action.VIEW, Action.CONSENT, Action.RECEIVE, Action.EXPORT}
RECORDS = (
    {Action.VIEW, Action.PROPOSE, Action.MANAGE, Action.EXPORT},
    {Category.NETWORK, Category.IDENTITY, Category.CONTACT},
    {Purpose.ADMINISTRATION, Purpose.GUIDANCE},
)
SCHOOL_WORK = PART - {Action.DECIDE}
SCHOOL_KINDS = (CONTENT - {Category.IDENTITY}) | NETWORK
CEILINGS = (
    _ceiling(Basis.AUTHORITY, GUARDIAN, (PART, CONTENT | NETWORK, HOME), "plan"),
    _ceiling(Basis.AUTHORITY, GUARDIAN, ({Action.EXPORT}, WORKED_ON, HOME), "plan"),
    _ceiling(Basis.AUTHORITY, GUARDIAN, LOG_OWN, "plan"),
    _ceiling(Basis.AUTHORITY, GUARDIAN, (SHARING, NETWORK, HOME), "sharing"),
    # By authority alone, without a part in the network.
    _ceiling(Basis.AUTHORITY, GUARDIAN, ({Action.VIEW, Action.DECIDE, Action.RECEIVE}, PLAN, HOME), "plan", alone=True),
    _ceiling(Basis.AUTHORITY, GUARDIAN, ({Action.VIEW}, {Category.GOALS}, HOME), "plan", alone=True),
    _ceiling(
        Basis.AUTHORITY,
        GUARDIAN,
        ({Action.VIEW, Action.ANSWER, Action.RECEIVE}, {Category.CONVERSATIONS}, HOME),
        "plan",
        alone=True,
    ),
    _ceiling(Basis.AUTHORITY, GUARDIAN, LOG_OWN, "plan", alone=True),
    _ceiling(Basis.AUTHORITY, GUARDIAN, ({Action.CONSENT, Action.RECEIVE}, NETWORK, HOME), "sharing", alone=True),
    _ceiling(Basis.LEGAL_DUTY, GUARDIAN, ({Action.VIEW}, {Category.GOALS, Category.PLAN}, HOME)),
    _ceiling(Basis.OWN_DATA, SELF, (PART | {Action.EXPORT}, CONTENT | NETWORK, HOME), "self"),
    _ceiling(Basis.OWN_DATA, SELF, ({Action.CONSENT}, NETWORK, HOME), "self"),
    _ceiling(Basis.OWN_DATA, SELF, LOG_OWN, "self"),
    _ceiling(Basis.PUBLIC_TASK, TEAM, (PART, CONTENT, WORK)),
    _ceiling(Basis.PUBLIC_TASK, TEAM, ({Action.VIEW, Action.RECEIVE}, NETWORK, WORK)),
    _ceiling(
        Basis.PUBLIC_TASK,
        TEAM - {Role.TEACHER},
        ({Action.VIEW, Action.PROPOSE}, {Category.NETWORK, Category.CONTACT}, WORK),
    ),
    _ceiling(Basis.PUBLIC_TASK, {Role.SCHOOL_ADMINISTRATOR}, RECORDS, on_school=None),
    _ceiling(
        Basis.PUBLIC_TASK,
        {Role.SCHOOL_ADMINISTRATOR},
        ({Action.RECEIVE}, {Category.IDENTITY}, {Purpose.ADMINISTRATION}),
        on_school=None,
    ),
    _ceiling(
        Basis.LEGAL_DUTY,
        {Role.AUDITOR},
        ({Action.VIEW, Action.EXPORT}, LOG, {Purpose.OVERSIGHT}),
        on_school=None,
    ),
    _ceiling(
        Basis.LEGAL_DUTY,
        REVIEWERS,
        ({Action.VIEW, Action.DECIDE, Action.RECEIVE}, LOG, {Purpose.OVERSIGHT}),
        "review",
    ),
    _ceiling(Basis.PUBLIC_TASK, TEAM | {Role.EXPERT_TEAM}, (SCHOOL_WORK, SCHOOL_KINDS, WORK), on_school=True),
    _ceiling(
        Basis.PUBLIC_TASK,
        {Role.EXPERT_TEAM, Role.SCHOOL_LEADER},
        ({Action.DECIDE}, SCHOOL_KINDS, WORK),
        on_school=True,
    ),
    _ceiling(
        Basis.VITAL_INTEREST,
        TEAM | {Role.THERAPIST, Role.CARE_PROFESSIONAL},
        (
            {Action.VIEW},
            {Category.IDENTITY, Category.CONTACT, Category.CARE, Category.PLAN, Category.GOALS},
            {Purpose.GUIDANCE, Purpose.CARE_COORDINATION},
        ),
        "emergency",
    ),
    _ceiling(
        Basis.CONSENT,
        OUTSIDE,
        (
            {Action.VIEW, Action.ANSWER, Action.SCORE, Action.RECEIVE},
            CONTENT | {Category.CONTACT},
            WORK | {Purpose.LOCAL_TOOL, Purpose.INSIGHT},
        ),
        "consent",
    ),
)
