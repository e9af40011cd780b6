"""Facts beside membership, authority and consent: how a school decides, disputes, emergencies. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from shared.events.emergencies import ReviewOutcome
from shared.events.network import Decision, PolicyRule
from shared.events.words import Role


@dataclass(frozen=True, slots=True)
class PolicyVersion:
    """From `starts_at` until the next version starts, the school decides by `rule` in this matter."""

    id: UUID
    number: int
    decision: Decision
    rule: PolicyRule
    starts_at: datetime


@dataclass(frozen=True, slots=True)
class Dispute:
    """Holders disagree in a matter; what they say of it is text and stays out of here."""

    id: UUID
    version: int
    decision: Decision
    between: tuple[UUID, ...]
    starts_at: datetime
    ends_at: datetime | None


@dataclass(frozen=True, slots=True)
class Withholding:
    """Nothing is told of a child to one of its guardians; `source` is a code, such as court."""

    id: UUID
    version: int
    guardian: UUID
    source: str
    starts_at: datetime
    ends_at: datetime | None


@dataclass(frozen=True, slots=True)
class Emergency:
    """Someone of the school's team or of care took access to one child, for a reason that stays out of here.

    `role` and `organisation` are those of the membership `standing` that let it.
    """

    id: UUID
    version: int
    member: UUID
    role: Role
    organisation: UUID | None
    standing: UUID
    starts_at: datetime
    ends_at: datetime
    outcome: ReviewOutcome | None
    reviewed_by: UUID | None
    reviewed_at: datetime | None
    operator: str | None = None
    """Who sat at the command line when it was taken."""


def in_force(policies: tuple[PolicyVersion, ...], decision: Decision, at: datetime) -> PolicyVersion | None:
    """Returns the version in force at `at`; None: no school's own, so every holder must say yes."""
    begun = [one for one in policies if one.decision is decision and one.starts_at <= at]
    return max(begun, key=lambda one: (one.starts_at, one.number), default=None)
