"""What a goal is and may become, and what scores on its ladder say together. Pure: no I/O, no clock, no randomness."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from shared.events.goals import (
    GoalAccepted,
    GoalActivated,
    GoalCancelled,
    GoalCompleted,
    GoalEnteredInError,
    GoalHeld,
    GoalMoved,
    GoalRejected,
    GoalResumed,
    Status,
)
from shared.events.words import Role, Setting

AMSTERDAM = ZoneInfo("Europe/Amsterdam")
LOWEST, HIGHEST = -2, 2
DIVERGES_AT = 2
"""From this many levels between two settings on, they see a different child: worth a conversation."""

RHO = 0.30
"""The expected correlation between goals in the T-score (Kiresuk and Sherman, 1968)."""


def today(now: datetime) -> date:
    """Returns the calendar day at `now`, as people here count days."""
    return now.astimezone(AMSTERDAM).date()


# The life of a goal ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Step:
    """One command that moves a goal: from any of these statuses to that one, told as this fact."""

    command: str
    sources: frozenset[Status]
    target: Status
    fact: type[GoalMoved]


_UNDER_WAY = frozenset({Status.ACTIVE, Status.ON_HOLD})

ACCEPT = Step("accept-goal", frozenset({Status.PROPOSED}), Status.ACCEPTED, GoalAccepted)
REJECT = Step("reject-goal", frozenset({Status.PROPOSED}), Status.REJECTED, GoalRejected)
ACTIVATE = Step("activate-goal", frozenset({Status.ACCEPTED}), Status.ACTIVE, GoalActivated)
HOLD = Step("hold-goal", frozenset({Status.ACTIVE}), Status.ON_HOLD, GoalHeld)
RESUME = Step("resume-goal", frozenset({Status.ON_HOLD}), Status.ACTIVE, GoalResumed)
COMPLETE = Step("complete-goal", _UNDER_WAY, Status.COMPLETED, GoalCompleted)
# What was accepted but never begun must have a way out too, or it would have to be begun to be ended.
CANCEL = Step("cancel-goal", _UNDER_WAY | {Status.ACCEPTED}, Status.CANCELLED, GoalCancelled)
MARK_IN_ERROR = Step(
    "mark-goal-in-error", frozenset(Status) - {Status.ENTERED_IN_ERROR}, Status.ENTERED_IN_ERROR, GoalEnteredInError
)

STEPS = (ACCEPT, REJECT, ACTIVATE, HOLD, RESUME, COMPLETE, CANCEL, MARK_IN_ERROR)

SCORED = _UNDER_WAY | {Status.COMPLETED}
"""Statuses in which a goal takes scores and counts in the T-score: a late look at a finished goal counts too."""

UNBEGUN = frozenset({Status.PROPOSED, Status.ACCEPTED})
"""Statuses before any score: the ladder itself may still change."""

OPEN = UNBEGUN | _UNDER_WAY
"""Statuses in which a goal's words may change."""

ASSESSED = SCORED
"""Statuses in which people may judge how a goal goes."""


def allowed_from(status: Status) -> tuple[str, ...]:
    """Returns the names of the commands that a goal in `status` allows, for the text of a refusal."""
    steps = [step.command for step in STEPS if status in step.sources]
    scoring = ["assess-goal", "score-goal", "score-goals"] if status in SCORED else []
    revising = ["revise-goal"] if status in OPEN else []
    return tuple(sorted(steps + scoring + revising))


# Who scores from where ------------------------------------------------------------------------------------------------

SETTINGS_OF: Mapping[Role, frozenset[Setting]] = {
    Role.GUARDIAN: frozenset({Setting.HOME}),
    Role.CHILD: frozenset({Setting.CHILD}),
    Role.TEACHER: frozenset({Setting.SCHOOL}),
    Role.COORDINATOR: frozenset({Setting.SCHOOL}),
    Role.SOCIAL_WORKER: frozenset({Setting.SCHOOL}),
    Role.PSYCHOLOGIST: frozenset({Setting.SCHOOL}),
    Role.SUPPORT_COMMITTEE: frozenset({Setting.SCHOOL}),
    Role.SCHOOL_LEADER: frozenset({Setting.SCHOOL}),
    Role.EXPERT_TEAM: frozenset({Setting.SCHOOL}),
    Role.LOCAL_TOOL: frozenset({Setting.SCHOOL}),
    Role.THERAPIST: frozenset({Setting.CARE}),
    Role.CARE_PROFESSIONAL: frozenset({Setting.CARE}),
}
"""From which setting a role sees the ladder. Roles that are not here score nothing."""


