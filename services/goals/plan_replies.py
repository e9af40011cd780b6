"""What is answered about plans, as others read it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from services.goals.plan import Standing
from services.goals.plan_shown import (
    ActionEndShown,
    AnswerKept,
    AnswerShown,
    AnswerVerified,
    DeadlineShown,
    DisagreementShown,
    EvaluationShown,
    ItemChanged,
    LadderShown,
    PlanListed,
    PlanShown,
    PlanStepShown,
    RuleShown,
    SchoolYearShown,
    SeenShown,
    TextShown,
    VoiceShown,
)
from shared.events.plans import PlanStatus, Remedy
from shared.unit import Reply


class PlanReply(Reply):
    """A plan as it stands now: its newest version, and that version's hash."""

    plan: UUID
    number: int
    hash: str
    status: PlanStatus


class DisagreementReply(PlanReply):
    """A disagreement that was noted, and what can be done about it, or was."""

    disagreement: UUID
    next: tuple[Remedy, ...] = ()


class VoiceReply(PlanReply):
    """A child's voice that was written down."""

    voice: UUID


class EvaluationReply(PlanReply):
    """An evaluation that was written down."""

    evaluation: UUID


class ActionReply(PlanReply):
    """An action that ended."""

    action: UUID


class RemindedReply(Reply):
    """How many deadlines were told of."""

    clocks: int


class SchoolYearReply(Reply):
    """The calendar's version, and the year that was set: that in which the school year ends."""

    version: int
    year: int


class PlansReply(Reply):
    """A child's (or the school's own) plans, newest first, at most 50."""

    about: UUID
    plans: tuple[PlanListed, ...]


class OnePlanReply(Reply):
    """One plan with a version of its text and, for who may see conversations, all that was said of it."""

    plan: PlanShown
    text: TextShown
    standings: dict[UUID, Standing]
    """By goal or action."""
    waits_for: tuple[UUID, ...]
    rule: RuleShown
    allowed: tuple[str, ...]
    """Commands that are possible from here."""
    said_shown: bool
    answers: tuple[AnswerShown, ...] | None = None
    seen_by: tuple[SeenShown, ...] | None = None
    steps: tuple[PlanStepShown, ...] | None = None
    voices: tuple[VoiceShown, ...] | None = None
    evaluations: tuple[EvaluationShown, ...] | None = None
    ends: tuple[ActionEndShown, ...] | None = None
    disagreements: tuple[DisagreementShown, ...] | None = None


class PlanChangesReply(Reply):
    """What differs between two versions of a plan."""

    plan: UUID
    before: int
    after: int
    changes: tuple[ItemChanged, ...]


class AgreementsReply(Reply):
    """The answers to a plan, and how many of them verify."""

    plan: UUID
    answers: tuple[AnswerKept, ...]
    verified: int
    broken: int
    said_shown: bool


class DeadlinesReply(Reply):
    """The deadlines that still stand, those that passed first."""

    about: UUID
    deadlines: tuple[DeadlineShown, ...]


class SchoolYearsReply(Reply):
    """The school's calendar; each year by the calendar year in which it ends."""

    version: int
    years: dict[str, SchoolYearShown]


class ExportPlanReply(Reply):
    """A plan as a document needs it: the text in force, else the newest."""

    plan: PlanShown
    text: TextShown
    answers: tuple[AnswerVerified, ...]
    verified: int
    broken: int
    said_shown: bool
    ends: tuple[ActionEndShown, ...]
    evaluations: tuple[EvaluationShown, ...]
    scores_shown: bool
    ladders: dict[UUID, LadderShown]
    """By goal."""


class ExportChildReply(Reply):
    """A child's file as FHIR R4, and how much older lies here than one answer holds."""

    bundle: dict[str, Any]
    """A FHIR R4 Bundle, type collection."""
    scores_shown: bool
    said_shown: bool
    older_goals: int
    older_scores: int | None
    older_plans: int
