"""What is answered about emergencies, and about keeping and erasing a child's file, as others read it."""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID

from services.network.member_replies import MayTakeAway, TakenAway
from services.network.terms import Place, Since
from shared.events.emergencies import ReviewOutcome
from shared.events.erasure import ErasureReason, HoldReason, RetentionClass
from shared.events.words import Role
from shared.unit import Reply

ErasureState = Literal["asked", "declined", "erasing", "erased", "completed"]


class ChildFileReply(Reply):
    """Whose file it is."""

    child: UUID
    given_name: str | None
    family_name: str | None


class BrokenGlassReply(Reply):
    """Emergency access that begins now, until when, and how many people can review it."""

    emergency: UUID
    version: int
    until: datetime
    reviewers: int
    revision: int


class EmergencyReply(TakenAway):
    """Emergency access that was ended or reviewed, and the revision of the child's grants."""

    emergency: UUID
    version: int
    revision: int


class EmergencyShown(Reply):
    """Emergency access and how it was judged. The words are for its member and its reviewers."""

    emergency: UUID
    version: int
    member: UUID
    role: Role
    organisation: UUID | None
    starts_at: datetime
    ends_at: datetime
    review_due_at: datetime
    outcome: ReviewOutcome | None
    reviewed_by: UUID | None
    reviewed_at: datetime | None
    reason: str | None
    review_reason: str | None


class EmergenciesReply(Reply):
    """Emergency access to a child that the asker may know of."""

    emergencies: tuple[EmergencyShown, ...]


class EmergencyContact(Reply):
    """Who can be reached. `confidential`: where this person lives must not become known."""

    person: UUID
    role: Role
    given_name: str
    family_name: str
    phone: str | None
    email: str | None
    confidential: bool


class EmergencyContactsReply(Reply):
    """Who can be reached about a child."""

    child: UUID
    given_name: str | None
    family_name: str | None
    contacts: tuple[EmergencyContact, ...]


class ErasureReply(MayTakeAway):
    """An erasure as it stands now. `erasing`: with the revision of the child's grants, of which none is left."""

    erasure: UUID
    version: int
    state: Literal["asked", "declined", "erasing"]
    revision: int | None = None


class HoldReply(Reply):
    """A hold as it stands now."""

    hold: UUID
    version: int


class HoldShown(Reply):
    """A reason why a child's file stays. `holds`: it does so now."""

    id: UUID
    version: int
    child: UUID
    reason: HoldReason
    placed_by: UUID
    starts_at: datetime
    until: datetime | None
    lifted_by: UUID | None
    lifted_at: datetime | None
    holds: bool


class HoldsReply(Reply):
    """The holds on a child, eldest first."""

    holds: tuple[HoldShown, ...]


class ErasureShown(Reply):
    """An erasure and how far it is. `gone`: rows of network that went, by table; `seq`: the event that told them to."""

    id: UUID
    version: int
    child: UUID
    reason: ErasureReason
    state: ErasureState
    asked_by: UUID
    asked_at: datetime
    decided_by: UUID | None
    decided_at: datetime | None
    withdrawal: UUID | None
    gone: dict[str, int]
    seq: int | None
    completed_at: datetime | None


class ErasuresReply(Reply):
    """A page of erasures, newest first; `next` is what the next page is asked before."""

    erasures: tuple[ErasureShown, ...]
    next: UUID | None


class RetentionSetReply(Reply):
    """A version of how long something is kept."""

    setting: UUID
    number: int
    months: int


class TermShown(Reply):
    """A version of how long a class is kept, from when on."""

    number: int
    months: int
    starts_at: datetime


class ClassShown(Reply):
    """How many months a class is kept now, where, and what a school may choose; `most` None: without an end."""

    kind: RetentionClass
    months: int
    least: int
    most: int | None
    since: Since
    place: Place
    versions: tuple[TermShown, ...]


class RetentionReply(Reply):
    """What is kept how long."""

    classes: tuple[ClassShown, ...]


class ErasureNamed(Reply):
    """An erasure that is under way."""

    id: UUID
    version: int
    state: ErasureState


class DueShown(Reply):
    """A child that left, when its term ends, and what stands in the way or is under way already."""

    child: UUID
    kind: RetentionClass
    left_at: datetime
    due_at: datetime
    due: bool
    hold: UUID | None
    erasure: ErasureNamed | None


class RetentionDueReply(Reply):
    """Whose term has ended or soon will; `next` is what the next page is asked after."""

    due: tuple[DueShown, ...]
    next: UUID | None