def settings_of(roles: Iterable[Role]) -> frozenset[Setting]:
    """Returns the settings that somebody with these roles may score from."""
    return frozenset[Setting]().union(*(SETTINGS_OF.get(role, frozenset()) for role in roles))


# Scores ---------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Mark:
    """A score that counts: `level` on the ladder, seen on `observed_on`, written down at `recorded_at`."""

    score: UUID
    level: int
    observed_on: date
    recorded_at: datetime

    @property
    def order(self) -> tuple[date, datetime, UUID]:
        """Sorts marks by the day that they tell of; of one day, the one written last says most."""
        return self.observed_on, self.recorded_at, self.score


Latest = Mapping[Setting, Mark]
"""The latest score that counts, per setting that has one."""


def with_mark(latest: Latest, setting: Setting, mark: Mark) -> Latest:
    """Returns `latest` with `mark` in it, unless that setting already told of a later day."""
    known = latest.get(setting)
    if known is not None and known.order >= mark.order:
        return latest
    return {**latest, setting: mark}


def without_mark(latest: Latest, setting: Setting, score: UUID, before: Mark | None) -> Latest:
    """Returns `latest` without `score`; `before` is what that setting's latest is when `score` no longer counts."""
    known = latest.get(setting)
    if known is None or known.score != score:
        return latest
    rest = {where: mark for where, mark in latest.items() if where != setting}
    return rest if before is None else {**rest, setting: before}


@dataclass(frozen=True, slots=True)
class Divergence:
    """Two settings whose latest levels lie `DIVERGES_AT` or more apart."""

    lower: Setting
    lower_level: int
    higher: Setting
    higher_level: int

    @property
    def pair(self) -> tuple[Setting, Setting]:
        """Which settings differ, lowest first: two divergences of one pair are the same conversation."""
        return self.lower, self.higher


def divergences(latest: Latest) -> tuple[Divergence, ...]:
    """Returns every pair of settings that diverges, in a fixed order."""
    marks = sorted(latest.items(), key=lambda item: (item[1].level, item[0]))
    return tuple(
        Divergence(low, low_mark.level, high, high_mark.level)
        for index, (low, low_mark) in enumerate(marks)
        for high, high_mark in marks[index + 1 :]
        if high_mark.level - low_mark.level >= DIVERGES_AT
    )


def new_divergences(before: Latest, after: Latest) -> tuple[Divergence, ...]:
    """Returns the pairs that diverge after a score and did not before it: each is told once."""
    known = {found.pair for found in divergences(before)}
    return tuple(found for found in divergences(after) if found.pair not in known)


def together(latest: Latest) -> float | None:
    """Returns the median of the settings' latest levels, or None without any.

    The scale is ordinal and no setting outranks another; of an even number the middle two share.
    """
    return statistics.median(mark.level for mark in latest.values()) if latest else None


# T-score --------------------------------------------------------------------------------------------------------------


class NoWeight(ValueError):
    """All goals that count weigh nothing: give at least one scored goal a weight above zero."""


@dataclass(frozen=True, slots=True)
class Weighed:
    """A goal in a T-score. `level` None: not scored, so left out and reported."""

    goal: UUID
    weight: float
    level: float | None


@dataclass(frozen=True, slots=True)
class TScore:
    """`value` is None when no goal has a score. `missing` are the goals left out for want of one."""

    value: float | None
    scored: int
    missing: tuple[UUID, ...]


def t_score(goals: Sequence[Weighed]) -> TScore:
    """Returns the Goal Attainment Scaling T-score: 50 is as expected, 10 a standard deviation.

    T = 50 + 10*sum(w*x) / sqrt((1-rho)*sum(w^2) + rho*(sum w)^2), rho 0.30 (Kiresuk and Sherman, 1968). Raises NoWeight
    when all scored goals weigh nothing. The levels are ordinal: show them beside it, and never rank children by it.
    """
    missing = tuple(goal.goal for goal in goals if goal.level is None)
    scored = [(goal.weight, goal.level) for goal in goals if goal.level is not None]
    if not scored:
        return TScore(None, 0, missing)
    heaviest = max(weight for weight, _ in scored)
    if heaviest <= 0:
        raise NoWeight(NoWeight.__doc__)
    # Only the proportions count: dividing first keeps squares of tiny or huge weights within a float.
    shares = [(weight / heaviest, level) for weight, level in scored]
    # fsum rounds once, so the order of the goals cannot show in the last digit.
    attained = math.fsum(share * level for share, level in shares)
    squares = math.fsum(share * share for share, _ in shares)
    total = math.fsum(share for share, _ in shares)
    return TScore(50 + 10 * attained / math.sqrt((1 - RHO) * squares + RHO * total * total), len(scored), missing)
