"""The policy: which roles get what, with which standing. Data: `grants.py` makes grants of it and of the facts."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from services.network.model import Child, School
from shared.events.words import Action, Basis, Category, Purpose, Role

POLICY_VERSION = 4
"""Goes up with every change of what follows below, also one that takes another back: it has all grants made anew."""

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
    """What a rule rests on, beside the membership; `*_alone`: on authority without one."""

    MEMBER = "member"
    PLAN_AUTHORITY = "plan_authority"
    SHARING_AUTHORITY = "sharing_authority"
    NO_AUTHORITY = "no_authority"
    DECIDES_SELF = "decides_self"
    CONSENTS_SELF = "consents_self"
    PLAN_ALONE = "plan_alone"
    SHARING_ALONE = "sharing_alone"
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
# Contact is in no guardian's or child's rule, and no guardian has it by another role (`open_to`): separated parents
# must not find each other's address here.
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
# Who has authority keeps the right to be told and asked (civil code 1:247, 1:253a) when they take no part, or no more:
# what they decide on and what was done with the file, and nothing of who else is round the child (decision 0021).
HOLDER_RULES = (
    Rule(
        "holder-plan",
        GUARDIAN,
        Standing.PLAN_ALONE,
        (Action.VIEW, Action.DECIDE, Action.RECEIVE),
        (Category.PLAN,),
        HOME,
        Basis.AUTHORITY,
    ),
    Rule("holder-goals", GUARDIAN, Standing.PLAN_ALONE, (Action.VIEW,), (Category.GOALS,), HOME, Basis.AUTHORITY),
    Rule(
        "holder-talk",
        GUARDIAN,
        Standing.PLAN_ALONE,
        (Action.VIEW, Action.ANSWER, Action.RECEIVE),
        (Category.CONVERSATIONS,),
        HOME,
        Basis.AUTHORITY,
    ),
    Rule("holder-log", GUARDIAN, Standing.PLAN_ALONE, (Action.VIEW,), (Category.LOG,), HOME[3:], Basis.AUTHORITY),
    Rule(
        "holder-consent",
        GUARDIAN,
        Standing.SHARING_ALONE,
        (Action.CONSENT, Action.RECEIVE),
        (Category.NETWORK,),
        HOME,
        Basis.AUTHORITY,
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
    # Told of a file itself, which is theirs to keep or to erase, and of nothing else round the child.
    Rule(
        "administrator-told",
        ADMIN,
        Standing.MEMBER,
        (Action.RECEIVE,),
        (Category.IDENTITY,),
        (Purpose.ADMINISTRATION,),
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


def reaches_all(role: Role, school: School) -> bool:
    """Tells whether a change of members in this role changes grants on children beyond those they are members round."""
    return role in WIDE or (school.in_review and role in REVIEWERS)


def open_to(child: Child, person: UUID, categories: tuple[Category, ...]) -> tuple[Category, ...]:
    """Returns the categories that a person may have of the child in whatever role: no guardian has contact data."""
    return tuple(one for one in categories if one is not Category.CONTACT or person not in child.guardians)
