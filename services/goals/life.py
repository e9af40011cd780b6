"""A goal is proposed, agreed to, worked on and ended; how well it goes is judged apart from that."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Annotated, Literal, TypeVar
from uuid import UUID

from pydantic import BaseModel, Field, field_validator

from services.goals.model import ASSESSED, HIGHEST, LOWEST, SCORED, Step, allowed_from, today
from services.goals.store import GoalState
from shared.access import Permit
from shared.errors import Problem, ProblemType
from shared.events.base import Fact, NewEvent
from shared.events.conversations import SuggestionEnd
from shared.events.goals import Achievement, AchievementRecorded, Domain, GoalCompleted, GoalMoved, GoalProposed, Status
from shared.events.words import Action, Category, Setting
from shared.text import Day, Text
from shared.unit import Asked, Change, Request, Row, Snapshot, stale

Paragraph = Annotated[Text, Field(max_length=1000)]
Description = Annotated[Text, Field(max_length=500)]
Level = Annotated[int, Field(ge=LOWEST, le=HIGHEST)]
Version = Annotated[int, Field(ge=1, lt=2**31)]
Place = Literal[Setting.HOME, Setting.SCHOOL, Setting.CARE]


class FromTemplate(BaseModel):
    """The version of a template that a goal starts from."""

    model_config = Request.model_config
    template: UUID
    number: Version


class ProposeGoal(Request):
    """A goal as someone proposes it. `about` is the child, or the school's own subject; `ladder` goes from -2 to +2."""

    about: UUID
    domain: Domain
    settings: Annotated[tuple[Place, ...], Field(min_length=1, max_length=3)]
    statement: Paragraph
    """What the child or the family wants, in its own words."""
    wording: Paragraph
    """The same, specific and measurable (SMART)."""
    ladder: tuple[Description, Description, Description, Description, Description]
    baseline: Level
    target_on: Day
    responsible: Annotated[tuple[UUID, ...], Field(min_length=1, max_length=20)]
    weight: Annotated[int, Field(ge=0, le=10)] = 1
    starts_from: FromTemplate | None = None

    @field_validator("settings", "responsible")
    @classmethod
    def _each_once(cls, given: tuple[object, ...]) -> tuple[object, ...]:
        if len(set(given)) < len(given):
            msg = "names something twice: name each once"
            raise ValueError(msg)
        return given


class MoveGoal(Request):
    """A step in the life of a goal, taken from the version that the caller saw."""

    goal: UUID
    version: Version


class EndGoal(MoveGoal):
    """A step that needs a reason."""

    reason: Paragraph


class CompleteGoal(MoveGoal):
    """The work is over; `achievement` says how it went."""

    achievement: Achievement
    reason: Paragraph | None = None


class AssessGoal(CompleteGoal):
    """How it goes, while the goal's life goes on."""


M = TypeVar("M", bound=MoveGoal)


def decide_propose(asked: Asked[ProposeGoal], seen: Snapshot) -> Change:
    """Writes version 1 of a goal; its responsible members must be in the network round the child or school."""
    permit = seen.require(asked, Action.PROPOSE, Category.GOALS)
    _check(asked.body, seen)
    body, start = asked.body, asked.body.starts_from
    goal = asked.ids.time_ordered(seen.now)
    values = body.model_dump(exclude={"purpose", "starts_from"}) | {
        "template": start.template if start else None,
        "template_number": start.number if start else None,
        "status": Status.PROPOSED,
        "proposed_by": asked.actor.id,
        "proposed_at": seen.now,
    }
    fact = GoalProposed(
        version=1,
        domain=body.domain,
        settings=body.settings,
        baseline=body.baseline,
        target_on=body.target_on,
        weight=body.weight,
        responsible=body.responsible,
        template=start.template if start else None,
        template_number=start.number if start else None,
    )
    return Change(
        permits=(permit,),
        events=(NewEvent(fact, about=permit.subject, act=permit.act, thing=goal),),
        rows=(Row("goal", goal, 0, values),),
        reply={"goal": str(goal), "version": 1, "status": Status.PROPOSED.value},
    )


