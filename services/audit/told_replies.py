"""What is answered of a child from the log, as others read it: emergencies, consents, its story, what is held back."""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID

from shared.events.audit import Ground
from shared.events.emergencies import ReviewOutcome
from shared.events.network import Capacity, RecipientKind
from shared.events.words import Category, Purpose, Role
from shared.unit import Reply


class ReviewTold(Reply):
    """How an emergency access was judged."""

    outcome: ReviewOutcome
    by: UUID
    at: datetime
    in_time: bool


class EmergencyTold(Reply):
    """An emergency access, as its line says. `overdue`: it should have been reviewed by now."""

    idx: int
    child: UUID
    emergency: UUID
    member: UUID
    role: Role
    organisation: UUID | None
    categories: tuple[Category, ...]
    starts_at: datetime
    ends_at: datetime
    standing: UUID | None
    """The membership that let its member ask for it."""
    review_due_at: datetime
    review: ReviewTold | None
    overdue: bool


class EmergenciesTold(Reply):
    """Emergency accesses, newest first; `held_back`: sentences that the law lets the school hold some back."""

    emergencies: tuple[EmergencyTold, ...]
    next: int | None
    held_back: tuple[str, ...]


class ConsentAnswerTold(Reply):
    """A holder's latest answer to a consent."""

    giver: UUID
    answer: Literal["given", "refused", "withdrawn"]
    capacity: Capacity
    at: datetime | None


class ConsentTold(Reply):
    """A consent as it stood. A guardian reads the own answers only."""

    consent: UUID
    version: int
    state: str
    purpose: Purpose
    recipient_kind: RecipientKind
    recipient: UUID
    categories: tuple[Category, ...]
    starts_at: datetime
    ends_at: datetime
    answers: tuple[ConsentAnswerTold, ...]
    recorded_at: datetime


class ConsentsTold(Reply):
    """A child's consents as they stood at `on`."""

    consents: tuple[ConsentTold, ...]
    on: datetime


class SentenceTold(Reply):
    """A line in a plain sentence, with its number and moment."""

    idx: int
    at: datetime
    sentence: str


class StoryReply(Reply):
    """Who looked, in sentences, newest first; `held_back`: sentences that the law lets the school hold lines back."""

    sentences: tuple[SentenceTold, ...]
    next: int | None
    held_back: tuple[str, ...]


class RestrictionReply(Reply):
    """A restriction as it stands now."""

    restriction: UUID
    version: int
    state: Literal["asked", "confirmed", "declined", "lifted"]


class RestrictionShown(Reply):
    """Lines about a child that are held back from its family; what is not set is left out."""

    id: UUID
    version: int
    child: UUID
    state: Literal["asked", "confirmed", "declined", "lifted"]
    ground: Ground
    reason: str | None = None
    """For those who decide on it only."""
    told: bool
    lines_from: datetime
    lines_until: datetime | None = None
    categories: tuple[Category, ...]
    who: UUID | None = None
    ends_at: datetime
    asked_by: UUID
    asked_at: datetime
    decided_by: UUID | None = None
    decided_at: datetime | None = None
    lifted_by: UUID | None = None
    lifted_at: datetime | None = None
    in_force: bool


class RestrictionsReply(Reply):
    """Restrictions, newest first; `next` is what the next page is asked before."""

    restrictions: tuple[RestrictionShown, ...]
    next: UUID | None
