"""What `goals` tells of conversations: when, of which kind, who is asked, that they were held, what came of them.

Thin: why it is held, the agenda, notes, outcomes' words and whether somebody felt heard stay in `goals`. The envelope's
`thing` is the conversation, of guidance the school.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import ClassVar
from uuid import UUID

from shared.events.base import Fact


class ConversationKind(StrEnum):
    """What a conversation is for. A `consultation` seeks agreement on a plan (op overeenstemming gericht overleg)."""

    MEETING = "meeting"
    CONSULTATION = "consultation"
    EVALUATION = "evaluation"


class InvitationAnswer(StrEnum):
    """As a calendar has it (RFC 5545, PARTSTAT)."""

    ACCEPTED = "accepted"
    TENTATIVE = "tentative"
    DECLINED = "declined"


class OutcomeKind(StrEnum):
    """What a conversation's outcome is to become."""

    GOAL = "goal"
    ACTION = "action"
    COMMITMENT = "commitment"


class GuidanceStep(StrEnum):
    """When the expert team's guidance is read: each step of a conversation has its own."""

    INVITING = "inviting"
    AGENDA = "agenda"
    TALKING = "talking"
    OUTCOMES = "outcomes"
    LOOKING_BACK = "looking_back"


class SuggestionEnd(StrEnum):
    """How a suggested conversation came to be settled: it was talked about, the scores meet, the goal is over."""

    TALKED = "talked"
    MET = "met"
    GOAL_OVER = "goal_over"


class _Conversation(Fact):
    PRODUCER: ClassVar[str] = "goals"
    conversation: UUID


class _Told(_Conversation):
    concerns: tuple[UUID, ...]
    """Who should hear of it."""


class _Time(_Told):
    """`sequence` rises with each change that a calendar must take over (RFC 5545, SEQUENCE)."""

    sequence: int
    starts_at: datetime
    ends_at: datetime


class ConversationPlanned(_Time):
    """Somebody invites `concerns`."""

    NAME: ClassVar[str] = "conversation.planned"
    kind: ConversationKind
    plan: UUID | None
    goal: UUID | None


class ConversationMoved(_Time):
    """The time, the place or who is invited changed."""

    NAME: ClassVar[str] = "conversation.moved"


class ConversationCancelled(_Time):
    NAME: ClassVar[str] = "conversation.cancelled"


class InvitationWithdrawn(_Time):
    """`concerns` were on the list and are no longer: it goes on without them."""

    NAME: ClassVar[str] = "invitation.withdrawn"


class InvitationAnswered(_Told):
    NAME: ClassVar[str] = "invitation.answered"
    answer: InvitationAnswer


class PointAdded(_Told):
    """Somebody put something on the agenda."""

    NAME: ClassVar[str] = "point.added"
    point: UUID


class ConversationHeld(_Told):
    """It took place; `concerns` were there, and each is asked whether it was heard."""

    NAME: ClassVar[str] = "conversation.held"
    kind: ConversationKind
    invited: int


class OutcomeRecorded(_Told):
    NAME: ClassVar[str] = "outcome.recorded"
    outcome: UUID
    kind: OutcomeKind


class OutcomeSettled(_Conversation):
    """It became this goal, action or commitment, or (None) nothing, with a reason that stays in goals."""

    NAME: ClassVar[str] = "outcome.settled"
    outcome: UUID
    kind: OutcomeKind
    became: UUID | None


class HeardSaid(_Conversation):
    """A participant said whether it was heard: what it said is not told."""

    NAME: ClassVar[str] = "heard.said"


class ConversationSuggested(Fact):
    """A goal is seen so differently that people had better talk. The envelope's `thing` is the goal."""

    PRODUCER: ClassVar[str] = "goals"
    NAME: ClassVar[str] = "conversation.suggested"
    goal: UUID


class SuggestionSettled(Fact):
    """Nothing is left to suggest about this goal: `conversation` is the one in which it was talked about, if any."""

    PRODUCER: ClassVar[str] = "goals"
    NAME: ClassVar[str] = "suggestion.settled"
    goal: UUID
    how: SuggestionEnd
    conversation: UUID | None


class GuidanceWritten(Fact):
    """The school's expert team wrote a version of its guidance for a step."""

    PRODUCER: ClassVar[str] = "goals"
    NAME: ClassVar[str] = "guidance.written"
    step: GuidanceStep
    number: int


FACTS: tuple[type[Fact], ...] = (
    ConversationPlanned,
    ConversationMoved,
    ConversationCancelled,
    InvitationWithdrawn,
    InvitationAnswered,
    PointAdded,
    ConversationHeld,
    OutcomeRecorded,
    OutcomeSettled,
    HeardSaid,
    ConversationSuggested,
    SuggestionSettled,
    GuidanceWritten,
)
"""Every fact about conversations."""
