"""What `goals` tells of plans: which version, with which hash, who agreed to which items, and what is due.

Thin: texts, reasons, notes and what a child said stay in `goals`. A hash is of canonical JSON (RFC 8785) with a random
salt, so that it tells nothing of a text that could be guessed. The envelope's `thing` is the plan.
"""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from typing import ClassVar
from uuid import UUID

from pydantic import BaseModel

from shared.events.base import Fact
from shared.events.words import Basis


class PlanStatus(StrEnum):
    """A plan's life. `agreed_in_part`: some of its goals and actions are agreed to, and not all."""

    DRAFT = "draft"
    IN_CONSULTATION = "in_consultation"
    AGREED_IN_PART = "agreed_in_part"
    AGREED = "agreed"
    IN_FORCE = "in_force"
    EVALUATED = "evaluated"
    CLOSED = "closed"


class Moment(StrEnum):
    """When a child is heard about its plan."""

    DRAFTING = "drafting"
    CHANGING = "changing"
    EVALUATING = "evaluating"


class Channel(StrEnum):
    """How a child chose to be heard."""

    DIRECT = "direct"
    THROUGH_PARENT = "through_parent"
    THROUGH_OTHER = "through_other"
    DRAWING = "drawing"


class Remedy(StrEnum):
    """What is tried when people disagree, lightest first."""

    CONVERSATION = "conversation"
    MEDIATION = "mediation"
    DISPUTES_COMMITTEE = "disputes_committee"


class ActionOutcome(StrEnum):
    DONE = "done"
    PARTLY = "partly"
    NOT_DONE = "not_done"


class Deadline(StrEnum):
    """What must be done by a day."""

    FIRST_PLAN = "first_plan"
    EVALUATION = "evaluation"
    ACTION = "action"


class _Plan(Fact):
    PRODUCER: ClassVar[str] = "goals"
    plan: UUID
    number: int
    """The version of the plan's text."""


class PlanDrafted(_Plan):
    """Someone wrote version 1 of a plan. `hash` is its action part's."""

    NAME: ClassVar[str] = "plan.drafted"
    hash: str
    goals: tuple[UUID, ...]
    actions: tuple[UUID, ...]


class PlanRevised(_Plan):
    """There is a new version. `concerns` are those whose agreement is asked (anew) on what changed."""

    NAME: ClassVar[str] = "plan.revised"
    previous: int
    status: PlanStatus
    hash: str
    added: tuple[UUID, ...]
    changed: tuple[UUID, ...]
    removed: tuple[UUID, ...]
    concerns: tuple[UUID, ...]


class PlanMoved(_Plan):
    """Base of the steps in a plan's life."""

    previous: PlanStatus
    status: PlanStatus


class PlanConsulted(PlanMoved):
    """Agreement is asked of `concerns`."""

    NAME: ClassVar[str] = "plan.consulted"
    hash: str
    concerns: tuple[UUID, ...]


class PlanAgreed(PlanMoved):
    """What is agreed to changed: `status` says whether it is all, a part, or nothing any more."""

    NAME: ClassVar[str] = "plan.agreed"
    hash: str


class PlanEnforced(PlanMoved):
    """It came into force in this version: all who had to agree did, by the school's `policy` (0: none of its own)."""

    NAME: ClassVar[str] = "plan.enforced"
    hash: str
    rule: str
    policy: int


class PlanEvaluated(PlanMoved):
    """It was looked back on, with the child's voice or a reason why not."""

    NAME: ClassVar[str] = "plan.evaluated"
    evaluation: UUID
    voice: UUID | None
    held_on: date


class PlanContinued(PlanMoved):
    """After an evaluation it goes on as it is."""

    NAME: ClassVar[str] = "plan.continued"


class PlanClosed(PlanMoved):
    NAME: ClassVar[str] = "plan.closed"


class _Answer(_Plan):
    """One holder's answer to these items of this version."""

    hash: str
    holder: UUID
    capacity: Basis
    items: tuple[UUID, ...]


class AgreementGiven(_Answer):
    """It is no consent to share data, and more than having seen the plan."""

    NAME: ClassVar[str] = "agreement.given"


class AgreementRefused(_Answer):
    """The holder disagrees, with a reason that stays in goals."""

    NAME: ClassVar[str] = "agreement.refused"
    disagreement: UUID


class RemedyTaken(_Plan):
    """Something was tried to come out of a disagreement."""

    NAME: ClassVar[str] = "remedy.taken"
    disagreement: UUID
    remedy: Remedy


class PlanAcknowledged(_Plan):
    """A member has seen this version: neither agreement nor consent."""

    NAME: ClassVar[str] = "plan.acknowledged"
    hash: str


class VoiceRecorded(_Plan):
    """The child was heard (`channel`), or there is a reason why not (None)."""

    NAME: ClassVar[str] = "voice.recorded"
    voice: UUID
    moment: Moment
    channel: Channel | None


class VoiceToldBack(_Plan):
    """The child was told what its words changed."""

    NAME: ClassVar[str] = "voice.told-back"
    voice: UUID
    told_on: date


class ActionFinished(_Plan):
    NAME: ClassVar[str] = "action.finished"
    action: UUID
    outcome: ActionOutcome


class _Deadline(Fact):
    PRODUCER: ClassVar[str] = "goals"
    deadline: Deadline
    clock: UUID
    plan: UUID | None
    action: UUID | None
    due_on: date
    concerns: tuple[UUID, ...]
    """Who should see to it."""


class DeadlineDueSoon(_Deadline):
    NAME: ClassVar[str] = "deadline.due-soon"


class DeadlineOverdue(_Deadline):
    """The day has passed."""

    NAME: ClassVar[str] = "deadline.overdue"


class DaysOff(BaseModel):
    """A holiday: nobody is at school on these days, both included. What it is called is not told."""

    model_config = Fact.model_config
    first_on: date
    last_on: date


class SchoolYearSet(Fact):
    """The school set a year's days, with so many holidays. `version` is the calendar's, `thing` the school."""

    PRODUCER: ClassVar[str] = "goals"
    NAME: ClassVar[str] = "school-year.set"
    version: int
    starts_on: date
    ends_on: date
    holidays: int
    days_off: tuple[DaysOff, ...] | None = None
    """Each holiday; None: this event is older than that."""


FACTS: tuple[type[Fact], ...] = (
    PlanDrafted,
    PlanRevised,
    PlanConsulted,
    PlanAgreed,
    PlanEnforced,
    PlanEvaluated,
    PlanContinued,
    PlanClosed,
    AgreementGiven,
    AgreementRefused,
    RemedyTaken,
    PlanAcknowledged,
    VoiceRecorded,
    VoiceToldBack,
    ActionFinished,
    DeadlineDueSoon,
    DeadlineOverdue,
    SchoolYearSet,
)
"""Every fact about plans."""
