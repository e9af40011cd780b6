"""What `goals` tells: a goal's life, how well it goes, and where home, school, care and child see it differently.

Thin: the statement, the wording, the descriptions of the ladder, notes and reasons stay in `goals`. The envelope's
`thing` is the goal, for scores the score.
"""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from typing import ClassVar
from uuid import UUID

from shared.events import conversations, plans
from shared.events.base import Fact, by_type
from shared.events.words import Role, Setting


class Domain(StrEnum):
    """Development domains; `partnership` is for a school's own approach."""

    LEARNING = "learning"
    LEARNING_TO_LEARN = "learning_to_learn"
    COMMUNICATION = "communication"
    SOCIAL_EMOTIONAL = "social_emotional"
    BEHAVIOUR = "behaviour"
    MOTOR = "motor"
    SELF_RELIANCE = "self_reliance"
    HEALTH = "health"
    LEISURE = "leisure"
    WORK = "work"
    CITIZENSHIP = "citizenship"
    PARTNERSHIP = "partnership"


class Status(StrEnum):
    """A goal's life (DOMAIN.md; the nearest in FHIR R4 is Goal.lifecycleStatus)."""

    PROPOSED = "proposed"
    ACCEPTED = "accepted"
    ACTIVE = "active"
    ON_HOLD = "on_hold"
    COMPLETED = "completed"
    CANCELLED = "cancelled"
    REJECTED = "rejected"
    ENTERED_IN_ERROR = "entered_in_error"


class Achievement(StrEnum):
    """How well a goal went: a fact apart from its life (FHIR R4 Goal.achievementStatus)."""

    IN_PROGRESS = "in_progress"
    IMPROVING = "improving"
    WORSENING = "worsening"
    NO_CHANGE = "no_change"
    ACHIEVED = "achieved"
    SUSTAINING = "sustaining"
    NOT_ACHIEVED = "not_achieved"
    NO_PROGRESS = "no_progress"
    NOT_ATTAINABLE = "not_attainable"


class _Goals(Fact):
    PRODUCER: ClassVar[str] = "goals"


class GoalProposed(_Goals):
    """Someone proposed a goal: version 1 of it."""

    NAME: ClassVar[str] = "goal.proposed"
    version: int
    domain: Domain
    settings: tuple[Setting, ...]
    baseline: int
    target_on: date
    weight: int
    responsible: tuple[UUID, ...]

    template: UUID | None = None
    template_number: int | None = None
    """The version of a template that it started from."""


class GoalRevised(_Goals):
    """Words of an open goal changed: `fields` names which, `version` is the goal's after it."""

    NAME: ClassVar[str] = "goal.revised"
    version: int
    status: Status
    fields: tuple[str, ...]


class Owner(StrEnum):
    """Whose a template is: a school's own, or the foundation's in all its schools."""

    SCHOOL = "school"
    FOUNDATION = "foundation"


class TemplatePublished(_Goals):
    """A version of a template for goals; `state` says whether it is offered. The envelope's `thing` is the template."""

    NAME: ClassVar[str] = "template.published"
    template: UUID
    number: int
    owner: Owner
    domain: Domain
    state: str


class GoalMoved(_Goals):
    """Base of every step in a goal's life. `version` is the goal's after the step."""

    version: int
    previous: Status
    status: Status


class GoalAccepted(GoalMoved):
    NAME: ClassVar[str] = "goal.accepted"


class GoalRejected(GoalMoved):
    NAME: ClassVar[str] = "goal.rejected"


class GoalActivated(GoalMoved):
    NAME: ClassVar[str] = "goal.activated"


class GoalHeld(GoalMoved):
    NAME: ClassVar[str] = "goal.held"


class GoalResumed(GoalMoved):
    NAME: ClassVar[str] = "goal.resumed"


class GoalCompleted(GoalMoved):
    """The work on a goal is over; `achievement` says how it went."""

    NAME: ClassVar[str] = "goal.completed"
    achievement: Achievement


class GoalCancelled(GoalMoved):
    NAME: ClassVar[str] = "goal.cancelled"


class GoalEnteredInError(GoalMoved):
    """The goal should never have been written down; nothing of it counts any more."""

    NAME: ClassVar[str] = "goal.entered-in-error"


class AchievementRecorded(_Goals):
    """Someone judged how a goal goes. Its life did not change."""

    NAME: ClassVar[str] = "achievement.recorded"
    version: int
    previous: Achievement | None
    achievement: Achievement


class ScoreRecorded(_Goals):
    """One level on the goal's ladder (-2 to +2), as one setting saw it on one day."""

    NAME: ClassVar[str] = "score.recorded"
    goal: UUID
    level: int
    setting: Setting
    observed_on: date
    replaces: UUID | None = None
    """The score that this one corrects."""


class ScoreCorrected(_Goals):
    """A score was entered in error and counts no more. It stays readable. `replaced_by` is its correction, if any."""

    NAME: ClassVar[str] = "score.corrected"
    goal: UUID
    version: int
    setting: Setting
    replaced_by: UUID | None = None


class HeardMeasureSet(_Goals):
    """A goal of the school itself is measured by how many in this role felt heard; `thresholds` in percent."""

    NAME: ClassVar[str] = "heard-measure.set"
    goal: UUID
    role: Role
    thresholds: tuple[int, ...]


class DivergenceSeen(_Goals):
    """The latest scores of two settings came to differ by two levels or more: a reason to talk."""

    NAME: ClassVar[str] = "divergence.seen"
    lower: Setting
    lower_level: int
    higher: Setting
    higher_level: int


FACTS = by_type(
    (
        GoalProposed,
        GoalRevised,
        TemplatePublished,
        GoalAccepted,
        GoalRejected,
        GoalActivated,
        GoalHeld,
        GoalResumed,
        GoalCompleted,
        GoalCancelled,
        GoalEnteredInError,
        AchievementRecorded,
        ScoreRecorded,
        ScoreCorrected,
        DivergenceSeen,
        HeardMeasureSet,
        *plans.FACTS,
        *conversations.FACTS,
    )
)
"""Every fact of this producer, by CloudEvents type."""
