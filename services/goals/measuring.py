"""A school's own goal is measured by how many felt heard: in figures of ten people or more, of no child. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import Field, model_validator

from services.goals.heard_figures import Heard, month_after, newly_told, summary
from services.goals.life import refusal
from services.goals.model import LOWEST, SCORED, today
from services.goals.scoring import Score, permit_from, scored
from services.goals.store import GoalState
from services.goals.writing import invalid
from shared.errors import Problem, ProblemType
from shared.events.base import NewEvent
from shared.events.goals import HeardMeasureSet
from shared.events.words import Action, Category, Role, Setting, school_subject
from shared.unit import Asked, Change, Request, Row, Snapshot

TABLE = "heard_measure"
Share = Annotated[int, Field(ge=1, le=100)]


class MeasureByHeard(Request):
    """By whose answers to "were you heard?" a goal of the school itself is measured.

    `thresholds`: from which share (in percent; yes counts whole, partly half) on it is at -1, 0, +1 and +2.
    """

    goal: UUID
    role: Role
    thresholds: tuple[Share, Share, Share, Share]

    @model_validator(mode="after")
    def _rising(self) -> Self:
        if sorted(set(self.thresholds)) != list(self.thresholds):
            msg = "thresholds must rise: give the shares from which it is -1, 0, +1 and +2"
            raise ValueError(msg)
        return self


class ScoreFromHeard(Request):
    """Scores such a goal from the newest figures."""

    goal: UUID


def share_of(counts: Mapping[str, int]) -> int:
    """Returns the share that felt heard, in whole percent: yes counts whole, partly half."""
    every = sum(counts.values())
    return (2 * counts[Heard.YES] + counts[Heard.PARTLY]) * 50 // every if every else 0


def level_at(share: int, thresholds: Sequence[int]) -> int:
    """Returns the level that a share reaches."""
    return LOWEST + sum(share >= one for one in thresholds)


def measured(state: Mapping[str, Any], figures: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Returns the goals that are measured by figures: the level that the newest give, None while too few answered."""
    found = []
    for one in state["measures"]:
        counts = figures["roles"].get(one["role"])
        level = None if counts is None else level_at(share_of(counts), one["thresholds"])
        found.append({**one, "level": level, "until": figures["until"].get(one["role"])})
    return found


def decide_measure(asked: Asked[MeasureByHeard], seen: Snapshot) -> Change:
    """Sets by what a goal is measured; what was scored before stays scored."""
    permit = seen.require(asked, Action.DECIDE, Category.GOALS)
    goal, body, before = _own(asked, seen), asked.body, seen.state["measure"]
    values = {"role": body.role, "thresholds": body.thresholds, "set_by": asked.actor.id, "set_at": seen.now}
    if before is None or before["role"] != body.role:
        values["scored_until"] = None
    fact = HeardMeasureSet(goal=goal.id, role=body.role, thresholds=body.thresholds)
    return Change(
        permits=(permit,),
        events=(NewEvent(fact, about=goal.about, act=permit.act, thing=goal.id),),
        rows=(Row(TABLE, goal.id, before["version"] if before else 0, values),),
        reply={"goal": str(goal.id), "role": body.role.value},
    )


def decide_score_from_heard(asked: Asked[ScoreFromHeard], seen: Snapshot) -> Change:
    """Writes the score that the newest figures give, as seen on the last day that they count."""
    permit = permit_from(asked, seen, Setting.SCHOOL)
    goal, measure = _own(asked, seen), seen.state["measure"]
    if goal.status not in SCORED:
        raise refusal(goal.status, "score-from-heard")
    if measure is None:
        raise Problem(ProblemType.CONFLICT, "this goal is not measured by it: set by whose answers first")
    told = seen.state["figures"]
    figures = summary(seen.state["answers"], today(seen.now), told)
    until = figures["until"].get(measure["role"])
    if until is None:
        detail = f"too few answered: figures are of {figures['smallest_group']} people or more, at the end of a month"
        raise Problem(ProblemType.CONFLICT, detail, smallest_group=figures["smallest_group"])
    done = measure["scored_until"]
    if done is not None and until <= done:  # earlier: of a child that was erased since
        raise Problem(ProblemType.CONFLICT, f"the figures up to {done} are scored: wait for the next", until=done)
    level = level_at(share_of(figures["roles"][measure["role"]]), measure["thresholds"])
    score = Score(goal=goal.id, level=level, observed_on=_last_day(until))
    row = Row(TABLE, goal.id, measure["version"], {"scored_until": until})
    return scored(asked, seen, permit, goal, Setting.SCHOOL, score, row, *newly_told(figures, told))


def _own(asked: Asked[Any], seen: Snapshot) -> GoalState:
    goal = GoalState.read(seen.state["goal"])
    if goal.about != school_subject(asked.school):
        raise invalid("only a goal of the school's own approach is measured so: a child's is scored by people", "goal")
    return goal


def _last_day(month: str) -> date:
    return month_after(month).date() - timedelta(days=1)
