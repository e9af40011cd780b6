"""What leaves as a whole: a child's goals, scores and plans as FHIR, and one plan as a document. Each is an export."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from services.goals.fhir import bundle
from services.goals.plan import PlanText
from services.goals.plan_queries import also, answered, counts, own, verifies
from services.goals.plan_store import PlanState
from shared.events.words import Action, Category
from shared.unit import Asked, Change, Query, Snapshot


class ExportChild(Query):
    """A FHIR R4 Bundle of what is worked on: goals, plans, who is round it, and scores for who may export them."""

    about: UUID


class ExportPlan(Query):
    """One plan with its agreements, for a document; `scores`: how the ladder of each of its goals went, too."""

    plan: UUID
    scores: bool = False


def decide_export_child(asked: Asked[ExportChild], seen: Snapshot) -> Change:
    """Answers the Bundle, and how much is not in it.

    That is what comes before the newest 200 goals (with their scores), 1000 scores and 50 plans.

    Who may not see conversations gets of the answers to plans only their own.
    """
    permits = [seen.require(asked, Action.EXPORT, one) for one in (Category.GOALS, Category.PLAN)]
    # Not refused, as nobody asked for these by name: the answer says that they are not there.
    scores = also(asked, seen, Action.EXPORT, Category.OBSERVATIONS)
    talks = also(asked, seen, Action.VIEW, Category.CONVERSATIONS)
    state = seen.state
    if talks is None:
        plans = [{**one, "answers": own(one["answers"], asked.actor.id)} for one in state["plans"]]
        state = {**state, "plans": plans}
    permits += [one for one in (scores, talks) if one]
    found = bundle(asked.body.about, state, seen.now, seen.clock, scores=scores is not None)
    shown = sum(one["resource"]["resourceType"] == "Observation" for one in found["entry"])
    result = {
        "bundle": found,
        "scores_shown": scores is not None,
        "said_shown": talks is not None,
        "older_goals": state["goals_in_all"] - len(state["goals"]),
        "older_scores": state["scores_in_all"] - shown if scores else None,
        "older_plans": state["plans_in_all"] - len(state["plans"]),
    }
    return answered(tuple(permits), "export-child", len(found["entry"]), result)


def decide_export_plan(asked: Asked[ExportPlan], seen: Snapshot) -> Change:
    """Answers the text in force (or the newest), and of each answer to it whether it verifies.

    Who may not see conversations gets the counts, their own answers, and nothing of its evaluations; who may not export
    observations gets no scores.
    """
    permit = seen.require(asked, Action.EXPORT, Category.PLAN)
    talks = also(asked, seen, Action.VIEW, Category.CONVERSATIONS)
    scores = also(asked, seen, Action.EXPORT, Category.OBSERVATIONS) if asked.body.scores else None
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
        "answers": answers if talks else own(answers, asked.actor.id),
        **counts(answers),
        "said_shown": talks is not None,
        "ends": state["ends"] if talks else [],
        "evaluations": state["evaluations"] if talks else [],
        "scores_shown": scores is not None,
        "ladders": state["ladders"] if scores else {},
    }
    permits = tuple(one for one in (permit, talks, scores) if one is not None)
    return answered(permits, "export-plan", 1, result, plan.id)
