"""The text of a plan as somebody writes it, and as a version keeps it. Pure."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, Field, field_validator

from services.goals.life import Paragraph, Place
from services.goals.model import today
from services.goals.plan import Item, Kind, PlanText
from services.goals.plan_store import Deciders, new_salt
from shared.errors import Problem, ProblemType
from shared.events.goals import Status
from shared.text import Day, Text
from shared.unit import Asked, Request, Snapshot

MOST = 40
"""Goals, and actions, that a plan may hold."""
PLANNED = frozenset({Status.PROPOSED, Status.ACCEPTED, Status.ACTIVE, Status.ON_HOLD})
"""Goals that a plan may take in."""


class WrittenAction(BaseModel):
    """Who does what, where, until when. `action` names one that the plan has already; None: a new one."""

    model_config = Request.model_config
    action: UUID | None = None
    what: Paragraph
    who: Annotated[tuple[UUID, ...], Field(min_length=1, max_length=20)]
    where: Annotated[tuple[Place, ...], Field(min_length=1, max_length=3)]
    until: Day
    goals: Annotated[tuple[UUID, ...], Field(max_length=MOST)] = ()

    @field_validator("who", "where", "goals")
    @classmethod
    def _each_once(cls, given: tuple[object, ...]) -> tuple[object, ...]:
        return _once(given)


class Writing(Request):
    """A plan's text, whole. `outlook` is what it all is for: it is not agreed to, as goals and actions are."""

    outlook: Text
    goals: Annotated[tuple[UUID, ...], Field(max_length=MOST)] = ()
    actions: Annotated[tuple[WrittenAction, ...], Field(max_length=MOST)] = ()

    @field_validator("goals")
    @classmethod
    def _each_once(cls, given: tuple[UUID, ...]) -> tuple[object, ...]:
        return _once(given)

    @field_validator("actions")
    @classmethod
    def _no_action_twice(cls, given: tuple[WrittenAction, ...]) -> tuple[WrittenAction, ...]:
        _once(tuple(one.action for one in given if one.action))
        return given


def _once(given: tuple[object, ...]) -> tuple[object, ...]:
    if len(set(given)) < len(given):
        msg = "names something twice: name each once"
        raise ValueError(msg)
    return given


def invalid(detail: str, field: str, **more: Any) -> Problem:  # noqa: ANN401  JSON values
    """Returns the problem for a value that can't be."""
    return Problem(ProblemType.INVALID, detail, field=field, **more)


def written(asked: Asked[Any], seen: Snapshot, deciders: Deciders, before: PlanText | None) -> PlanText:
    """Returns the text of a new version.

    What is worded as it was, or as it is in force, keeps its salt and so its hash: who agreed to that, agreed.
    """
    body: Writing = asked.body
    force = PlanText.read(seen.state["force"]) if before and seen.state["force"] else None
    known = {item.id: item for text in (force, before) if text for item in text.items}
    agreed = {item.id: item for item in force.items} if force else {}
    goals = {UUID(raw["id"]): raw for raw in seen.state["goals"]}
    items = [_goal(asked, goal, goals, (known, agreed)) for goal in body.goals]
    for action in body.actions:
        item = _action(asked, action, seen, deciders, known)
        old = agreed.get(item.id)
        items.append(old if old is not None and dict(old.text) == dict(item.text) else item)
    return PlanText(before.number + 1 if before else 1, body.outlook, tuple(items), new_salt(asked.ids))


def _goal(asked: Asked[Any], goal: UUID, goals: dict[UUID, Any], known: tuple[dict[UUID, Item], ...]) -> Item:
    """Returns the goal as it is worded now: as it was before while nothing of it changed, or once it has ended."""
    raw = goals.get(goal)
    before = [found for items in known if (found := items.get(goal)) is not None and found.kind is Kind.GOAL]
    if raw is None or raw["status"] not in PLANNED:
        if before:
            return before[0]
        raise invalid("not a goal of this child or school that is open: look it up, or propose it", "goals")
    text = {name: raw[name] for name in ("statement", "wording", "ladder", "target_on")}
    same = next((one for one in before if dict(one.text) == text), None)
    return same or Item(goal, Kind.GOAL, new_salt(asked.ids), text)


def _action(
    asked: Asked[Any], action: WrittenAction, seen: Snapshot, deciders: Deciders, known: dict[UUID, Item]
) -> Item:
    text = {
        "what": action.what,
        "who": sorted(str(one) for one in action.who),
        "where": sorted(action.where),
        "until": action.until.isoformat(),
        "goals": sorted(str(one) for one in action.goals),
    }
    found = known.get(action.action) if action.action else None
    if action.action and (found is None or found.kind is not Kind.ACTION):
        raise invalid("not an action of this plan: leave it out for a new one", "actions")
    if found is not None and dict(found.text) == text:
        return found
    strangers = sorted(str(one) for one in set(action.who) - {grant.member for grant in deciders.grants})
    if strangers:
        raise invalid("names members who are not in this network: name others", "actions", members=strangers)
    if set(action.goals) - set(asked.body.goals):
        raise invalid("serves a goal that is not in this plan: take the goal in too", "actions")
    check_until(action.until, seen)
    made = found.id if found else asked.ids.time_ordered(seen.now)
    return Item(made, Kind.ACTION, new_salt(asked.ids), text)


def check_until(until: date, seen: Snapshot) -> None:
    """Raises Problem when an action would be due before it begins."""
    if until < today(seen.now):
        raise invalid("until is past: give a day to come", "actions")
