"""What is answered about goals, as others read it: of commands, and of queries about goals, scores and templates."""

from __future__ import annotations

from datetime import date, datetime
from typing import Literal
from uuid import UUID

from services.goals.plan_shown import PlanShown, TextShown
from shared.events.goals import Achievement, Domain, Status
from shared.events.words import Role, Setting
from shared.unit import Reply

Level = Literal[-2, -1, 0, 1, 2]
Words = str | int | tuple[str, ...]


class GoalReply(Reply):
    """A goal as it stands now. The next command on it names this version."""

    goal: UUID
    version: int
    status: Status


class ScoresReply(Reply):
    """The scores that were written, in the order of the request."""

    scores: tuple[UUID, ...]


class TemplateReply(Reply):
    """A template, and which version of it was written."""

    template: UUID
    number: int


class MeasureReply(Reply):
    """A goal that is measured by how people in a role felt heard."""

    goal: UUID
    role: Role


class MarkShown(Reply):
    """The newest score of a setting."""

    score: UUID
    level: Level
    observed_on: date
    recorded_at: datetime


class Diverging(Reply):
    """Two settings that see a goal so differently that it is worth a conversation."""

    lower: Setting
    lower_level: Level
    higher: Setting
    higher_level: Level


class GoalFields(Reply):
    """A goal as it stands."""

    id: UUID
    version: int
    about: UUID
    status: Status
    achievement: Achievement | None
    domain: Domain
    settings: tuple[Setting, ...]
    statement: str
    wording: str
    baseline: Level
    weight: int
    target_on: date
    responsible: tuple[UUID, ...]
    proposed_by: UUID
    proposed_at: datetime
    template: UUID | None
    template_number: int | None


class GoalListed(GoalFields):
    """A goal as pages of goals show it."""

    latest: dict[Setting, MarkShown] | None = None
    """For who may see scores, as are the two below."""
    diverging: tuple[Diverging, ...] | None = None
    talk_suggested_at: datetime | None = None
    """Since when it is suggested to talk about it."""


class TScoreShown(Reply):
    """A T-score over goals (Kiresuk and Sherman, 1968): 50 is all as expected. None: no goal has a score or weight."""

    value: float | None
    scored: int
    missing: tuple[UUID, ...]
    """Goals without a score."""
    problem: str | None = None


class TScoresShown(Reply):
    """T-scores over the goals that count: together, a setting, at their baselines, and the change since those."""

    together: TScoreShown
    baseline: TScoreShown
    settings: dict[Setting, TScoreShown]
    change: float | None


class GoalsReply(Reply):
    """A page of goals, newest first; `next` is what the next page is asked after."""

    about: UUID
    goals: tuple[GoalListed, ...]
    next: UUID | None
    scores_shown: bool
    t_score: TScoresShown | None = None


class ScoreDrawn(Reply):
    """Of a score, what is drawn."""

    setting: Setting
    level: Level
    observed_on: date


class ScoresOfGoal(Reply):
    """The scores of one goal, oldest first."""

    goal: UUID
    scores: tuple[ScoreDrawn, ...]


class ChildPageReply(GoalsReply):
    """A child's page; what the asker may not see is empty."""

    scores: tuple[ScoresOfGoal, ...]
    plan_shown: bool
    plan: PlanShown | None
    text: TextShown | None


class GoalShown(GoalFields):
    """One goal with its ladder: what each level means, from -2 to +2."""

    ladder: tuple[str, ...]


class FieldChanged(Reply):
    """A field of a goal that a revision changed."""

    field: str
    before: Words | None
    after: Words | None


class GoalStep(Reply):
    """What a goal became at a version, who did it and why. `changes`: of a revision."""

    goal_version: int
    status: Status
    achievement: Achievement | None
    reason: str | None
    changes: tuple[FieldChanged, ...] | None
    taken_by: UUID
    taken_at: datetime


class ScoreShown(Reply):
    """A score. A wrong one stays, marked as such."""

    id: UUID
    version: int
    setting: Setting
    level: Level
    observed_on: date
    note: str | None
    scored_by: UUID
    role: Role
    recorded_at: datetime
    replaces: UUID | None
    in_error_by: UUID | None
    in_error_at: datetime | None
    in_error_reason: str | None


class OneGoalReply(Reply):
    """One goal with its newest 50 steps and, for who may see them, its newest 200 scores, oldest first."""

    goal: GoalShown
    steps: tuple[GoalStep, ...]
    scores_shown: bool
    scores: tuple[ScoreShown, ...] | None = None
    older_scores: int | None = None
    latest: dict[Setting, MarkShown] | None = None
    diverging: tuple[Diverging, ...] | None = None


class GoalWords(Reply):
    """What of a goal may be revised."""

    settings: tuple[Setting, ...]
    statement: str
    wording: str
    ladder: tuple[str, ...]
    baseline: Level
    target_on: date
    responsible: tuple[UUID, ...]
    weight: int


class GoalAsProposed(Reply):
    """A goal as it was proposed."""

    version: int
    status: Status
    by: UUID
    at: datetime
    template: UUID | None
    template_number: int | None
    words: GoalWords


class GoalHistoryReply(Reply):
    """A goal's history, oldest first."""

    goal: UUID
    proposed: GoalAsProposed
    steps: tuple[GoalStep, ...]


class TemplateText(Reply):
    """One version of a template."""

    number: int
    domain: Domain
    title: str
    wording: str
    ladder: tuple[str, ...]
    written_at: datetime


class TemplateListed(TemplateText):
    """The newest version of a template that is offered."""

    template: UUID
    owner: str
    """`school` or `foundation`."""


class TemplatesReply(Reply):
    """The templates that a school may begin with."""

    templates: tuple[TemplateListed, ...]


class TemplateShown(Reply):
    """A template; its version is the number of its newest text."""

    id: UUID
    version: int
    owner: str
    state: str
    """`offered` or `retired`."""


class TemplateVersion(TemplateText):
    """One version of a template, and who wrote it."""

    written_by: UUID


class OneTemplateReply(Reply):
    """A template with all its versions."""

    template: TemplateShown | None
    versions: tuple[TemplateVersion, ...]
