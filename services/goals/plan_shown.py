"""What of plans stands in answers: texts, what was said of them, deadlines, the school's years."""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

from services.goals.clocks import Told
from services.goals.plan import Kind
from shared.events.network import PolicyRule
from shared.events.plans import ActionOutcome, Channel, Deadline, Moment, PlanStatus, Remedy
from shared.events.words import Basis, Setting
from shared.unit import Reply


class PlanListed(Reply):
    """A plan: `number` is the newest version of its text, `force_number` the one in force."""

    id: UUID
    about: UUID
    status: PlanStatus
    number: int
    force_number: int | None
    drafted_by: UUID
    drafted_at: datetime


class PlanShown(PlanListed):
    """A plan by itself. `version`: of the row, which every answer moves."""

    version: int


class ItemWords(Reply):
    """What a goal (`statement` to `target_on`) or an action (`what` to `until`) of a plan says."""

    statement: str | None = None
    wording: str | None = None
    ladder: tuple[str, ...] | None = None
    target_on: date | None = None
    what: str | None = None
    who: tuple[UUID, ...] | None = None
    where: tuple[Setting, ...] | None = None
    goals: tuple[UUID, ...] | None = None
    until: date | None = None


class ItemShown(Reply):
    """A goal or an action as a version of a plan words it. Its canonical JSON (RFC 8785) is what its hash is of."""

    item: UUID
    kind: Kind
    salt: str
    text: ItemWords


class TextShown(Reply):
    """A version of a plan's text. `hash`: of the action part, SHA-256."""

    number: int
    outlook: str
    items: tuple[ItemShown, ...]
    salt: str
    hash: str
    why: str | None
    written_by: UUID
    written_at: datetime


class AnswerShown(Reply):
    """What a holder said to one item of one version; the hashes bind it to the exact text."""

    item: UUID
    item_hash: str
    number: int
    hash: str
    holder: UUID
    capacity: Basis
    agreed: bool
    disagreement: UUID | None
    answered_at: datetime


class AnswerVerified(AnswerShown):
    """The same, held against the text that it names as it lies here now."""

    verifies: bool


class AnswerKept(AnswerVerified):
    """The same with its id."""

    id: UUID


class SeenShown(Reply):
    """Who noted that it saw a version."""

    member: UUID
    number: int
    at: datetime


class PlanStepShown(Reply):
    """What a plan became, who did it and why."""

    number: int
    status: PlanStatus
    reason: str | None
    taken_by: UUID
    taken_at: datetime


class VoiceShown(Reply):
    """How a child was heard, what it said and what that changed; or why it was not heard."""

    id: UUID
    version: int
    number: int
    moment: Moment
    channel: Channel | None
    words: str | None
    influence: str | None
    told_back_on: date | None
    not_heard_because: str | None
    recorded_by: UUID
    recorded_at: datetime


class EvaluationShown(Reply):
    """An evaluation of a plan."""

    id: UUID
    number: int
    held_on: date
    findings: str
    attended: tuple[UUID, ...]
    without_holders_because: str | None
    voice: UUID | None
    evaluated_by: UUID
    evaluated_at: datetime


class ActionEndShown(Reply):
    """How an action ended."""

    id: UUID
    action: UUID
    outcome: ActionOutcome
    note: str | None
    ended_by: UUID
    ended_at: datetime


class RemedyShown(Reply):
    """What was done about a disagreement; the note is for its holder and the school."""

    id: UUID
    remedy: Remedy
    note: str | None
    taken_by: UUID
    taken_at: datetime


class DisagreementShown(Reply):
    """A disagreement; the reason is for its holder and the school."""

    id: UUID
    number: int
    holder: UUID
    reason: str | None
    noted_at: datetime
    remedies: tuple[RemedyShown, ...]


class RuleShown(Reply):
    """Whose yes the school's policy asks, and which version of that policy says so."""

    rule: PolicyRule
    policy: int


class WordsChanged(Reply):
    """A field that differs between two versions."""

    field: str
    before: str | tuple[str, ...] | None
    after: str | tuple[str, ...] | None


class ItemChanged(Reply):
    """What became of a goal, an action or (without `item`) the outlook."""

    item: UUID | None
    kind: str
    """`goal`, `action` or `outlook`."""
    change: str
    """`added`, `removed` or `changed`."""
    fields: tuple[WordsChanged, ...]


class DeadlineShown(Reply):
    """By when something must be done. `next_on`: the day on which there is something to tell next."""

    id: UUID
    deadline: Deadline
    plan: UUID | None
    action: UUID | None
    due_on: date
    next_on: date | None
    told: Told
    concerns: tuple[UUID, ...]
    """Of an action, who should see to it."""
    school_year: int | None
    counted: int
    """By which version of the school's calendar its days are."""


class HolidayShown(Reply):
    """Days on which nobody is at school, both included."""

    name: str
    first_on: date
    last_on: date


class SchoolYearShown(Reply):
    """A school year and its holidays, and who set it."""

    starts_on: date
    ends_on: date
    holidays: tuple[HolidayShown, ...]
    set_by: UUID
    set_at: datetime


class DrawnScore(Reply):
    """Of a score, what is drawn; a wrong one stays, marked as such."""

    setting: Setting
    level: int
    observed_on: date
    in_error_at: datetime | None


class LadderShown(Reply):
    """How a goal of a plan went: its newest 200 scores, oldest first."""

    baseline: int
    older: int
    scores: tuple[DrawnScore, ...]
