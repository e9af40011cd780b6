"""What `network` tells of emergency access: who took it, when it ended, and what a reviewer found."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import ClassVar
from uuid import UUID

from shared.events.base import Fact
from shared.events.words import Category, Role


class ReviewOutcome(StrEnum):
    """What a reviewer found of someone's emergency access."""

    JUSTIFIED = "justified"
    NOT_JUSTIFIED = "not_justified"


class _Emergency(Fact):
    PRODUCER: ClassVar[str] = "network"
    emergency: UUID
    member: UUID
    """Who used it."""


class EmergencyStarted(_Emergency):
    """Someone took emergency access to a child, with a reason that stays in network."""

    NAME: ClassVar[str] = "emergency.started"
    role: Role
    organisation: UUID | None = None
    categories: tuple[Category, ...]
    starts_at: datetime
    ends_at: datetime
    standing: UUID | None = None
    """The membership that let its member ask for it; None: this event is older than that."""


class EmergencyEnded(_Emergency):
    """Emergency access was ended before its time."""

    NAME: ClassVar[str] = "emergency.ended"
    ends_at: datetime


class EmergencyReviewed(_Emergency):
    """Someone else judged it."""

    NAME: ClassVar[str] = "emergency.reviewed"
    outcome: ReviewOutcome


class EmergencyReviewOverdue(_Emergency):
    """Nobody reviewed it in time. Told once."""

    NAME: ClassVar[str] = "emergency.review-overdue"
    due_at: datetime


FACTS: tuple[type[Fact], ...] = (
    EmergencyStarted,
    EmergencyEnded,
    EmergencyReviewed,
    EmergencyReviewOverdue,
)
"""Every fact about emergency access."""
