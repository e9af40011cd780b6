"""The closed word lists of the public language (DOMAIN.md): every service and tool speaks these."""

from __future__ import annotations

from enum import StrEnum
from uuid import UUID, uuid5

NAMESPACE = UUID("6f1f6f0a-6b4f-5f0e-9d0a-5a4d454e4b52")
"""Root of the UUIDv5 ids that every service must be able to derive alone."""


def school_subject(school: str) -> UUID:
    """Returns the subject id of a school itself (its own approach, its administration), from its slug."""
    return uuid5(NAMESPACE, f"school:{school}")


class ActorKind(StrEnum):
    PERSON = "person"
    TOOL = "tool"
    SERVICE = "service"
    OPERATOR = "operator"


class Role(StrEnum):
    GUARDIAN = "guardian"
    CHILD = "child"
    TEACHER = "teacher"
    COORDINATOR = "internal_coordinator"
    SOCIAL_WORKER = "school_social_worker"
    PSYCHOLOGIST = "psychologist"
    THERAPIST = "therapist"
    CARE_PROFESSIONAL = "care_professional"
    SUPPORT_COMMITTEE = "support_committee"
    SCHOOL_LEADER = "school_leader"
    SCHOOL_ADMINISTRATOR = "school_administrator"
    EXPERT_TEAM = "expert_team_member"
    AUDITOR = "auditor"
    FOUNDATION_ADMINISTRATOR = "foundation_administrator"
    LOCAL_TOOL = "local_tool"


class Setting(StrEnum):
    """Where a goal is worked on and where a score comes from."""

    HOME = "home"
    SCHOOL = "school"
    CARE = "care"
    CHILD = "child"


class Category(StrEnum):
    """What kind of data. `log` is the audit log itself."""

    IDENTITY = "identity"
    CONTACT = "contact"
    GOALS = "goals"
    OBSERVATIONS = "observations"
    PLAN = "plan"
    CONVERSATIONS = "conversations"
    CARE = "care"
    EXPECTATIONS = "expectations"
    NETWORK = "network"
    LOG = "log"


class Action(StrEnum):
    """What a grant allows."""

    VIEW = "view"
    PROPOSE = "propose"
    DECIDE = "decide"
    SCORE = "score"
    CONSENT = "consent"
    MANAGE = "manage"
    RECEIVE = "receive"
    EXPORT = "export"
    ANSWER = "answer"
    """Speak in a dialogue that one is in. Beginning one is `propose`."""


class Purpose(StrEnum):
    """Why. Every query states one."""

    GUIDANCE = "guidance"
    CARE_COORDINATION = "care_coordination"
    TRANSFER = "transfer"
    LOCAL_TOOL = "local_tool"
    INSIGHT = "insight"
    ADMINISTRATION = "administration"
    OVERSIGHT = "oversight"
    OWN_DATA = "own_data"


class Basis(StrEnum):
    """On what ground (GDPR article 6 and its Dutch counterparts)."""

    CONSENT = "consent"
    LEGAL_DUTY = "legal_duty"
    PUBLIC_TASK = "public_task"
    VITAL_INTEREST = "vital_interest"
    AUTHORITY = "parental_authority"
    OWN_DATA = "own_data"
    ANONYMOUS = "anonymous_aggregate"


class Outcome(StrEnum):
    PERMITTED = "permitted"
    DENIED = "denied"
