"""A goal's words change while it is open, and its history tells what changed, by whom and why. Pure decisions."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import Field, field_validator, model_validator

from services.goals.life import Description, EndGoal, Level, Paragraph, Place, refusal
from services.goals.model import OPEN, UNBEGUN, today
from services.goals.plan_queries import answered
from services.goals.store import GoalState
from services.goals.writing import invalid
from shared.errors import Problem, ProblemType
from shared.events.base import NewEvent
from shared.events.goals import GoalRevised, Status
from shared.events.words import Action, Category
from shared.text import Day
from shared.unit import Asked, Change, Query, Row, Snapshot, stale

FIELDS = ("settings", "statement", "wording", "ladder", "baseline", "target_on", "responsible", "weight")
SCALE = frozenset({"ladder", "baseline"})
"""What scores are read by: it stands once work has begun."""


class ReviseGoal(EndGoal):
    """What is to be different in a goal, and why; what is left out stays as it is."""

    settings: Annotated[tuple[Place, ...], Field(min_length=1, max_length=3)] | None = None
    statement: Paragraph | None = None
    wording: Paragraph | None = None
    ladder: tuple[Description, Description, Description, Description, Description] | None = None
    baseline: Level | None = None
    target_on: Day | None = None
    responsible: Annotated[tuple[UUID, ...], Field(min_length=1, max_length=20)] | None = None
    weight: Annotated[int, Field(ge=0, le=10)] | None = None

    @field_validator("settings", "responsible")
    @classmethod
    def _each_once(cls, given: tuple[object, ...] | None) -> tuple[object, ...] | None:
        if given is not None and len(set(given)) < len(given):
            msg = "names something twice: name each once"
            raise ValueError(msg)
        return given

    @model_validator(mode="after")
    def _something(self) -> Self:
        if all(getattr(self, name) is None for name in FIELDS):
            msg = f"changes nothing: give at least one of {', '.join(FIELDS)}"
            raise ValueError(msg)
        return self


class GoalHistory(Query):
    """What one goal was when it was proposed, and every step and change since (the newest 500), by whom and why."""

    goal: UUID


def decide_revise_goal(asked: Asked[ReviseGoal], seen: Snapshot) -> Change:
    """Writes what differs; a plan that holds the goal keeps its agreed words until it is revised too."""
    permit = seen.require(asked, Action.PROPOSE, Category.GOALS)
    goal, body, state = GoalState.read(seen.state["goal"]), asked.body, seen.state
    permits = [permit]
    if goal.status is not Status.PROPOSED:  # what was accepted is changed by who may accept it
        permits.append(seen.require(asked, Action.DECIDE, Category.GOALS))
    if goal.version != body.version:
        raise stale(body.version, goal.version, status=goal.status.value, changes=state["since"])
    if goal.status not in OPEN:
        raise refusal(goal.status, "revise-goal")
    before = state["words"]
    wanted = {name: _plain(getattr(body, name)) for name in FIELDS if getattr(body, name) is not None}
    changes = [
        {"field": name, "before": before[name], "after": value}
        for name, value in wanted.items()
        if value != before[name]
    ]
    _check(asked, seen, goal, [one["field"] for one in changes])
    values = {one["field"]: getattr(body, one["field"]) for one in changes}
    step = {
        "goal": goal.id,
        "goal_version": goal.version + 1,
        "status": goal.status,
        "achievement": None,
        "reason": body.reason,
        "changes": changes,
        "taken_by": asked.actor.id,
        "taken_at": seen.now,
    }
    fact = GoalRevised(version=goal.version + 1, status=goal.status, fields=tuple(one["field"] for one in changes))
    return Change(
        permits=tuple(permits),
        events=(NewEvent(fact, about=goal.about, act=permits[-1].act, thing=goal.id),),
        rows=(
            Row("goal", goal.id, goal.version, values),
            Row("goal_step", asked.ids.time_ordered(seen.now), 0, step),
        ),
        reply={"goal": str(goal.id), "version": goal.version + 1, "status": goal.status.value},
    )


def _check(asked: Asked[ReviseGoal], seen: Snapshot, goal: GoalState, changed: list[str]) -> None:
    body = asked.body
    if not changed:
        raise Problem(ProblemType.CONFLICT, "this is the goal as it stands: change something, or leave it", same=True)
    if goal.status not in UNBEGUN and (fixed := sorted(SCALE & set(changed))):
        detail = f"{' and '.join(fixed)} can't change once work has begun: scores are read by it; propose a new goal"
        raise Problem(ProblemType.CONFLICT, detail, fields=fixed)
    if "responsible" in changed and seen.state["strangers"]:
        detail = "responsible names members who are not in this network: name others or add them to the network first"
        raise invalid(detail, "responsible", members=seen.state["strangers"])
    if "target_on" in changed and body.target_on is not None and body.target_on < today(seen.now):
        raise invalid("target_on is past: give the day the goal should be reached by", "target_on")


def _plain(value: Any) -> Any:  # noqa: ANN401  JSON
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, tuple):
        return [str(one) for one in value]
    return value


def decide_goal_history(asked: Asked[GoalHistory], seen: Snapshot) -> Change:
    """Answers a goal's history, oldest first."""
    permit = seen.require(asked, Action.VIEW, Category.GOALS)
    goal, steps = seen.state["goal"], seen.state["steps"]
    first = {
        "version": 1,
        "status": Status.PROPOSED.value,
        "by": goal["proposed_by"],
        "at": goal["proposed_at"],
        "template": goal["template"],
        "template_number": goal["template_number"],
        "words": at_first({name: goal[name] for name in FIELDS}, steps),
    }
    result = {"goal": goal["id"], "proposed": first, "steps": steps}
    return answered((permit,), "goal-history", 1 + len(steps), result, UUID(goal["id"]))


def at_first(words: Mapping[str, Any], steps: list[dict[str, Any]]) -> dict[str, Any]:
    """Returns the words that a goal was proposed with: those of now, with each change of `steps` taken back."""
    found = dict(words)
    for step in reversed(steps):
        found |= {one["field"]: one["before"] for one in step["changes"] or ()}
    return found
