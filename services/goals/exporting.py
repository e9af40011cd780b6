"""What leaves as a whole: a child's goals, scores and plans as FHIR, and one plan as a document. Each is an export."""

from __future__ import annotations

from contextlib import suppress
from typing import Any
from uuid import UUID

from services.goals.fhir import bundle
from services.goals.plan import PlanText
from services.goals.plan_queries import answered, verifies
from services.goals.plan_store import PlanState
from shared.access import Denial
from shared.events.words import Action, Category
from shared.unit import Asked, Change, Query, Snapshot


class ExportChild(Query):
    """A FHIR R4 Bundle of what is worked on: goals, plans, who is round it, and scores for who may export them."""

    about: UUID


class ExportPlan(Query):
    """One plan with its agreements, for a document."""

    plan: UUID


def decide_export_child(asked: Asked[ExportChild], seen: Snapshot) -> Change:
    """Answers the Bundle; `older_scores` says how many scores before the newest 1000 are not in it."""
    permits = [seen.require(asked, Action.EXPORT, one) for one in (Category.GOALS, Category.PLAN)]
    with suppress(Denial):  # not refused, as nobody asked for scores by name: the answer says that there are none
        permits.append(seen.require(asked, Action.EXPORT, Category.OBSERVATIONS))
    scores = len(permits) > 2
    found = bundle(asked.body.about, seen.state, seen.now, scores=scores)
    result = {"bundle": found, "scores_shown": scores, "older_scores": seen.state["older"] if scores else None}
    return answered(tuple(permits), "export-child", len(found["entry"]), result)


def decide_export_plan(asked: Asked[ExportPlan], seen: Snapshot) -> Change:
    """Answers the text in force (or the newest), and of each answer to it whether it verifies."""
    permit = seen.require(asked, Action.EXPORT, Category.PLAN)
    plan, state = PlanState.read(asked, seen), seen.state
    raw = state["force"] or state["text"]
    text = PlanText.read(raw)
    marks = {str(item.id): item.hash for item in text.items}
    answers: list[dict[str, Any]] = [
        {**one, "verifies": one["number"] != text.number or verifies(one, plan.id, text)}
        for one in state["answers"]
        if marks.get(one["item"]) == one["item_hash"]
    ]
    result = {
        "plan": state["plan"],
        "text": raw,
        "answers": answers,
        "ends": state["ends"],
        "evaluations": state["evaluations"],
    }
    return answered((permit,), "export-plan", 1, result, plan.id)
