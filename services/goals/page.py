"""A child's page in one look: its goals, how they went, and its plan. What the asker may not see is not in it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from services.goals.plan_queries import also
from services.goals.queries import goals_shown
from shared.events.base import NewEvent, Viewed
from shared.events.words import Action, Category
from shared.unit import Asked, Change, Query, Snapshot

NAME = "child-page"


class ChildPage(Query):
    """The newest 20 goals, their newest 200 scores, the T-scores and the newest plan of a child or a school."""

    about: UUID


def decide_child_page(asked: Asked[ChildPage], seen: Snapshot) -> Change:
    """Answers the page; scores for who sees observations, the plan for who sees plans."""
    goals = seen.require(asked, Action.VIEW, Category.GOALS)
    observations = also(asked, seen, Action.VIEW, Category.OBSERVATIONS)
    plan = also(asked, seen, Action.VIEW, Category.PLAN)
    state = seen.state
    result: dict[str, Any] = {
        **goals_shown(asked.body.about, state, shows_scores=observations is not None),
        "scores": state["scores"] if observations else [],
        "plan_shown": plan is not None,
        "plan": state["plan"] if plan else None,
        "text": state["text"] if plan else None,
    }
    things = (
        (goals, len(result["goals"])),
        (observations, sum(len(one["scores"]) for one in result["scores"])),
        (plan, int(result["plan"] is not None)),
    )
    seen_of = [(permit, count) for permit, count in things if permit is not None]
    events = tuple(
        NewEvent(Viewed(query=NAME, things=count), about=permit.subject, act=permit.act, producer="goals")
        for permit, count in seen_of
    )
    return Change(permits=tuple(permit for permit, _ in seen_of), events=events, result=result)
