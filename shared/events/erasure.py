"""What is told when a child is erased: that it was, by whom and why, and how many rows of which table. Nothing else."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import ClassVar
from uuid import UUID

from shared.events.base import Fact


class ErasureReason(StrEnum):
    """Why a child is erased. `request_granted`: GDPR article 17."""

    RETENTION_ENDED = "retention_ended"
    REQUEST_GRANTED = "request_granted"
    DUPLICATE = "duplicate"
    ENTERED_IN_ERROR = "entered_in_error"


class HoldReason(StrEnum):
    """Why a child's file must stay, whatever its term is."""

    COMPLAINT = "complaint"
    COURT = "court"
    INSPECTION = "inspection"
    INVESTIGATION = "investigation"


class RetentionClass(StrEnum):
    """What the law and the field give a term. A school sets that of the pupil's file here, and of nothing else."""

    PUPIL_FILE = "pupil_file"
    CONSENT = "consent"
    ATTENDANCE = "attendance"
    SPECIAL_EDUCATION_REFERRAL = "special_education_referral"
    AUDIT_LOG = "audit_log"


class ChildErased(Fact):
    """A service holds no rows of the child any more; each tells its own. `things` are all rows together."""

    NAME: ClassVar[str] = "child.erased"
    erasure: UUID
    rows: dict[str, int]
    things: int


class _Erasure(Fact):
    PRODUCER: ClassVar[str] = "network"
    erasure: UUID


class ErasureAsked(_Erasure):
    """Somebody asks that a child be erased: someone else must confirm it."""

    NAME: ClassVar[str] = "erasure.asked"
    reason: ErasureReason


class ErasureDeclined(_Erasure):
    """It is not done: somebody else declined it, or who asked took it back."""

    NAME: ClassVar[str] = "erasure.declined"


class ErasureConfirmed(_Erasure):
    """Somebody else confirmed it: nobody has access to the child any more, and its rows go."""

    NAME: ClassVar[str] = "erasure.confirmed"
    reason: ErasureReason
    asked_by: UUID


class PersonErased(_Erasure):
    """A person whom nothing refers to any more went with the child. About the school; `person` is nobody's now."""

    NAME: ClassVar[str] = "person.erased"
    person: UUID


class ErasureCompleted(_Erasure):
    """Every service has confirmed that it holds no rows of the child: each applied network's event `applied`."""

    NAME: ClassVar[str] = "erasure.completed"
    applied: int


class _Hold(Fact):
    PRODUCER: ClassVar[str] = "network"
    hold: UUID


class HoldPlaced(_Hold):
    """The child may not be erased until `until` (None: until this is lifted)."""

    NAME: ClassVar[str] = "hold.placed"
    reason: HoldReason
    starts_at: datetime
    until: datetime | None = None


class HoldLifted(_Hold):
    """A hold on erasure holds no longer."""

    NAME: ClassVar[str] = "hold.lifted"


class RetentionSet(Fact):
    """From `starts_at` on the school keeps this class so many months after leaving. About the school."""

    PRODUCER: ClassVar[str] = "network"
    NAME: ClassVar[str] = "retention.set"
    setting: UUID
    kind: RetentionClass
    number: int
    months: int
    starts_at: datetime


class RetentionDueSoon(Fact):
    """The child left, and its file may be erased from `due_at` on. Told once, three months before."""

    PRODUCER: ClassVar[str] = "network"
    NAME: ClassVar[str] = "retention.due-soon"
    kind: RetentionClass
    due_at: datetime


FACTS = (
    ErasureAsked,
    ErasureDeclined,
    ErasureConfirmed,
    PersonErased,
    ErasureCompleted,
    HoldPlaced,
    HoldLifted,
    RetentionSet,
    RetentionDueSoon,
)