def _check(body: ProposeGoal, seen: Snapshot) -> None:
    if seen.state["strangers"]:
        raise Problem(
            ProblemType.INVALID,
            "responsible names members who are not in this network: name others or add them to the network first",
            field="responsible",
            members=seen.state["strangers"],
        )
    if body.target_on < today(seen.now):
        raise Problem(
            ProblemType.INVALID, "target_on is past: give the day the goal should be reached by", field="target_on"
        )
    if body.starts_from is not None and not seen.state["template"]:
        detail = "there is no such version of a template here: see which there are, or leave starts_from out"
        raise Problem(ProblemType.INVALID, detail, field="starts_from")


def move(step: Step) -> Callable[[Asked[M], Snapshot], Change]:
    """Returns the decision for one step of a goal's life."""

    def decide(asked: Asked[M], seen: Snapshot) -> Change:
        permit = seen.require(asked, Action.DECIDE, Category.GOALS)
        goal = _as_seen(asked.body, seen)
        if goal.status not in step.sources:
            raise refusal(goal.status, step.command)
        fact = _moved(step, asked.body, goal)
        achieved = {"achievement": fact.achievement} if isinstance(fact, GoalCompleted) else {}
        values = {"status": step.target, **achieved}
        rows = [Row("goal", goal.id, goal.version, values), _step_row(asked, seen, goal, step.target)]
        if goal.status in SCORED and step.target not in SCORED:
            # A score decided before this step must not land after it: it finds the progress moved and looks again.
            rows.append(goal.progress_row(goal.latest))
        change = _change(permit, goal, fact, rows, step.target)
        if goal.suggestion.open and step.target not in SCORED:
            row, event = goal.suggestion.ends(permit, seen.now, SuggestionEnd.GOAL_OVER)
            change = replace(change, rows=(*change.rows, row), events=(*change.events, event))
        return change

    return decide


def decide_assess(asked: Asked[AssessGoal], seen: Snapshot) -> Change:
    """Records the achievement; the life of the goal stays as it is."""
    permit = seen.require(asked, Action.DECIDE, Category.GOALS)
    goal = _as_seen(asked.body, seen)
    if goal.status not in ASSESSED:
        raise refusal(goal.status, "assess-goal")
    fact = AchievementRecorded(version=goal.version + 1, previous=goal.achievement, achievement=asked.body.achievement)
    rows = [
        Row("goal", goal.id, goal.version, {"achievement": asked.body.achievement}),
        _step_row(asked, seen, goal, goal.status),
    ]
    return _change(permit, goal, fact, rows, goal.status)


def refusal(status: Status, command: str) -> Problem:
    """Returns the problem for a command that `status` does not allow; it names those that it does."""
    allowed = allowed_from(status)
    then = f"from here: {', '.join(allowed)}" if allowed else "nothing follows from here: propose a new goal"
    return Problem(
        ProblemType.CONFLICT,
        f"{command} is not possible while the goal is {status.value}; {then}",
        status=status.value,
        allowed=list(allowed),
    )


def _as_seen(body: MoveGoal, seen: Snapshot) -> GoalState:
    goal = GoalState.read(seen.state["goal"])
    if goal.version != body.version:
        raise stale(body.version, goal.version, status=goal.status.value, changes=seen.state["since"])
    return goal


def _moved(step: Step, body: MoveGoal, goal: GoalState) -> GoalMoved:
    version = goal.version + 1
    if isinstance(body, CompleteGoal):
        return GoalCompleted(version=version, previous=goal.status, status=step.target, achievement=body.achievement)
    return step.fact(version=version, previous=goal.status, status=step.target)


def _step_row(asked: Asked[M], seen: Snapshot, goal: GoalState, status: Status) -> Row:
    body = asked.body
    values = {
        "goal": goal.id,
        "goal_version": goal.version + 1,
        "status": status,
        "achievement": body.achievement if isinstance(body, CompleteGoal) else None,
        "reason": body.reason if isinstance(body, EndGoal | CompleteGoal) else None,
        "changes": None,
        "taken_by": asked.actor.id,
        "taken_at": seen.now,
    }
    return Row("goal_step", asked.ids.time_ordered(seen.now), 0, values)


def _change(permit: Permit, goal: GoalState, fact: Fact, rows: list[Row], status: Status) -> Change:
    return Change(
        permits=(permit,),
        events=(NewEvent(fact, about=goal.about, act=permit.act, thing=goal.id),),
        rows=tuple(rows),
        reply={"goal": str(goal.id), "version": goal.version + 1, "status": status.value},
    )
