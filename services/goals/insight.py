"""What a school and its foundation see of how it goes: counts of ten children or more, and nothing about a child.

Numbers of children are told in fives, rounded down: who asks before and after learns of no single child.

A school's own improvement goals are about no child: they are counted as they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from typing import Any
from uuid import UUID

from services.goals.heard_figures import SMALLEST_GROUP, newly_told, summary
from services.goals.model import today
from services.goals.own_acts import act_of_operator
from services.goals.plan_queries import answered
from services.goals.writing import invalid
from shared.events.base import NewEvent, Viewed
from shared.events.words import Action, ActorKind, Basis, Category, school_subject
from shared.unit import Asked, Change, Query, Snapshot

STEP = 5


class Insight(Query):
    """A school's counts, for its own people and for the foundation's operator. `about` is the school's own subject."""

    about: UUID


def decide_insight(asked: Asked[Insight], seen: Snapshot) -> Change:
    """Answers the counts; of children None below ten, be it nought or nine, else a multiple of five."""
    subject = school_subject(asked.school)
    result = counted(seen.state, today(seen.now))
    rows = newly_told(result["heard"], seen.state["figures"])
    if asked.actor.kind is ActorKind.OPERATOR:
        act = act_of_operator(asked, Action.VIEW, Category.GOALS, Basis.ANONYMOUS)
        _own(asked.body.about, subject)
        viewed = NewEvent(Viewed(query="insight", things=len(result)), about=subject, act=act, producer="goals")
        return Change(permits=(), events=(viewed,), rows=rows, result=result)
    permit = seen.require(asked, Action.VIEW, Category.GOALS)
    _own(permit.subject, subject)
    return replace(answered((permit,), "insight", len(result), result), rows=rows)


def _own(about: UUID, subject: UUID) -> None:
    if about != subject:
        raise invalid("this is counted over a school: name the school's own subject", "about")


def counted(state: Mapping[str, Any], day: date) -> dict[str, Any]:
    """Returns what may be told of the counts that the reader gave."""
    children = {
        measure: count // STEP * STEP if count >= SMALLEST_GROUP else None
        for measure, count in sorted(state["children"].items())
    }
    return {
        "children": children,
        "own_approach": state["own_approach"],
        "heard": summary(state["heard"], day, state["figures"]),
        "smallest_group": SMALLEST_GROUP,
        "children_rounded_down_to": STEP,
    }
